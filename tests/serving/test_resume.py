"""Taggings that are interrupted, and go on."""

from __future__ import annotations

import json
import random
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from model.tagger import Tagger
from serving.errors import TableError
from serving.exports import Reading, tag_table
from serving.tables import open_table
from tests.serving.conftest import ROOT, TYMPAN
from tests.serving.files import records, written

ROWS = 3_000
WORDS = ("panne", "merci", "annulla", "la")


class StoppedError(Exception):
    """Stands for whatever stops a tagging."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    lines = [f"{row};{WORDS[row % 4]} {row}" for row in range(ROWS)]
    lines[7] = "7;"
    return written(tmp_path, "\n".join(["id;text", *lines, ""]).encode())


@pytest.fixture
def whole(tagger: Tagger, path: Path) -> bytes:
    """The output of a run that nothing stops."""
    output = path.with_name("whole.csv")
    tag_table(tagger, open_table(path), output, Reading("text"))
    return output.read_bytes()


def interrupt(tagger: Tagger, path: Path, output: Path, *, after: int = 1_000) -> list[int]:
    """Tag until `after` rows are done; returns the counts that were told."""
    told: list[int] = []

    def each(rows: int, _: int) -> None:
        told.append(rows)
        if rows > after:
            raise StoppedError

    with pytest.raises(StoppedError):
        tag_table(tagger, open_table(path), output, Reading("text"), each=each)
    return told


def test_an_output_is_whole_or_not_there(tagger: Tagger, path: Path, whole: bytes) -> None:
    output = path.with_name("out.csv")
    output.write_bytes(b"from before")
    interrupt(tagger, path, output)
    assert output.read_bytes() == b"from before"
    tag_table(tagger, open_table(path), output, Reading("text"))
    assert output.read_bytes() == whole
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["mentions.csv", "out.csv", "whole.csv"]


def test_what_was_done_is_not_done_again(tagger: Tagger, path: Path, whole: bytes) -> None:
    output = path.with_name("out.csv")
    done = interrupt(tagger, path, output)[-1]
    told: list[int] = []
    failed: list[int] = []

    def each(rows: int, failures: int) -> None:
        told.append(rows)
        failed.append(failures)

    summary = tag_table(tagger, open_table(path), output, Reading("text"), resume=True, each=each)
    assert told[0] == done
    assert failed == [1] * len(told)  # the eighth row, which was done before
    assert told[-1] == summary.rows == ROWS
    assert summary.failed == 1
    assert output.read_bytes() == whole


def test_without_asking_it_starts_anew(tagger: Tagger, path: Path, whole: bytes) -> None:
    output = path.with_name("out.csv")
    interrupt(tagger, path, output)
    told: list[int] = []
    tag_table(tagger, open_table(path), output, Reading("text"), each=lambda rows, _: told.append(rows))
    assert told[0] == 0
    assert output.read_bytes() == whole


@pytest.mark.parametrize("torn", [b'[{"lang": "fr", "ta', b"\0" * 50, b"\0" * 50 + b"\n"])
def test_a_line_that_a_dying_machine_left_half_written_is_done_again(
    tagger: Tagger, path: Path, whole: bytes, torn: bytes
) -> None:
    output = path.with_name("out.csv")
    interrupt(tagger, path, output)
    with (path.parent / ".out.csv.tagging" / "blocks.jsonl").open("ab") as blocks:
        blocks.write(torn)
    tag_table(tagger, open_table(path), output, Reading("text"), resume=True)
    assert output.read_bytes() == whole


def test_what_was_begun_otherwise_is_not_gone_on_with(tagger: Tagger, path: Path, whole: bytes) -> None:
    output = path.with_name("out.csv")
    interrupt(tagger, path, output)
    with pytest.raises(TableError, match="was begun with another reading"):
        tag_table(tagger, open_table(path), output, Reading("text", min_score=0.5), resume=True)
    path.write_bytes(path.read_bytes() + b"3000;panne\n")
    with pytest.raises(TableError, match="was begun with another input"):
        tag_table(tagger, open_table(path), output, Reading("text"), resume=True)
    assert not output.exists()


@pytest.mark.parametrize("rows", [ROWS, ROWS - 500])
def test_a_file_that_changes_between_tagging_and_writing_is_refused(tagger: Tagger, path: Path, rows: int) -> None:
    def each(done: int, _: int) -> None:
        if done == ROWS:
            lines = [f"{row};merci {row}" for row in range(rows)]
            path.write_bytes("\n".join(["id;text", *lines, ""]).encode())

    output = path.with_name("out.csv")
    with pytest.raises(TableError, match="was changed while it was read"):
        tag_table(tagger, open_table(path), output, Reading("text"), each=each)
    assert not output.exists()


@pytest.mark.parametrize("left", ["no plan", "no blocks", "an empty plan"])
def test_what_a_kill_left_of_a_removal_or_a_start_is_no_obstacle(
    tagger: Tagger, path: Path, whole: bytes, left: str
) -> None:
    output = path.with_name("out.csv")
    interrupt(tagger, path, output)
    folder = path.parent / ".out.csv.tagging"
    (folder / ("blocks.jsonl" if left == "no blocks" else "plan.json")).unlink()
    if left == "an empty plan":
        (folder / "plan.json").touch()
    tag_table(tagger, open_table(path), output, Reading("text"), resume=True)
    assert output.read_bytes() == whole
    assert not folder.exists()


def test_what_fails_after_the_tagging_is_gone_on_from(tagger: Tagger, path: Path, whole: bytes) -> None:
    output = path.with_name("out.csv")

    def done(summary: object) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        tag_table(tagger, open_table(path), output, Reading("text"), done=done)
    assert not output.exists()
    told: list[int] = []
    tag_table(tagger, open_table(path), output, Reading("text"), resume=True, each=lambda rows, _: told.append(rows))
    assert told == [ROWS]
    assert output.read_bytes() == whole


@pytest.mark.parametrize("tagged", [0, 20], ids=["what is found", "the output"])
def test_a_disk_that_takes_no_more_is_said_and_gone_on_from(tagger: Tagger, tmp_path: Path, tagged: int) -> None:
    path = written(tmp_path, b"text\n" + b"".join(b"panne %d\n" % row for row in range(20)))
    output, whole = path.with_name("out.csv"), path.with_name("whole.csv")
    tag_table(tagger, open_table(path), whole, Reading("text"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def each(rows: int, _: int) -> None:
        if rows == tagged:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))

    try:
        with pytest.raises(TableError, match="cannot be written: File too large"):
            tag_table(tagger, open_table(path), output, Reading("text"), each=each)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    left = sorted(entry.name for entry in (tmp_path / ".out.csv.tagging").iterdir())
    assert left == ["blocks.jsonl", "plan.json"]  # a draft would keep the disk full
    tag_table(tagger, open_table(path), output, Reading("text"), resume=True)
    assert output.read_bytes() == whole.read_bytes()


def test_a_link_stays_a_link_to_the_output(tagger: Tagger, path: Path, whole: bytes) -> None:
    (path.parent / "elsewhere").mkdir()
    link, output = path.with_name("out.csv"), path.parent / "elsewhere" / "real.csv"
    link.symlink_to(output)
    tag_table(tagger, open_table(path), link, Reading("text"))
    assert link.is_symlink()
    assert output.read_bytes() == whole


def test_two_runs_do_not_write_the_same_output(tagger: Tagger, path: Path) -> None:
    output = path.with_name("out.csv")
    refused = []

    def each(rows: int, _: int) -> None:
        if not refused:
            with pytest.raises(TableError, match="is being written by another run") as error:
                tag_table(tagger, open_table(path), output, Reading("text"))
            refused.append(error)

    tag_table(tagger, open_table(path), output, Reading("text"), each=each)
    assert refused


def test_the_first_row_that_cannot_be_tagged_may_stop_it_all(tagger: Tagger, path: Path) -> None:
    output = path.with_name("out.csv")
    with pytest.raises(TableError, match=r"row 8: text: is empty.*--on-error keep"):
        tag_table(tagger, open_table(path), output, Reading("text"), on_error="stop")
    assert not output.exists()
    with pytest.raises(TableError, match="row 8: "):
        interrupt(tagger, path, output)
        tag_table(tagger, open_table(path), output, Reading("text"), on_error="stop", resume=True)


def test_several_processes_find_the_same(tagger: Tagger, path: Path, whole: bytes) -> None:
    output = path.with_name("out.csv")
    tag_table(tagger, open_table(path), output, Reading("text"), jobs=2)
    assert output.read_bytes() == whole


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_killed_at_any_moment_and_resumed_the_output_is_that_of_an_uninterrupted_run(
    bundle: Path, tmp_path: Path, jobs: str
) -> None:
    lines = [json.dumps({"text": f"{WORDS[row % 4]} {row}", "at": row}) for row in range(12_000)]
    path = written(tmp_path, "\n".join(lines).encode(), "mentions.jsonl")
    command = [*TYMPAN, "tag", str(path), "--bundle", str(bundle), "--jobs", jobs]
    began = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    took = time.monotonic() - began
    output = tmp_path / "mentions.tagged.jsonl"
    whole = tmp_path / "whole.jsonl"
    output.rename(whole)
    for _ in range(5):
        running = subprocess.Popen([*command, "--resume"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            running.wait(random.uniform(0.3, 1.0) * took / 2)  # noqa: S311 — no secret
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
        running.communicate(timeout=30)  # its own processes end with it, or would hold the pipe open
        assert not output.exists() or output.read_bytes() == whole.read_bytes()
    subprocess.run([*command, "--resume"], cwd=ROOT, check=True, capture_output=True, timeout=120)
    assert output.read_bytes() == whole.read_bytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [path.name, output.name, whole.name]


def test_an_interruption_says_how_to_go_on(bundle: Path, tmp_path: Path) -> None:
    path = written(tmp_path, b"text\n" + b"".join(b"panne %d\n" % row for row in range(200_000)))
    command = [*TYMPAN, "tag", str(path), "--bundle", str(bundle)]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (tmp_path / ".mentions.tagged.csv.tagging" / "plan.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.terminate()
    _, said = running.communicate(timeout=30)
    assert running.returncode == 143
    assert b"--resume goes on from there" in said
    assert b"Traceback" not in said
    shutil.rmtree(tmp_path / ".mentions.tagged.csv.tagging")  # nothing else is in the way
    assert sorted(entry.suffix for entry in tmp_path.iterdir()) == [".csv", ".lock"]


def test_rows_that_are_resumed_are_those_of_a_reader_of_csv(tagger: Tagger, path: Path, whole: bytes) -> None:
    assert [row["id"] for row in records(whole, delimiter=";")] == [str(row) for row in range(ROWS)]
