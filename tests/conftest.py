"""What the tests of several rooms share."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from model.tagger import Tagger
from tests import postgres
from tests.bundles import keyword_bundle, tiny_taxonomy

# A machine that is busy must not fail a property; what hypothesis found is not kept in the repository's folder.
settings.register_profile("house", deadline=None, database=None)
settings.load_profile("house")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests stay in one process, and share what it makes; those of Label Studio share one server."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        shared = "tests/studio" if file.startswith("tests/studio/") else file
        item.add_marker(pytest.mark.xdist_group(shared))


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of words and weights with intents and topics."""
    return keyword_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def exclusive_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a group of which each text gets one branch."""
    return keyword_bundle(tmp_path_factory.mktemp("bundles") / "exclusive", taxonomy=tiny_taxonomy(exclusive=True))


@pytest.fixture(scope="session")
def tagger(bundle: Path) -> Tagger:
    return Tagger.load(bundle, threads=1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """A real PostgreSQL."""
    with postgres.running() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where corrections can be kept: a folder, and then an empty database."""
    if request.param == "sqlite":
        return str(tmp_path / "state")
    found: str = request.getfixturevalue("postgresql").make(f"d{secrets.token_hex(6)}")
    return found
