"""A tagging by a Ray of this machine, with two processes, of which one is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from model.tagger import Tagger
from serving.exports import Reading, tag_table
from serving.tables import open_table
from tests.serving.conftest import ROOT, TYMPAN
from tests.serving.files import written

WORDS = ("panne", "merci", "annulla", "la")


def workers() -> list[psutil.Process]:
    """The processes of Ray that tag."""
    return [process for process in psutil.Process().children(recursive=True) if "ray::_Worker" in process.name()]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def test_the_output_is_that_of_this_program_though_a_process_is_killed_in_the_middle(
    tagger: Tagger, tmp_path: Path
) -> None:
    lines = [json.dumps({"text": f"{WORDS[row % 4]} {row}", "at": row}) for row in range(8_000)]
    path = written(tmp_path, "\n".join(lines).encode(), "mentions.jsonl")
    tag_table(tagger, open_table(path), tmp_path / "local.jsonl", Reading("text", scores=True))
    killed = []

    def each(rows: int, _: int) -> None:
        if rows > 1_000 and not killed:
            found = workers()
            assert len(found) == 2
            os.kill(found[0].pid, signal.SIGKILL)
            killed.append(found[0].pid)

    output = tmp_path / "ray.jsonl"
    summary = tag_table(tagger, open_table(path), output, Reading("text", scores=True), jobs=2, by="ray", each=each)
    assert killed
    assert summary.rows == 8_000
    assert output.read_bytes() == (tmp_path / "local.jsonl").read_bytes()
    assert not workers()


def test_a_cluster_that_does_not_answer_is_one_clear_line(bundle: Path, tmp_path: Path) -> None:
    path = written(tmp_path, b"text\npanne\n")
    command = [*TYMPAN, "tag", str(path), "--bundle", str(bundle), "--engine", "ray"]
    environment = {**os.environ, "RAY_ADDRESS": "127.0.0.1:1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "RAY_ADDRESS: no cluster answers at 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
