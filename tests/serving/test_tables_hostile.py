"""Files that mean harm, or are no tables: refused in one clear line."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.errors import TableError
from serving.exports import check_output
from serving.tables import open_table
from tests.serving.awkward import BOOKS, HEAD, KEPT, TEXT, ods, ods_cell, ods_row, ods_table, xml_book, zipped

ENTITIES = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


def _changed(part: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    """A plain workbook with one of its parts changed."""

    def write(path: Path) -> None:
        BOOKS["openpyxl"][1](path)
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        parts[part] = change(parts[part])
        zipped(path, parts)  # type: ignore[arg-type]

    return write


def _with(name: str) -> Callable[[Path], object]:
    """A plain workbook with a file of that name."""

    def write(path: Path) -> None:
        BOOKS["openpyxl"][1](path)
        with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of two files of one name
            archive.writestr(name, "x")

    return write


def _declaring(size: int) -> Callable[[Path], object]:
    """A workbook whose sheet is said to have `size` bytes."""

    def write(path: Path) -> None:
        BOOKS["openpyxl"][1](path)
        content = bytearray(path.read_bytes())
        place = content.rindex(b"xl/worksheets/sheet1.xml") - 46  # the entry in the central directory
        content[place + 24 : place + 28] = size.to_bytes(4, "little")
        path.write_bytes(content)

    return write


def _cut(path: Path) -> None:
    BOOKS["openpyxl"][1](path)
    path.write_bytes(path.read_bytes()[:-700])


def _corrupt(path: Path) -> None:
    BOOKS["openpyxl"][1](path)
    content = bytearray(path.read_bytes())
    place = content.index(b"xl/worksheets/sheet1.xml") + 60
    content[place : place + 8] = b"\xff" * 8
    path.write_bytes(content)


def _corrupt_as(compression: int) -> Callable[[Path], object]:
    """A workbook whose parts are compressed otherwise than in a workbook, and damaged."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", compression) as archive:
            archive.writestr("_rels/.rels", "<Relationships/>" * 100)
        content = bytearray(path.read_bytes())
        content[60:68] = b"\xff" * 8
        path.write_bytes(content)

    return write


def _repeated(rows: int, **attributes: str) -> Callable[[Path], object]:
    """A sheet of ODS whose rows have one cell, over and over."""
    row = ods_row(ods_cell("<text:p>a</text:p>", table__number_columns_repeated="16384"), **attributes)
    return lambda path: zipped(path, {"content.xml": ods(ods_table(HEAD + row * rows))})


def _cut_parquet(path: Path) -> None:
    KEPT["row groups"][1](path)
    path.write_bytes(path.read_bytes()[:-100] + b"PAR1")


