"""The benchmark of quality, on rows of our own and a tiny encoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from benchmarks.quality.__main__ import app
from benchmarks.quality.baseline import Baseline
from benchmarks.tasks import TASKS, Material, Source
from labels.duplicates import normal
from tests.benchmarks import rows
from tests.encoders import tiny_encoder

LEARNS = [f"--set={change}" for change in ("learning_rate=3e-3", "head_rate=1e-2", "epochs=5", "batch_size=16")]
"""Settings with which the tiny encoder learns the rows, which the real ones are too careful for."""


@pytest.fixture
def brittle(tmp_path: Path) -> Path:
    """An encoder that 8 bits ruin.

    One weight of every output is so large that the others round to nothing beside it; in 32 bits it does no harm,
    since it adds the same to all outputs, which the normalisation after them takes away.
    """
    folder = tiny_encoder(tmp_path / "brittle", rows.texts())
    weights = load_file(folder / "model.safetensors")
    for name, values in weights.items():
        if name.endswith("output.dense.weight"):
            values[:, 0] += 20
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def together(data: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The results of the three languages learnt together, and how the command ended."""
    results = tmp_path_factory.mktemp("results") / "quality.json"
    return results, _run(results, "--data", data, "--encoder", encoder, "--only", "xlmt", "--seeds", "0", *LEARNS)


def _run(results: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["--keep-languages", "", "--results", str(results), *map(str, arguments)])


def _models(results: Path) -> list[dict[str, Any]]:
    return list(json.loads(results.read_text(encoding="utf-8"))["models"].values())


def _read(name: str, data: Path, seed: int = 0, limit: int | None = None) -> Material:
    return TASKS[name].read(Source(data, limit), seed)


def test_every_figure_is_measured_on_what_ships_next_to_the_published_one_and_tf_idf(
    together: tuple[Path, Result],
) -> None:
    results, ended = together
    assert ended.exit_code == 0, ended.output
    (model,) = _models(results)
    assert model["test"].keys() == {"all", *rows.LANGUAGES}
    assert model["validation"].keys() == {"all", "fr", "it", "en"}
    assert model["precision"] == "int8"
    for lang, title, published in (("fr", "French", "72.0"), ("de", "German, not learnt", "77.3")):
        (line,) = [line for line in ended.stdout.splitlines() if line.startswith(f"| xlmt | {title} |")]
        mean = 100 * model["test"][lang]["macro_f1"]
        cells = line.strip("| ").split(" | ")
        assert cells[4:7] == [f"{mean:.1f}", f"{mean:.1f} to {mean:.1f}", published]
        assert cells[8] == "100.0"


def test_what_the_rows_say_is_learnt_and_measured_as_right(together: tuple[Path, Result]) -> None:
    (model,) = _models(together[0])
    assert model["test"]["all"]["macro_f1"] > 0.9
    assert model["test"]["all"]["n"] == 3 * 60
    assert model["test"]["es"]["n"] == 60


def test_what_was_measured_is_not_measured_again(together: tuple[Path, Result], data: Path, encoder: Path) -> None:
    results, _ = together
    before = results.read_bytes()
    ended = _run(results, "--data", data, "--encoder", encoder, "--only", "xlmt", "--seeds", "0", *LEARNS)
    assert ended.exit_code == 0
    assert "xlmt, seed 0: measured already" in ended.stderr
    assert results.read_bytes() == before


def test_the_table_of_what_was_measured_needs_no_data(together: tuple[Path, Result], encoder: Path) -> None:
    results, first = together
    again = _run(results, "--table", "--encoder", encoder, *LEARNS)
    assert again.exit_code == 0
    assert again.stdout == first.stdout


def test_figures_of_other_settings_or_rows_are_kept_apart(data: Path, encoder: Path, tmp_path: Path) -> None:
    common = [tmp_path / "q.json", "--data", data, "--encoder", encoder, "--only", "xlmt-it", "--seeds", "3"]
    assert _run(*common, "--set", "epochs=1").exit_code == 0
    other = _run(*common, "--set", "epochs=1", "--set", "learning_rate=1e-3")
    assert other.exit_code == 0, other.output
    assert "learning_rate 0.001" in other.stderr and "learning_rate 0.0001" in other.stderr  # to choose by validation
    assert other.stdout.count("\n| xlmt-it ") == 1
    assert _run(*common, "--set", "epochs=1", "--limit", "30").exit_code == 0
    models = _models(tmp_path / "q.json")
    assert [model["test"]["all"]["n"] for model in models] == [60, 60, 30]
    assert {model["seed"] for model in models} == {3}


def test_where_8_bits_fail_their_gate_32_are_measured_and_the_table_says_so(
    data: Path, brittle: Path, tmp_path: Path
) -> None:
    results = tmp_path / "q.json"
    ended = _run(results, "--data", data, "--encoder", brittle, "--only", "xlmt-fr", "--seeds", "0", *LEARNS)
    assert ended.exit_code == 0, ended.output
    (model,) = _models(results)
    assert model["precision"] == "fp32"
    assert "xlmt-fr, seed 0: measured in 32 bits, since of 8 bits the gate said: " in ended.stdout
    assert ended.stderr.count("epoch 1:") == 1  # trained once


