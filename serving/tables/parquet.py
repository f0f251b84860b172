"""Parquet, by row groups: schema and metadata kept, new columns of text appended. Needs pyarrow, the extra `files`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from labels.extra import library
from serving.errors import TableError
from serving.tables.profile import Profile, found_header
from serving.tables.source import Source
from serving.tables.table import Cells, Row, Table

_GROUP = 2**27  # bytes, decoded; a larger row group is cut into several
_GROUP_ROWS = 2**16  # so is one of more rows, whose new cells are held too
_ROWS = 1024  # rows decoded together, and turned into text


class ParquetTable(Table):
    """A Parquet file. A row group is held in memory as a whole, unless it is large."""

    format = "Parquet"

    def __init__(self, source: Source, profiles: Sequence[Profile] = (), *, asked: bool = False) -> None:
        super().__init__(source)
        self._arrow, self._parquet = (library(name, extra="files") for name in ("pyarrow", "pyarrow.parquet"))
        try:
            with self._parquet.ParquetFile(source.path) as file:
                self.count, self._schema = file.metadata.num_rows, file.schema_arrow
        except (self._arrow.ArrowException, OSError) as error:
            raise self._damaged() from error
        self.columns = tuple(self._schema.names)
        if not self.columns:
            raise TableError(source.name, "has no columns", "Give a file with one mention a row")
        self.profile = found_header(source.name, [self.columns], profiles, asked=asked)[1]

    def rows(self) -> Iterator[Row]:
        names = list(dict.fromkeys(self.columns))
        for table in self._groups():
            for batch in table.to_batches(_ROWS):
                texts = [self._texts(batch.column(self.columns.index(name))) for name in names]
                for cells in zip(*texts, strict=True):
                    yield Row("", dict(zip(names, cells, strict=True)), len(self.columns))

    def write(self, file: BinaryIO, columns: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
        text = self._arrow.string()
        schema = self._schema
        for column in columns:
            schema = schema.append(self._arrow.field(column, text))
        new = Cells(self.source.name, cells)
        with self._parquet.ParquetWriter(file, schema, compression=self._compression()) as writer:
            for table in self._groups():
                taken = [new.take() for _ in range(table.num_rows)]
                for place, column in enumerate(columns):
                    values = self._arrow.array([row[place] for row in taken], text)
                    table = table.append_column(self._arrow.field(column, text), values)
                writer.write_table(table.cast(schema), row_group_size=max(table.num_rows, 1))
        new.end()

    def _groups(self) -> Iterator[Any]:
        """The row groups as tables, those that are large in pieces; TableError if one cannot be read."""
        try:
            with self._parquet.ParquetFile(self.source.path) as file:
                for number in range(file.num_row_groups):
                    yield from self._pieces(file.iter_batches(_ROWS, row_groups=[number]))
        except (self._arrow.ArrowException, OSError) as error:
            raise self._damaged() from error

    def _pieces(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The batches of a row group as tables: a few bytes of the file can stand for any number once decoded."""
        held = _Held(self._arrow)
        for batch in batches:
            held.add(batch)
            if held.size > _GROUP or held.rows + _ROWS > _GROUP_ROWS:
                yield held.table(self._schema)
                held = _Held(self._arrow)
        if held.rows:
            yield held.table(self._schema)

    def _texts(self, column: Any) -> list[str]:  # noqa: ANN401 — pyarrow has no types
        """The values of a column as text: dates in ISO 8601, lists with bars, nothing for null and what is nested."""
        types = self._arrow.types
        if types.is_dictionary(column.type):
            column = column.dictionary_decode()
        kind = getattr(column.type, "value_type", column.type)  # of lists of whatever kind
        if types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
            return [""] * len(column)
        return [_text(value) for value in column.to_pylist()]

    def _compression(self) -> str:
        """That of the file's first column, for all: a file has mostly one."""
        metadata = self._parquet.read_metadata(self.source.path)
        if not metadata.num_row_groups:
            return "snappy"
        group = metadata.row_group(0)
        found = str(group.column(0).compression).lower()
        return {"uncompressed": "none"}.get(found, found)

    def _damaged(self) -> TableError:
        return TableError(self.source.name, "is a damaged Parquet file", "Write it anew")


class _Held:
    """Batches of a row group that are held together, without the copies of a dictionary that each comes with."""

    def __init__(self, arrow: Any) -> None:  # noqa: ANN401 — pyarrow has no types
        self._arrow = arrow
        self._batches: list[Any] = []
        self._dictionaries: dict[int, Any] = {}
        self.rows = self.size = 0

    def add(self, batch: Any) -> None:  # noqa: ANN401
        columns = [self._shared(place, column) for place, column in enumerate(batch.columns)]
        self._batches.append(self._arrow.RecordBatch.from_arrays(columns, schema=batch.schema))
        self.rows += batch.num_rows

    def table(self, schema: Any) -> Any:  # noqa: ANN401
        return self._arrow.Table.from_batches(self._batches, schema)

    def _shared(self, place: int, column: Any) -> Any:  # noqa: ANN401
        if not self._arrow.types.is_dictionary(column.type):
            self.size += column.nbytes
            return column
        known = self._dictionaries.get(place)
        if known is None or not known.equals(column.dictionary):
            known = self._dictionaries[place] = column.dictionary
            self.size += known.nbytes
        self.size += column.indices.nbytes
        return self._arrow.DictionaryArray.from_arrays(column.indices, known, ordered=column.type.ordered)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "|".join(map(_text, value))
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
