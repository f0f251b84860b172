"""Of the weights before and after fine-tuning those are kept that do best on the validation side."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.toys import fitted, toy_examples, toy_network, toy_records, toy_settings
from training import encoder as encoders
from training.blend import blend
from training.checkpoint import trained
from training.encoder import Encoder
from training.examples import Examples
from training.fit import macro_f1
from training.network import Network


@pytest.fixture(scope="module")
def learnt(source: Path) -> dict[str, Tensor]:
    return trained(fitted(source, toy_settings())[0])


@pytest.fixture
def network(source: Path, learnt: dict[str, Tensor]) -> Network:
    """One that has learnt."""
    found = toy_network(encoders.load(str(source)), toy_settings())
    found.load_state_dict(learnt, strict=False)
    return found


@pytest.fixture
def validation(encoder: Encoder) -> Examples:
    return toy_examples(encoder, toy_records(60, number=5))


def test_training_that_did_harm_is_followed_a_part_of_the_way_only(
    network: Network, learnt: dict[str, Tensor], validation: Examples
) -> None:
    chance = torch.Generator().manual_seed(0)
    harmed = {name: value + torch.randn(value.shape, generator=chance) for name, value in learnt.items()}
    network.load_state_dict(harmed, strict=False)
    worst = macro_f1(network, validation, 16)
    share = blend(network, learnt, validation, score=worst, batch_size=16)
    assert share < 1
    assert macro_f1(network, validation, 16) > worst
    for name, value in trained(network).items():
        assert torch.allclose(value, torch.lerp(learnt[name], harmed[name], share))


def test_training_that_did_nothing_but_good_is_followed_all_the_way(
    network: Network, learnt: dict[str, Tensor], source: Path, validation: Examples
) -> None:
    nothing = trained(toy_network(encoders.load(str(source)), toy_settings()))
    best = macro_f1(network, validation, 16)
    assert blend(network, nothing, validation, score=best, batch_size=16) == 1
    assert all(torch.equal(value, learnt[name]) for name, value in trained(network).items())
