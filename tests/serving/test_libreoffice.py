"""Files that LibreOffice writes, and what LibreOffice reads of ours."""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from model.tagger import Tagger
from serving.errors import TableError
from serving.exports import Reading, tag_table
from serving.tables import open_table
from tests.serving.awkward import KEPT, Check, lines_are_kept, parts_are_kept, values_are_kept, written_again

GIVEN = (
    'id,text,when,price\n1,"panne, ""encore""\nici, là",2026-01-02,"1,50"\n2,merci,2026-02-03,3\n3,=1+1,2026-03-04,x\n'
)
Convert = Callable[..., Path]


@pytest.fixture(scope="module")
def convert(tmp_path_factory: pytest.TempPathFactory) -> Convert:
    """Have LibreOffice write a file in another format, into a folder of its own."""
    profile = tmp_path_factory.mktemp("profile")

    def run(path: Path, to: str) -> Path:
        folder = tmp_path_factory.mktemp("office")
        command = ["soffice", f"-env:UserInstallation={profile.as_uri()}", "--headless", "--convert-to", to]
        subprocess.run([*command, "--outdir", str(folder), str(path)], check=True, capture_output=True, timeout=120)
        (written,) = folder.iterdir()
        return written

    return run


@pytest.fixture(scope="module")
def book(convert: Convert, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook of LibreOffice."""
    path = tmp_path_factory.mktemp("given") / "m.csv"
    path.write_text(GIVEN, encoding="utf-8")
    return convert(path, "xlsx")


def filtered(delimiter: str, encoding: int) -> str:
    """LibreOffice's filter for CSV."""
    return f"csv:Text - txt - csv (StarCalc):{ord(delimiter)},34,{encoding},1"


@pytest.mark.parametrize(
    ("to", "check"),
    [
        ("xlsx", parts_are_kept),
        ("ods", values_are_kept),
        (filtered(";", 76), lines_are_kept),  # UTF-8
        (filtered("\t", 1), lines_are_kept),  # Windows-1252
        (filtered(",", 65535), lines_are_kept),  # UTF-16
    ],
    ids=["xlsx", "ods", "semicolons", "Windows-1252", "UTF-16"],
)
def test_what_it_writes_comes_back_as_it_was(
    convert: Convert, book: Path, tmp_path: Path, to: str, check: Check
) -> None:
    path = convert(book, to)
    output = tmp_path / f"out{path.suffix}"
    table = written_again(path, output)
    assert table.columns == ("id", "text", "when", "price")
    assert table.count == 3
    check(table, path.read_bytes(), output.read_bytes())


@pytest.mark.parametrize(
    ("to", "said"), [("xls", "is an old workbook"), ("fods", "is XML"), ("html", "is XML or HTML")]
)
def test_what_cannot_be_read_of_it_is_refused(convert: Convert, book: Path, to: str, said: str) -> None:
    with pytest.raises(TableError, match=said):
        open_table(convert(book, to))


def test_it_opens_what_was_tagged_and_finds_the_tags_behind_the_last_column(
    convert: Convert, book: Path, tagger: Tagger, tmp_path: Path
) -> None:
    tag_table(tagger, open_table(book), tmp_path / "tagged.xlsx", Reading("text"))
    found = convert(tmp_path / "tagged.xlsx", filtered(",", 76)).read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(found, newline="")))
    assert [row["tympan_intent"] for row in rows] == ["friction", "praise", ""]
    assert list(rows[0])[:5] == ["id", "text", "when", "price", "tympan_intent"]


def test_it_opens_a_tagged_workbook_with_all_that_one_can_have(
    convert: Convert, tagger: Tagger, tmp_path: Path
) -> None:
    KEPT["several sheets, a chart, links, notes, formulas"][1](tmp_path / "m.xlsx")
    tag_table(tagger, open_table(tmp_path / "m.xlsx"), tmp_path / "tagged.xlsx", Reading("Message"))
    found = openpyxl.load_workbook(convert(tmp_path / "tagged.xlsx", "xlsx"))
    sheet = found["Mentions"]
    header = [cell.value for cell in sheet[1]]
    tags = header.index("tympan_intent")
    assert [sheet.cell(row, tags + 1).value for row in range(2, 7)] == ["friction"] * 5
    assert sheet["D2"].value == "=C2*2"
    assert sheet["B2"].hyperlink.target == "https://example.org/?a=1&b=2"
    assert found.sheetnames == ["Sheet", "Mentions", "Hidden"]
