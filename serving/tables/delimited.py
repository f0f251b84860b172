"""CSV and TSV: delimited text with a header, whose quotation marks are doubled inside quoted cells (RFC 4180)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from serving.errors import TableError
from serving.tables.dialect import DELIMITERS, Encoding, delimiter_of
from serving.tables.formula import harmless, is_formula
from serving.tables.profile import Profile, found_header
from serving.tables.source import Source
from serving.tables.table import LinesTable, Row

_LONGEST_CELL = 2**24  # characters; beyond it, a quotation mark that nobody closed is swallowing the file
_LONGEST = 2 * _LONGEST_CELL  # characters of a record; the quotation marks of a cell are doubled
_TOP = 32  # records among which a header is looked for


class CsvTable(LinesTable):
    """Delimited text. What stands before the header of a profile is passed on as it is."""

    format = "CSV"

    def __init__(
        self, source: Source, encoding: Encoding, profiles: Sequence[Profile] = (), *, asked: bool = False
    ) -> None:
        super().__init__(source, encoding)
        self.delimiter = delimiter_of(source, encoding, profiles)
        self._before, self._header, self.columns = self._top(profiles, asked=asked)
        self._quoting = csv.QUOTE_MINIMAL
        if _split(self._header)[0] == self._joined(self.columns, csv.QUOTE_ALL):
            self._quoting = csv.QUOTE_ALL
        self.count, self.widest, self.notes = self._survey()

    def __str__(self) -> str:
        return f"CSV with {DELIMITERS[self.delimiter]}, {self.encoding}"

    def rows(self) -> Iterator[Row]:
        for raw, cells in self._body():
            if not cells:
                yield Row(raw, blank=True)
                continue
            named: dict[str, str] = {}
            for column, cell in zip(self.columns, cells, strict=False):
                named.setdefault(column, cell)  # of two columns with one name, the first
            fault = ""
            if self._is_ragged(cells):
                fault = f"row: has {len(cells)} cells where the header has {len(self.columns)}. Quote its text"
            yield Row(raw, named, len(cells), fault)

    def head(self, columns: Sequence[str]) -> str:
        return self._before + self._extended(self._header, len(self.columns), columns)

    def line(self, row: Row, cells: Mapping[str, str]) -> str:
        return self._extended(row.raw, row.width, [harmless(cell) for cell in cells.values()])

    def _is_ragged(self, cells: Sequence[str]) -> bool:
        return any(cells[len(self.columns) :])

    def _extended(self, raw: str, width: int, values: Sequence[str]) -> str:
        """`raw` with `values`, behind as many empty cells as bring them under their header."""
        body, end = _split(raw)
        return body + self.delimiter * (self.widest - width + 1) + self._joined(values, self._quoting) + end

    def _joined(self, values: Sequence[str], quoting: int) -> str:
        line = io.StringIO()
        csv.writer(line, delimiter=self.delimiter, lineterminator="", quoting=quoting).writerow(values)  # type: ignore[arg-type]
        return line.getvalue()

    def _top(self, profiles: Sequence[Profile], *, asked: bool) -> tuple[str, str, tuple[str, ...]]:
        """What stands before the header, the header as it stands, and its cells."""
        first: list[tuple[str, list[str]]] = []
        letters = 0
        for raw, cells in islice(self._records(), _TOP):
            first.append((raw, cells))
            letters += len(raw)
            if letters > _LONGEST:  # they are held together
                break
        filled = [place for place, (_, cells) in enumerate(first) if cells]
        if not filled:
            raise TableError(self.source.name, "is empty", "Give a file with a header and one mention a row")
        found, self.profile = found_header(self.source.name, [first[i][1] for i in filled], profiles, asked=asked)
        self._skipped = filled[found] + 1
        raw, cells = first[filled[found]]
        return "".join(raw for raw, _ in first[: filled[found]]), raw, tuple(cells)

    def _survey(self) -> tuple[int, int, tuple[str, ...]]:
        """How many rows there are, how many cells the widest has, and what is odd.

        TableError if a cell never ends, or if the rows, filled up to the widest, would fill the disk.
        """
        count, widest, held, ragged, formulas, last = 0, len(self.columns), 0, 0, 0, self._header
        for raw, cells in self._body():
            if cells:
                count, widest, held, last = count + 1, max(widest, len(cells)), held + len(cells), raw
                ragged += self._is_ragged(cells)
                formulas += sum(map(is_formula, cells))
        try:
            next(csv.reader(io.StringIO(last, newline=""), delimiter=self.delimiter, strict=True))
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise self._endless(f"row {count}") from error
        if count * widest - held > self.source.most:
            problem = f"has a row of {widest:,} cells, to which all others would be filled up"
            raise TableError(self.source.name, problem, "Mend that row, or split the file")
        said = {"rows have more cells than the header": ragged, "cells would be run as a formula by Excel": formulas}
        return count, widest, tuple(f"{found:,} {what}" for what, found in said.items() if found)

    def _body(self) -> Iterator[tuple[str, list[str]]]:
        return islice(self._records(), self._skipped, None)

    def _records(self) -> Iterator[tuple[str, list[str]]]:
        """Each record's text and cells; no cells for a blank line."""
        csv.field_size_limit(_LONGEST_CELL)  # the interpreter's own is 131,072
        taken = io.StringIO(newline="")  # a list of short lines would take many times as much

        def lines() -> Iterator[str]:
            while line := file.readline(_LONGEST + 1 - taken.tell()):
                taken.write(line)
                if taken.tell() > _LONGEST:
                    raise csv.Error("record larger than limit")
                yield line

        number = 0
        with self.encoding.open(self.source) as file:
            try:
                for number, cells in enumerate(csv.reader(lines(), delimiter=self.delimiter)):  # noqa: B007
                    yield taken.getvalue(), cells
                    taken = io.StringIO(newline="")
            except csv.Error as error:
                raise self._endless(f"row {number + 1}") from error

    def _endless(self, row: str) -> TableError:
        return TableError(f"{self.source.name}: {row}", "has a cell that never ends", "Close its quotation mark")


def _split(raw: str) -> tuple[str, str]:
    """A record's text and its line end."""
    end = next((end for end in ("\r\n", "\n", "\r") if raw.endswith(end)), "")
    return raw.removesuffix(end), end
