"""The files of a report, and those that are read beside it."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from model.bundle import PRETRAINED, Bundle
from model.tagger import Tagger
from serving.report import LANGUAGES, Event, Facts, ReportError, check, layout_for, read, read_events, write
from serving.report.authors import reach_of
from serving.report.wording import phrases
from tests.serving.conftest import ROOT, TYMPAN
from tests.serving.reports import collected, feed_facts, layout, small


@pytest.fixture(scope="module")
def facts(tagger: Tagger, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return feed_facts(tagger, tmp_path_factory.mktemp("feed"))


def test_a_report_in_json_comes_back_as_it_was(facts: Facts, tmp_path: Path) -> None:
    write(tmp_path / "report.json", facts, language="it")
    assert read(tmp_path / "report.json") == facts
    data = json.loads((tmp_path / "report.json").read_bytes())
    assert (data["form"], data["version"]) == ("tympan-report", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_workbook_has_every_table_with_numbers_as_numbers(facts: Facts, tmp_path: Path, language: str) -> None:
    write(tmp_path / "report.xlsx", facts, language=language)  # type: ignore[arg-type]
    book = openpyxl.load_workbook(tmp_path / "report.xlsx")
    assert len(book.sheetnames) == 9  # and none of failed rows
    volumes, weeks = book.worksheets[:2]
    counted = {row[0]: row[1] for row in volumes.iter_rows(min_row=2, values_only=True)}
    assert facts.series["headline"]["intent/churn"].rows in counted.values()
    assert facts.source.rows == volumes["B2"].value
    said = phrases()
    obstacles = book[said["obstacles"][language]]
    total = facts.series["obstacle"][""].rows
    assert [cell.value for cell in obstacles[2]][:2] == [said["obstacles"][language], total]
    assert weeks["A2"].value == datetime(2026, 1, 5)
    assert sum(row[1] for row in weeks.iter_rows(min_row=2, max_row=27, values_only=True)) == facts.source.rows
    assert len(weeks._charts) == 1


def test_no_text_in_a_workbook_is_a_formula_or_a_link(tagger: Tagger, tmp_path: Path) -> None:
    lines = ["=1+1,9,=cmd|'/c calc'!A0 acheter ?", "@a,8,https://example.org panne", "+b,7,-2+3 acheter combien ?"]
    made = collected(tagger, small(tmp_path, "author,reach,text", *lines), layout(tmp_path, tagger)).facts()
    write(tmp_path / "report.xlsx", made)
    book = openpyxl.load_workbook(tmp_path / "report.xlsx")
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    assert "=1+1" in {cell.value for cell in cells}
    assert not [cell for cell in cells if cell.hyperlink]


def test_halves_of_characters_and_control_characters_break_no_report(tagger: Tagger, tmp_path: Path) -> None:
    cells = {"date": "2026-03-02", "author": "\ud800", "reach": "7"}
    rows = [{**cells, "text": f"panne \ud83d \x00\x1b {number}"} for number in range(3)]
    path = tmp_path / "m.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    made = collected(tagger, path).facts()
    for ending in ("json", "html", "xlsx"):
        write(tmp_path / f"report.{ending}", made)
    assert read(tmp_path / "report.json") == made
    assert openpyxl.load_workbook(tmp_path / "report.xlsx").sheetnames


def test_names_that_are_no_unicode_break_no_report(tagger: Tagger, tmp_path: Path) -> None:
    path = tmp_path / "\udcff.jsonl"
    rows = [{"date": "2026-03-02", "text": f"panne {number}"} for number in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    collector = collected(tagger, path)
    for row in collector.table.rows():
        collector.add(row, "is half a \ud83d", None)  # a reason that quotes what it found
    made = collector.facts()
    for ending in ("json", "html", "xlsx"):
        write(tmp_path / f"report.{ending}", made)
    assert made.source.file == "?.jsonl"
    assert made.source.reasons == [("is half a ?", 3)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("report.pdf", "--report: report.pdf: ends with '.pdf'. Write one of: .json, .html, .xlsx"),
        ("report", "--report: report: has no ending. Write one of: .json, .html, .xlsx"),
        ("none/report.html", "none: is no folder. Make it first"),
        ("folder.html", "folder.html: is a folder. Give a file's name"),
        ("/proc/report.html", "--report: /proc: cannot be written to: No such file or directory. Choose another"),
    ],
)
def test_a_report_that_could_not_be_written_is_refused_at_the_start(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(ReportError) as error:
        check(tmp_path / name)
    assert said in str(error.value)


def test_the_extra_that_a_report_needs_is_named() -> None:
    # None in sys.modules is how Python itself marks a module as one that cannot be imported.
    code = """
