"""Files that come back as they were, whatever wrote them: what is ours is new, and nothing else is."""

from __future__ import annotations

import gzip
import io
import json
from datetime import datetime
from pathlib import Path

import openpyxl
import pyarrow.parquet
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.errors import TableError
from serving.tables import open_table
from serving.tables.source import compressed
from tests.serving.awkward import BOOKS, KEPT, MARK, members_are_added, written_again, xml_book


@pytest.mark.parametrize("case", KEPT)
def test_a_file_comes_back_with_one_more_column_and_nothing_else_new(tmp_path: Path, case: str) -> None:
    name, write, check = KEPT[case]
    path, output = tmp_path / name, tmp_path / f"out-{name}"
    write(path)
    before = path.read_bytes()
    table = written_again(path, output)
    check(table, before, output.read_bytes())
    assert path.read_bytes() == before
    rows = [row for row in table.rows() if not row.blank]
    assert len(rows) == table.count
    assert rows == [row for row in table.rows() if not row.blank]  # a second reading gives the same


@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize("case", ["commas", "an array", "openpyxl", "row groups", "rows and cells that are repeated"])
def test_a_compressed_file_comes_back_compressed(tmp_path: Path, case: str, ending: str) -> None:
    name, write, check = KEPT[case]
    write(tmp_path / name)
    before = (tmp_path / name).read_bytes()
    pack, unpack = {".gz": (gzip.compress, gzip.decompress), ".zst": (zstd.compress, zstd.decompress)}[ending]
    path, output = tmp_path / f"{name}{ending}", tmp_path / f"out-{name}{ending}"
    path.write_bytes(pack(before))
    table = open_table(path)
    with output.open("wb") as file, compressed(file, output) as stream:
        table.write(stream, [MARK], [[MARK]] * table.count)
    check(table, before, unpack(output.read_bytes()))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=50)
@given(
    records=st.lists(
        st.dictionaries(st.text(max_size=3).filter(lambda key: key != MARK), VALUES, max_size=3), max_size=6
    ),
    indent=st.sampled_from([None, 0, 3]),
    ascii_only=st.booleans(),
    end=st.sampled_from(["", "\n", "\r\n"]),
    lines=st.booleans(),
)
def test_json_keeps_its_bytes(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[dict[str, object]],
    indent: int | None,
    ascii_only: bool,
    end: str,
    lines: bool,
) -> None:
    if lines:
        made = (end or "\n").join(json.dumps(record, ensure_ascii=ascii_only) for record in records)
    else:
        made = json.dumps(records, ensure_ascii=ascii_only, indent=indent) + end
    if not made.strip():
        return
    folder = tmp_path_factory.mktemp("json")
    path = folder / ("m.jsonl" if lines else "m.json")
    path.write_bytes(made.encode("utf-8", "surrogatepass"))
    table = written_again(path, folder / "out")
    assert table.count == len(records)
    members_are_added(table, path.read_bytes(), (folder / "out").read_bytes())
    assert [list(row.cells) for row in table.rows() if not row.blank] == [list(record) for record in records]


def test_a_workbook_is_read_as_openpyxl_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "m.xlsx"
    BOOKS["openpyxl"][1](path)
    rows = [row.cells for row in open_table(path).rows() if not row.blank]
    assert rows[0] == {"id": "1", "text": "panne & <b> é\nici", "when": "2024-11-13T10:30:00", "n": "1.5"}
    assert (rows[1]["when"], rows[1]["n"], rows[2]["when"]) == ("2024-11-13", "TRUE", "10:30:00")


def test_what_a_cell_of_a_workbook_shows_is_its_text(tmp_path: Path) -> None:
    path = tmp_path / "m.xlsx"
    BOOKS["how a word is pronounced"][1](path)
    assert [row.cells["text"] for row in open_table(path).rows()] == ["東京"]
    BOOKS["a prefix before every name"][1](path)
    assert [row.cells["text"] for row in open_table(path).rows() if not row.blank] == ["ab"]
    BOOKS["XlsxWriter"][1](path)
    assert [row.cells["text"] for row in open_table(path).rows()] == ["déjà", "a b c", "link", "xy"]


