"""One JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from serving.errors import TableError
from serving.tables.dialect import Encoding
from serving.tables.profile import Profile, found_header
from serving.tables.source import Source
from serving.tables.table import LinesTable, Row

LONGEST = 2**24  # characters of one record; beyond it, a bracket, quotation mark or line has no end


class JsonTable(LinesTable):
    """A table whose records are JSON objects; its columns are all the keys that any of them has."""

    problem: str
    """What a record is that is no object, and the remedy."""

    def __init__(
        self, source: Source, encoding: Encoding, profiles: Sequence[Profile] = (), *, asked: bool = False
    ) -> None:
        super().__init__(source, encoding)
        self.count = 0
        columns: dict[str, None] = {}
        for row in self.rows():
            if not row.blank and not self.count and row.fault:
                raise TableError(f"{source.name}: row 1", "is no JSON object", self.problem)
            columns |= dict.fromkeys(row.cells)
            self.count += not row.blank
        self.columns = tuple(columns)
        self.profile = found_header(source.name, [self.columns], profiles, asked=asked)[1]

    def head(self, columns: Sequence[str]) -> str:
        return ""

    def line(self, row: Row, cells: Mapping[str, str]) -> str:
        if row.fault:  # what is no object has no place for a column
            return row.raw
        end = row.raw.rindex("}")
        end = len(row.raw[:end].rstrip())
        added = json.dumps(dict(cells), ensure_ascii=False)[1:-1]
        return row.raw[:end] + (", " if row.width else "") + added + row.raw[end:]


class JsonlTable(JsonTable):
    """One JSON object a line. Other lines are passed on as they are."""

    format = "JSONL"
    problem = "Write one object a line"

    def rows(self) -> Iterator[Row]:
        with self.encoding.open(self.source, newline="\n") as file:
            for number, raw in enumerate(iter(partial(file.readline, LONGEST + 1), ""), start=1):
                if len(raw) > LONGEST:
                    where = f"{self.source.name}: line {number}"
                    raise TableError(where, f"has more than {LONGEST:,} characters", self.problem)
                yield self._row(raw)

    def _row(self, raw: str) -> Row:
        if not raw.strip():
            return Row(raw, blank=True)
        try:
            record = json.loads(raw)
        except (ValueError, RecursionError):
            record = None
        return json_row(raw, record, self.problem)


def json_row(raw: str, record: object, problem: str) -> Row:
    """A record with its values as text.

    Numbers are as Python writes them, the values of a list have bars between them, and null and what is nested are
    nothing.
    """
    if not isinstance(record, dict):
        return Row(raw, fault=f"row: is no JSON object. {problem}")
    return Row(raw, {key: _text(value) for key, value in record.items()}, len(record))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):  # of tags, say
        return "|".join(_text(one) for one in value if isinstance(one, str | int | float))
    return json.dumps(value) if isinstance(value, int | float) else ""
