"""The page about feedback shows what happens: every example is run, and every error and refusal is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import httpx
import pytest

from model.bundle import PRETRAINED
from serving.feedback.schemas import CorrectionItem, FeedbackCode
from tests.serving.conftest import ROOT, Running
from tests.serving.feedback import served
from tests.serving.pages import PROGRAMS, check_all, sections

PAGE = ROOT / "docs" / "feedback.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = sections(PAGE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("feedback")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Running]:
    with served(PRETRAINED, str(folder / "state"), TYMPAN_RECENT="100") as (found, _):
        yield found


def test_every_example_prints_what_is_shown(running: Running, folder: Path) -> None:
    around = {"TYMPAN_STATE": str(folder / "state"), "PYTHONPATH": str(ROOT)}
    check_all(SECTIONS, folder, running.url, **around)
    assert len((folder / "corrected.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_every_field_error_and_refusal_is_told(running: Running) -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \|", TEXT, re.MULTILINE)
    assert rows == [*CorrectionItem.model_fields, *get_args(FeedbackCode)]
    document = httpx.get(f"{running.url}/openapi.json").json()
    statuses = set(document["paths"]["/v1/feedback"]["post"]["responses"]) - {"200"}
    told = re.findall(r"^\| (\d{3}(?:, \d{3})*) \|", TEXT, re.MULTILINE)
    assert [status for row in told for status in row.split(", ")] == sorted(statuses)


def test_every_block_is_one_that_is_run_or_compared() -> None:
    fences = re.findall(r"^```(\w*)$", TEXT, re.MULTILINE)[::2]
    assert set(fences) <= {*PROGRAMS, "json", "text"}
    assert sum(map(len, SECTIONS.values())) == len(fences)