def test_a_bundle_stays_in_the_work_folder_if_one_is_given(data: Path, encoder: Path, tmp_path: Path) -> None:
    options = ["--encoder", encoder, "--only", "banking77", "--seeds", "0", "--set", "epochs=1"]
    ended = _run(tmp_path / "q.json", "--data", data, "--work", tmp_path / "work", *options)
    assert ended.exit_code == 0, ended.output
    (bundle,) = (tmp_path / "work").iterdir()
    assert (bundle / "tympan.json").is_file()
    assert "| banking77 | English | accuracy | 1 |" in ended.stdout


def test_a_run_that_fails_does_not_stop_the_others(data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    options = ["--encoder", tmp_path / "empty", "--only", "xlmt-fr", "--only", "banking77", "--seeds", "0"]
    ended = _run(tmp_path / "q.json", "--data", data, *options)
    assert ended.exit_code == 1
    for task in ("xlmt-fr", "banking77"):
        assert f"{task}, seed 0: encoder " in ended.stderr
    assert not (tmp_path / "q.json").exists()


@pytest.mark.parametrize("seed", range(4))
def test_reviews_are_tested_on_an_app_that_is_not_learnt_and_no_text_stands_twice(data: Path, seed: int) -> None:
    sides = _read("minibar", data, seed).sides
    texts = {side: [normal(record.prepared()) for record in records] for side, records in sides.items()}
    every = [text for side in texts.values() for text in side]
    assert len(every) == len(set(every)) == 2 * 3 * (3 * 12 + 1) + 1  # "great" once, of all apps and languages
    app = rows.APPS[seed % 3]
    written = [row for lang in ("fr", "en") for row in Source(data).rows(f"minibar/{lang}.jsonl")]
    tested = {row["text"] for row in written if row["app"] == app}
    assert {record.text for record in sides["test"]} <= tested
    assert len(sides["validation"]) == pytest.approx(0.1 * (len(every) - len(sides["test"])), abs=3)


def test_labels_that_are_no_tags_become_some_and_the_official_test_side_stays_whole(data: Path) -> None:
    material = _read("banking77", data)
    assert material.taxonomy.labels == ("intent/card_lost", "intent/fee_charged", "intent/top_up")
    assert {side: len(records) for side, records in material.sides.items()} == {
        "train": 54,
        "validation": 6,
        "test": 60,
    }


def test_few_rows_are_taken_from_the_whole_of_a_file(data: Path) -> None:
    whole, few = Source(data).rows("xlmt/fr_test.jsonl"), Source(data, 7).rows("xlmt/fr_test.jsonl")
    assert len(few) == 7
    assert [whole.index(row) for row in few] == sorted(whole.index(row) for row in few)
    assert whole.index(few[-1]) > 0.8 * len(whole)


@pytest.mark.parametrize("name", ["minibar", "xlmt-en"])
def test_the_baseline_learns_what_words_tell(data: Path, name: str) -> None:
    material = _read(name, data)
    baseline = Baseline(material.sides, material.taxonomy)
    (group,) = baseline.evaluate(material.sides["test"])["groups"].values()
    assert group["macro_f1"] > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "nowhere/xlmt/fr_train.jsonl: cannot be read"),
        (["--only", "xlmt"], "--data: is missing"),
        (["--table", "--only", "nlupp"], "--only: 'nlupp' is no task. Legal: xlmt,"),
        (["--table", "--seeds", "one"], "--seeds: is 'one'"),
        (["--table", "--set", "rate=1"], "--set: 'rate' is no setting. Legal: epochs,"),
        (["--table", "--set", "epochs=few"], "--set: 'few' is no value of epochs. It is 4 now"),
        (["--table", "--set", "epochs=1.5"], "--set: '1.5' is no value of epochs"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    ended = _run(tmp_path / "q.json", *arguments)
    assert ended.exit_code == 2
    assert ended.stderr.startswith(message)
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "q.json").exists()


def test_results_that_cannot_be_read_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "q.json").write_text("{", encoding="utf-8")
    ended = _run(tmp_path / "q.json", "--table")
    assert ended.exit_code == 2
    assert "q.json: holds no results" in ended.stderr
    assert (tmp_path / "q.json").read_text(encoding="utf-8") == "{"


def test_the_list_names_every_task_with_its_settings_and_published_figures(tmp_path: Path) -> None:
    ended = _run(tmp_path / "q.json", "--list")
    assert ended.exit_code == 0
    assert [line.split(":")[0] for line in ended.stdout.splitlines()] == list(TASKS)
    assert "published: fr 72.0, it 71.5, en 70.6, de 77.3, es 68.5" in ended.stdout
