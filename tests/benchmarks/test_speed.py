"""The race against transformers' pipeline, on a tiny bundle and a few rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.errors import BenchmarkError
from benchmarks.speed.__main__ import app
from benchmarks.speed.contender import Contender
from tests.benchmarks import trained


@pytest.fixture(scope="module")
def mentions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("speed") / "mentions.csv"
    rows = [f'{number},"{text}"' for number, text in enumerate(trained.texts() * 2)]
    file.write_text("\n".join(["id,message", *rows]) + "\n", encoding="utf-8")
    return file


def test_both_sides_are_measured_on_the_same_mentions_and_compared(mentions: Path, small: Path, tmp_path: Path) -> None:
    page = tmp_path / "speed.md"
    options = ["--calls", "1,4", "--mentions", "12", "--batch-sizes", "1,4", "--starts", "1", "--threads", "1"]
    result = CliRunner().invoke(
        app,
        ["--data", str(mentions), "--bundle", str(small), *options, "--markdown", str(page)],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    rows = [line.strip("| ").split(" | ") for line in page.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    speeds = [row for row in rows if len(row) >= 6 and row[0] in ("1", "4")]
    assert [row[1].partition(",")[0] for row in speeds] == ["Tympan", "pipeline"] * 2
    for ours, theirs in zip(speeds[::2], speeds[1::2], strict=True):
        assert float(ours[6]) == pytest.approx(float(ours[3]) / float(theirs[3]), rel=0.01)
        assert all(float(row[4]) <= float(row[5]) for row in (ours, theirs))  # the median, the 99th percentile
    start, memory = (next(row for row in rows if row[0].startswith(name)) for name in ("start", "peak memory"))
    assert 0 < float(start[1]) < float(start[2])
    assert 20 < float(memory[1]) < float(memory[2])
    assert f"{len(set(trained.texts()))} distinct mentions" in page.read_text(encoding="utf-8")


def test_a_side_that_cannot_start_is_named(tmp_path: Path) -> None:
    with (
        Contender("tympan", tmp_path / "none", threads=1, max_length=32) as contender,
        pytest.raises(BenchmarkError, match="tympan: ended without an answer"),
    ):
        contender.ask(["merci"])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--calls", "0"], "--calls: is '0'"),
        (["--calls", "many"], "--calls: is 'many'"),
        (["--calls", "1000"], "1000 of 80 distinct texts"),
        (["--text-column", "body"], "no column 'body'"),
    ],
)
def test_what_cannot_be_measured_is_refused(mentions: Path, small: Path, options: list[str], problem: str) -> None:
    result = CliRunner().invoke(app, ["--data", str(mentions), "--bundle", str(small), *options])
    assert isinstance(result.exception, BenchmarkError)
    assert problem in str(result.exception)
