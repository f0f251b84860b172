"""The benchmark of choices in training, on records of our own and a tiny encoder."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.ablations.__main__ import Trial, app, table
from benchmarks.ablations.choices import BASE, CHOICES, Noisy, _mistyped, noisy
from benchmarks.errors import BenchmarkError
from tests.benchmarks import trained
from tests.bundles import tiny_taxonomy
from training import encoder as encoders
from training.examples import Examples, truth
from training.fit import Settings


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_can_be_learnt_with(name: str, encoder_folder: Path) -> None:
    taxonomy, encoder, records = tiny_taxonomy(), encoders.load(str(encoder_folder)), trained.records()[:8]
    network = CHOICES[name].network(encoder, taxonomy, train_embeddings=False)
    examples = CHOICES[name].examples.encode(records, taxonomy, encoder.tokenizer, 32)
    targets, known = map(torch.from_numpy, truth(records, taxonomy))
    network.rare[1:] = True
    loss = network.loss(network(*examples.tensors(range(8))), targets, known)
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert float(loss.detach()) > 0
    assert all(bool(head.weight.grad.any()) for head in network.heads)


def test_tags_that_weigh_the_tokens_start_from_the_halves(encoder_folder: Path) -> None:
    taxonomy, records = tiny_taxonomy(), trained.records()[:8]
    encoder = encoders.load(str(encoder_folder))
    tokens = Examples.encode(records, taxonomy, encoder.tokenizer, 32).tensors(range(8))
    attentive = CHOICES["each tag weighs the tokens"].network(encoder, taxonomy, train_embeddings=False).eval()
    network = CHOICES[BASE].network(encoders.load(str(encoder_folder)), taxonomy, train_embeddings=False).eval()
    network.load_state_dict(attentive.state_dict(), strict=False)
    assert torch.allclose(attentive(*tokens), network(*tokens), atol=1e-5)
    with torch.no_grad():
        attentive.queries.weight.normal_()
    assert not torch.allclose(attentive(*tokens), network(*tokens), atol=1e-3)


def test_losses_are_least_where_the_network_is_right(encoder_folder: Path) -> None:
    taxonomy, records = tiny_taxonomy(), trained.records()[:8]
    targets, known = map(torch.from_numpy, truth(records, taxonomy))
    right = torch.where(targets > 0, 3.0, -3.0)
    for choice in CHOICES.values():
        network = choice.network(encoders.load(str(encoder_folder)), taxonomy, train_embeddings=False)
        network.rare[1:] = True
        assert network.loss(right, targets, known) < network.loss(torch.zeros_like(right), targets, known)


def test_noise_changes_a_text_and_not_who_is_meant() -> None:
    text, chance = "Déjà trois semaines sans réseau chez [TARGET], et l'[OTHER] propose mieux", random.Random(0)  # noqa: S311 — no secret
    found = {noisy(text, chance) for _ in range(50)}
    assert len(found) > 10
    assert all("[TARGET]" in each and "[OTHER]" in each for each in found)


def test_a_mistyped_word_has_two_letters_swapped_or_one_left_out_or_doubled() -> None:
    chance = random.Random(0)  # noqa: S311 — no secret
    found = {_mistyped("reseau", chance) for _ in range(2_000)} - {"reseau"}
    swapped = {"rseeau", "resaeu", "reesau", "reseua"}
    assert found - swapped == {"rseau", "reeau", "resau", "reseu", "reeseau", "resseau", "reseeau", "reseaau"}


def test_a_third_of_the_texts_has_noise_other_ones_each_time(encoder_folder: Path) -> None:
    taxonomy, encoder, records = tiny_taxonomy(), encoders.load(str(encoder_folder)), trained.records()
    clean = Examples.encode(records, taxonomy, encoder.tokenizer, 32)
    found = Noisy.encode(records, taxonomy, encoder.tokenizer, 32)
    assert found.ids == clean.ids
    random.seed(0)
    alike = [
        [bool(np.array_equal(*(each.tensors([row])[0] for each in (clean, found)))) for row in range(len(records))]
        for _ in range(2)
    ]
    assert all(0.5 < np.mean(part) < 0.9 for part in alike)
    assert alike[0] != alike[1]


def test_differences_are_run_by_run() -> None:
    measures = ("intents, micro", "macro (10+ cases)", "false alarms", "topics, leaves", "parents", "whole sets")
    runs = {
        name: [dict.fromkeys(measures, value) for value in values]
        for name, values in {BASE: (0.5, 0.6), "focal loss": (0.52, 0.64)}.items()
    }
    base, focal = table(runs).rows
    assert base[:2] == (BASE, "55.0")
    assert focal[:2] == ("focal loss", "+3.0 ± 1.4")


def test_a_network_that_learns_is_right_on_texts_that_it_has_not_read(encoder_folder: Path) -> None:
    found, console = trained.records(), Console(file=io.StringIO())
    trial = Trial(tiny_taxonomy(), str(encoder_folder), found[0::2], found[1::4], found[3::4], found[3::4], console)
    settings = Settings(epochs=20, batch_size=8, learning_rate=1e-3, head_rate=1e-2, max_length=32)
    figures = trial.run(CHOICES[BASE], settings)
    assert figures["intents, micro"] > 0.8
    assert figures["parents"] > 0.8
    assert figures["whole sets"] > 0.8


def test_an_unknown_choice_is_refused_before_anything_is_learnt(tmp_path: Path) -> None:
    arguments = ["--data", str(tmp_path), "--only", "magic"]
    with pytest.raises(BenchmarkError, match="'magic' is no choice"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
