"""Training with few labels chooses settings for them, and with many it does not."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from labels.record import write
from model.bundle import LAYOUT, Bundle
from model.taxonomy import Taxonomy
from tests.training.toys import TOML, toy_records, toy_settings
from training import challenger, few
from training.fit import Settings
from training.pipeline import train
from training.plan import Plan
from training.weights import FOLDER
from tympan import app

FEW = {"train": toy_records(72, number=1), "validation": toy_records(20, number=2), "test": toy_records(20, number=3)}
"""Eight texts to learn from for each of the nine tags."""


@pytest.mark.parametrize("tags", [3, 9, 77])
def test_eight_texts_a_tag_are_passed_over_in_small_batches_and_three_hundred_as_ever(tags: int) -> None:
    ordinary = Settings()
    found = few.adapted(ordinary, 8 * tags, tags)
    assert found.batch_size < ordinary.batch_size
    assert few.adapted(ordinary, 300 * tags, tags) == ordinary


def test_the_fewer_the_texts_the_more_the_epochs_but_never_fewer_than_with_many() -> None:
    epochs = [few.adapted(Settings(), texts, 9).epochs for texts in (500, 250, 125, 72)]
    assert epochs == sorted(epochs)
    assert epochs[0] >= Settings().epochs
    assert epochs[-1] > Settings().epochs


def test_all_else_stays_as_the_settings_have_it() -> None:
    given = Settings(seed=7, max_length=64, learning_rate=1e-4)
    found = few.adapted(given, 24, 3)
    assert set(few.changed(given, found)) <= {"batch_size", "epochs", "patience", "head_rate"}
    assert found.seed == 7


@pytest.mark.parametrize(
    ("texts", "tags", "found"),
    [(24, 3, True), (3 * few.FEW, 3, True), (3 * few.FEW + 1, 3, False), (8 * 77, 77, True), (8 * 77 + 1, 77, False)],
)
def test_few_tags_of_one_group_are_learnt_from_pairs(texts: int, tags: int, found: bool) -> None:
    names = "".join(f"[groups.team.tags.tag{number}]\n" for number in range(tags))
    assert few.contrasted(texts, Taxonomy.parse(f'name = "own"\nversion = "1"\n[groups.team]\n{names}')) is found
    assert not few.contrasted(24, Taxonomy.parse(TOML))


@pytest.fixture(scope="session")
def small(source: Path, plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, str]:
    """A bundle that learnt from few labels, and what was said meanwhile."""
    said = io.StringIO()
    wanted = replace(plan, few=True, precision="fp32", keep_weights=True)
    output = tmp_path_factory.mktemp("few") / "small"
    return train(FEW, output, wanted, console=Console(file=said, width=200)), said.getvalue()


def test_a_bundle_says_what_was_adapted_and_keeps_the_settings_that_later_ones_follow_from(
    small: tuple[Bundle, str], plan: Plan
) -> None:
    bundle, said = small
    used = few.adapted(plan.settings, 72, 9)
    assert "few labels, 72 texts for 9 tags" in said
    assert bundle.provenance["adapted"] == few.changed(plan.settings, used)
    assert Settings(**bundle.provenance["settings"]) == plan.settings
    assert f"epochs {used.epochs}" in (bundle.path / LAYOUT.card).read_text(encoding="utf-8")


def test_fine_tuning_from_its_weights_is_as_it_was(small: tuple[Bundle, str], plan: Plan, tmp_path: Path) -> None:
    said = io.StringIO()
    wanted = replace(plan, few=True, precision="fp32", start=small[0].path / FOLDER)
    bundle = train(FEW, tmp_path / "next", wanted, console=Console(file=said, width=200))
    assert "few labels" not in said.getvalue()
    assert bundle.provenance["adapted"] == few.changed(plan.settings, plan.settings.fine_tuning())
    assert bundle.provenance["adapted"]["patience"] == 1
    assert bundle.provenance["blend"] in (1, 0.75, 0.5)
    assert f"{100 * bundle.provenance['blend']:g} % of the way" in (bundle.path / LAYOUT.card).read_text(
        encoding="utf-8"
    )
    assert "blend" not in small[0].provenance


def test_made_anew_after_it_a_model_adapts_again(small: tuple[Bundle, str], source: Path, tmp_path: Path) -> None:
    champion, console = small[0], Console(file=io.StringIO())
    wanted = {"dataset": "", "encoder": str(source), "anew": True}
    bundle = challenger.make(champion, FEW, (), tmp_path / "anew", **wanted, console=console)
    assert bundle.provenance["adapted"] == champion.provenance["adapted"]


@pytest.mark.parametrize("given", [(), ("--epochs", "1"), ("--learning-rate", "0.01")])
def test_tympan_train_chooses_unless_settings_are_given(source: Path, tmp_path: Path, given: tuple[str, ...]) -> None:
    write(tmp_path / "records.jsonl", toy_records(60))
    (tmp_path / "toy.toml").write_text(TOML, encoding="utf-8")
    named = ("--data", tmp_path / "records.jsonl", "--taxonomy", tmp_path / "toy.toml", "--encoder", source)
    arguments = ("train", *named, "-o", tmp_path / "out", "--precision", "fp32", *given)
    run = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False, env={"COLUMNS": "200"})
    assert run.exit_code == 0
    assert ("few labels" in run.stderr) is not bool(given)
    assert bool(Bundle.read(tmp_path / "out").provenance["adapted"]) is not bool(given)


def test_many_labels_are_learnt_from_as_ever(trained: Bundle) -> None:
    assert trained.provenance["adapted"] == {}
    assert trained.provenance["settings"]["epochs"] == toy_settings().epochs
