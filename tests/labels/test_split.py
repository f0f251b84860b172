"""Sides with the same mix, and no text on two of them."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels.errors import DatasetError
from labels.record import Record
from labels.split import FRACTIONS, split
from tests.labels.records import corpus, record

HALVES = {"left": 0.5, "right": 0.5}


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return corpus(600)


def _ids(sides: dict[str, list[Record]]) -> dict[str, set[str]]:
    return {name: {found.id for found in own} for name, own in sides.items()}


def _rare(found: Record) -> bool:
    return found.lang == "en" and found.tags["mood"] == ("sad",)


def test_every_record_stands_on_one_side_of_the_size_asked_for(records: list[Record]) -> None:
    sides = split(records)
    assert sorted(found.id for own in sides.values() for found in own) == [found.id for found in records]
    assert {name: round(len(own) / 600, 2) for name, own in sides.items()} == pytest.approx(
        {"train": 0.8, "validation": 0.1, "test": 0.1}, abs=0.02
    )


@pytest.mark.parametrize(
    ("holds", "slack"),
    [
        (lambda found: found.lang == "en", 2),
        (lambda found: "price/fees" in found.tags["about"], 2),
        (lambda found: "price" in found.closed("about"), 4),
        (lambda found: found.tags["mood"] == ("sad",), 2),
        (lambda found: not found.tags["about"], 6),
        (lambda found: found.lang == "it" and "place" in found.tags["about"], 2),
        (_rare, 2),
    ],
)
def test_languages_and_tags_are_as_frequent_on_every_side(
    records: list[Record], holds: Callable[[Record], bool], slack: int
) -> None:
    expected = sum(map(holds, records))
    for name, fraction in {"train": 0.8, "validation": 0.1, "test": 0.1}.items():
        assert abs(sum(map(holds, split(records)[name])) - fraction * expected) <= slack, name


def test_mentions_of_several_organisations_are_as_frequent_on_every_side(records: list[Record]) -> None:
    twins = [replace(found, id=f"{found.id}-twin", target=found.text.split()[0]) for found in records[::4]]
    twice = Counter(name for name, own in split(records + twins).items() for found in own if found.target)
    assert sum(twice.values()) == 150
    assert all(abs(twice[name] - 150 * share) <= 9 for name, share in FRACTIONS.items()), twice


def test_a_tag_of_ten_records_is_on_every_side(records: list[Record]) -> None:
    plain = [
        replace(found, tags={"mood": ("sad",) if number % 60 == 0 else ()}) for number, found in enumerate(records)
    ]
    found = Counter(name for name, own in split(plain).items() for kept in own if kept.tags["mood"])
    assert found == {"train": 8, "validation": 1, "test": 1}


def test_one_seed_gives_one_split_whatever_the_order_and_another_seed_another(records: list[Record]) -> None:
    mixed = list(records)
    random.Random(2).shuffle(mixed)  # noqa: S311  no secret
    assert _ids(split(records, seed=3)) == _ids(split(mixed, seed=3))
    assert _ids(split(records, seed=3)) != _ids(split(records, seed=4))


def test_records_keep_their_order_on_each_side(records: list[Record]) -> None:
    for own in split(records).values():
        assert [found.id for found in own] == sorted(found.id for found in own)


def test_another_process_gives_the_same_split() -> None:
    code = (
        "from labels.split import FRACTIONS, split; from tests.labels.records import corpus;"
        "print({name: [found.id for found in own] for name, own in split(corpus(80)).items()})"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert b"r0000" in runs[0]


@settings(max_examples=20)
@given(st.integers(0, 1000), st.data())
def test_near_duplicates_never_stand_on_two_sides(seed: int, data: st.DataObject) -> None:
    records = corpus(12, seed)
    copies = [
        replace(found, id=f"{found.id}-copy", text=f"{found.text}!! ", target=found.text.split()[0])
        for found in data.draw(st.lists(st.sampled_from(records), unique_by=lambda found: found.id))
    ]
    side_of = {
        found.id: name for name, own in split(records + copies, seed=seed, fractions=HALVES).items() for found in own
    }
    assert all(side_of[copy.id] == side_of[copy.id.removesuffix("-copy")] for copy in copies)


def test_a_fraction_of_nothing_is_an_empty_side(records: list[Record]) -> None:
    sides = split(records, fractions={"train": 0.9, "validation": 0.1, "test": 0})
    assert sides["test"] == []
    assert len(sides["validation"]) == pytest.approx(60, abs=6)


def test_one_record_is_split_too() -> None:
    assert _ids(split([record("only")])) == {"train": {"only"}, "validation": set(), "test": set()}


@pytest.mark.parametrize("fractions", [{}, {"train": 0.5}, {"train": 1.2, "test": -0.2}])
def test_fractions_that_do_not_sum_to_one_are_refused(fractions: dict[str, float]) -> None:
    with pytest.raises(DatasetError, match=r"fractions: are .*sum to 1"):
        split([record("a")], fractions=fractions)


def test_no_records_are_refused() -> None:
    with pytest.raises(DatasetError, match="records: are none"):
        split([])
