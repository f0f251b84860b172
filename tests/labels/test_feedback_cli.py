"""`tympan labels corrections` on a command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from labels.feedback.store import FeedbackStore
from labels.push import Given
from labels.record import read
from labels.studio_cli import _rows
from tests import postgres
from tests.labels.corrections import correction
from tests.labels.records import SMALL
from tests.labels.test_cli import TAXONOMY
from tympan import app

WORDS = "Trop cher ici, vraiment."


@pytest.fixture
def tags(tmp_path: Path) -> Path:
    (tmp_path / "small.toml").write_text(TAXONOMY, encoding="utf-8")
    return tmp_path / "small.toml"


@pytest.fixture
def filled(place: str) -> str:
    FeedbackStore(place).add(
        [
            correction("c1", text=WORDS),
            correction("c2", text=WORDS, group="mood", tags=("happy",)),
            correction("c3", text=WORDS, group="mood", tags=("sad",), who="ben"),
        ]
    )
    return place


def run(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(app, ["labels", "corrections", *map(str, arguments)], env=environment)


def test_records_and_disputes_are_written_and_counted(filled: str, tags: Path, tmp_path: Path) -> None:
    new, again = tmp_path / "new.jsonl", tmp_path / "again.jsonl"
    result = run("-o", new, "--disputed", again, "--store", filled, "--taxonomy", tags)
    assert result.exit_code == 0, result.output
    assert "3 corrections: 1 records, 1 mentions disputed, 0 corrections left out\n" in result.stdout
    assert [record.tags for record in read(new, SMALL)] == [{"about": ("place",)}]
    count, rows = _rows(again, None, None, None)  # what `tympan labels push` makes tasks of
    (row,) = rows
    assert (count, row.mention and row.mention.text) == (1, WORDS)
    assert isinstance(row, Given)
    assert json.loads(again.read_text(encoding="utf-8"))["reason"] == "mood: happy or sad"


def test_the_store_is_that_of_the_services_environment(filled: str, tags: Path, tmp_path: Path) -> None:
    variable = "TYMPAN_FEEDBACK" if "://" in filled else "TYMPAN_STATE"
    environment = {"TYMPAN_FEEDBACK": "", "TYMPAN_STATE": str(tmp_path / "none"), variable: filled}
    result = run("-o", tmp_path / "new.jsonl", "--taxonomy", tags, **environment)
    assert result.exit_code == 0, result.output
    assert "1 mentions disputed (see --disputed)" in result.stdout


def test_tags_that_are_no_more_are_told_without_texts_and_give_exit_code_1(
    filled: str, tags: Path, tmp_path: Path
) -> None:
    FeedbackStore(filled).add([correction("c9", text="secret words", tags=("gone",))])
    result = run("-o", tmp_path / "new.jsonl", "--store", filled, "--taxonomy", tags)
    assert result.exit_code == 1
    assert "correction 'c9': tags.about: no tag 'gone'" in result.stderr
    assert "1 corrections left out" in result.stdout
    assert "secret" not in result.output
    assert len(read(tmp_path / "new.jsonl", SMALL)) == 1


def test_a_place_without_corrections_is_refused_and_nothing_is_made(tmp_path: Path, tags: Path) -> None:
    bad = f"postgresql+psycopg://ann:{postgres.PASSWORD}@127.0.0.1:1/none"
    for store, said in (
        (str(tmp_path / "none"), "holds no corrections"),
        ("", "Give --store"),
        (bad, "cannot be used"),
    ):
        result = run("-o", tmp_path / "new.jsonl", "--store", store, "--taxonomy", tags, TYMPAN_STATE="")
        assert result.exit_code == 2
        assert said in result.stderr
        assert postgres.PASSWORD not in result.output
    assert {path.name for path in tmp_path.iterdir()} == {"small.toml"}
