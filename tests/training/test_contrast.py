"""Learning from pairs of texts: what shares a tag comes together, and one linear layer tells the tags apart."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from sklearn.linear_model import LogisticRegression

from labels.record import Record
from model.bundle import LAYOUT
from model.decode import Calibration
from model.taxonomy import Taxonomy
from tests.training.toys import toy_records
from training import challenger, contrast, few
from training import encoder as encoders
from training.errors import TrainingError
from training.examples import Examples
from training.fit import macro_f1, predict, seed
from training.network import Network
from training.pipeline import train
from training.plan import Plan

HEAD = 'name = "own"\nversion = "1"\n'
INTENT = Taxonomy.parse(f"{HEAD}[groups.intent.tags.churn]\n[groups.intent.tags.praise]\n")
MOODS = "".join(f"[groups.mood.tags.{tag}]\n" for tag in ("happy", "angry", "calm"))
MOOD = Taxonomy.parse(f'{HEAD}[groups.mood]\nkind = "exclusive"\n{MOODS}')
Made = tuple[Network, Examples, Examples]


def records(taxonomy: Taxonomy, count: int, number: int) -> list[Record]:
    """Of the toy world, with the tags of one group alone."""
    (group,) = taxonomy.groups
    return [replace(one, tags={group.name: one.tags[group.name]}) for one in toy_records(count, number=number)]


def untrained(source: Path, taxonomy: Taxonomy, texts: int) -> Made:
    """A network, and examples to learn from and to validate with."""
    seed(0)
    encoder = encoders.load(str(source))
    network = Network(encoder, taxonomy, train_embeddings=True)
    sides = (records(taxonomy, count, number) for count, number in ((texts, 1), (60, 2)))
    learnt, validation = (Examples.encode(side, taxonomy, encoder.tokenizer, 32) for side in sides)
    return network, learnt, validation


def similarity(network: Network, examples: Examples) -> tuple[float, float]:
    """The mean cosine of texts that share a tag, or have none both, and of all others."""
    with torch.inference_mode():
        vectors = torch.nn.functional.normalize(network.vectors(*examples.tensors(range(len(examples)))), dim=1)
    tags = torch.from_numpy(examples.targets)
    kinds = torch.cat([tags, 1 - tags.amax(dim=1, keepdim=True)], dim=1)
    alike, cosines = kinds @ kinds.T > 0, vectors @ vectors.T
    return float(cosines[alike].mean()), float(cosines[~alike].mean())


@pytest.mark.parametrize("taxonomy", [INTENT, MOOD])
def test_texts_of_one_tag_come_together_and_unseen_ones_are_told_apart(source: Path, taxonomy: Taxonomy) -> None:
    network, learnt, validation = untrained(source, taxonomy, 120)
    before = similarity(network, validation)
    contrast.fit(network, learnt, steps=120, rate=5e-3)
    after = similarity(network, validation)
    assert after[0] - after[1] > before[0] - before[1] + 0.2
    assert macro_f1(network, validation, 16) > 0.6
    assert not network.training


def test_the_same_seed_gives_the_same_weights(source: Path) -> None:
    scores = []
    for _ in range(2):
        network, learnt, validation = untrained(source, INTENT, 24)
        contrast.fit(network, learnt, seeded=3, steps=5, rate=1e-3)
        scores.append(predict(network, validation))
    assert torch.equal(*scores)


def test_the_head_is_a_logistic_regression_on_the_vectors_as_they_are(source: Path) -> None:
    network, learnt, _ = untrained(source, MOOD, 60)
    contrast.fit_head(network, learnt)
    with torch.inference_mode():
        vectors = network.vectors(*learnt.tensors(range(len(learnt)))).numpy()
    middle = vectors.mean(axis=0)
    scale = 10 / torch.tensor(vectors - middle).norm(dim=1).mean().item()
    other = LogisticRegression(C=1.0, max_iter=5_000, tol=1e-8).fit(
        (vectors - middle) * scale, learnt.targets.argmax(axis=1)
    )
    expected = other.predict_proba((vectors - middle) * scale)
    assert predict(network, learnt).softmax(dim=1).numpy() == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("texts", [1, 2])
def test_one_text_or_two_of_one_tag_are_no_error(source: Path, texts: int) -> None:
    network, _, validation = untrained(source, MOOD, 3)
    alone = Examples(
        validation.ids[:1] * texts, validation.targets[:1].repeat(texts, 0), validation.known[:1].repeat(texts, 0)
    )
    contrast.fit(network, alone, steps=2)
    assert predict(network, alone).isfinite().all()


def test_a_bundle_of_few_labels_says_how_it_learnt_and_so_does_one_made_anew(source: Path, tmp_path: Path) -> None:
    sides = {
        side: records(INTENT, count, number)
        for side, count, number in (("train", 40, 1), ("validation", 20, 2), ("test", 20, 3))
    }
    plan, said = (
        Plan(taxonomy=INTENT, encoder=str(source), few=True, precision="fp32", keep_weights=True),
        io.StringIO(),
    )
    bundle = train(sides, tmp_path / "few", plan, console=Console(file=said, width=200))
    assert f"{contrast.STEPS} steps of {contrast.PAIRS} pairs" in said.getvalue()
    assert bundle.provenance["adapted"] == contrast.SETTINGS
    assert bundle.calibration == Calibration.neutral(INTENT)
    card = (bundle.path / LAYOUT.card).read_text(encoding="utf-8")
    assert f"pairs {contrast.PAIRS}" in card and "epochs" not in card
    wanted = {"dataset": "", "encoder": str(source), "console": Console(file=said)}
    again = challenger.make(bundle, sides, ("toy-1-0",), tmp_path / "anew", **wanted)
    assert not again.provenance["start"]  # what it would be stopped and blended by was learnt from
    assert again.provenance["adapted"] == contrast.SETTINGS
    many = {**sides, "train": [*sides["train"], *records(INTENT, few.FEW * len(INTENT.labels), 4)]}
    later = challenger.make(again, many, ("toy-1-0",), tmp_path / "later", **wanted)
    assert not later.provenance["start"] and "pairs" not in later.provenance["adapted"]


def test_texts_of_which_no_tag_is_sure_are_refused(source: Path) -> None:
    network, learnt, _ = untrained(source, MOOD, 3)
    with pytest.raises(TrainingError, match="labelled and sure"):
        contrast.fit(network, Examples(learnt.ids, learnt.targets, 0 * learnt.known), steps=2)