def test_days_are_counted_from_1904_where_the_workbook_says_so(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    book.active.append(["text", "when"])
    book.active.append(["a", datetime(2024, 11, 13)])
    book.save(tmp_path / "m.xlsx")
    assert [row.cells["when"] for row in open_table(tmp_path / "m.xlsx").rows()] == ["2024-11-13"]


@pytest.mark.parametrize(
    ("epoch", "number"), [("WINDOWS_EPOCH", 2958465.999999), ("CALENDAR_MAC_1904", 2957004), ("WINDOWS_EPOCH", -1)]
)
def test_a_number_that_is_no_day_of_the_calendar_is_read_as_it_is(tmp_path: Path, epoch: str, number: float) -> None:
    book = openpyxl.Workbook()
    book.epoch = getattr(openpyxl.utils.datetime, epoch)
    book.active.append(["text", "when"])
    book.active.append(["a", number])
    book.active["B2"].number_format = "yyyy-mm-dd"
    book.save(tmp_path / "m.xlsx")
    assert [row.cells["when"] for row in open_table(tmp_path / "m.xlsx").rows()] == [str(number)]


def test_the_sheet_with_a_column_of_the_text_is_taken_or_the_one_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "m.xlsx"
    BOOKS["several sheets, a chart, links, notes, formulas"][1](path)
    table = open_table(path)
    assert (table.columns, table.count) == (("id", "Message", "n", "twice"), 5)
    assert "read from sheet 'Mentions', of 2" in table.notes
    assert open_table(path, sheet="Sheet").columns == ("notes", "about")
    assert open_table(path, text_column="about").columns == ("notes", "about")
    with pytest.raises(TableError, match="There are: Sheet, Mentions"):
        open_table(path, sheet="Hidden")


def test_our_header_looks_like_theirs_and_illegal_letters_do_not_break_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m.xlsx"
    BOOKS["XlsxWriter"][1](path)
    table, out = open_table(path), io.BytesIO()
    table.write(out, ["new"], [["a\x00b\ud800 _x0041_"], [""], ["<&>"], ["  c "]])
    sheet = openpyxl.load_workbook(out).active
    assert sheet["E3"].font.bold
    assert [sheet[f"E{row}"].value for row in range(4, 8)] == ["a?b? _x005F_x0041_", None, "<&>", "  c "]


def test_a_workbook_without_room_for_more_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.xlsx"
    xml_book('<row r="1"><c r="A1" t="str"><v>text</v></c><c r="XFD1"/></row>')(path)
    with pytest.raises(TableError, match="no room"):
        written_again(path, tmp_path / "out.xlsx")


def test_parquet_keeps_its_row_groups_and_shows_dates_and_numbers_as_text(tmp_path: Path) -> None:
    path, output = tmp_path / "m.parquet", tmp_path / "out.parquet"
    KEPT["row groups"][1](path)
    table = written_again(path, output)
    old, new = pyarrow.parquet.ParquetFile(path), pyarrow.parquet.ParquetFile(output)
    sizes = [[file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] for file in (old, new)]
    assert sizes[0] == sizes[1] == [70, 70, 70, 70, 20]
    first, second = list(table.rows())[:2]
    assert first.cells == {"text": "a", "n": "1", "when": "2024-01-02T01:00:00+01:00", "tags": "x", "raw": ""}
    assert (second.cells["text"], second.cells["n"]) == ("", "")


@pytest.mark.parametrize("case", ["commas", "an array", "openpyxl", "row groups", "the second of two sheets"])
def test_too_few_or_too_many_cells_are_an_error(tmp_path: Path, case: str) -> None:
    name, write, _ = KEPT[case]
    write(tmp_path / name)
    table = open_table(tmp_path / name)
    for cells in ([[MARK]] * (table.count - 1), [[MARK]] * (table.count + 1)):
        with pytest.raises(TableError, match="was changed while it was read"):
            table.write(io.BytesIO(), [MARK], cells)


def test_formulas_are_neutralised_in_our_columns_and_counted_in_theirs(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(b"id,text\n1,=1+1\n2,-5\n3,+33 6\n")
    table, out = open_table(path), io.BytesIO()
    table.write(out, ["new"], [["=1+1"], ["@a"], ["churn"]])
    assert out.getvalue() == b"id,text,new\n1,=1+1,'=1+1\n2,-5,'@a\n3,+33 6,churn\n"
    assert table.notes == ("2 cells would be run as a formula by Excel",)
