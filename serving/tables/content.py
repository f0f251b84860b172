"""The content of an OpenDocument spreadsheet, read a row at a time.

The format is that of OASIS, OpenDocument 1.3, part 3, chapter 9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from serving.errors import TableError
from serving.tables.archive import Parser, local
from serving.tables.sheet import COLUMNS
from serving.tables.source import Source
from serving.tables.strings import LONGEST

PART = "content.xml"
LETTERS = 32_767  # the most that a cell of a spreadsheet holds
ROWS = 1_048_576  # the most that a sheet has
CELLS = 2**20  # the most that are held together; a file of some hundred bytes can repeat one millions of times
NUMBERS = ("float", "percentage", "currency")


@dataclass(frozen=True)
class Cell:
    """A cell as it is shown, and what it is: `kind` and `value` as the file says them, and where it links to."""

    text: str
    kind: str = "string"
    value: str = ""
    link: str = ""


@dataclass
class Line:
    """A row of a sheet: its cells that hold something, by their column from 0."""

    sheet: str
    cells: dict[int, Cell] = field(default_factory=dict)


class Reader:
    """Expat's handlers for the content of a spreadsheet."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.parser = Parser(source, PART)
        self.parser.expat.StartElementHandler, self.parser.expat.EndElementHandler = self._start, self._end
        self.parser.expat.CharacterDataHandler = self._add
        self._found: list[tuple[int, Line, int]] = []
        self._sheet, self._place, self._column = "", 0, 0
        self._row: Line | None = None
        self._times = 1
        self._cell: dict[str, str] | None = None
        self._pieces: list[str] = []
        self._aside = self._paragraphs = self._letters = 0
        self._open = False
        self._link = ""
        self._held = 0  # cells of the rows that have not been taken

    def taken(self) -> Iterator[tuple[int, Line]]:
        """The rows that have ended, those that are repeated each time."""
        found, self._found, self._held = self._found, [], 0
        for place, line, times in found:
            for again in range(times):
                yield place + again, line

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        element = local(name)
        given = {local(key): value for key, value in attributes.items()}
        if self._cell is not None:
            self._inside(element, given)
        elif element == "table":
            self._sheet, self._place = given.get("name", ""), 0
            self._found.append((0, Line(self._sheet), 1))  # a sheet without rows is a sheet
        elif element == "table-row":
            self._row, self._column, self._letters = Line(self._sheet), 0, 0
            self._times = self._number(given, "number-rows-repeated")
        elif element in ("table-cell", "covered-table-cell") and self._row:
            self._cell, self._pieces, self._paragraphs, self._link = given, [], 0, ""

    def _inside(self, element: str, given: dict[str, str]) -> None:
        """What stands in a cell: paragraphs, blanks, links, and notes, which are no part of its text."""
        if element == "annotation" or self._aside:
            self._aside += 1
        elif element == "p":
            self._pieces += ["\n"] * (self._paragraphs > 0)
            self._paragraphs, self._open = self._paragraphs + 1, True
        elif element == "s":
            self._add(" " * min(self._number(given, "c"), LETTERS))
        elif element in ("tab", "line-break"):
            self._add("\t" if element == "tab" else "\n")
        elif element == "a":
            self._link = given.get("href", "")

    def _add(self, text: str) -> None:
        if self._cell is not None and self._open and not self._aside:
            self._pieces.append(text)
            self._letters += len(text)
            if self._letters > LONGEST:
                raise TableError(self._source.name, "has a row of many millions of letters", "Split it")

    def _end(self, name: str) -> None:
        element = local(name)
        if self._aside:
            self._aside -= 1
        elif element == "p":
            self._open = False
        elif element in ("table-cell", "covered-table-cell") and self._cell is not None and self._row:
            times = self._number(self._cell, "number-columns-repeated")
            text, kind = "".join(self._pieces), self._cell.get("value-type", "string")
            value = self._cell.get(f"{kind}-value", self._cell.get("value", ""))
            if text or value:
                shown = value if kind in ("date", "boolean", *NUMBERS) and value else text or value
                columns = range(self._column, min(self._column + times, COLUMNS))
                self._held += len(columns)
                if self._held > CELLS:
                    raise TableError(self._source.name, "has too many cells", "Delete those that are repeated")
                self._row.cells |= dict.fromkeys(columns, Cell(shown, kind, value, self._link))
            self._column += times
            self._cell = None
        elif element == "table-row" and self._row:
            self._rows(self._row)
            self._row = None

    def _rows(self, row: Line) -> None:
        if self._place + self._times > ROWS and row.cells:
            raise TableError(f"{self._source.name}: sheet {self._sheet!r}", f"has more than {ROWS:,} rows", "Split it")
        if row.cells:
            self._found.append((self._place, row, self._times))
        self._place += self._times

    def _number(self, given: dict[str, str], name: str) -> int:
        value = given.get(name, "1")
        return int(value) if re.fullmatch("[0-9]{1,9}", value) else 1
