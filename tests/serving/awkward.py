"""Awkward files of mentions, made by real writers and by hand, and what must be true of them when they come back."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path

import openpyxl
import pandas
import pyarrow
import pyarrow.parquet
import xlsxwriter
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.styles import Font

from serving.tables import Table, open_table

MARK = "ZZnew"
"""The name of the new column, and what stands in it."""


def written_again(path: Path, output: Path, **options: str) -> Table:
    """Write the table in `path` with one new column, and return it."""
    table = open_table(path, **options)  # type: ignore[arg-type]
    with output.open("wb") as file:
        table.write(file, [MARK], [[MARK]] * table.count)
    return table


def lines_are_kept(table: Table, before: bytes, after: bytes) -> None:
    """CSV: behind each record stand delimiters and our cell, and nothing else is new."""
    assert after.startswith(table.encoding.mark)
    rest = after[len(table.encoding.mark) :].decode(table.encoding.name, table.encoding.errors)
    text = before[len(table.encoding.mark) :].decode(table.encoding.name, table.encoding.errors)
    rows = [row.raw for row in table.rows()]
    head = text[: len(text) - sum(map(len, rows))]
    filled = [not row.blank for row in table.rows()]
    for raw, new in [(head, True), *zip(rows, filled, strict=True)]:
        body = raw.rstrip("\r\n") if new else raw
        assert rest.startswith(body)
        rest = rest[len(body) :]
        if new:
            added = re.match(rf'{re.escape(table.delimiter)}+"?{MARK}"?', rest)  # type: ignore[attr-defined]
            assert added
            rest = rest[added.end() :]
            assert rest.startswith(raw[len(body) :])
            rest = rest[len(raw) - len(body) :]
    assert rest == ""


def members_are_added(table: Table, before: bytes, after: bytes) -> None:
    """JSON: without our members, the bytes are the same."""
    text = after.decode(table.encoding.name, table.encoding.errors)
    cut = re.sub(rf'(?:, )?"{MARK}": "{MARK}"', "", text)
    assert cut.encode(table.encoding.name, table.encoding.errors) == before


def parts_are_kept(table: Table, before: bytes, after: bytes) -> None:
    """XLSX: every other part has the same bytes, and the sheet has them too without our cells."""
    with zipfile.ZipFile(io.BytesIO(before)) as old, zipfile.ZipFile(io.BytesIO(after)) as new:
        assert old.namelist() == new.namelist()
        changed = [name for name in old.namelist() if old.read(name) != new.read(name)]
        assert len(changed) == 1
        (sheet,) = changed
        ours = rb'<(\w+:)?c r="[A-Z]+[0-9]+"(?: s="[0-9]+")? t="inlineStr"><(\w+:)?is><(\w+:)?t xml:space="preserve">'
        cut = re.sub(ours + MARK.encode() + rb"</(\w+:)?t></(\w+:)?is></(\w+:)?c>", b"", new.read(sheet))
        assert _without_ranges(cut) == _without_ranges(old.read(sheet))
    kept, given = (openpyxl.load_workbook(io.BytesIO(content)) for content in (after, before))
    assert kept.sheetnames == given.sheetnames
    found = 0
    for name in given.sheetnames:
        for row in kept[name].iter_rows():
            for cell in row:
                if cell.value == MARK:
                    found += 1
                else:
                    assert cell.value == given[name][cell.coordinate].value
    assert found == table.count + 1


def _without_ranges(xml: bytes) -> bytes:
    return re.sub(rb'(dimension ref|spans)="[A-Z0-9:]*"', b"", xml)


def values_are_kept(table: Table, before: bytes, after: bytes) -> None:
    """ODS: the workbook that is written has the same texts in the same rows."""
    sheet = openpyxl.load_workbook(io.BytesIO(after))[table.sheet]  # type: ignore[attr-defined]
    rows = [row for row in sheet.iter_rows(values_only=True) if any(value is not None for value in row)]
    records = [dict(zip(table.columns, row, strict=False)) for row in rows if row[-1] == MARK][1:]
    given = [row.cells for row in table.rows()]
    assert len(records) == len(given) == table.count
    for record, cells in zip(records, given, strict=True):
        assert str(record["text"] or "") == cells["text"]


def columns_are_kept(table: Table, before: bytes, after: bytes) -> None:
    """Parquet: the same table, schema and metadata, and one more column."""
    old, new = (pyarrow.parquet.read_table(io.BytesIO(content)) for content in (before, after))
    assert new.drop_columns([MARK]).equals(old, check_metadata=True)
    assert new.column(MARK).to_pylist() == [MARK] * old.num_rows


Check = Callable[[Table, bytes, bytes], None]
Case = tuple[str, Callable[[Path], object], Check]
"""The name of a file, what writes it, and what must be true."""


def _bytes(content: bytes | str, encoding: str = "utf-8") -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)


def _csv(rows: list[list[str]], encoding: str = "utf-8", **dialect: object) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        with path.open("w", encoding=encoding, newline="") as file:
            csv.writer(file, **dialect).writerows(rows)  # type: ignore[arg-type]

    return write


ROWS = [["id", "text", "date"], ["1", 'panne, "encore"\nà l’été', "2024-11-13"], ["2", "merci ; bien", ""]]
FRAME = pandas.DataFrame({"id": [1, 2], "text": ["panne\n\nici, là", None], "when": [datetime(2024, 1, 2), None]})

CSV: Mapping[str, Case] = {
    "commas": ("m.csv", _csv(ROWS), lines_are_kept),
    "semicolons of a French Excel": ("m.csv", _csv(ROWS, "utf-8-sig", delimiter=";"), lines_are_kept),
    "tabs in UTF-16, as Excel's Unicode text": ("m.txt", _csv(ROWS, "utf-16", delimiter="\t"), lines_are_kept),
    "tabs": ("m.tsv", _csv(ROWS, delimiter="\t"), lines_are_kept),
    "bars": ("m.csv", _csv(ROWS, delimiter="|"), lines_are_kept),
    "all quoted": ("m.csv", _csv(ROWS, quoting=csv.QUOTE_ALL), lines_are_kept),
    "line ends of Unix": ("m.csv", _csv(ROWS, lineterminator="\n"), lines_are_kept),
    "line ends of old Macs": ("m.csv", _bytes(b"id,text\r1,a\r2,b\r"), lines_are_kept),
    "mixed line ends": ("m.csv", _bytes(b"id,text\r\n1,a\n2,b\r\n3,c"), lines_are_kept),
    "no end of the last line": ("m.csv", _bytes(b"id,text\n1,a"), lines_are_kept),
    "Windows-1252": ("m.csv", _bytes("id;text\r\n1;déjà l’été à 20 €, où ça\r\n", "cp1252"), lines_are_kept),
    "Mac Roman": ("m.csv", _bytes("id;text\r1;déjà l’été à Genève, où ça\r", "mac_roman"), lines_are_kept),
    "a letter that was cut": ("m.csv", _bytes("text,x\npanne déjà là,1\n".encode() + b"m\xc3,2\n"), lines_are_kept),
    "pandas": ("m.csv", lambda path: FRAME.to_csv(path, index=False), lines_are_kept),
    "pandas with its index": ("m.csv", lambda path: FRAME.to_csv(path), lines_are_kept),
    "pandas, as R writes": ("m.csv", lambda path: FRAME.to_csv(path, quoting=csv.QUOTE_NONNUMERIC), lines_are_kept),
    "blank lines": ("m.csv", _bytes(b"\n\nid,text\n\n1,a\n\n\n2,b\n\n"), lines_are_kept),
    "short rows": ("m.csv", _bytes(b"id,text,x\n1,a\n2\n3,c,d\n"), lines_are_kept),
    "long rows": ("m.csv", _bytes(b"id;text\n1;a;b;c\n2;d;;\n"), lines_are_kept),
    "two columns of one name": ("m.csv", _bytes(b"text,text\na,b\n"), lines_are_kept),
    "a column without a name": ("m.csv", _bytes(b",text,\n1,a,\n"), lines_are_kept),
    "one column": ("m.csv", _bytes(b"text\na\nb\n"), lines_are_kept),
    "a header alone": ("m.csv", _bytes(b"id,text\n"), lines_are_kept),
    "formulas": ("m.csv", _bytes(b"id,text\n1,\"=cmd|'/C calc'!A0\"\n-2,@SUM(A1)\n"), lines_are_kept),
    "blanks around cells": ("m.csv", _bytes(b"id, text \n 1 , a \n"), lines_are_kept),
    "quotation marks inside words": ("m.csv", _bytes(b'id,text\n1,l"a"\n2,"b" c\n'), lines_are_kept),
    "emoji and right to left": ("m.csv", _csv([["text", "x"], ["🙏🏽 مرحبا שלום", "\u200f"]]), lines_are_kept),
    "line separators that are no line ends": ("m.csv", _bytes("text,x\na\u2028b\x0bc\x85d,1\n"), lines_are_kept),
    "the rows of Brandwatch before the header": (
        "m.csv",
        _bytes(
            'Report:,"A, B"\nBrand:,X\nFrom:,a\nTo:,b\nLabel:,c\n\nQuery Id,Query Name,Date,Full Text\n1,X,d,panne\n'
        ),
        lines_are_kept,
    ),
}
JSON: Mapping[str, Case] = {
    "lines": (
        "m.jsonl",
        _bytes('{"text": "à", "n": 1.50}\n{"text": "b", "l": [1, {"text": "}"}]}\n'),
        members_are_added,
    ),
    "lines of pandas": (
        "m.jsonl",
        lambda path: FRAME.to_json(path, orient="records", lines=True, date_format="iso"),
        members_are_added,
    ),
    "lines that end as on Windows": ("m.ndjson", _bytes(b'{"text": "a"}\r\n\r\n{"text": "b"} \r\n'), members_are_added),
    "lines in UTF-16": ("m.jsonl", _bytes('{"text": "é"}\n'.encode("utf-16")), members_are_added),
    "an array": ("m.json", lambda path: path.write_text(json.dumps([{"text": "a"}, {"text": "é"}])), members_are_added),
    "an indented array": (
        "m.json",
        lambda path: path.write_text(json.dumps([{"text": "a", "n": None}] * 3, indent=2)),
        members_are_added,
    ),
    "an array of pandas": (
        "m.json",
        lambda path: FRAME.to_json(path, orient="records", date_format="iso"),
        members_are_added,
    ),
    "an array with odd blanks": (
        "m.json",
        _bytes(b' [ {"text":"a" , "b":{}} ,\n\n{ }\t,{"text":"]},{"}\r\n]\n'),
        members_are_added,
    ),
    "an empty array": ("m.json", _bytes(b"[]\n"), members_are_added),
    "a long array": (
        "m.json",
        lambda path: path.write_text(json.dumps([{"text": "x" * 997, "n": n} for n in range(300)])),
        members_are_added,
    ),
}


def _plain_book(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["id", "text", "when", "n"])
    sheet.append([1, "panne & <b> é\nici", datetime(2024, 11, 13, 10, 30), 1.5])
    sheet.append([None, None, None, None])
    sheet.append([2, "=1+1", date(2024, 11, 13), True])
    sheet.append([3, None, time(10, 30), -7])
    book.save(path)


def _rich_book(path: Path) -> None:
    """Several sheets, a chart, a comment, a link, formulas, styles, merged and frozen cells, a filter, a rule."""
    book = openpyxl.Workbook()
    book.active.append(["notes", "about"])
    book.active.append(["made", "by hand"])
    sheet = book.create_sheet("Mentions")
    sheet.append(["id", "Message", "n", "twice"])
    for number in range(1, 6):
        sheet.append([number, f"panne {number}", number * 2, f"=C{number + 1}*2"])
    sheet["B2"].hyperlink = "https://example.org/?a=1&b=2"
    sheet["B3"].comment = Comment("a note", "somebody")
    sheet["A1"].font = Font(bold=True)
    sheet.freeze_panes, sheet.auto_filter.ref = "A2", "A1:D6"
    sheet.column_dimensions["B"].width = 40
    sheet.merge_cells("A8:B9")
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=3, min_row=1, max_row=6), titles_from_data=True)
    sheet.add_chart(chart, "H2")
    book.create_sheet("Hidden").sheet_state = "hidden"
    book.save(path)


def _xlsxwriter_book(path: Path, **options: object) -> None:
    with xlsxwriter.Workbook(path, options) as book:
        sheet = book.add_worksheet("Données à lire")
        bold = book.add_format({"bold": True})
        sheet.write_row(2, 1, ["id", "text", "when"], bold)  # neither in the first row nor in the first column
        sheet.write_row(3, 1, [1, "déjà"])
        sheet.write_rich_string(4, 2, "a ", bold, "b", " c")
        sheet.write_datetime(4, 3, datetime(2024, 1, 2), book.add_format({"num_format": "dd/mm/yyyy"}))
        sheet.write_url(5, 2, "https://example.org", None, "link")
        sheet.write_formula(6, 2, '="x"&"y"', None, "xy")


def xml_book(rows: str, *, strings: str = "", prefix: str = "", date1904: str = "0") -> Callable[[Path], object]:
    """A workbook whose sheet is written by hand."""
    x = f"{prefix}:" if prefix else ""
    space = f'xmlns{":" if prefix else ""}{prefix}="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
        f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kinds}.sharedStrings+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kinds}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/officeDocument" Target="/xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<{x}workbook {space} xmlns:r="{office}"><{x}workbookPr date1904="{date1904}"/><{x}sheets>'
        f'<{x}sheet name="S" sheetId="1" r:id="r1"/></{x}sheets></{x}workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{office}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/sharedStrings.xml": f"<{x}sst {space}>{strings}</{x}sst>",
        "xl/worksheets/sheet1.xml": f"<{x}worksheet {space}><{x}sheetData>{rows}</{x}sheetData></{x}worksheet>",
    }
    return lambda path: zipped(path, parts)


def zipped(path: Path, parts: Mapping[str, str]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


TEXT = '<c t="inlineStr"><is><t>text</t></is></c>'
BOOKS: Mapping[str, Case] = {
    "openpyxl": ("m.xlsx", _plain_book, parts_are_kept),
    "several sheets, a chart, links, notes, formulas": ("m.xlsx", _rich_book, parts_are_kept),
    "XlsxWriter": ("m.xlsx", _xlsxwriter_book, parts_are_kept),
    "XlsxWriter in constant memory": ("m.xlsx", lambda p: _xlsxwriter_book(p, constant_memory=True), parts_are_kept),
    "pandas in a workbook": ("m.xlsx", lambda path: FRAME.to_excel(path, index=False), parts_are_kept),
    "cells that do not say where they are": (
        "m.xlsx",
        xml_book(f'<row>{TEXT}<c><v>1</v></c></row><row><c t="str"><v>a_x000D_b</v></c></row>'),
        parts_are_kept,
    ),
    "a prefix before every name": (
        "m.xlsx",
        xml_book(
            '<x:row r="1"><x:c r="A1" t="s"><x:v>0</x:v></x:c></x:row><x:row r="3"/>'
            '<x:row r="4"><x:c r="A4" t="s"><x:v>1</x:v></x:c></x:row>',
            strings="<x:si><x:t>text</x:t></x:si><x:si><x:r><x:t>a</x:t></x:r><x:r><x:t>b</x:t></x:r></x:si>",
            prefix="x",
        ),
        parts_are_kept,
    ),
    "spans and something behind the cells": (
        "m.xlsx",
        xml_book(
            f'<row r="1" spans="1:1">{TEXT}</row><row r="2" spans="1:1">{TEXT}<extLst><ext uri="u"/></extLst></row>'
        ),
        parts_are_kept,
    ),
    "cells without a value beyond the header": (
        "m.xlsx",
        xml_book(f'<row r="1">{TEXT}</row><row r="2">{TEXT}<c r="D2" s="0"/></row><row r="3"><c r="A3" s="0"/></row>'),
        parts_are_kept,
    ),
    "how a word is pronounced": (
        "m.xlsx",
        xml_book(
            f'<row>{TEXT}</row><row><c t="s"><v>0</v></c></row>',
            strings='<si><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></si>',
        ),
        parts_are_kept,
    ),
}


def ods(*tables: str) -> str:
    """The content of an OpenDocument spreadsheet."""
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    body = f"<office:body><office:spreadsheet>{''.join(tables)}</office:spreadsheet></office:body>"
    return f'<office:document-content {names} xmlns:xlink="x">{body}</office:document-content>'


def ods_table(rows: str, name: str = "S") -> str:
    return f'<table:table table:name="{name}">{rows}</table:table>'


def ods_row(*cells: str, **attributes: str) -> str:
    given = "".join(f' table:{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f"<table:table-row{given}>{''.join(cells)}</table:table-row>"


def ods_cell(text: str, **attributes: str) -> str:
    given = "".join(f' {name.replace("__", ":").replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f"<table:table-cell{given or ' office:value-type=' + chr(34) + 'string' + chr(34)}>{text}</table:table-cell>"


HEAD = ods_row(ods_cell("<text:p>id</text:p>"), ods_cell("<text:p>text</text:p>"))


def _ods(*tables: str) -> Callable[[Path], object]:
    parts = {"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": ods(*tables)}
    return lambda path: zipped(path, parts)


ODS: Mapping[str, Case] = {
    "numbers, dates, links, notes and blanks": (
        "m.ods",
        _ods(
            ods_table(
                HEAD
                + ods_row(
                    ods_cell("<text:p>1,5</text:p>", office__value_type="float", office__value="1.5"),
                    ods_cell(
                        "<office:annotation><text:p>note</text:p></office:annotation>"
                        '<text:p>a<text:s text:c="2"/>b<text:tab/>c</text:p><text:p>d</text:p>'
                    ),
                    ods_cell("<text:p>x</text:p>", office__value_type="date", office__date_value="2024-11-13"),
                )
                + ods_row(
                    ods_cell(""), ods_cell('<text:p><text:a xlink:href="https://example.org">l</text:a></text:p>')
                )
            )
        ),
        values_are_kept,
    ),
    "rows and cells that are repeated": (
        "m.ods",
        _ods(
            ods_table(
                HEAD
                + ods_row(ods_cell("<text:p>a</text:p>", table__number_columns_repeated="2"), number_rows_repeated="3")
                + ods_row(ods_cell("", table__number_columns_repeated="16384"), number_rows_repeated="1048000")
            )
        ),
        values_are_kept,
    ),
    "the second of two sheets": (
        "m.ods",
        _ods(ods_table(ods_row(ods_cell("<text:p>other</text:p>")), "A"), ods_table(HEAD + HEAD, "B")),
        values_are_kept,
    ),
}


def _parquet(**options: object) -> Callable[[Path], object]:
    table = pyarrow.table(
        {
            "text": pyarrow.array(["a", None, "é\n"] * 100).dictionary_encode(),
            "n": pyarrow.array([1, None, 3] * 100, pyarrow.int16()),
            "when": pyarrow.array([datetime(2024, 1, 2, tzinfo=UTC)] * 300, pyarrow.timestamp("us", "Europe/Paris")),
            "tags": pyarrow.array([["x"], [], None] * 100),
            "raw": pyarrow.array([b"\x00"] * 300),
        }
    ).replace_schema_metadata({"made by": "somebody"})
    return lambda path: pyarrow.parquet.write_table(table, path, **options)


PARQUET: Mapping[str, Case] = {
    "row groups": ("m.parquet", _parquet(row_group_size=70), columns_are_kept),
    "zstd and nothing else": ("m.parquet", _parquet(compression="zstd"), columns_are_kept),
    "nothing compressed": ("m.parquet", _parquet(compression="none", use_dictionary=False), columns_are_kept),
    "pandas with an index": ("m.parquet", lambda path: FRAME.set_index("id").to_parquet(path), columns_are_kept),
    "no rows": ("m.parquet", lambda path: FRAME.iloc[:0].to_parquet(path), columns_are_kept),
    "another ending": ("export.data", _parquet(), columns_are_kept),
}
KEPT: Mapping[str, Case] = {**CSV, **JSON, **BOOKS, **ODS, **PARQUET}
