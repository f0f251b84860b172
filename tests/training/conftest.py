"""A tiny encoder and one bundle trained from it, for all tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from model.bundle import Bundle
from tests.training.toys import TOY, toy_encoder, toy_settings, toy_sides
from training import encoder as encoders
from training.encoder import Encoder
from training.pipeline import train
from training.plan import Plan


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only wait for a second thread, and one adds up in one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny encoder that knows the toy words."""
    return toy_encoder(tmp_path_factory.mktemp("encoders") / "tiny")


@pytest.fixture
def encoder(source: Path) -> Encoder:
    """It, loaded afresh, since a network changes the encoder that it is given."""
    return encoders.load(str(source))


@pytest.fixture(scope="session")
def plan(source: Path) -> Plan:
    return Plan(taxonomy=TOY, settings=toy_settings(), encoder=str(source), title="A toy", notes=("Of toy records.",))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, plan: Plan) -> Bundle:
    """The bundle of one whole training."""
    return train(toy_sides(), tmp_path_factory.mktemp("trained") / "toy", plan)
