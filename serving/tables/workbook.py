"""XLSX and XLSM: one sheet read and extended in its XML, everything else in the file left as it is.

openpyxl would lose what it does not know (charts, pictures, queries) and hold all in memory; this adds cells of inline
text at the end of each row and copies the rest, with formulas, links, styles and other sheets, at constant memory.
The format is ECMA-376: SpreadsheetML in a ZIP archive.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import BinaryIO
from xml.sax.saxutils import escape

from serving.errors import TableError
from serving.tables.archive import Archive, copied, twin
from serving.tables.pick import LONGEST_NAME, TOP, BookTable, Top, Wish
from serving.tables.sheet import COLUMNS, Line, Meaning, column_letters, scan
from serving.tables.source import Source
from serving.tables.strings import SharedStrings
from serving.tables.styles import date_reader, date_styles
from serving.tables.table import Cells, Row

_SEARCHED = 1000  # rows, most of them blank, before a header
_DIMENSION = re.compile(rb'(?<=dimension ref=")([A-Z]+[0-9]+)(?::[A-Z]+([0-9]+))?(?=")')
_SPANS = re.compile(rb'(?<=\bspans=")([0-9]+):[0-9]+(?=")')
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class WorkbookTable(BookTable):
    """One sheet of a workbook. Dates are read as ISO 8601, formulas as the value that was last shown."""

    def __init__(self, source: Source, archive: Archive, wish: Wish) -> None:
        super().__init__(source)
        self._archive = archive
        self.format = "XLSM" if "xl/vbaProject.bin" in archive.names else "XLSX"
        self._read_parts()
        self._take(list(self._sheets), self._top, wish)
        self._part = self._sheets[self.sheet]
        self.count, self.width = self._survey()

    def rows(self) -> Iterator[Row]:
        for place, line in self._lines(self._part):
            if place > self._header:
                yield self._row(line.cells, line.width)

    def write(self, file: BinaryIO, columns: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
        if self.width + len(columns) > COLUMNS:
            raise TableError(self.source.name, "has no room for more columns", "Delete the empty ones that are styled")
        with self._archive.opened() as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
            for part in old.infolist():
                if part.filename != self._part:
                    copied(old, part, new)
                    continue
                with new.open(twin(part), "w", force_zip64=True) as sheet:
                    for block in self._extended(columns, Cells(self.source.name, cells)):
                        sheet.write(block)

    def _extended(self, columns: Sequence[str], cells: Cells) -> Iterator[bytes]:
        """The XML of the sheet with new cells in the header and in every row that is not blank."""
        place, last = 0, self.width + len(columns)
        with self._archive.opened() as archive, archive.open(self._part) as stream:
            for block, line in scan(stream, self.source, self._part, self._meaning):
                if place == 0:
                    block = _DIMENSION.sub(lambda found: _widened(found, column_letters(last - 1)), block, count=1)
                if line is None:
                    yield block
                    continue
                if place == self._header:
                    yield _respanned(block, line, last) + self._new_cells(line, columns, line.style)
                elif place > self._header and line.cells:
                    yield _respanned(block, line, last) + self._new_cells(line, cells.take(), "")
                else:
                    yield block
                place += 1
        cells.end()

    def _new_cells(self, line: Line, values: Sequence[str], style: str) -> bytes:
        prefix, styled = line.prefix, f' s="{style}"' if style else ""
        return "".join(
            f'<{prefix}c r="{column_letters(column)}{line.number}"{styled} t="inlineStr"><{prefix}is>'
            f'<{prefix}t xml:space="preserve">{_escaped(value)}</{prefix}t></{prefix}is></{prefix}c>'
            for column, value in enumerate(values, start=self.width)
            if value
        ).encode()

    def _lines(self, part: str) -> Iterator[tuple[int, Line]]:
        with self._archive.opened() as archive, archive.open(part) as stream:
            found = (line for _, line in scan(stream, self.source, part, self._meaning) if line is not None)
            yield from enumerate(found)

    def _top(self, sheet: str) -> Top:
        lines = islice(self._lines(self._sheets[sheet]), _SEARCHED)
        filled = ((place, _names(line)) for place, line in lines if line.cells)
        return Top(sheet, list(islice(filled, TOP)))

    def _survey(self) -> tuple[int, int]:
        """How many rows there are below the header, and how many columns the sheet has."""
        count = width = 0
        for place, line in self._lines(self._part):
            width = max(width, line.width)
            count += place > self._header and bool(line.cells)
        return count, width

    def _read_parts(self) -> None:
        """Find the sheets and what their cells mean, in the parts that say so."""
        known = self._related("") if "_rels/.rels" in self._archive.names else ()
        book = next((part for kind, part, _ in known if kind == "officeDocument"), "")
        if not book.endswith(".xml") or _relations(book) not in self._archive.names:
            problem = "is a workbook in binary (XLSB)" if book.endswith(".bin") else "is a ZIP archive, but no workbook"
            raise TableError(self.source.name, problem, "Save it as XLSX")
        elements, from_1904 = self._archive.elements(book), False
        related = {number: (kind, part) for kind, part, number in self._related(book)}
        self._sheets: dict[str, str] = {}
        for name, attributes in elements:
            from_1904 |= name == "workbookPr" and attributes.get("date1904") in ("1", "true")
            kind, part = related.get(attributes.get("id", ""), ("", ""))
            if name == "sheet" and kind == "worksheet" and attributes.get("state", "visible") == "visible":
                self._sheets[attributes.get("name", "")] = part
        if not self._sheets:
            raise TableError(self.source.name, "has no sheet that can be seen", "Show one, or save it as XLSX")
        parts = dict(related.values())
        strings = SharedStrings(self._archive, parts.get("sharedStrings"))
        styles = date_styles(self._archive, parts.get("styles"))
        self._meaning = Meaning(strings, styles, date_reader(from_1904=from_1904))

    def _related(self, part: str) -> Iterator[tuple[str, str, str]]:
        """Of each part that `part` refers to, in this file: its kind, its name and the identifier of the reference."""
        folder = posixpath.dirname(part)
        for element, attributes in self._archive.elements(_relations(part)):
            if element == "Relationship" and attributes.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", ""))).lstrip("/")
                if target in self._archive.names:
                    yield attributes.get("Type", "").rpartition("/")[2], target, attributes.get("Id", "")


def _names(line: Line) -> dict[int, str]:
    """The cells of what may be a header."""
    return {column: text[:LONGEST_NAME] for column, text in line.cells.items()}


def _relations(part: str) -> str:
    """The part that says what `part` refers to."""
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def _widened(dimension: re.Match[bytes], letters: str) -> bytes:
    """The range of a sheet, said to reach another column; some readers take nothing beyond it."""
    first, row = dimension[1], dimension[2] or re.sub(rb"[A-Z]", b"", dimension[1])
    return first + b":" + letters.encode() + row


def _respanned(block: bytes, line: Line, last: int) -> bytes:
    """`block`, which ends with the row `line`, with that row said to reach column `last`."""
    start = len(block) - (line.place - line.start)
    end = block.find(b">", start)
    return block[:start] + _SPANS.sub(rb"\g<1>:" + str(last).encode(), block[start:end], count=1) + block[end:]


def _escaped(text: str) -> str:
    """`text` for XML; what XML cannot hold becomes a question mark, and what looks like an escape stays what it is."""
    return escape(_ILLEGAL.sub("?", re.sub("_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)))
