"""The corrected counts of a report, beside the raw ones."""

from __future__ import annotations

import io
import json
from pathlib import Path

import openpyxl
import pytest
from rich.console import Console
from typer.testing import CliRunner

from model.quantify import Trial, corrected
from model.tagger import Tagger
from serving.report import Facts, read, write
from serving.report.terminal import show
from serving.report.view import View
from serving.report.wording import Wording
from tests.serving.reports import collected, feed_facts, small
from tympan import app

_FIGURES = {"precision": 0.8, "recall": 0.6, "f1": 0.69, "support": 100}
METRICS = {
    "test": {
        "groups": {
            "intent": {"n": 1000, "tags": {"churn": _FIGURES, "friction": {**_FIGURES, "support": 5}}},
            "topic": {"n": 1000, "tags": {"service": _FIGURES}},
        }
    }
}
"""What a bundle says of its tests: of `friction` too little, and of most tags nothing."""
BY = Trial(hits=60, missed=40, wrong=15, clear=885)
"""What that means of the others."""


@pytest.fixture(scope="module")
def plain(tagger: Tagger, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """The report of a bundle that was not tested."""
    return feed_facts(tagger, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def facts(tagger: Tagger, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """The same, of one that was."""
    return feed_facts(tagger, tmp_path_factory.mktemp("facts"), metrics=METRICS)


def test_counts_of_tags_are_corrected_by_what_the_bundle_says_of_its_tests(facts: Facts, plain: Facts) -> None:
    tagged, tags = facts.source.rows - facts.source.failed, facts.series["tag"]
    known = {name: corrected(tags[name].rows, tagged, BY) for name in ("intent/churn", "topic/service")}
    assert facts.corrected == dict.fromkeys(tags) | known
    assert known["intent/churn"]
    assert known["intent/churn"].rows != tags["intent/churn"].rows
    assert facts.model_copy(update={"corrected": {}}) == plain  # all else is raw


def test_nothing_is_corrected_without_tests_or_above_a_floor_that_they_did_not_have(
    tagger: Tagger, plain: Facts, tmp_path: Path
) -> None:
    assert plain.corrected == {}
    path = small(tmp_path, "text", "panne", "merci")
    assert collected(tagger, path, metrics=METRICS).facts().corrected["topic/service"] == corrected(1, 2, BY)
    assert collected(tagger, path, metrics=METRICS, min_score=0.5).facts().corrected == {}


def test_rows_that_were_not_tagged_are_none_of_those_counted(tagger: Tagger, tmp_path: Path) -> None:
    path = small(tmp_path, "text", *["panne"] * 3, *['""'] * 40, "merci")
    assert collected(tagger, path, metrics=METRICS).facts().corrected["topic/service"] == corrected(3, 4, BY)


def test_the_terminal_shows_corrected_counts_beside_raw_ones(facts: Facts, plain: Facts) -> None:
    churn, view = facts.corrected["intent/churn"], View(facts, Wording(facts, "it"))
    assert churn
    said = shown(facts)
    (line,) = [line for line in said.splitlines() if line.startswith("│ churn") and "≈" in line]
    raw, mended, low, high = map(
        view.number, (facts.series["tag"]["intent/churn"].rows, churn.rows, churn.low, churn.high)
    )
    assert [cell.strip() for cell in line.strip("│").split("│")] == ["churn", raw, f"≈ {mended} (da {low} a {high})"]
    assert view.corrected_note() in " ".join(said.split())
    assert "≈" not in shown(plain)


def test_corrected_counts_are_in_json_and_come_back(facts: Facts, tmp_path: Path) -> None:
    write(tmp_path / "report.json", facts)
    assert read(tmp_path / "report.json") == facts
    written = json.loads((tmp_path / "report.json").read_bytes())["corrected"]
    churn = facts.corrected["intent/churn"]
    assert churn
    assert written["intent/churn"] == {"rows": churn.rows, "low": churn.low, "high": churn.high}
    assert written["intent/friction"] is None


def test_corrected_counts_stand_beside_the_raw_ones_in_a_workbook(facts: Facts, plain: Facts, tmp_path: Path) -> None:
    write(tmp_path / "report.xlsx", facts)
    book = openpyxl.load_workbook(tmp_path / "report.xlsx")
    rows = {row[0]: row for row in book.worksheets[0].iter_rows(values_only=True)}
    churn = facts.corrected["intent/churn"]
    assert churn
    assert rows["What"][3:] == ("Corrected", "Corrected (2.5%)", "Corrected (97.5%)")
    assert rows["Intents: churn"][1] == facts.series["tag"]["intent/churn"].rows
    assert rows["Intents: churn"][3:] == (churn.rows, churn.low, churn.high)
    assert rows["Intents: friction"][3:] == (None, None, None)
    notes = [cell.value for cell in book["How to read this"]["A"]]
    assert View(facts, Wording(facts, "en")).corrected_note() in notes
    write(tmp_path / "plain.xlsx", plain)
    assert openpyxl.load_workbook(tmp_path / "plain.xlsx").worksheets[0].max_column == 3


def test_a_report_from_before_counts_were_corrected_can_still_be_read(plain: Facts, tmp_path: Path) -> None:
    write(tmp_path / "report.json", plain)
    older = json.loads((tmp_path / "report.json").read_bytes())
    assert older.pop("corrected") == {}
    (tmp_path / "older.json").write_text(json.dumps(older), encoding="utf-8")
    assert read(tmp_path / "older.json") == plain


def shown(facts: Facts) -> str:
    said = io.StringIO()
    show(facts, "it", Console(file=said, width=200))
    return said.getvalue()


def test_counts_are_corrected_if_that_is_asked_for_and_not_otherwise(tmp_path: Path) -> None:
    lines = ["Encore une panne de réseau ce soir", "Merci au conseiller"] * 15
    file = small(tmp_path, "id,text", *(f"{place},{line}" for place, line in enumerate(lines)))
    found = []
    for asked in ([], ["--corrected"]):
        report = tmp_path / f"report-{len(asked)}.json"
        done = CliRunner().invoke(
            app, ["tag", str(file), "-o", str(tmp_path / "out.csv"), "--report", str(report), *asked]
        )
        assert done.exit_code in (0, 1), done.output
        found.append(json.loads(report.read_bytes())["corrected"])
    assert not found[0] and any(found[1].values())
