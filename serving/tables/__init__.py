"""Files of mentions: read a row at a time, and written back as they were with new columns at the end.

`open_table` is the way in; every format is a module of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from serving.errors import TableError
from serving.tables.archive import Archive
from serving.tables.array import ArrayTable
from serving.tables.delimited import CsvTable
from serving.tables.dialect import encoding_of
from serving.tables.jsonl import JsonlTable
from serving.tables.opendocument import OdsTable
from serving.tables.parquet import ParquetTable
from serving.tables.pick import Wish
from serving.tables.profile import Profile, shipped
from serving.tables.source import MOST, Source
from serving.tables.table import LinesTable, Row, Table
from serving.tables.workbook import WorkbookTable

__all__ = ["CsvTable", "JsonlTable", "LinesTable", "Row", "Table", "open_table"]

_DELIMITED = (".csv", ".tsv", ".tab", ".txt")
_OLE = b"\xd0\xcf\x11\xe0"
_MARKUP = ("<?xml", "<!doctype", "<html", "<table", "<meta")


def open_table(
    given: str | Path,
    encoding: str | None = None,
    *,
    sheet: str | None = None,
    profile: str | None = None,
    text_column: str | None = None,
    most: int = MOST,
) -> Table:
    """The table in a path, a URL or standard input (`-`), by what its bytes are, and its ending where they do not tell.

    `sheet` and `text_column` choose among the sheets of a workbook; `profile` is the name or file of a profile, else
    those that ship are tried. At most `most` bytes are fetched or unpacked. Raises TableError if there is no table, or
    none that can be read.
    """
    source = Source(given, most=most)
    profiles = shipped() if profile is None else (Profile.load(profile),)
    asked, head = profile is not None, source.head(4)
    if head == b"PK\x03\x04":
        return _book(source, Wish(profiles=profiles, asked=asked, sheet=sheet, text_column=text_column))
    if sheet is not None:
        raise TableError(source.name, "has no sheets", "Leave out --sheet")
    if head == b"PAR1":
        return ParquetTable(source, profiles, asked=asked)
    if head == _OLE:
        raise TableError(
            source.name, "is an old workbook (XLS), or one with a password", "Save it as XLSX, without one"
        )
    return _text(source, encoding, profiles, asked=asked)


def _book(source: Source, wish: Wish) -> Table:
    """The workbook in a ZIP archive."""
    archive = Archive(source)
    kind = OdsTable if "content.xml" in archive.names else WorkbookTable
    return kind(source, archive, wish)


def _text(source: Source, encoding: str | None, profiles: Sequence[Profile], *, asked: bool) -> Table:
    found = encoding_of(source, encoding)
    if source.suffix not in _DELIMITED:
        with found.open(source) as file:
            start = file.read(4096).lstrip().lower()
        if start.startswith("["):
            return ArrayTable(source, found, profiles, asked=asked)
        if start.startswith(_MARKUP):
            remedy = "Save it as XLSX or CSV: some tools call such a file XLS"
            raise TableError(source.name, "is XML or HTML, and no table", remedy)
        if start.startswith("{") or source.suffix in (".jsonl", ".ndjson"):
            return JsonlTable(source, found, profiles, asked=asked)
    return CsvTable(source, found, profiles, asked=asked)
