"""`tympan train` and `tympan evaluate`, as they are typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from labels.dataset import save, split
from labels.record import write
from model.bundle import Bundle
from model.tagger import Tagger
from tests.training.toys import TOML, TOY, toy_records
from training.evaluate import evaluate
from tympan import app

ROOT = Path(__file__).parents[2]
RECORDS = toy_records(600)
GROUPS = ("intent", "topic", "mood")

Run = subprocess.CompletedProcess[str]


def tympan(*arguments: str | Path) -> Run:
    """Run the program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tympan", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"},
        capture_output=True,
        text=True,
    )


def invoke(*arguments: str | Path) -> Result:
    """Run the program in this process, for what is refused before much is done."""
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with records and their tag set."""
    folder = tmp_path_factory.mktemp("data")
    write(folder / "records.jsonl", RECORDS)
    (folder / "toy.toml").write_text(TOML, encoding="utf-8")
    return folder


def training(data: Path, source: Path, output: Path) -> Sequence[str | Path]:
    named = ("--data", data / "records.jsonl", "--taxonomy", data / "toy.toml", "--encoder", source, "-o", output)
    return ("train", *named, "--epochs", "4", "--learning-rate", "0.01", "--batch-size", "15", "--max-length", "32")


@pytest.fixture(scope="session")
def first(data: Path, source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A whole training from the command line, and its bundle."""
    output = tmp_path_factory.mktemp("runs") / "new" / "first"
    return tympan(*training(data, source, output)), output


def test_train_writes_a_bundle_and_shows_how_good_it_is(first: tuple[Run, Path]) -> None:
    run, output = first
    assert run.returncode == 0, run.stderr
    bundle = Bundle.read(output)
    assert bundle.taxonomy.id == "toy@1"
    settings = {name: bundle.provenance["settings"][name] for name in ("epochs", "learning_rate", "batch_size")}
    assert settings == {"epochs": 4, "learning_rate": 0.01, "batch_size": 15}
    assert [entry.name for entry in output.parent.iterdir()] == ["first"]
    for said in ("epoch 1: loss", "validation macro-F1", "comparing 8 bits with 32", "intent: ", "price/fees"):
        assert said in run.stderr


def test_a_second_run_with_the_same_seed_gives_the_same_figures(
    first: tuple[Run, Path], data: Path, source: Path, tmp_path: Path
) -> None:
    run = tympan(*training(data, source, tmp_path / "second"))
    assert run.returncode == 0, run.stderr
    one, other = (Bundle.read(path).metrics["test"]["groups"] for path in (first[1], tmp_path / "second"))
    for group in GROUPS:
        assert other[group]["macro_f1"] == pytest.approx(one[group]["macro_f1"], abs=0.01)
        assert other[group]["micro_f1"] == pytest.approx(one[group]["micro_f1"], abs=0.01)


def test_evaluate_measures_the_test_side_as_training_did_and_writes_it_as_json(
    first: tuple[Run, Path], data: Path, tmp_path: Path
) -> None:
    figures = tmp_path / "figures.json"
    run = tympan("evaluate", first[1], "--data", data / "records.jsonl", "--side", "test", "--json", figures)
    assert run.returncode == 0, run.stderr
    assert json.loads(figures.read_text(encoding="utf-8")) == Bundle.read(first[1]).metrics["test"]
    for group in GROUPS:
        assert f"{group}: " in run.stdout


