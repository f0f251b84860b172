"""`tympan labels` on a command line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from labels.dataset import load
from labels.record import read, write
from tests.labels.records import SMALL, corpus, lines, record
from tympan import app

TAXONOMY = """
name = "small"
version = "1"
[groups.mood.tags.happy]
[groups.mood.tags.sad]
[groups.about.tags.price]
[groups.about.tags."price/level"]
[groups.about.tags."price/fees"]
[groups.about.tags.place]
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "small.toml").write_text(TAXONOMY, encoding="utf-8")
    write(tmp_path / "data.jsonl", corpus(60))
    return tmp_path / "data.jsonl"


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["labels", *map(str, arguments)])


def _check(*files: Path, taxonomy: Path) -> Result:
    return _run("check", *files, "--taxonomy", taxonomy)


def test_records_that_are_all_fine_give_exit_code_0_and_their_counts(data: Path) -> None:
    result = _check(data, taxonomy=data.with_name("small.toml"))
    assert result.exit_code == 0, result.output
    assert "60 records, 0 bad rows" in result.stdout
    counted = sum(found.tags["mood"] == ("sad",) for found in read(data, SMALL))
    assert re.search(rf"mood/sad .* {counted} │\n", result.stdout)


def test_bad_rows_are_listed_by_line_and_give_exit_code_1(data: Path) -> None:
    more = lines(data.with_name("more.jsonl"), [{"id": "x", "text": "secret words", "tags": {"mood": ["angry"]}}, "{"])
    result = _check(data, more, taxonomy=data.with_name("small.toml"))
    assert result.exit_code == 1
    assert f"{more}:1: tags.mood: no tag 'angry'. Legal: happy, sad\n" in result.stdout
    assert f"{more}:2: is no JSON" in result.stdout
    assert "60 records, 2 bad rows" in result.stdout
    assert "secret" not in result.stdout


def test_doubles_and_other_languages_are_listed_by_id(data: Path) -> None:
    said = "Hello, could you please tell me where my order is?"
    doubles = [record("x", said, lang="fr"), record("y", said, lang="fr", tags={"mood": ("sad",)})]
    write(data.with_name("more.jsonl"), doubles)
    result = _check(data.with_name("more.jsonl"), taxonomy=data.with_name("small.toml"))
    assert result.exit_code == 0
    assert "same text, other tags: x, y\n" in result.stdout
    assert "labelled fr, seems en: x\n" in result.stdout


def test_the_rest_of_a_long_list_is_counted(data: Path) -> None:
    lines(data.with_name("bad.jsonl"), ["{"] * 5)
    result = _run(
        "check", data, data.with_name("bad.jsonl"), "--taxonomy", data.with_name("small.toml"), "--limit", "2"
    )
    assert result.stdout.count("is no JSON") == 2
    assert "… and 3 more" in result.stdout


@pytest.mark.parametrize("content", [None, b"", b"\n \n", b"\x89PNG\r\n\x1a\n\x00", b"id;text\n1;hello\n"])
def test_a_file_without_records_is_refused_with_one_last_line_and_exit_code_2(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "f.jsonl"
    if content is not None:
        file.write_bytes(content)
    result = _run("check", file)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert str(file) in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_disk_that_is_full_is_told_in_one_line(data: Path, unbuffered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    command = [sys.executable, "-m", "tympan", "labels", "check", str(data)]
    with Path("/dev/full").open("w") as full:
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert found.returncode == 2
    assert found.stderr.splitlines()[-1] == "tympan: No space left on device. Mend that, and run it again"
    assert "Traceback" not in found.stderr and "Exception" not in found.stderr


def test_a_missing_or_bad_taxonomy_is_refused(data: Path) -> None:
    for name in ("missing.toml", "data.jsonl"):
        result = _check(data, taxonomy=data.with_name(name))
        assert result.exit_code == 2
        assert name in result.stderr


def test_a_dataset_is_made_and_described(data: Path) -> None:
    output = data.with_name("dataset")
    result = _run("split", data, "-o", output, "--taxonomy", data.with_name("small.toml"), "--test", "0.2")
    assert result.exit_code == 0, result.output
    sides = load(output)
    assert sorted(found.id for own in sides.values() for found in own) == [found.id for found in corpus(60)]
    assert len(sides["test"]) == pytest.approx(12, abs=3)
    assert re.search(rf"train .* {len(sides['train'])} │", result.stdout)
    assert "small@1, fingerprint " in result.stdout


@pytest.mark.parametrize("fault", ["a bad row", "fractions", "a folder in use", "a missing file"])
def test_a_split_that_cannot_be_made_is_refused_and_writes_nothing(data: Path, fault: str) -> None:
    output, options = data.with_name("dataset"), ["--taxonomy", data.with_name("small.toml")]
    if fault == "a bad row":
        with data.open("a", encoding="utf-8") as file:
            file.write("{\n")
    if fault == "fractions":
        options += ["--test", "0.7", "--validation", "0.7"]
    if fault == "a folder in use":
        output = data.parent
    before = sorted(data.parent.iterdir())
    result = _run("split", data if fault != "a missing file" else data.with_name("none"), "-o", output, *options)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert sorted(data.parent.iterdir()) == before


@pytest.mark.parametrize("verb", [[], ["check"], ["split"]])
def test_every_help_has_an_example(verb: list[str]) -> None:
    result = _run(*verb, "--help")
    assert result.exit_code == 0
    assert "For example:" in result.stdout
    assert f"tympan labels {verb[0] if verb else 'check'} labels/corpora" in result.stdout
