"""The XML of a sheet, read a row at a time, with the place where new cells of the row would stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO

from serving.errors import TableError
from serving.tables.archive import BLOCK, Parser, local
from serving.tables.source import Source
from serving.tables.strings import Runs, SharedStrings, unescaped

COLUMNS = 16_384  # the most that a sheet has
_DIGITS = 7  # of the number of a row, of which there are at most 1,048,576
_REFERENCE = re.compile(r"([A-Z]{1,3})[0-9]*")
_LONGEST_ROW = 2**26  # bytes
_MOST_LETTERS = 2**24  # in the cells of a row
_BOOLEANS = {"1": "TRUE", "0": "FALSE"}


@dataclass
class Line:
    """A row of a sheet: its number, its cells that hold something (column, from 0 → text), its last column from 1.

    `start` is where its tag begins, `place` where a new last cell belongs, in bytes of the part. `prefix` stands before
    the names of elements, `style` is that of the last cell.
    """

    number: int
    start: int
    prefix: str
    place: int = -1
    cells: dict[int, str] = field(default_factory=dict)
    width: int = 0
    style: str = ""
    raw: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    """Its cells as the XML has them: type, style and value."""


@dataclass(frozen=True)
class Meaning:
    """What the cells of a workbook mean: its texts, and how its dates are read."""

    strings: SharedStrings
    date_styles: frozenset[str]
    date: Callable[[str], str]

    def texts(self, line: Line, name: str) -> dict[int, str]:
        """What the cells of a row show; TableError in file `name` if it is too much."""
        found, letters = {}, 0
        for column, (kind, style, value) in line.raw.items():
            found[column] = self._text(kind, style, value)
            letters += len(found[column])
            if letters > _MOST_LETTERS:  # a short row can name a long text again and again
                raise TableError(f"{name}: row {line.number}", "has many millions of letters", "Split it")
        return found

    def _text(self, kind: str, style: str, value: str) -> str:
        if kind == "s":
            return self.strings[value]
        if kind in ("str", "inlineStr"):
            return unescaped(value)
        if kind == "b":
            return _BOOLEANS.get(value, value)
        return self.date(value) if kind == "n" and style in self.date_styles else value


class Reader:
    """Expat's handlers for a sheet; `lines` collects the rows that have ended."""

    def __init__(self, source: Source, part: str) -> None:
        self._name = source.name
        self.parser = Parser(source, part)
        self._expat = self.parser.expat
        self._expat.StartElementHandler, self._expat.EndElementHandler = self._start, self._end
        self._text = Runs(source.name)
        self._expat.CharacterDataHandler = self._text.add
        self.lines: list[Line] = []
        self.line: Line | None = None
        self._number = self._column = 0
        self._cell: Mapping[str, str] | None = None

    @property
    def safe(self) -> int:
        """The place up to which nothing can change any more, in bytes."""
        return self.line.start if self.line else max(self._expat.CurrentByteIndex, 0)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        element = local(name)
        if self._cell is not None:
            self._text.start(element)
        elif element == "c" and self.line:
            self._cell = attributes
            self._column = self._position(attributes.get("r"))
        elif element == "row":
            self._number = self._row_number(attributes.get("r", ""))
            self.line = Line(self._number, self._expat.CurrentByteIndex, name.removesuffix("row"))
            self._column = -1
        elif self.line and self.line.place < 0:  # what may follow the cells of a row
            self.line.place = self._expat.CurrentByteIndex

    def _end(self, name: str) -> None:
        element = local(name)
        if self._cell is not None and element == "c":
            self._ended(self._cell)
            self._cell = None
        elif self._cell is not None:
            self._text.end(element)
        elif element == "row" and self.line:
            if self.line.place < 0:
                self.line.place = self._expat.CurrentByteIndex
            self.lines.append(self.line)
            self.line = None

    def _ended(self, cell: Mapping[str, str]) -> None:
        assert self.line  # noqa: S101 — a cell is only opened in a row
        self.line.width, self.line.style = max(self.line.width, self._column + 1), cell.get("s", "")
        if text := self._text.take():
            self.line.raw[self._column] = cell.get("t", "n"), cell.get("s", ""), text

    def _row_number(self, given: str) -> int:
        """The number of a row; the next one if it does not say."""
        if len(given) > _DIGITS:
            raise TableError(self._name, "has a row whose number no sheet has", "Save it anew as XLSX")
        return int(given) if given.isdecimal() else self._number + 1

    def _position(self, reference: str | None) -> int:
        """The column of a cell, from 0; the next one if it does not say."""
        found = _REFERENCE.fullmatch(reference or "")
        column = column_number(found[1]) if found else self._column + 1
        if (reference and not found) or column <= self._column or column >= COLUMNS:
            raise TableError(f"{self._name}: row {self._number}", "has cells in disorder", "Save it anew as XLSX")
        return column


def scan(stream: IO[bytes], source: Source, part: str, meaning: Meaning) -> Iterator[tuple[bytes, Line | None]]:
    """The bytes of a sheet, cut where new cells of each row belong, with the row that is cut; None between rows."""
    reader = Reader(source, part)
    held, base = bytearray(), 0
    block = b"begin"
    while block:
        block = stream.read(BLOCK)
        held += block
        reader.parser.feed(block, final=not block)
        lines, reader.lines = reader.lines, []
        for line in lines:
            line.cells = meaning.texts(line, source.name)
            yield bytes(held[: line.place - base]), line
            del held[: line.place - base]
            base = line.place
            line.cells = {}  # the texts of one row are held at a time
        if (safe := reader.safe if block else base + len(held)) - base > BLOCK or not block:
            yield bytes(held[: safe - base]), None
            del held[: safe - base]
            base = safe
        if len(held) > _LONGEST_ROW:
            raise TableError(source.name, "has a row of many millions of bytes", "Split it")


def column_number(letters: str) -> int:
    """A → 0, Z → 25, AA → 26."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def column_letters(number: int) -> str:
    """0 → A, 25 → Z, 26 → AA."""
    letters, number = "", number + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