SHEET, BOOK = "xl/worksheets/sheet1.xml", "xl/workbook.xml"
REFUSED = {
    "entities in a sheet": ("m.xlsx", _changed(SHEET, lambda xml: ENTITIES.encode() + xml), "document type"),
    "entities in the list of sheets": ("m.xlsx", _changed(BOOK, lambda xml: ENTITIES.encode() + xml), "document type"),
    "entities in ODS": (
        "m.ods",
        lambda p: zipped(p, {"content.xml": ENTITIES + ods(ods_table(HEAD))}),
        "document type",
    ),
    "an external entity": (
        "m.xlsx",
        _changed(SHEET, lambda xml: b'<!DOCTYPE a SYSTEM "file:///etc/hostname">' + xml),
        "document type",
    ),
    "a sheet of zeroes": ("m.xlsx", _changed(SHEET, lambda xml: b"0" * 20_000_000), "unpacks to more than"),
    "a sheet that says it has 4 GB": ("m.xlsx", _declaring(2**32 - 2), "unpacks to more than"),
    "a name that leaves the archive": ("m.xlsx", _with("../../evil.sh"), "outside of it"),
    "an absolute name": ("m.xlsx", _with("/etc/evil"), "outside of it"),
    "a name of Windows": ("m.xlsx", _with("..\\evil.bat"), "outside of it"),
    "two files of one name": ("m.xlsx", _with(SHEET), "two of one name"),
    "a workbook that was cut": ("m.xlsx", _cut, "damaged workbook"),
    "a corrupt sheet": ("m.xlsx", _corrupt, "damaged workbook|no well-formed"),
    "a damaged part in LZMA": ("m.xlsx", _corrupt_as(zipfile.ZIP_LZMA), "compressed as no workbook"),
    "a damaged part in bzip2": ("m.xlsx", _corrupt_as(zipfile.ZIP_BZIP2), "compressed as no workbook"),
    "XML that is none": ("m.xlsx", _changed(SHEET, lambda xml: xml[:-30]), "no well-formed XML"),
    "a sheet in UTF-16": (
        "m.xlsx",
        _changed(SHEET, lambda xml: ('<?xml version="1.0" encoding="utf-16"?>' + xml.decode()).encode("utf-16")),
        "is encoded as utf-16",
    ),
    "cells in disorder": (
        "m.xlsx",
        xml_book(f'<row>{TEXT}</row><row><c r="B2"><v>1</v></c><c r="A2"><v>1</v></c></row>'),
        "row 2: has cells in disorder",
    ),
    "a row with a number of 5,000 digits": (
        "m.xlsx",
        xml_book(f'<row r="{"9" * 5000}"/>'),
        "whose number no sheet has",
    ),
    "a text that is missing": ("m.xlsx", xml_book('<row><c t="s"><v>7</v></c></row>'), "text is missing"),
    "a ZIP of other things": ("m.zip", lambda p: zipped(p, {"a.txt": "x"}), "no workbook"),
    "XLSB": (
        "m.xlsb",
        lambda p: zipped(
            p,
            {
                "_rels/.rels": '<R><Relationship Type="x/officeDocument" Target="xl/workbook.bin"/></R>',
                "xl/workbook.bin": "x",
            },
        ),
        "XLSB",
    ),
    "XLS, or a password": ("m.xls", lambda p: p.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600), "XLS"),
    "a workbook without rows": ("m.xlsx", xml_book(""), "is empty"),
    "more rows of ODS than there can be": (
        "m.ods",
        lambda p: zipped(
            p,
            {
                "content.xml": ods(
                    ods_table(HEAD + ods_row(ods_cell("<text:p>a</text:p>"), number_rows_repeated="99999999"))
                )
            },
        ),
        "more than 1,048,576 rows",
    ),
    "cells of ODS that are repeated": ("m.ods", _repeated(80), "too many cells"),
    "rows of ODS that are repeated with their cells": (
        "m.ods",
        _repeated(1, number_rows_repeated="1000000"),
        "too many cells",
    ),
    "a row of CSV to which all others would be filled up": (
        "m.csv",
        lambda p: p.write_bytes(b"id,text\n" + b"1,a\n" * 2000 + b"," * 20_000),
        "has a row of 20,001 cells",
    ),
    "a header of CSV to which all rows would be filled up": (
        "m.csv",
        lambda p: p.write_bytes(b"id,text" + b",x" * 40_000 + b"\n1,a" * 500),
        "has a row of 40,002 cells",
    ),
    "Parquet that was cut": ("m.parquet", _cut_parquet, "damaged Parquet"),
    "Parquet in name alone": ("m.parquet", lambda p: p.write_bytes(b"PAR1 nothing PAR1"), "damaged Parquet"),
    "a picture": ("m.csv", lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00" * 20), "binary"),
    "an array that ends too early": ("m.json", lambda p: p.write_text('[{"text": "a"}, '), "row 2: is no JSON"),
    "an array without a comma": ("m.json", lambda p: p.write_text('[{"text": "a"} {}]'), "',' is missing"),
    "two arrays": ("m.json", lambda p: p.write_text('[{"text": "a"}] []'), "goes on behind the end"),
    "an array of texts": ("m.json", lambda p: p.write_text('["a", "b"]'), "row 1: is no JSON object"),
    "an array that is nested a million times": ("m.json", lambda p: p.write_text("[" * 100_000), "nested too deeply"),
    "an object alone": ("m.json", lambda p: p.write_text(json.dumps({"data": []}, indent=2)), "no JSON object"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_hostile_or_no_table_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    name, write, said = REFUSED[case]
    write(tmp_path / name)
    with pytest.raises(TableError, match=said) as caught:
        list(open_table(tmp_path / name, most=10_000_000).rows())
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_a_column_of_ours_in_ods_that_is_too_long_for_a_workbook_is_refused(tmp_path: Path) -> None:
    zipped(
        tmp_path / "m.ods",
        {"content.xml": ods(ods_table(HEAD + ods_row(ods_cell(f"<text:p>{'x' * 40_000}</text:p>"))))},
    )
    with pytest.raises(TableError, match="XLSX holds 32,767"):
        open_table(tmp_path / "m.ods").write(io.BytesIO(), ["new"], [["x"]])


@pytest.mark.parametrize(
    ("case", "output", "said"),
    [
        ("openpyxl", "out.csv", "asks for CSV. The output is XLSX, as the input is"),
        ("the second of two sheets", "out.ods", "The output is XLSX, since the input is ODS"),
        ("row groups", "out.csv.gz", "The output is Parquet"),
        ("lines", "out.xlsx", "asks for a workbook"),
    ],
)
def test_an_output_of_another_format_is_refused(tmp_path: Path, case: str, output: str, said: str) -> None:
    name, write, _ = KEPT[case]
    write(tmp_path / name)
    with pytest.raises(TableError, match=said):
        check_output(open_table(tmp_path / name), tmp_path / output, whole=True)


def test_a_few_rows_are_not_taken_out_of_a_workbook_or_an_array(tmp_path: Path) -> None:
    BOOKS["openpyxl"][1](tmp_path / "m.xlsx")
    (tmp_path / "m.json").write_text('[{"text": "Ciao"}]')
    for name in ("m.xlsx", "m.json"):
        with pytest.raises(TableError, match=r"of which no rows are taken\. Save it as CSV or JSONL"):
            check_output(open_table(tmp_path / name), tmp_path / f"out-{name}")
