"""ODS: read as it is, and written as XLSX, since few of its readers write it back whole.

All sheets are written, each cell with its value and type; formulas become their values, and formats are lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from math import inf, isfinite
from typing import Any, BinaryIO

import xlsxwriter

from serving.errors import TableError
from serving.tables.archive import BLOCK, Archive
from serving.tables.content import CELLS, LETTERS, NUMBERS, PART, Cell, Line, Reader
from serving.tables.pick import LONGEST_NAME, TOP, BookTable, Top, Wish
from serving.tables.source import Source
from serving.tables.table import Cells, Row

_EPOCH = datetime(2020, 1, 1)  # the same bytes on every day


class OdsTable(BookTable):
    """One sheet of an OpenDocument spreadsheet."""

    format = "ODS"

    def __init__(self, source: Source, archive: Archive, wish: Wish) -> None:
        super().__init__(source)
        self._archive = archive
        sheets, self._tops, self._widths, counts = self._survey()
        self._take(sheets, self._tops.__getitem__, wish)
        self.count = counts[self.sheet] - sum(place <= self._header for place, _ in self._tops[self.sheet].rows)
        self.notes += ("written as XLSX, without formats and formulas",)

    @property
    def written(self) -> str:
        return "XLSX"

    def rows(self) -> Iterator[Row]:
        for place, line in self._lines():
            if line.sheet == self.sheet and place > self._header:
                texts = {column: cell.text for column, cell in line.cells.items()}
                yield self._row(texts, max(texts, default=-1) + 1)

    def write(self, file: BinaryIO, columns: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
        new = Cells(self.source.name, cells)
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        with xlsxwriter.Workbook(file, options) as book:
            book.set_properties({"created": _EPOCH})
            writer = _Writer(book, self.source.name)
            for sheet, lines in groupby(self._lines(), key=lambda found: found[1].sheet):
                writer.begin(sheet)
                for place, line in lines:
                    added: Sequence[str] = ()
                    if sheet == self.sheet and place >= self._header and line.cells:
                        added = columns if place == self._header else new.take()
                    writer.row(place, line, added, self._widths[sheet])
        new.end()

    def _survey(self) -> tuple[list[str], dict[str, Top], dict[str, int], dict[str, int]]:
        """The sheets, and of each its first rows, how many columns it has, and how many rows that hold something.

        TableError if they would fill the memory, or all cells the disk, as those do that are repeated.
        """
        tops: dict[str, list[tuple[int, dict[int, str]]]] = {}
        widths: dict[str, int] = {}
        counts: dict[str, int] = {}
        cells = held = 0
        for place, line in self._lines():
            top = tops.setdefault(line.sheet, [])
            if line.cells:
                counts[line.sheet] = counts.get(line.sheet, 0) + 1
                widths[line.sheet] = max(widths.get(line.sheet, 0), max(line.cells) + 1)
                if len(top) < TOP:
                    top.append((place, {column: cell.text[:LONGEST_NAME] for column, cell in line.cells.items()}))
                    held += len(line.cells)
            cells += len(line.cells)
            if held + len(tops) > CELLS or cells > self.source.most:
                raise TableError(self.source.name, "has too many cells", "Delete those that are repeated")
        found = {name: Top(name, rows) for name, rows in tops.items()}
        return list(tops), found, {name: widths.get(name, 0) for name in tops}, counts

    def _lines(self) -> Iterator[tuple[int, Line]]:
        """Every row of every sheet with its place in the sheet; of blank rows at the end none."""
        with self._archive.opened() as archive, archive.open(PART) as stream:
            reader = Reader(self.source)
            while block := stream.read(BLOCK):
                reader.parser.feed(block)
                yield from reader.taken()
            reader.parser.feed(b"", final=True)
            yield from reader.taken()


class _Writer:
    """Sheets and rows into a workbook, in order."""

    def __init__(self, book: Any, name: str) -> None:  # noqa: ANN401 — xlsxwriter's, which has no types
        self._book, self._name = book, name
        self._date = book.add_format({"num_format": "yyyy-mm-dd"})
        self._moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._sheet: Any = None

    def begin(self, name: str) -> None:
        """Start another sheet; TableError if XLSX has no place for its name."""
        try:
            self._sheet = self._book.add_worksheet(name)
        except xlsxwriter.exceptions.XlsxWriterException as error:
            problem = f"has a sheet {name[:40]!r}, a name that XLSX does not allow"
            raise TableError(self._name, problem, "Rename it") from error

    def row(self, place: int, line: Line, added: Sequence[str], width: int) -> None:
        """Write a row and, behind the `width` columns of its sheet, what is `added`."""
        for column, cell in line.cells.items():
            self._cell(place, column, cell)
        for column, text in enumerate(added, start=width):
            if text:
                self._text(place, column, text)

    def _cell(self, place: int, column: int, cell: Cell) -> None:
        if cell.kind == "boolean":
            self._sheet.write_boolean(place, column, cell.value == "true")
        elif cell.kind in NUMBERS and isfinite(number := _number(cell.value)):
            self._sheet.write_number(place, column, number)
        elif cell.kind == "date" and (moment := _moment(cell.value)):
            self._sheet.write_datetime(place, column, moment, self._moment if "T" in cell.value else self._date)
        elif cell.link and self._sheet.write_url(place, column, cell.link, None, cell.text) == 0:
            return
        else:
            self._text(place, column, cell.text)

    def _text(self, place: int, column: int, text: str) -> None:
        if len(text) > LETTERS:
            where = f"{self._name}: row {place + 1}"
            raise TableError(where, f"has a text of {len(text):,} letters, and XLSX holds {LETTERS:,}", "Shorten it")
        self._sheet.write_string(place, column, text)


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return inf


def _moment(value: str) -> datetime | None:
    """A date, if a workbook can hold it: none before March 1900 is right in all of them."""
    try:
        found = datetime.fromisoformat(value).replace(tzinfo=None)
    except ValueError:
        return None
    return found if found >= datetime(1900, 3, 1) else None
