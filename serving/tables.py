"""Files of mentions, read a row at a time and written back as they were, with new columns at the end.

A row keeps the text that it was read from, so that what the file's owner wrote comes back to the byte.
"""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from serving.dialect import DELIMITERS, Encoding, delimiter_of, encoding_of
from serving.errors import TableError

_LONGEST_CELL = 2**24  # characters; beyond it, a quotation mark that nobody closed is swallowing the file


@dataclass(frozen=True)
class Row:
    """One record: its text as it stands in the file, line end included, and the cells read from it.

    `fault` says why the cells cannot be trusted. A `blank` line is no record and is passed on as it is.
    """

    raw: str
    cells: Mapping[str, str] = field(default_factory=dict)
    width: int = 0
    fault: str = ""
    blank: bool = False


class Table(ABC):
    """A file of mentions. Making one reads the file once, so that what is wrong with it is known at the start."""

    format: str
    """CSV or JSONL."""
    columns: tuple[str, ...]
    """The columns of the file, in order."""
    count: int
    """How many rows it has, blank lines left out."""

    def __init__(self, path: Path, encoding: Encoding) -> None:
        self.path = path
        self.encoding = encoding

    def __str__(self) -> str:
        return f"{self.format}, {self.encoding}"

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Every record, and the blank lines between them."""

    @abstractmethod
    def head(self, columns: Sequence[str]) -> str:
        """What stands before the rows, with the new `columns`."""

    @abstractmethod
    def line(self, row: Row, cells: Mapping[str, str]) -> str:
        """A row as it was, with the new `cells` (column → value)."""


class CsvTable(Table):
    """Delimited text with a header. Quotation marks are doubled inside quoted cells, as RFC 4180 has it."""

    format = "CSV"

    def __init__(self, path: Path, encoding: Encoding) -> None:
        super().__init__(path, encoding)
        self.delimiter = delimiter_of(path, encoding)
        self._before, self._header, self.columns = self._top()
        self._quoting = csv.QUOTE_MINIMAL
        if _split(self._header)[0] == self._joined(self.columns, csv.QUOTE_ALL):
            self._quoting = csv.QUOTE_ALL
        self.count, self.widest = self._survey()

    def __str__(self) -> str:
        return f"CSV with {DELIMITERS[self.delimiter]}, {self.encoding}"

    def rows(self) -> Iterator[Row]:
        records = self._records()
        next(cells for _, cells in records if cells)  # the header
        for raw, cells in records:
            if not cells:
                yield Row(raw, blank=True)
                continue
            named: dict[str, str] = {}
            for column, cell in zip(self.columns, cells, strict=False):
                named.setdefault(column, cell)  # of two columns with one name, the first
            fault = ""
            if any(cells[len(self.columns) :]):
                fault = f"row: has {len(cells)} cells where the header has {len(self.columns)}. Quote its text"
            yield Row(raw, named, len(cells), fault)

    def head(self, columns: Sequence[str]) -> str:
        return self._before + self._extended(self._header, len(self.columns), columns)

    def line(self, row: Row, cells: Mapping[str, str]) -> str:
        return self._extended(row.raw, row.width, list(cells.values()))

    def _extended(self, raw: str, width: int, values: Sequence[str]) -> str:
        """`raw` with `values`, behind as many empty cells as bring them under their header."""
        body, end = _split(raw)
        return body + self.delimiter * (self.widest - width + 1) + self._joined(values, self._quoting) + end

    def _joined(self, values: Sequence[str], quoting: int) -> str:
        line = io.StringIO()
        csv.writer(line, delimiter=self.delimiter, lineterminator="", quoting=quoting).writerow(values)  # type: ignore[arg-type]
        return line.getvalue()

    def _top(self) -> tuple[str, str, tuple[str, ...]]:
        """The blank lines before the header, the header as it stands, and its cells."""
        before = ""
        for raw, cells in self._records():
            if cells:
                return before, raw, tuple(cells)
            before += raw
        raise TableError(str(self.path), "is empty", "Give a file with a header and one mention a row")

    def _survey(self) -> tuple[int, int]:
        """How many rows there are and how many cells the widest has; TableError if a cell never ends."""
        count, widest, last = -1, 0, ""  # the header is no row
        for raw, cells in self._records():
            if cells:
                count, widest, last = count + 1, max(widest, len(cells)), raw
        try:
            next(csv.reader(io.StringIO(last, newline=""), delimiter=self.delimiter, strict=True))
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise self._endless(f"row {count}") from error
        return count, widest

    def _records(self) -> Iterator[tuple[str, list[str]]]:
        """Each record's text and cells; no cells for a blank line."""
        csv.field_size_limit(_LONGEST_CELL)  # the interpreter's own is 131,072
        taken: list[str] = []

        def lines() -> Iterator[str]:
            for line in file:
                taken.append(line)
                yield line

        number = 0
        with self.encoding.open(self.path) as file:
            try:
                for number, cells in enumerate(csv.reader(lines(), delimiter=self.delimiter)):  # noqa: B007
                    yield "".join(taken), cells
                    taken.clear()
            except csv.Error as error:
                raise self._endless(f"row {number + 1}") from error

    def _endless(self, row: str) -> TableError:
        return TableError(f"{self.path}: {row}", "has a cell that never ends", "Close its quotation mark")


class JsonlTable(Table):
    """One JSON object a line."""

    format = "JSONL"

    def __init__(self, path: Path, encoding: Encoding) -> None:
        super().__init__(path, encoding)
        self.count = 0
        columns: dict[str, None] = {}
        for row in self.rows():
            if not row.blank and not self.count and row.fault:
                raise TableError(f"{path}: row 1", "is no JSON object", "Write one object a line")
            columns |= dict.fromkeys(row.cells)
            self.count += not row.blank
        self.columns = tuple(columns)

    def rows(self) -> Iterator[Row]:
        with self.encoding.open(self.path, newline="\n") as file:
            for raw in file:
                yield _json_row(raw)

    def head(self, columns: Sequence[str]) -> str:
        return ""

    def line(self, row: Row, cells: Mapping[str, str]) -> str:
        if row.fault:  # what is no object has no place for a column
            return row.raw
        end = row.raw.rindex("}")
        added = json.dumps(dict(cells), ensure_ascii=False)[1:-1]
        return row.raw[:end] + (", " if row.width else "") + added + row.raw[end:]


def open_table(path: Path, encoding: str | None = None) -> Table:
    """The table in `path`, by its ending or, if that says nothing, by its first character.

    Raises TableError if there is none, or none that can be read.
    """
    found = encoding_of(path, encoding)
    if path.suffix.lower() not in (".csv", ".tsv", ".tab", ".txt"):
        with found.open(path) as file:
            start = file.read(4096).lstrip()[:1]
        if start == "[":
            raise TableError(str(path), "is a JSON array", "Save it as JSONL, one object a line")
        if start == "{" or path.suffix.lower() in (".jsonl", ".ndjson"):
            return JsonlTable(path, found)
    return CsvTable(path, found)


def _json_row(raw: str) -> Row:
    if not raw.strip():
        return Row(raw, blank=True)
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        return Row(raw, fault="row: is no JSON object. Write one object a line")
    return Row(raw, {key: value if isinstance(value, str) else "" for key, value in record.items()}, len(record))


def _split(raw: str) -> tuple[str, str]:
    """A record's text and its line end."""
    end = next((end for end in ("\r\n", "\n", "\r") if raw.endswith(end)), "")
    return raw.removesuffix(end), end
