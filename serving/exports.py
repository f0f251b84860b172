"""The tagging of a file: the same rows in the same order, with new columns."""

from __future__ import annotations

import os
import unicodedata
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
from serving.tables import Row, Table

_BLOCK = 256  # rows tagged together: fixed, so that the same file gives the same batches
_TEXT_COLUMNS = (
    *("text", "full text", "message", "mention", "mention text", "post text", "tweet text", "comment text"),
    *("review text", "texte", "testo", "contenu", "contenuto", "content", "commentaire", "commento", "comment"),
    *("messaggio", "menzione", "avis", "recensione", "review", "verbatim", "tweet", "post", "snippet", "body"),
    *("extrait", "estratto", "caption", "description"),
)
"""What exports call the column of the text, the surest name first."""
DATE_COLUMNS = ("created at", "date", "published", "published at", "publication date", "date de publication", "data")
TARGET_COLUMNS = ("target",)
SOURCE_COLUMNS = ("source", "platform", "network", "site", "plateforme", "piattaforma", "fonte", "canal", "canale")


@dataclass(frozen=True)
class Reading:
    """How the rows of a file are to be read: towards whom, and how sure a tag must be."""

    text_column: str
    watchlist: Watchlist | None = None
    target: Organisation | None = None
    """The organisation that the tags are towards: one of `watchlist`."""
    min_score: float = 0.0


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


def text_column(table: Table, asked: str | None) -> str:
    """The column of the text: the one `asked` for, or the one whose name says so, or the only one.

    Case, accents and underscores make no difference. Raises TableError, which names the columns that there are.
    """
    there = _by_plain_name(table)
    legal = ", ".join(column[:40] for column in table.columns)
    if asked is not None:
        if asked in table.columns:
            return asked
        if _plain(asked) in there:
            return there[_plain(asked)]
        raise TableError(f"{table.path}: --text-column", f"there is no column {asked!r}", f"There are: {legal}")
    found = column_called(table, _TEXT_COLUMNS)
    if found is None and len(table.columns) == 1:
        found = table.columns[0]
    if found is None:
        raise TableError(
            str(table.path), "no column is known to hold the text", f"Name it with --text-column. There are: {legal}"
        )
    return found


def column_called(table: Table, names: Sequence[str]) -> str | None:
    """The column that has the first of `names` that there is, or None; compared as by `text_column`."""
    there = _by_plain_name(table)
    return next((there[name] for name in names if name in there), None)


def check_output(table: Table, output: Path) -> None:
    """Raise TableError if `output` is the input, has no folder, or is of another format."""
    if output.resolve() == table.path.resolve() or (output.exists() and output.samefile(table.path)):
        raise TableError(str(output), "is the input", "Choose another name for the output")
    if not output.parent.is_dir():
        raise TableError(str(output.parent), "is no folder", "Make it first, or choose another")
    if output.is_dir():
        raise TableError(str(output), "is a folder", "Give a file's name")
    formats = {".csv": "CSV", ".tsv": "CSV", ".jsonl": "JSONL", ".ndjson": "JSONL"}
    others = {".xlsx": "a workbook", ".ods": "a workbook", ".parquet": "Parquet", ".json": "a JSON array"}
    wanted = {**formats, **others}.get(output.suffix.lower(), table.format)
    if wanted != table.format:
        raise TableError(str(output), f"asks for {wanted}", f"The output is {table.format}, as the input is")


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
        raise TableError(str(table.path), f"has a column {taken[0]} already", "Give the file from before it was tagged")
    summary, version = Summary(), tagger.bundle.version
    with written_aside(output) as file:
        file.write(table.encoding.mark + table.encoding.encode(table.head(columns)))
        for block in _blocks(table.rows()):
            results = _tag(tagger, block, reading)
            for row, result in zip(block, results, strict=True):
                if result is None:
                    file.write(table.encoding.encode(row.raw))
                    continue
                cells = dict(zip(columns, _cells(result, tagger, reading, version), strict=True))
                file.write(table.encoding.encode(table.line(row, cells)))
                summary.count(result)
            each(summary.rows)
    return summary


def _columns(tagger: Tagger, reading: Reading) -> list[str]:
    target = ["tympan_target"] if reading.watchlist else []
    groups = [f"tympan_{group.name}" for group in tagger.taxonomy.groups]
    columns = [*groups, *target, "tympan_lang", "tympan_error", "tympan_model"]
    twice = [column for column in groups if columns.count(column) > 1]
    if twice:
        raise TableError(f"taxonomy {tagger.taxonomy.id}", f"a group takes our column {twice[0]}", "Rename the group")
    return columns


def _cells(result: Tagged | str, tagger: Tagger, reading: Reading, version: str) -> list[str]:
    """The values of `_columns` for a row's tags, or for the reason why it has none."""
    tags, lang, error = ({}, "", result) if isinstance(result, str) else (result.tags, result.lang, "")
    joined = ["|".join(score.tag for score in tags.get(group.name, ())) for group in tagger.taxonomy.groups]
    target = [reading.target.name if reading.target else ""] if reading.watchlist else []
    return [*joined, *target, lang, error, version]


def _tag(tagger: Tagger, block: Sequence[Row], reading: Reading) -> list[Tagged | str | None]:
    """For every row its tags, or why it has none; None for a blank line."""
    results: list[Tagged | str | None] = [None if row.blank else row.fault for row in block]
    target = reading.target.name if reading.target else None
    mentions = [
        Mention(str(place), row.cells.get(reading.text_column, ""), target=target)
        for place, row in enumerate(block)
        if not row.blank and not row.fault
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


def _by_plain_name(table: Table) -> dict[str, str]:
    return {_plain(column): column for column in reversed(table.columns)}


def _plain(name: str) -> str:
    """Lower case, without accents, and with blanks for underscores and dashes."""
    letters = unicodedata.normalize("NFD", name.casefold())
    return " ".join("".join(" " if c in "_-" else c for c in letters if not unicodedata.combining(c)).split())
