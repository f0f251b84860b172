"""A folder that keeps every version of a dataset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from labels.dataset import current, is_dataset, load, manifest_of
from labels.errors import DatasetError
from labels.record import Record
from labels.versions import add, difference, versions
from tests.bundles import tiny_taxonomy

TAGS = tiny_taxonomy()
WORDS = ("panne", "merci", "cher", "bravo", "acheter", "résilie", "bug", "guasto", "grazie", "help")


def records(count: int, start: int = 0) -> list[Record]:
    """Texts that are nothing like one another."""
    return [
        Record(
            id=f"r{n}",
            text=f"{WORDS[n % 10]} {n * 7919} {WORDS[n // 10 % 10]} {n * 104729 % 9973} {WORDS[n // 7 % 10]}",
            lang="fr",
            tags={"intent": ("friction",) if n % 2 else (), "topic": ()},
        )
        for n in range(start, start + count)
    ]


def test_what_was_tested_on_is_tested_on_for_ever_and_new_records_are_shared_out(tmp_path: Path) -> None:
    first = add(tmp_path, records(100), taxonomy=TAGS)
    assert first
    held_out = {record.id for record in load(tmp_path)["test"]}
    second = add(tmp_path, records(300), taxonomy=TAGS)
    assert second
    assert second["parent"] == first["fingerprint"]
    sides = load(tmp_path)
    assert held_out <= {record.id for record in sides["test"]}
    assert 20 <= len(sides["test"]) <= 40
    assert len(versions(tmp_path)) == 2


def test_a_record_that_went_away_and_came_back_is_on_the_test_side_again(tmp_path: Path) -> None:
    add(tmp_path, records(100), taxonomy=TAGS)
    gone = load(tmp_path)["test"][0]
    add(tmp_path, [record for record in records(100) if record.id != gone.id], taxonomy=TAGS)
    add(tmp_path, records(100), taxonomy=TAGS)
    assert gone.id in {record.id for record in load(tmp_path)["test"]}


def test_what_was_learnt_before_a_text_drew_it_to_the_test_side_is_told_for_ever(tmp_path: Path) -> None:
    add(tmp_path, records(100), taxonomy=TAGS)
    sides = load(tmp_path)
    learnt, tested = sides["train"][0], sides["test"][0]
    others = [record for record in records(100) if record.id != tested.id]
    assert manifest_of(current(tmp_path))["learnt"] == []
    copies = [replace(tested, text=learnt.text + " !"), replace(learnt, id="copy", text=learnt.text + " ?")]
    add(tmp_path, [*others, *copies], taxonomy=TAGS)
    assert {learnt.id, "copy"} <= {record.id for record in load(tmp_path)["test"]}
    add(tmp_path, [*records(120), copies[1]], taxonomy=TAGS)
    assert manifest_of(current(tmp_path))["learnt"] == sorted([learnt.id, "copy"])


def test_a_new_text_that_is_nearly_one_tested_on_is_not_learnt_from(tmp_path: Path) -> None:
    add(tmp_path, records(100), taxonomy=TAGS)
    tested = load(tmp_path)["test"][0]
    alike = replace(tested, id="new", text=tested.text + " !")
    add(tmp_path, [*records(100), alike], taxonomy=TAGS)
    assert "new" in {record.id for record in load(tmp_path)["test"]}


def test_the_same_records_make_no_new_version(tmp_path: Path) -> None:
    add(tmp_path, records(50), taxonomy=TAGS)
    assert add(tmp_path, list(reversed(records(50))), taxonomy=TAGS) is None
    assert len(versions(tmp_path)) == 1


def test_no_records_are_refused_and_the_latest_version_stays(tmp_path: Path) -> None:
    assert not is_dataset(tmp_path)
    add(tmp_path, records(50), taxonomy=TAGS)
    before = current(tmp_path)
    with pytest.raises(DatasetError, match="would have no record"):
        add(tmp_path, [], taxonomy=TAGS)
    assert current(tmp_path) == before
    assert is_dataset(tmp_path)


def test_a_difference_names_records_tags_and_languages(tmp_path: Path) -> None:
    add(tmp_path, records(50), taxonomy=TAGS)
    old = current(tmp_path)
    changed = [replace(record, tags={"intent": ("churn",), "topic": ()}) for record in records(1)]
    add(tmp_path, [*changed, *records(48, start=1), *records(1, start=50)], taxonomy=TAGS)
    found = difference(old, tmp_path)
    assert (found.added, found.removed, found.relabelled) == (("r50",), ("r49",), ("r0",))
    assert found.tags["intent/churn"] == (0, 1)
    assert found.languages == {"fr": (50, 50)}
    assert manifest_of(current(tmp_path))["held_out"]


def test_a_first_version_that_was_not_named_any_more_is_the_latest_all_the_same(tmp_path: Path) -> None:
    add(tmp_path, records(40), taxonomy=TAGS)
    (tmp_path / "latest").unlink()  # as a kill between the two leaves it
    assert is_dataset(tmp_path) and len(load(tmp_path)["train"]) > 20
    assert add(tmp_path, records(40), taxonomy=TAGS) is None
    assert add(tmp_path, records(50), taxonomy=TAGS)
    assert [path.name[:4] for path in versions(tmp_path)] == ["0001", "0002"]
