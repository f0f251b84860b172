"""The page about erasing shows what happens: every example is run, and every option is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from tests.serving.conftest import ROOT, Running
from tests.serving.feedback import served
from tests.serving.pages import PROGRAMS, check_all, sections
from tympan import app

PAGE = ROOT / "docs" / "erase.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = sections(PAGE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("erase")


@pytest.fixture(scope="module")
def running(bundle: Path, folder: Path) -> Iterator[Running]:
    with served(bundle, str(folder / "state")) as (found, _):
        yield found


def test_every_example_prints_what_is_shown(running: Running, folder: Path) -> None:
    around = {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    check_all(SECTIONS, folder, running.url, **around)
    assert '"stored"' in (folder / "answer.json").read_text(encoding="utf-8")


def test_every_option_is_told() -> None:
    verb = typer.main.get_command(app).commands["erase"]  # type: ignore[attr-defined]
    options = {name for parameter in verb.params for name in parameter.opts} - {"--help"}
    assert set(re.findall(r"`(--[a-z-]+)`", TEXT)) == options


def test_every_block_is_one_that_is_run_or_compared() -> None:
    fences = re.findall(r"^```(\w*)$", TEXT, re.MULTILINE)[::2]
    assert set(fences) <= {*PROGRAMS, "json", "text"}
    assert sum(map(len, SECTIONS.values())) == len(fences)
