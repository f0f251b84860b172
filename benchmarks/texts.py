"""Real texts to measure on, read from files that stay outside the repository."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.errors import BenchmarkError
from model.mention import prepare
from serving.tables import open_table

DataOption = Annotated[
    Path, typer.Option(help="The folder of the public data, of which mentions/ is read, or any CSV or JSONL file.")
]
ColumnOption = Annotated[str, typer.Option(help="The column with the texts.")]
BundleOption = Annotated[
    Path, typer.Option(help="A bundle's folder, or a registry.", show_default="the one that ships")
]


def prepared(file: Path, column: str) -> list[str]:
    """The texts in `column` of a CSV or JSONL file, prepared; those with nothing left are dropped.

    Raises BenchmarkError if there is no such file, column or text.
    """
    if not file.is_file():
        raise BenchmarkError(str(file), "is no file", "Give a CSV or JSONL file, or a folder of the public data")
    table = open_table(file)
    if column not in table.columns:
        raise BenchmarkError(f"{file}: --text-column", f"no column {column!r}", f"Columns: {', '.join(table.columns)}")
    texts = [prepare(row.cells.get(column, "")) for row in table.rows() if not (row.blank or row.fault)]
    found = [text for text in texts if text]
    if not found:
        raise BenchmarkError(f"{file}: {column}", "holds no text", "Choose another column")
    return found


def distinct(texts: Iterable[str]) -> list[str]:
    """Each text once, in the order of its first occurrence."""
    return list(dict.fromkeys(texts))


def seeded_texts(data: Path, column: str, *, enough: int) -> list[str]:
    """The distinct prepared texts of a file, or of all in the folder of mentions, in a seeded random order."""
    files = sorted((data / "mentions").glob("*.csv")) if data.is_dir() else [data]
    if not files:
        raise BenchmarkError(f"{data}: --data", "has no mentions/*.csv", "Give the public data, or a file")
    texts = distinct(text for file in files for text in prepared(file, column))
    if len(texts) < enough:
        raise BenchmarkError(f"{data}: --calls", f"{enough} of {len(texts)} distinct texts", "Give more texts, or less")
    random.Random(0).shuffle(texts)  # noqa: S311 — no secret
    return texts
