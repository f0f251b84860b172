"""Files that would fill the memory, by what they repeat or never end: refused, or read in little of it."""

from __future__ import annotations

import gzip
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from serving.errors import TableError
from serving.tables import open_table
from tests.serving.awkward import HEAD, MARK, TEXT, ods, ods_cell, ods_row, ods_table, written_again, xml_book, zipped
from tests.serving.files import written


@contextmanager
def peak_below(most: int) -> Iterator[None]:
    """Python's memory, expat's with it, stays below `most` bytes in the block."""
    tracemalloc.start()
    try:
        yield
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most


def test_a_tag_that_never_ends_does_not_fill_the_memory(tmp_path: Path) -> None:
    zipped(tmp_path / "m.ods", {"content.xml": '<a b="' + "x" * 30_000_000})
    with pytest.raises(TableError, match="never ends"), peak_below(10_000_000):
        open_table(tmp_path / "m.ods")


def test_a_short_row_that_names_a_long_text_again_and_again_is_refused(tmp_path: Path) -> None:
    row = "".join(['<c t="s"><v>0</v></c>'] * 200)
    xml_book(f"<row>{row}</row>", strings=f"<si><t>{'x' * 1_000_000}</t></si>")(tmp_path / "m.xlsx")
    with pytest.raises(TableError, match="many millions of letters"):
        open_table(tmp_path / "m.xlsx")


def test_a_large_workbook_is_read_and_written_in_little_memory(tmp_path: Path) -> None:
    rows = "".join(f'<row><c t="s"><v>{n}</v></c></row>' for n in range(4000))
    strings = "".join(f"<si><t>text{n:>5000}</t></si>" for n in range(4000)).replace(f"text{0:>5000}", "text")
    xml_book(rows, strings=strings)(tmp_path / "m.xlsx")  # 20 million letters
    with peak_below(4_000_000), (tmp_path / "out.xlsx").open("wb") as file:
        table = open_table(tmp_path / "m.xlsx")
        table.write(file, ["new"], (["x"] for _ in range(table.count)))
    assert open_table(tmp_path / "out.xlsx").columns == ("text", "new")


def test_a_list_of_sheets_with_many_other_elements_is_read_in_little_memory(tmp_path: Path) -> None:
    xml_book(f"<row>{TEXT}</row>")(tmp_path / "m.xlsx")
    with zipfile.ZipFile(tmp_path / "m.xlsx") as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace("</sheets>", "<a b=''/>" * 100_000 + "</sheets>")
    zipped(tmp_path / "m.xlsx", parts)
    with peak_below(5_000_000):
        assert open_table(tmp_path / "m.xlsx").columns == ("text",)


def test_the_first_rows_of_many_sheets_do_not_fill_the_memory(tmp_path: Path) -> None:
    row = ods_row(ods_cell("<text:p>a</text:p>", table__number_columns_repeated="16384"))
    sheets = [ods_table(HEAD + row * 25, str(number)) + " " * 70_000 for number in range(30)]
    zipped(tmp_path / "m.ods", {"content.xml": ods(*sheets)})
    with pytest.raises(TableError, match="too many cells"), peak_below(120_000_000):
        open_table(tmp_path / "m.ods")


@pytest.mark.parametrize(
    ("name", "start", "again", "times", "said"),
    [
        ("m.csv.gz", b'id,text\n1,"', b"x", 70_000_000, "row 1: has a cell that never ends"),
        ("m.csv.gz", b"id,text\n1,a\n2", b',"' + b"x" * 200 + b'\n"', 300_000, "row 2: has a cell that never ends"),
        ("m.jsonl.gz", b'{"text": "a"}\n{"text": "', b"x", 20_000_000, "line 2: has more than 16,777,216 characters"),
    ],
    ids=["a cell", "a record", "a line"],
)
def test_what_never_ends_is_not_read_to_its_end(
    tmp_path: Path, name: str, start: bytes, again: bytes, times: int, said: str
) -> None:
    path = written(tmp_path, gzip.compress(start + again * times, 1), name)
    with pytest.raises(TableError, match=said), peak_below(120_000_000):
        open_table(path)


def test_the_longest_cells_are_read(tmp_path: Path) -> None:
    text = "x" * 2**23 + '"' * 2**22
    path = written(tmp_path, b'id,text\n1,"' + text.replace('"', '""').encode() + b'"\n')
    assert [row.cells["text"] == text for row in open_table(path).rows()] == [True]


def test_texts_that_parquet_holds_once_do_not_fill_the_memory_when_they_are_decoded(tmp_path: Path) -> None:
    path, output = tmp_path / "m.parquet", tmp_path / "out.parquet"
    texts = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 30_000), ["x" * 20_000])  # 600 million letters
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), path, store_schema=False)  # to be read as plain texts
    usual = pyarrow.default_memory_pool()
    pool = pyarrow.proxy_memory_pool(usual)
    pyarrow.set_memory_pool(pool)
    try:
        table = written_again(path, output)
    finally:
        pyarrow.set_memory_pool(usual)
    assert path.stat().st_size < 100_000
    assert pool.max_memory() < 400_000_000
    assert _rows_of_groups(output) == [7168, 7168, 7168, 7168, 1328]
    assert sum(len(row.cells["text"]) for row in table.rows()) == 600_000_000


def test_a_row_group_of_many_rows_is_cut_and_keeps_its_values(tmp_path: Path) -> None:
    path, output = tmp_path / "m.parquet", tmp_path / "out.parquet"
    kinds = pyarrow.DictionaryArray.from_arrays(pyarrow.array([1, None] * 40_000), ["b", "a", "unused"], ordered=True)
    texts = [str(number) for number in range(80_000)]
    given = pyarrow.table({"text": texts, "kind": kinds, "tags": [["x"], None] * 40_000})
    pyarrow.parquet.write_table(given, path)
    table = written_again(path, output)
    assert (_rows_of_groups(path), _rows_of_groups(output)) == ([80_000], [65_536, 14_464])
    assert pyarrow.parquet.read_table(output).drop_columns([MARK]).equals(pyarrow.parquet.read_table(path))
    assert [row.cells["text"] for row in table.rows()] == texts


def _rows_of_groups(path: Path) -> list[int]:
    metadata = pyarrow.parquet.read_metadata(path)
    return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
