"""`tympan tag` on files that are not plain text, as a program."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

import openpyxl

from tests.serving.conftest import ROOT, TYMPAN


def tympan(*arguments: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*TYMPAN, *map(str, arguments)], cwd=ROOT, capture_output=True, input=given, timeout=120)


def test_a_workbook_comes_back_tagged_and_how_it_was_read_is_said(bundle: Path, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["about", "nothing"])
    sheet = book.create_sheet("Mentions")
    for row in (["Query Id", "Query Name", "Date", "Author", "Full Text"], [1, "q", "2024", "a", "panne"], [2, "q"]):
        sheet.append(row)
    book.save(tmp_path / "m.xlsx")
    done = tympan("tag", tmp_path / "m.xlsx", "--bundle", bundle)
    assert done.returncode == 1, done.stderr.decode()  # a row has no text
    for said in (
        "XLSX; 2 rows; the text is in column 'Full Text'",
        "date in 'Date', author in 'Author'",
        "an export of Brandwatch",
        "read from sheet 'Mentions', of 2",
    ):
        assert said in done.stderr.decode()
    found = openpyxl.load_workbook(tmp_path / "m.tagged.xlsx")
    assert found.sheetnames == ["Sheet", "Mentions"]
    (header, first, second) = found["Mentions"].iter_rows(values_only=True)
    assert dict(zip(header, first, strict=True))["tympan_intent"] == "friction"
    assert "is empty" in dict(zip(header, second, strict=True))["tympan_error"]


def test_compressed_standard_input_is_tagged_into_a_compressed_file(bundle: Path, tmp_path: Path) -> None:
    given = gzip.compress(b"text\npanne\n")
    done = tympan("tag", "-", "-o", tmp_path / "out.csv.gz", "--bundle", bundle, given=given)
    assert done.returncode == 0, done.stderr.decode()
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()).split(b"\n")[1].startswith(b"panne,friction,")
    done = tympan("tag", "-", "--bundle", bundle, given=given)
    assert done.returncode == 2
    assert b"Say where with --output" in done.stderr


def test_what_an_option_cannot_mean_is_one_clear_line(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("text\npanne\n", encoding="utf-8")
    for option, value, said in (("--sheet", "A", "has no sheets"), ("--profile", "none", "one of: agorapulse")):
        done = tympan("tag", tmp_path / "m.csv", option, value, "--bundle", bundle)
        assert done.returncode == 2
        assert said.encode() in done.stderr
        assert b"Traceback" not in done.stderr


def test_the_extra_that_parquet_needs_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.parquet").write_bytes(b"PAR1")
    # None in sys.modules is how Python itself marks a module as one that cannot be imported.
    arguments = ["tag", str(tmp_path / "m.parquet")]
    code = f"import sys; sys.modules['pyarrow'] = None; from tympan import app; app({arguments!r})"
    done = subprocess.run([TYMPAN[0], "-c", code], cwd=ROOT, capture_output=True, timeout=120)
    assert done.returncode == 2
    assert b"pyarrow: is not installed. Run: pip install 'tympan[files]'" in done.stderr


def test_a_report_is_written_beside_the_tagged_file_and_is_the_next_ones_baseline(bundle: Path, tmp_path: Path) -> None:
    rows = [
        f"2026-0{1 + row // 300}-{1 + row % 28:02},{('panne', 'annulla', 'la')[row % 3]} {row}" for row in range(1200)
    ]
    (tmp_path / "m.csv").write_text("\n".join(["date,text", *rows, ""]), encoding="utf-8")
    asked = ["tag", tmp_path / "m.csv", "--bundle", bundle, "--report", tmp_path / "a.json"]
    done = tympan(*asked, "--report", tmp_path / "a.html", "--report-language", "it")
    assert done.returncode == 0, done.stderr.decode()
    assert b"Report: " in done.stdout
    assert "Abbandon" in done.stdout.decode()  # the figures at the top, in the report's language
    assert json.loads((tmp_path / "a.json").read_bytes())["source"]["rows"] == 1200
    assert '<html lang="it"' in (tmp_path / "a.html").read_text(encoding="utf-8")
    done = tympan(*asked[:-1], tmp_path / "b.xlsx", "--baseline", tmp_path / "a.json")
    assert done.returncode == 0, done.stderr.decode()
    assert openpyxl.load_workbook(tmp_path / "b.xlsx").sheetnames


def test_what_goes_with_a_report_is_refused_before_anything_is_tagged(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("text\npanne\n", encoding="utf-8")
    for options, said in (
        (["--report", "r.pdf"], "--report: r.pdf: ends with '.pdf'"),
        (["--baseline", "r.json"], "--report: is missing"),
        (["--report", tmp_path / "r.json", "--baseline", tmp_path / "m.csv"], "--baseline: m.csv: is no JSON"),
        (["--report", tmp_path / "m.json", "-o", tmp_path / "m.json"], "m.json"),
        (["--report", tmp_path / "r.json", "--report", tmp_path / "r.json"], "is another file of this run"),
        (["-o", "/dev/null"], "is no file"),
        (["--report", tmp_path / "r.json", "--events", tmp_path / "none.csv"], "none.csv"),
    ):
        done = tympan("tag", tmp_path / "m.csv", *options, "--bundle", bundle)
        assert done.returncode == 2
        assert said.encode() in done.stderr
        assert b"Traceback" not in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.csv"]
