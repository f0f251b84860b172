"""The tagging of a file: the same rows in the same order, with new columns."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from model.mention import Mention
from model.tagger import Failed, Tagged, Tagger
from model.watchlist import Organisation, Watchlist
from serving.errors import TableError
from serving.priority import Priorities
from serving.reply import replied
from serving.tables import Row, Table
from serving.tables.source import ENDINGS, compressed, plain_suffix

_FORMATS = {
    **dict.fromkeys((".csv", ".tsv", ".tab"), ("CSV",)),
    **dict.fromkeys((".jsonl", ".ndjson"), ("JSONL",)),
    ".json": ("JSON", "JSONL"),
    ".xlsx": ("XLSX",),
    ".xlsm": ("XLSM",),
    ".ods": ("ODS",),
    ".parquet": ("Parquet",),
}
"""What the ending of an output asks for."""
_TITLES = {"XLSX": "a workbook (XLSX)", "XLSM": "a workbook with macros (XLSM)", "ODS": "a workbook (ODS)"}
_BLOCK = 256  # rows tagged together: fixed, so that the same file gives the same batches


@dataclass(frozen=True)
class Reading:
    """How the rows of a file are to be read: towards whom, and how sure a tag must be."""

    text_column: str
    watchlist: Watchlist | None = None
    target: Organisation | None = None
    """The organisation that the tags are towards: one of `watchlist`."""
    min_score: float = 0.0
    priorities: Priorities | None = None
    answered_column: str | None = None
    """The column that says whether somebody has replied; None if there is none."""


@dataclass
class Summary:
    """What came of a file, counted as it goes."""

    rows: int = 0
    failed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    tags: dict[str, Counter[str]] = field(default_factory=dict)
    """Group → tag → rows that have it."""
    untagged: Counter[str] = field(default_factory=Counter)
    """Group → rows that have none of its tags."""

    def count(self, result: Tagged | str) -> None:
        """Add a row's result: its tags, or why it has none."""
        self.rows += 1
        if isinstance(result, str):
            self.failed += 1
            self.reasons[result] += 1
            return
        self.languages[result.lang] += 1
        for group, scores in result.tags.items():
            self.tags.setdefault(group, Counter()).update(score.tag for score in scores)
            self.untagged[group] += not scores


def check_output(table: Table, output: Path, *, whole: bool = False) -> None:
    """Raise TableError if `output` is the input, has no folder, or is of another format.

    Unless the `whole` table is to be written, its rows must be such that can be taken apart.
    """
    if not whole and not table.apart:
        raise TableError(table.source.name, f"is {table.format}, of which no rows are taken", "Save it as CSV or JSONL")
    if output.resolve() == table.path.resolve() or (output.exists() and output.samefile(table.path)):
        raise TableError(str(output), "is the input", "Choose another name for the output")
    if not output.parent.is_dir():
        raise TableError(str(output.parent), "is no folder", "Make it first, or choose another")
    if output.is_dir():
        raise TableError(str(output), "is a folder", "Give a file's name")
    wanted = _FORMATS.get(plain_suffix(output), (table.written,))
    if table.written not in wanted:
        problem = f"asks for {_TITLES.get(wanted[0], wanted[0])}"
        as_is = "as the input is" if table.written == table.format else f"since the input is {table.format}"
        raise TableError(str(output), problem, f"The output is {table.written}, {as_is}")


def output_for(table: Table) -> Path:
    """Where to write if nobody says: beside the input, with .tagged before its ending.

    Raises TableError if the input comes from elsewhere.
    """
    given = table.source.given
    if given is None:
        raise TableError(table.source.name, "has no folder to write into", "Say where with --output")
    name = Path(table.source.file_name)
    suffix = name.suffix if table.written == table.format else f".{table.written.lower()}"
    return given.with_name(f"{name.stem}.tagged{suffix}{ENDINGS.get(table.source.compression, '')}")


def tag_table(
    tagger: Tagger, table: Table, output: Path, reading: Reading, *, each: Callable[[int], None] = lambda _: None
) -> Summary:
    """Tag every row of `table` into `output`, which is written aside and renamed: whole, or not there.

    `each` is called with the rows done after every block. Raises TableError if the table has our columns already,
    or if `output` cannot be written.
    """
    columns = _columns(tagger, reading)
    taken = [column for column in columns if column in table.columns]
    if taken:
        where = table.source.name
        raise TableError(where, f"has a column {taken[0]} already", "Give the file from before it was tagged")
    summary, version = Summary(), tagger.bundle.version

    def cells() -> Iterator[list[str]]:
        for block in _blocks(row for row in table.rows() if not row.blank):
            for row, result in zip(block, _tag(tagger, block, reading), strict=True):
                summary.count(result)
                yield _cells(row, result, tagger, reading, version)
            each(summary.rows)

    with written_aside(output) as file, compressed(file, output) as stream:
        table.write(stream, columns, cells())
    return summary


def _columns(tagger: Tagger, reading: Reading) -> list[str]:
    target = ["tympan_target"] if reading.watchlist else []
    groups = [f"tympan_{group.name}" for group in tagger.taxonomy.groups]
    priority = ["tympan_priority", "tympan_priority_reason", "tympan_owner"] if reading.priorities else []
    columns = [*groups, *target, *priority, "tympan_lang", "tympan_error", "tympan_model"]
    twice = [column for column in groups if columns.count(column) > 1]
    if twice:
        raise TableError(f"taxonomy {tagger.taxonomy.id}", f"a group takes our column {twice[0]}", "Rename the group")
    return columns


def _cells(row: Row, result: Tagged | str, tagger: Tagger, reading: Reading, version: str) -> list[str]:
    """The values of `_columns` for a row's tags, or for the reason why it has none."""
    tags, lang, error = ({}, "", result) if isinstance(result, str) else (result.tags, result.lang, "")
    joined = ["|".join(score.tag for score in tags.get(group.name, ())) for group in tagger.taxonomy.groups]
    target = [reading.target.name if reading.target else ""] if reading.watchlist else []
    return [*joined, *target, *_priority(row, result, reading), lang, error, version]


def _priority(row: Row, result: Tagged | str, reading: Reading) -> list[str]:
    if reading.priorities is None:
        return []
    if isinstance(result, str):
        return ["", "", ""]
    answered = replied(row.cells.get(reading.answered_column or "", ""))
    found = reading.priorities.of(result, target=reading.target, answered=answered)
    return [found.level, found.reason, found.owner or ""]


def _tag(tagger: Tagger, block: Sequence[Row], reading: Reading) -> list[Tagged | str]:
    """For every row its tags, or why it has none."""
    results: list[Tagged | str] = [row.fault for row in block]
    target = reading.target.name if reading.target else None
    mentions = [
        Mention(str(place), row.cells.get(reading.text_column, ""), target=target)
        for place, row in enumerate(block)
        if not row.fault
    ]
    for result in tagger.tag(mentions, watchlist=reading.watchlist, min_score=reading.min_score):
        results[int(result.id)] = str(result.error) if isinstance(result, Failed) else result
    return results


def _blocks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while block := list(islice(rows, _BLOCK)):
        yield block


@contextmanager
def written_aside(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which becomes `path` if the block succeeds and is removed if not."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # a rename must not overtake the bytes when the machine dies
        draft.replace(path)
    except OSError as error:
        raise TableError(str(path), f"cannot be written: {error.strerror}", "Choose another place") from error
    finally:
        draft.unlink(missing_ok=True)
