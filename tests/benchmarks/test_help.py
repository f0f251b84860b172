"""Every program explains itself."""

from __future__ import annotations

import importlib

import pytest
from typer.testing import CliRunner


@pytest.mark.parametrize(
    "name",
    [
        *("speed", "vocabulary", "quantisation", "agreement", "corpora", "targets"),
        *("labelling", "confirmation", "load", "faults", "exports", "quality", "few_labels", "ablations"),
    ],
)
def test_help_shows_examples_and_every_program_writes_markdown(name: str) -> None:
    found = importlib.import_module(f"benchmarks.{name}")
    app = (importlib.import_module(f"{found.__name__}.__main__") if hasattr(found, "__path__") else found).app
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}).output
    assert "For example:" in shown
    assert f"python -m benchmarks.{name}" in shown
    assert "--markdown" in shown


@pytest.mark.parametrize("question", ["stream", "forgetting", "speed"])
def test_every_question_about_rounds_explains_itself(question: str) -> None:
    app = importlib.import_module("benchmarks.retraining.__main__").app
    wide = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    shown = CliRunner().invoke(app, [question, "--help"], env=wide).output
    assert f"python -m benchmarks.retraining {question}" in shown
    assert "--markdown" in shown
