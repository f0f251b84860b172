"""A folder of bundles, a pointer to the one in use, and its history."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model.bundle import LAYOUT, Bundle
from model.errors import BundleError, RegistryError, SupersededError
from model.registry import Registry, resolve
from model.tagger import Tagger
from tests.bundles import keyword_bundle


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


@pytest.fixture
def second(tmp_path: Path) -> Path:
    return keyword_bundle(tmp_path / "second", words={"intent/churn": ["adieu"]})


def test_a_registry_that_is_not_there_holds_nothing_and_makes_nothing(registry: Registry) -> None:
    assert registry.versions() == []
    assert registry.champion() is None
    assert registry.history() == []
    assert not registry.path.exists()


def test_a_bundle_is_copied_in_whole_under_its_version(registry: Registry, bundle: Path) -> None:
    version = registry.add(bundle)
    assert registry.versions() == [version]
    assert Bundle.read(registry.folder(version)).version == version == Bundle.read(bundle).version


def test_adding_a_bundle_again_changes_nothing(registry: Registry, bundle: Path) -> None:
    registry.add(bundle)
    registry.add(bundle)
    assert len(registry.versions()) == 1
    assert [event["event"] for event in registry.history()] == ["add"]


def test_an_altered_bundle_is_not_added(registry: Registry, second: Path) -> None:
    (second / LAYOUT.card).write_text("altered")
    with pytest.raises(BundleError):
        registry.add(second)
    assert registry.versions() == []


def test_the_champion_is_what_a_registry_is_loaded_as(registry: Registry, bundle: Path, second: Path) -> None:
    registry.promote(registry.add(bundle), who="ann", why="first")
    version = registry.add(second)
    assert resolve(registry.path) == registry.folder(Bundle.read(bundle).version)
    registry.promote(version, who="ann", why="better on churn")
    assert Tagger.load(registry.path).bundle.version == version


def test_a_folder_that_is_no_registry_stands_for_itself(bundle: Path) -> None:
    assert resolve(bundle) == bundle


def test_a_file_is_neither_a_registry_nor_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="no bundle"):
        Tagger.load(tmp_path / "file")


def test_a_version_that_is_not_held_cannot_be_promoted(registry: Registry, bundle: Path) -> None:
    held = registry.add(bundle)
    with pytest.raises(RegistryError, match=held):
        registry.promote("tiny-000000000000", who="ann", why="typo")
    assert registry.champion() is None


def test_a_version_altered_since_it_was_added_cannot_be_promoted(registry: Registry, bundle: Path) -> None:
    version = registry.add(bundle)
    (registry.folder(version) / LAYOUT.config).write_text("{}")
    with pytest.raises(BundleError):
        registry.promote(version, who="ann", why="unaware")
    assert registry.champion() is None


def test_rolling_back_returns_to_the_version_before(registry: Registry, bundle: Path, second: Path) -> None:
    first, other = registry.add(bundle), registry.add(second)
    registry.promote(first, who="ann", why="first")
    registry.promote(other, who="bob", why="better")
    assert registry.rollback(who="ann", why="worse on help") == first
    assert registry.champion() == first
    assert [event["event"] for event in registry.history()] == ["add", "add", "promote", "promote", "promote"]
    assert registry.history()[-1]["who"] == "ann"


def test_rolling_back_again_goes_further_back_and_never_forward(registry: Registry, bundle: Path, second: Path) -> None:
    first, other = registry.add(bundle), registry.add(second)
    for version in (first, other, first):
        registry.promote(version, who="ann", why="better")
    assert not registry.went_back()
    assert [registry.rollback(who="ann", why="worse") for _ in range(2)] == [other, first]
    assert registry.went_back()
    with pytest.raises(RegistryError, match="no earlier version"):
        registry.rollback(who="ann", why="still worse")
    registry.promote(other, who="ann", why="after all")
    assert not registry.went_back()
    assert registry.previous() == first


def test_a_promotion_that_was_killed_is_nothing_to_roll_back_to(registry: Registry, bundle: Path, second: Path) -> None:
    first, other = registry.add(bundle), registry.add(second)
    registry.promote(first, who="ann", why="first")
    registry.record("promote", other, previous=first, who="bob", why="killed before the pointer")
    with pytest.raises(RegistryError, match="no earlier version"):
        registry.previous()
    registry.promote(other, who="bob", why="again")
    assert registry.previous() == first


def test_there_is_nothing_to_roll_back_to_at_first(registry: Registry, bundle: Path) -> None:
    registry.promote(registry.add(bundle), who="ann", why="first")
    with pytest.raises(RegistryError, match="no earlier version"):
        registry.rollback(who="ann", why="hasty")


def test_what_a_broken_copy_left_behind_is_no_version(registry: Registry, bundle: Path) -> None:
    version = registry.add(bundle)
    shutil.copytree(bundle, registry.path / "bundles" / f".{version}-draft")
    assert registry.versions() == [version]


def test_a_line_of_history_that_was_cut_short_takes_no_other_along(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.record("judge", "a", passed=True)
    with (tmp_path / "history.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"event": "jud')
    registry.record("judge", "b", passed=False)
    assert [event["version"] for event in registry.history()] == ["a", "b"]


def test_no_byte_of_history_takes_another_line_along(tmp_path: Path) -> None:
    """Reasons are people's: in any letters, with ends of lines that only Unicode knows."""
    registry = Registry(tmp_path)
    registry.record("promote", "a", why="plus d’erreurs\u2028sur les résiliations", who="\udcff")
    with (tmp_path / "history.jsonl").open("ab") as file:
        file.write('{"event": "judge", "why": "é'.encode()[:-1])
    registry.record("judge", "b", passed=False)
    assert [(event["version"], event.get("why")) for event in registry.history()] == [
        ("a", "plus d’erreurs\u2028sur les résiliations"),
        ("b", None),
    ]


def test_what_is_promoted_in_place_of_another_is_refused_once_that_is_in_use_no_more(
    registry: Registry, bundle: Path, second: Path
) -> None:
    first, other = registry.add(bundle), registry.add(second)
    registry.promote(first, who="ann", why="first")
    registry.promote(other, who="ann", why="better", instead_of=first)
    with pytest.raises(SupersededError, match=f"{first} is champion no more"):
        registry.promote(first, who="tympan", why="no worse", instead_of=first)
    assert registry.champion() == other
    assert len(registry.history()) == 4


def test_many_who_write_at_once_lose_no_line(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: Registry(tmp_path).record("judge", f"{number}"), range(200)))
    assert sorted(int(event["version"]) for event in Registry(tmp_path).history()) == list(range(200))


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for write in (lambda found: found.add(bundle), lambda found: found.tell("training")):
        with pytest.raises(RegistryError, match="file: cannot be written: File exists"):
            write(Registry(tmp_path / "file"))