def test_evaluate_says_if_a_side_is_none_that_the_model_was_trained_with(
    first: tuple[Run, Path], data: Path, tmp_path: Path
) -> None:
    warned, side = "it may have learnt some of this one", ("--side", "test")
    assert warned not in tympan("evaluate", first[1], "--data", data / "records.jsonl", *side).stderr
    assert warned in tympan("evaluate", first[1], "--data", data / "records.jsonl", *side, "--seed", "3").stderr
    kept = {record.id for record in split(RECORDS)["test"][1:]}
    lines = (data / "records.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "fewer.jsonl").write_text("".join(line for line in lines if json.loads(line)["id"] in kept), "utf-8")
    assert warned in tympan("evaluate", first[1], "--data", tmp_path / "fewer.jsonl", *side).stderr


def test_evaluate_shows_the_worst_tags_first(first: tuple[Run, Path], data: Path) -> None:
    run = invoke("evaluate", first[1], "--data", data / "records.jsonl")
    assert run.exit_code == 0
    tags = evaluate(Tagger.load(first[1], threads=1), RECORDS)["groups"]["topic"]["tags"]
    shown = [word for word in run.stdout.replace("│", " ").split() if word in tags]
    assert sorted(shown) == sorted(tags)
    assert [tags[tag]["f1"] for tag in shown] == sorted(figures["f1"] for figures in tags.values())


def test_evaluate_reads_a_dataset_whole_or_by_side(first: tuple[Run, Path], tmp_path: Path) -> None:
    sides = split(RECORDS)
    save(tmp_path / "dataset", sides, taxonomy=TOY)
    for arguments, count in (((), len(RECORDS)), (("--side", "validation"), len(sides["validation"]))):
        figures = tmp_path / "figures.json"
        run = invoke("evaluate", first[1], "--data", tmp_path / "dataset", "--json", figures, *arguments)
        assert run.exit_code == 0, run.output
        assert json.loads(figures.read_text(encoding="utf-8"))["n"] == count


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no JSON", "bad.jsonl:2: is no JSON"),
        ('{"id": "x", "text": "secret", "tags": {"intent": ["leaving"]}}', "bad.jsonl:2: tags.intent"),
        ('{"id": "x", "tags": {}}', "bad.jsonl:2: text"),
    ],
)
def test_data_that_is_no_record_is_refused_by_line_and_nothing_is_written(
    source: Path, data: Path, tmp_path: Path, line: str, said: str
) -> None:
    bad = tmp_path / "in" / "bad.jsonl"
    bad.parent.mkdir()
    whole = (data / "records.jsonl").read_text(encoding="utf-8").splitlines()
    bad.write_text("\n".join([whole[0], line, *whole[1:]]) + "\n", encoding="utf-8")
    run = invoke("train", "--data", bad, "--taxonomy", data / "toy.toml", "--encoder", source, "-o", tmp_path / "out")
    assert run.exit_code == 2
    assert said in run.stderr
    assert "secret" not in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["in"]


def test_what_is_refused_ends_the_process_with_2_and_one_line(data: Path, tmp_path: Path) -> None:
    run = tympan("train", "--data", tmp_path / "none.jsonl", "--taxonomy", data / "toy.toml", "-o", tmp_path / "out")
    assert run.returncode == 2
    assert run.stderr.splitlines() == [
        f"tympan: {tmp_path / 'none.jsonl'}: does not exist. Give a file or folder of records"
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--taxonomy", "none.toml", "cannot be read"),
        ("--encoder", "no/such/folder", "intfloat/multilingual-e5-small"),
        ("--precision", "int4", "neither int8 nor fp32"),
        ("--keep-languages", "fr,tlh", "keep_languages: 'tlh'"),
        ("--data", "few.jsonl", "Label more mentions"),
    ],
)
def test_options_that_cannot_be_used_are_refused_and_nothing_is_written(
    source: Path, data: Path, tmp_path: Path, option: str, value: str, said: str
) -> None:
    write(tmp_path / "in" / "few.jsonl", RECORDS[:1])
    chosen = {"--data": data / "records.jsonl", "--taxonomy": data / "toy.toml", "--encoder": source}
    chosen[option] = tmp_path / "in" / value if value.endswith((".toml", ".jsonl")) else value  # type: ignore[assignment]
    named = [part for pair in chosen.items() for part in pair]
    run = invoke("train", *named, "-o", tmp_path / "out")
    assert run.exit_code == 2
    assert said in run.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--side", "tset", "'tset' has no records"),
        ("--json", "no/such/folder/figures.json", "cannot be written"),
        ("--data", "none.jsonl", "does not exist"),
    ],
)
def test_evaluate_refuses_what_it_cannot_measure_or_write(
    first: tuple[Run, Path], data: Path, tmp_path: Path, option: str, value: str, said: str
) -> None:
    chosen: dict[str, str | Path] = {"--data": data / "records.jsonl"}
    chosen[option] = value if option == "--side" else tmp_path / value
    run = invoke("evaluate", first[1], *[part for pair in chosen.items() for part in pair])
    assert run.exit_code == 2
    assert said in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_evaluate_refuses_a_file_without_records(first: tuple[Run, Path], tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    run = invoke("evaluate", first[1], "--data", tmp_path / "empty.jsonl")
    assert run.exit_code == 2
    assert "has no records" in run.stderr


def test_evaluate_refuses_a_folder_that_is_no_bundle(data: Path) -> None:
    run = invoke("evaluate", data, "--data", data / "records.jsonl")
    assert run.exit_code == 2
    assert "is no bundle" in run.stderr
