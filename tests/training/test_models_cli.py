"""`tympan models`: what a registry holds, and who decided what is served."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from labels.dataset import save
from labels.record import Record, write
from model.bundle import LAYOUT, Bundle
from model.registry import Registry
from model.taxonomy import Taxonomy
from tests.bundles import keyword_bundle
from tests.training.toys import toy_records
from tympan import app

Tympan = Callable[..., Result]


@pytest.fixture
def tympan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tympan:
    monkeypatch.setenv("COLUMNS", "200")

    def run(verb: str, *arguments: str | Path) -> Result:
        given = ["models", verb, *map(str, arguments), "--registry", str(tmp_path / "models")]
        return CliRunner().invoke(app, given)

    return run


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


@pytest.fixture
def bundles(tmp_path: Path) -> list[Path]:
    return [keyword_bundle(tmp_path / word, words={"intent/churn": [word]}) for word in ("panne", "cher")]


def test_the_first_model_becomes_the_champion_if_asked(tympan: Tympan, registry: Registry, bundles: list[Path]) -> None:
    done = tympan("add", bundles[0], "--promote", "--who", "ann")
    assert (done.exit_code, registry.champion()) == (0, Bundle.read(bundles[0]).version)
    refused = tympan("add", bundles[1], "--promote")
    assert refused.exit_code == 2 and "would replace" in refused.output
    assert tympan("add", bundles[1]).exit_code == 0
    listed = tympan("list").output
    assert all(Bundle.read(bundle).version in listed for bundle in bundles)
    assert listed.count("champion") == 1


def test_a_model_is_promoted_and_gone_back_from_with_who_and_why(
    tympan: Tympan, registry: Registry, bundles: list[Path]
) -> None:
    tympan("add", bundles[0], "--promote")
    tympan("add", bundles[1])
    before, after = (Bundle.read(bundle).version for bundle in bundles)
    assert tympan("promote", after, "--who", "ann", "--why", "better").exit_code == 0
    assert registry.champion() == after
    assert tympan("rollback", "--who", "ben", "--why", "worse").exit_code == 0
    assert registry.champion() == before
    told = [(event["who"], event["why"]) for event in registry.history() if event["event"] == "promote"]
    assert told[1:] == [("ann", "better"), ("ben", "worse")]
    shown = tympan("show", after).output
    assert "better" in shown and "add" in shown


def test_what_did_not_pass_is_promoted_by_force_only(tympan: Tympan, registry: Registry, bundles: list[Path]) -> None:
    tympan("add", bundles[0], "--promote")
    tympan("add", bundles[1])
    version = Bundle.read(bundles[1]).version
    registry.record("judge", version, champion="x", dataset="y", passed=False, reasons=["F1, intent/churn in fr"])
    refused = tympan("promote", version, "--why", "I like it")
    assert refused.exit_code == 2 and "did not pass: F1, intent/churn in fr" in refused.output
    assert tympan("promote", version, "--why", "I like it", "--force", "--who", "ann").exit_code == 0
    assert registry.history()[-1]["why"] == "I like it (forced)"


def test_two_models_are_compared_on_labelled_texts(
    tympan: Tympan, registry: Registry, trained: Bundle, tmp_path: Path
) -> None:
    version = registry.add(trained.path)
    write(tmp_path / "held-out.jsonl", toy_records(90, number=33))
    rules = tmp_path / "rules.toml"
    rules.write_text("max_ece = 0.5\nmax_latency = 5.0\n", encoding="utf-8")
    done = tympan("compare", version, version, "--data", tmp_path / "held-out.jsonl", "--rules", rules)
    assert done.exit_code == 0, done.output
    assert f"{version} passes" in done.output and "+0.0 (+0.0 to +0.0)" in done.output


def test_a_comparison_of_nothing_is_none(tympan: Tympan, registry: Registry, trained: Bundle, tmp_path: Path) -> None:
    """A rule that is misspelt, or two models of different tags, would be no worse by anything."""
    version = registry.add(trained.path)
    mood = Taxonomy.parse('name = "mood"\nversion = "1"\n[groups.mood]\n[groups.mood.tags.glad]\n')
    other = registry.add(keyword_bundle(tmp_path / "other", taxonomy=mood, words={"mood/glad": ["merci"]}))
    write(tmp_path / "held-out.jsonl", toy_records(30, number=33))
    (tmp_path / "rules.toml").write_text('tags = ["intents/*"]\n', encoding="utf-8")
    rules = ("--rules", tmp_path / "rules.toml")
    done = tympan("compare", version, version, "--data", tmp_path / "held-out.jsonl", *rules)
    assert done.exit_code == 2 and "rules: tags: 'intents/*' is of none" in done.output
    done = tympan("compare", other, version, "--data", tmp_path / "held-out.jsonl")
    assert done.exit_code == 2 and "have no tag in common" in done.output
    glad = Record(id="1", text="merci", lang="fr", tags={"mood": ("glad",)})
    save(tmp_path / "dataset", {"train": [], "validation": [], "test": [glad]}, taxonomy=mood)
    done = tympan("compare", version, version, "--data", tmp_path / "dataset")
    assert done.exit_code == 2 and "is labelled with mood@1, not toy@1" in done.output


@pytest.mark.parametrize("verb", ["show", "promote"])
def test_a_version_that_is_not_held_is_refused_by_name(tympan: Tympan, verb: str) -> None:
    why = ("--why", "x") if verb == "promote" else ()
    done = tympan(verb, "listening-nowhere", *why)
    assert done.exit_code == 2 and "'listening-nowhere' is not held" in done.output


def test_a_file_that_is_gone_is_told_in_one_line(tympan: Tympan, registry: Registry, bundles: list[Path]) -> None:
    version = registry.add(bundles[0])
    (registry.folder(version) / LAYOUT.card).unlink()
    done = tympan("show", version)
    assert done.exit_code == 2
    assert done.output.endswith(f"{version}/{LAYOUT.card}: No such file or directory. Mend that, and run it again\n")
