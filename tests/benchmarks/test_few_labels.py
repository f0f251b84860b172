"""The benchmark of few labels, on rows of our own and a tiny encoder; SetFit itself has an environment of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from benchmarks.errors import BenchmarkError
from benchmarks.few_labels.__main__ import app, drawn
from benchmarks.few_labels.ways import whole_steps
from benchmarks.tasks import TASKS, Source

WAYS = ("ordinary", "epochs", "pairs", "frozen")


@pytest.fixture(scope="module")
def measured(data: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Result]:
    """The results of one whole run, its page, and how it ended."""
    folder = tmp_path_factory.mktemp("results")
    page = folder / "page.md"
    ended = run(folder / "few.json", "--data", data, "--encoder", encoder, "--labels", "8,64", "--markdown", page)
    return folder / "few.json", page, ended


def run(results: Path, *arguments: str | Path) -> Result:
    ways = [f"--way={way}" for way in WAYS]
    return CliRunner().invoke(app, ["--results", str(results), *ways, *map(str, arguments)], catch_exceptions=False)


def outcomes(results: Path) -> list[dict[str, Any]]:
    return list(json.loads(results.read_text(encoding="utf-8"))["outcomes"].values())


@pytest.mark.parametrize("name", ["minibar", "banking77"])
def test_so_many_labels_of_each_tag_are_drawn_and_none_is_tested_on(data: Path, name: str) -> None:
    material = TASKS[name].read(Source(data), 0)
    (group,) = material.taxonomy.groups
    sides = drawn(material, 8, 20, 0)
    learnt = [*sides["train"], *sides["validation"]]
    for tag in group.paths:
        assert sum(tag in record.tags[group.name] for record in learnt) >= 8
    assert len(learnt) <= 8 * (len(group.paths) + 1)
    assert len(sides["test"]) == 20
    assert {record.id for record in sides["test"]} <= {record.id for record in material.sides["test"]}


def test_another_seed_draws_other_labels_and_the_same_seed_the_same(data: Path) -> None:
    material = TASKS["banking77"].read(Source(data), 0)
    one, again, other = (drawn(material, 4, 20, seed) for seed in (0, 0, 1))
    assert one == again
    assert {record.id for record in one["train"]} != {record.id for record in other["train"]}


def test_every_way_is_measured_with_every_count_and_shown(measured: tuple[Path, Path, Result]) -> None:
    results, page, ended = measured
    assert ended.exit_code == 0
    found = outcomes(results)
    for task in ("minibar", "banking77"):
        for labels in (8, 64):
            named = [one for one in found if one["task"] == task and one["labels"] == labels]
            assert {one["way"] for one in named} >= {"ordinary", "frozen"}
            (line,) = [
                line
                for line in page.read_text(encoding="utf-8").splitlines()
                if line.startswith(f"| {task}, {labels} a tag |")
            ]
            cells = line.strip("| ").split(" | ")
            (one,) = [one for one in named if one["way"] == "frozen"]
            assert cells[8] == f"{100 * one[TASKS[task].measure]:.1f}"
            assert cells[10:] == ["–", "–"]


def test_what_was_measured_is_not_measured_again(
    measured: tuple[Path, Path, Result], data: Path, encoder: Path
) -> None:
    before = measured[0].stat().st_mtime_ns
    assert run(measured[0], "--data", data, "--encoder", encoder, "--labels", "8,64").exit_code == 0
    assert measured[0].stat().st_mtime_ns == before


def test_the_table_alone_measures_nothing(data: Path, encoder: Path, tmp_path: Path) -> None:
    results = tmp_path / "none.json"
    assert run(results, "--data", data, "--encoder", encoder, "--labels", "8", "--table").exit_code == 0
    assert not results.exists()


def test_setfit_takes_a_step_for_sixteen_pairs_of_as_many_alike_as_not() -> None:
    targets = np.eye(4, dtype=int)[np.repeat(np.arange(4), 8)]  # 32 texts, 528 pairs, 4 * 36 alike
    assert whole_steps(targets) == 2 * (528 - 144) // 16


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--way", "magic"), "--way"), (("--only", "xlmt-xx"), "--only"), (("--labels", "few"), "--labels")],
)
def test_what_it_does_not_know_is_refused_by_name(data: Path, arguments: tuple[str, str], said: str) -> None:
    result = CliRunner().invoke(app, ["--data", str(data), *arguments])
    assert isinstance(result.exception, BenchmarkError)
    assert said in str(result.exception)
