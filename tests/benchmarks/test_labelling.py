"""Labelling that is simulated saves labels, and the figures and the picture are those of the curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.confirmation import app as confirmation
from benchmarks.errors import BenchmarkError
from benchmarks.labelling.__main__ import app
from benchmarks.labelling.simulation import FIRST, STRATEGIES, Curve, Pool, simulate
from model.taxonomy import Taxonomy

MOODS = Taxonomy.parse('name = "m"\nversion = "1"\n[groups.mood.tags.calm]\n[groups.mood.tags.angry]\n')


def pool(size: int) -> Pool:
    """Points around two lines, each one tag's; the angry ones are few."""
    chance = np.random.default_rng(0)

    def side() -> tuple[np.ndarray, np.ndarray]:
        points = chance.normal(size=(size, 4))
        return points, np.stack([points[:, 0] + points[:, 1] > 0, points[:, 1] > 1.6], axis=1).astype(np.float32)

    (vectors, targets), (test_vectors, test_targets) = side(), side()
    return Pool(
        taxonomy=MOODS,
        vectors=vectors,
        targets=targets,
        languages=["fr"] * size,
        test_vectors=test_vectors,
        test_targets=test_targets,
    )


def test_labels_needed_are_counted_to_the_first_time_the_goal_is_reached() -> None:
    curve = Curve((20, 40, 60, 80), (0.2, 0.4, 0.3, 0.5))
    assert curve.needed(0.6) == pytest.approx(30)
    assert curve.needed(0.9) == pytest.approx(75)
    assert curve.needed(0.1) == 20


def test_both_ways_start_alike_label_every_text_once_and_end_alike() -> None:
    curves = [simulate(pool(150), strategy, 1) for strategy in STRATEGIES.values()]
    assert curves[0].labels == curves[1].labels
    assert (curves[0].labels[0], curves[0].labels[-1]) == (FIRST, 150)
    assert curves[0].scores[0] == curves[1].scores[0]
    assert curves[0].scores[-1] == pytest.approx(curves[1].scores[-1], abs=1e-6)
    assert curves[0].scores != curves[1].scores


def test_the_queue_needs_fewer_labels_than_chance() -> None:
    needed = {
        name: np.mean([simulate(pool(600), strategy, seed).needed(0.95) for seed in range(3)])
        for name, strategy in STRATEGIES.items()
    }
    assert needed["by queue"] < 0.8 * needed["at random"]


def test_a_few_rows_become_a_table_and_a_picture_and_texts_are_read_by_the_encoder_once(
    data: Path, encoder: Path, tmp_path: Path
) -> None:
    work, picture, page = tmp_path / "work", tmp_path / "curves.png", tmp_path / "page.md"
    options = ["--data", str(data), "--encoder", str(encoder), "--work", str(work), "--seeds", "2"]
    result = CliRunner().invoke(app, [*options, "--picture", str(picture), "--markdown", str(page)])
    assert result.exit_code == 0, result.output
    table = page.read_text(encoding="utf-8")
    assert "| minibar |" in table
    assert "| banking77 |" in table
    assert picture.read_bytes().startswith(b"\x89PNG")
    kept = {file: file.stat().st_mtime_ns for file in work.iterdir()}
    assert len(kept) == 2
    assert CliRunner().invoke(app, options).exit_code == 0
    assert {file: file.stat().st_mtime_ns for file in work.iterdir()} == kept


def test_whole_models_learn_what_was_chosen_and_are_not_trained_twice(
    data: Path, encoder: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    options = ["--data", str(data), "--encoder", str(encoder), "--work", str(tmp_path / "work"), "--seeds", "1"]
    result = CliRunner().invoke(confirmation, [*options, "--markdown", str(page)])
    assert result.exit_code == 0, result.output
    table = page.read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| ")]
    queue, chance, _, everything = rows[2:]  # behind the heading and its rule
    assert queue[1] == chance[1]
    assert everything[3] == "100.0"
    known = (tmp_path / "work" / "confirmation.json").read_bytes()
    assert CliRunner().invoke(confirmation, [*options, "--markdown", str(page)]).exit_code == 0
    assert (tmp_path / "work" / "confirmation.json").read_bytes() == known
    assert page.read_text(encoding="utf-8") == table


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--only", "chess"], "'chess' is no task"),
        (["--only", "banking77", "--limit", "5"], "Raise --limit"),
    ],
)
def test_what_cannot_be_simulated_is_refused(
    data: Path, encoder: Path, tmp_path: Path, more: list[str], told: str
) -> None:
    options = ["--data", str(data), "--encoder", str(encoder), "--work", str(tmp_path), *more]
    result = CliRunner().invoke(app, options)
    assert isinstance(result.exception, BenchmarkError)
    assert told in str(result.exception)
