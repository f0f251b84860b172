"""What every file of mentions is, whatever its format: columns, rows, and itself again with more columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from serving.errors import TableError
from serving.tables.dialect import Encoding
from serving.tables.profile import Profile
from serving.tables.source import Source


@dataclass(frozen=True)
class Row:
    """One record: its text as it stands in the file, line end included, and the cells read from it.

    `raw` is empty in formats that are no text. `fault` says why the cells cannot be trusted. A `blank` row is no record
    and is passed on as it is.
    """

    raw: str
    cells: Mapping[str, str] = field(default_factory=dict)
    width: int = 0
    fault: str = ""
    blank: bool = False


class Table(ABC):
    """A file of mentions. Making one reads the file once, so that what is wrong with it is known at the start.

    It can be read again and again, with the same rows each time.
    """

    format: str
    """CSV, JSONL, JSON, XLSX, XLSM, ODS or Parquet."""
    columns: tuple[str, ...]
    """The columns of the file, in order."""
    count: int
    """How many rows it has, blank ones left out."""
    apart: bool = False
    """Whether some of its rows, one after the other, are such a table too."""
    profile: Profile | None = None
    """Whose export it is, if that is known."""
    notes: tuple[str, ...] = ()
    """What its owner should know of how it was read."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __str__(self) -> str:
        return self.format

    @property
    def path(self) -> Path:
        """The user's own file, or where what came from elsewhere is kept while it is read."""
        return self.source.given or self.source.path

    @property
    def written(self) -> str:
        """The format that `write` writes."""
        return self.format

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Every record, and the blank ones between them."""

    @abstractmethod
    def write(self, file: BinaryIO, columns: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
        """The table as it is, with new `columns` behind its own, into `file`.

        `cells` gives the new cells of every row that is not blank, in order; they are taken one by one, while the file
        is read once more. Raises TableError if there are more rows than cells, or fewer.
        """


class LinesTable(Table):
    """A table that is text, each of its rows some lines of it."""

    apart = True

    def __init__(self, source: Source, encoding: Encoding) -> None:
        super().__init__(source)
        self.encoding = encoding

    def __str__(self) -> str:
        return f"{self.format}, {self.encoding}"

    @abstractmethod
    def head(self, columns: Sequence[str]) -> str:
        """What stands before the rows, with the new `columns`."""

    @abstractmethod
    def line(self, row: Row, cells: Mapping[str, str]) -> str:
        """A row as it was, with the new `cells` (column → value)."""

    def write(self, file: BinaryIO, columns: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
        file.write(self.encoding.mark + self.encoding.encode(self.head(columns)))
        new = Cells(self.source.name, cells)
        for row in self.rows():
            raw = row.raw if row.blank else self.line(row, dict(zip(columns, new.take(), strict=True)))
            file.write(self.encoding.encode(raw))
        new.end()


class Cells:
    """New cells, taken row by row; TableError if the file has more rows than there are cells, or fewer."""

    def __init__(self, name: str, cells: Iterable[Sequence[str]]) -> None:
        self._name, self._left = name, iter(cells)

    def take(self) -> Sequence[str]:
        found = next(self._left, None)
        if found is None:
            raise self._changed()
        return found

    def end(self) -> None:
        if next(self._left, None) is not None:
            raise self._changed()

    def _changed(self) -> TableError:
        return TableError(self._name, "was changed while it was read", "Start again")