import sys
sys.modules["jinja2"] = None
from pathlib import Path
from serving.report import check
check(Path("report.json"))
try:
    check(Path("report.html"))
except Exception as error:
    print(error)
assert "matplotlib" not in sys.modules and "pandas" not in sys.modules
"""
    done = subprocess.run([TYMPAN[0], "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "jinja2: is not installed. Run: pip install 'tympan[report]'\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is no JSON"),
        ("not json", "is no JSON"),
        ("[]", "is no JSON"),
        ("{}", "is no report of this version: source: Field required"),
        ('{"form": "tympan-report", "version": 2}', "is no report of this version: version: Input should be 1"),
    ],
)
def test_what_is_no_report_is_refused_as_a_baseline(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "earlier.json").write_text(content, encoding="utf-8")
    with pytest.raises(ReportError) as error:
        read(tmp_path / "earlier.json")
    assert str(error.value).startswith(f"--baseline: earlier.json: {said}")
    assert "\n" not in str(error.value)


def test_a_baseline_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"^--baseline: none\.json: cannot be read: No such file"):
        read(tmp_path / "none.json")


def test_events_are_read_by_day_whatever_their_columns_are_called(tmp_path: Path) -> None:
    for header in ("date,title", "Date,Titre", "data;evento"):
        separator = ";" if ";" in header else ","
        lines = [separator.join(cells) for cells in (("25/03/2026", "Lancement"), ("04/03/2026", "Panne"))]
        assert read_events(small(tmp_path, header, *lines)) == [
            Event(day=date(2026, 3, 4), title="Panne"),
            Event(day=date(2026, 3, 25), title="Lancement"),
        ]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("date,title", "soon,Launch"), "--events: events.csv, row 1: 'soon' is no date. Write it as 2026-03-02"),
        (("date,title", "2026-03-02,a", "2026-03-02,"), "--events: events.csv, row 2: has no title"),
        (("when,what", "2026-03-02,a"), "--events: events.csv: has no columns date and title. It has: when, what"),
        (("date,title", *["2026-03-02,a"] * 51), "--events: events.csv: has 51 events. Give at most 50"),
    ],
)
def test_a_mistake_in_the_events_is_one_clear_line(tmp_path: Path, lines: tuple[str, ...], said: str) -> None:
    with pytest.raises(ReportError) as error:
        read_events(small(tmp_path, *lines, name="events.csv"))
    assert str(error.value).startswith(said)


def test_events_that_are_missing_are_said(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"^--events: .*none\.csv: is missing"):
        read_events(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("cell", "people"),
    [
        *(("12345", 12_345), ("12 345", 12_345), ("12,345", 12_345), ("1.234.567", 1_234_567), ("12'345", 12_345)),
        *(("1.234K", 1_234), ("2.125M", 2_125_000), ("12 345K", 12_345_000), ("9" * 400, 0), ("9" * 400 + "M", 0)),
        *(("12.3K", 12_300), ("1,2 M", 1_200_000), ("12\u202f345", 12_345), ("0", 0), ("", 0), ("many", 0), ("-5", 0)),
    ],
)
def test_numbers_of_people_are_read_as_exports_write_them(cell: str, people: int) -> None:
    assert reach_of(cell) == people


def test_the_layout_of_the_documentation_can_be_used(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "ours.toml").write_text(block, encoding="utf-8")
    found = layout_for(Bundle.read(PRETRAINED).taxonomy, tmp_path / "ours.toml")
    assert found.obstacles
    assert found.questions
    assert found.zone == "Europe/Paris"
