"""Real texts, as the benchmarks read them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.texts import distinct, prepared


def test_a_csv_of_a_french_spreadsheet_gives_prepared_texts(tmp_path: Path) -> None:
    file = tmp_path / "mentions.csv"
    file.write_text('\ufeffid;message\r\n1;"Vu sur https://t.co/x"\r\n2;" "\r\n3;Merci\r\n', encoding="utf-8")
    assert prepared(file, "message") == ["Vu sur http", "Merci"]


def test_jsonl_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in ("uno", "due")), encoding="utf-8")
    assert prepared(file, "text") == ["uno", "due"]


def test_texts_that_are_alike_once_prepared_count_once() -> None:
    assert distinct(["a", "b", "a"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "column", "problem"),
    [("id,message\n1,merci\n", "text", "no column 'text'"), ("id,message\n1,\n", "message", "holds no text")],
)
def test_a_file_without_texts_is_refused(tmp_path: Path, content: str, column: str, problem: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(BenchmarkError, match=problem):
        prepared(file, column)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"none\.csv: is no file"):
        prepared(tmp_path / "none.csv", "message")
