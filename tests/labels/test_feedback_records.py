"""Corrections become records, or mentions to label again where people disagree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from labels.feedback.records import Gathered, gather
from labels.record import Record
from labels.schema import check
from labels.task import key
from model.mention import Mention
from model.watchlist import Organisation, Watchlist
from tests.labels.corrections import correction
from tests.labels.records import SMALL
from training.examples import truth

LORIVOX = (Organisation("Lorivox", aliases=("lori",)), Organisation("Zenbia", "competitor"))


def gathered(*said: Mapping[str, Any]) -> Gathered:
    """Of corrections that are made one after the other."""
    return gather([correction(f"c{n}", **{"minutes": n, **fields}) for n, fields in enumerate(said)], SMALL)


def one(*said: Mapping[str, Any]) -> Record:
    found = gathered(*said)
    assert (found.disputes, found.problems, len(found.records)) == ([], [], 1)
    return found.records[0]


def disputed(*said: Mapping[str, Any]) -> str | None:
    """Why the one mention is in dispute, of which there is no record."""
    found = gathered(*said)
    assert (found.records, found.problems, len(found.disputes)) == ([], [], 1)
    return found.disputes[0]["reason"]


def known(record: Record) -> dict[str, bool]:
    """`group/path` → whether it holds, of the cells that training would learn from."""
    targets, cells = truth([record], SMALL)
    return {label: bool(targets[0, n]) for n, label in enumerate(SMALL.labels) if cells[0, n]}


def test_right_tags_are_those_of_a_record_that_is_whole() -> None:
    said = {"tags": ("price/level", "place"), "lang": "fr", "target": "Lorivox", "watchlist": LORIVOX}
    record = one(said)
    assert record == Record(
        id=key(Mention("m1", "Trop cher ici.", target="Lorivox")),
        text="Trop cher ici.",
        lang="fr",
        target="Lorivox",
        watchlist=LORIVOX,
        tags={"about": ("price/level", "place")},
        source="feedback",
        annotators=("ann",),
    )
    assert check(record.to_dict(), SMALL) == []
    assert known(record) == {
        "about/price": True,
        "about/price/level": True,
        "about/price/fees": False,
        "about/place": True,
    }


def test_no_tag_at_all_is_said_on_purpose() -> None:
    record = one({"tags": ()}, {"group": "mood", "tags": ()})
    assert record.tags == {"about": (), "mood": ()}
    assert set(known(record).values()) == {False}
    assert len(known(record)) == len(SMALL.labels)


def test_a_language_that_nobody_gave_is_detected() -> None:
    assert one({"text": "Non riesco a pagare la bolletta, che disastro."}).lang == "it"


def test_the_newest_of_each_person_counts_and_of_the_same_moment_the_last() -> None:
    assert one({"tags": ("place",)}, {"tags": ("price",)}).tags == {"about": ("price",)}
    assert one({"tags": ("place",), "minutes": 9}, {"tags": ("price",)}).tags == {"about": ("place",)}
    assert one({"tags": ("place",), "minutes": 0}, {"tags": ("price",), "minutes": 0}).tags == {"about": ("price",)}
    assert one({"wrong": ("place",)}, {"tags": ("price",)}).tags == {"about": ("price",)}


def test_people_who_agree_make_one_record_under_whatever_ids() -> None:
    record = one({"tags": ("place",)}, {"tags": ("place",), "who": "ben", "mention": "m2"})
    assert record.annotators == ("ann", "ben")
    assert record.tags == {"about": ("place",)}


def test_another_text_or_target_is_another_mention() -> None:
    found = gathered({}, {"text": "Another."}, {"target": "Lorivox", "watchlist": LORIVOX, "tags": ()})
    assert [record.tags["about"] for record in found.records] == [("place",), ("place",), ()]
    assert len({record.id for record in found.records}) == 3


@pytest.mark.parametrize(
    ("wrong", "cells"),
    [
        (("place",), {"about/place"}),
        (("price/level",), {"about/price/level"}),
        (("price",), {"about/price", "about/price/level", "about/price/fees"}),
        (("price/level", "price/fees"), {"about/price/level", "about/price/fees"}),
        (("price", "place"), {"about/price", "about/price/level", "about/price/fees", "about/place"}),
    ],
)
def test_of_wrong_tags_it_is_known_that_they_do_not_hold_and_nothing_more(
    wrong: tuple[str, ...], cells: set[str]
) -> None:
    record = one({"wrong": wrong})
    assert known(record) == dict.fromkeys(cells, False)
    assert check(record.to_dict(), SMALL) == []


def test_what_several_people_find_wrong_is_wrong() -> None:
    record = one({"wrong": ("place",)}, {"wrong": ("price/fees",), "who": "ben"})
    assert known(record) == {"about/place": False, "about/price/fees": False}
    assert record.annotators == ("ann", "ben")


def test_wrong_tags_fit_right_ones_that_do_not_have_them() -> None:
    record = one({"wrong": ("price/fees",)}, {"tags": ("price/level",), "who": "ben"})
    assert (record.tags, record.unsure) == ({"about": ("price/level",)}, {})
    record = one({"group": "mood", "wrong": ("sad",)}, {"group": "mood", "tags": ("happy",), "who": "ben"})
    assert record.tags == {"mood": ("happy",)}


@pytest.mark.parametrize(
    ("ann", "ben", "reason"),
    [
        ({"tags": ("place",)}, {"tags": ("price",)}, "about: place or price"),
        ({"tags": ("place",)}, {"tags": ()}, "about: place or none"),
        ({"tags": ("price",)}, {"tags": ("price/level",)}, "about: price or price/level"),
        ({"tags": ("price/level",)}, {"wrong": ("price",)}, "about: price/level or not price"),
        (
            {"group": "mood", "tags": ("happy",)},
            {"group": "mood", "wrong": ("happy",)},
            "mood: happy or not happy",
        ),
    ],
)
def test_two_people_who_disagree_are_a_dispute(ann: dict[str, Any], ben: dict[str, Any], reason: str) -> None:
    assert disputed(ann, {**ben, "who": "ben"}) == reason


def test_an_exclusive_group_of_which_only_the_wrong_tag_is_known_is_a_dispute() -> None:
    assert disputed({"group": "mood", "wrong": ("sad",)}) == "mood: not sad"


def test_a_dispute_leaves_the_other_groups_of_the_mention_in_its_record() -> None:
    found = gathered(
        {"tags": ("place",)},
        {"tags": ("price",), "who": "ben"},
        {"group": "mood", "tags": ("sad",), "who": "col", "target": None},
    )
    assert [record.tags for record in found.records] == [{"mood": ("sad",)}]
    assert found.records[0].annotators == ("col",)
    row = {"id": "m1", "text": "Trop cher ici.", "target": None, "watchlist": None, "reason": "about: place or price"}
    assert found.disputes == [row]


def test_a_watchlist_that_has_grown_makes_no_other_mention_of_a_text() -> None:
    said = {"text": "Trop cher, Zenbia !", "target": "Lorivox"}
    record = one({**said, "watchlist": LORIVOX[:1], "tags": ("place",)}, {**said, "watchlist": LORIVOX})
    assert (record.watchlist, record.tags) == (LORIVOX, {"about": ("place",)})


def test_texts_that_are_read_alike_are_one_mention_and_a_dispute_keeps_its_watchlist() -> None:
    said = {"target": "Lorivox", "watchlist": LORIVOX}
    found = gathered(
        {"text": "Trop cher, Zenbia ! https://a.example/1", "tags": ("price",), **said},
        {"text": "Trop  cher, Zenbia ! https://a.example/2", "tags": (), "who": "ben", **said},
    )
    assert (found.records, len(found.disputes)) == ([], 1)
    assert Watchlist.from_json(str(found.disputes[0]["watchlist"])).organisations == LORIVOX


def test_former_names_are_read_as_present_ones() -> None:
    found = gathered(
        {"tags": ("cost",)}, {"tags": ("price/level",), "who": "ben"}, {"group": "mood", "tags": ("glad",)}
    )
    assert [record.tags for record in found.records] == [{"about": ("price/level",), "mood": ("happy",)}]
    assert known(one({"wrong": ("cost",)})) == {"about/price/level": False}


def test_tags_that_are_no_more_are_told_by_the_corrections_id_and_skipped() -> None:
    found = gathered(
        {"tags": ("gone",)},
        {"tags": ("place",), "minutes": -1},  # taken back by what cannot be read
        {"group": "lost", "mention": "m2", "text": "Another."},
        {"group": "mood", "tags": ("happy", "sad"), "mention": "m2", "text": "Another."},
        {"tags": ("price",), "mention": "m2", "text": "Another."},
    )
    assert [record.tags for record in found.records] == [{"about": ("price",)}]
    assert [str(problem) for problem in found.problems] == [
        "correction 'c0': tags.about: no tag 'gone'. Legal: price, price/level, price/fees, place",
        "correction 'c2': tags: no group 'lost' in taxonomy small@1. Legal: mood, about",
        "correction 'c3': tags.mood: are happy, sad, and mood is exclusive. Give one of them",
    ]
    assert found.disputes == []


def test_one_whose_watchlist_an_earlier_release_took_is_told_and_skipped() -> None:
    twice = (Organisation("SFR"), Organisation("sfr", "competitor"))
    found = gathered({"watchlist": twice}, {"mention": "m2", "text": "Another."})
    assert [record.text for record in found.records] == ["Another."]
    assert [str(problem) for problem in found.problems] == [
        "correction 'c0': watchlist.sfr: is listed twice. Keep one entry"
    ]
