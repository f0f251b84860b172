"""A tiny encoder and the bundle made from it, in 32-bit floats and in 8 bits; made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import rows, trained
from tests.encoders import tiny_encoder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of our own in the layout of the public data."""
    return rows.write(tmp_path_factory.mktemp("public"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder that knows the words of those rows."""
    return tiny_encoder(tmp_path_factory.mktemp("encoders") / "tiny", rows.texts())


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained.encoder(tmp_path_factory.mktemp("encoders") / "tiny")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, encoder_folder: Path) -> Path:
    return trained.whole_bundle(tmp_path_factory.mktemp("trained") / "whole", source=encoder_folder)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory, whole: Path) -> Path:
    return trained.small_bundle(tmp_path_factory.mktemp("trained") / "small", whole=whole)
