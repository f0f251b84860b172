"""A tiny encoder and the bundle made from it, in 32-bit floats and in 8 bits; made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import trained


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained.encoder(tmp_path_factory.mktemp("encoders") / "tiny")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, encoder_folder: Path) -> Path:
    return trained.whole_bundle(tmp_path_factory.mktemp("trained") / "whole", source=encoder_folder)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory, whole: Path) -> Path:
    return trained.small_bundle(tmp_path_factory.mktemp("trained") / "small", whole=whole)
