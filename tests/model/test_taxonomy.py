"""The tag set: the one that ships, and the file format."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from model.errors import TaxonomyError
from model.taxonomy import DEFAULT, Taxonomy

INTENTS = "purchase friction churn help suggestion praise"
TOPICS = {
    "digital": "website app account checkout",
    "support": "wait no_answer agent",
    "delivery": "delay condition options",
    "price": "level promotion fees",
    "billing": "charge refund payment",
    "product": "quality availability feature safety",
    "service": "outage performance",
    "contract": "cancellation terms",
    "place": "staff access comfort",
    "brand": "advertising ethics partnership news",
    "trust": "privacy fraud",
}
LANGUAGES = {"en", "fr", "it"}
SMALL = """
name = "small"
version = "2"
[groups.mood]
kind = "exclusive"
title = { en = "Mood" }
[groups.mood.tags.happy]
former = ["glad", "joyful"]
[groups.mood.tags.sad]
[groups.about]
[groups.about.tags.price]
[groups.about.tags."price/level"]
[groups.about.tags."price/level/rise"]
"""


@pytest.fixture(scope="module")
def shipped() -> Taxonomy:
    return Taxonomy.load(DEFAULT)


@pytest.fixture(scope="module")
def small() -> Taxonomy:
    return Taxonomy.parse(SMALL)


def test_the_shipped_tag_set_is_whole(shipped: Taxonomy) -> None:
    topics = [
        path for parent, leaves in TOPICS.items() for path in (parent, *(f"{parent}/{x}" for x in leaves.split()))
    ]
    assert shipped.id == "listening@1.0"
    assert [(group.name, group.kind) for group in shipped.groups] == [
        ("intent", "multi-label"),
        ("topic", "multi-label"),
    ]
    assert shipped.group("intent").paths == tuple(INTENTS.split())
    assert shipped.group("topic").paths == tuple(topics)
    assert set(shipped.group("topic").leaves) == {path for path in topics if "/" in path}


def test_every_shipped_tag_has_a_title_and_a_description_in_three_languages(shipped: Taxonomy) -> None:
    for group in shipped.groups:
        assert set(group.title) == LANGUAGES
        for tag in group.tags:
            assert set(tag.title) == set(tag.description) == LANGUAGES, tag.path
            assert all(text.strip() for text in [*tag.title.values(), *tag.description.values()]), tag.path


def test_every_shipped_description_says_what_the_tag_is_not(shipped: Taxonomy) -> None:
    negation = {"en": "Not ", "fr": "Pas ", "it": "Non "}
    for group in shipped.groups:
        for tag in group.tags:
            for language, word in negation.items():
                assert f" {word}" in tag.description[language], (tag.path, language)


def test_no_two_shipped_tags_of_a_group_look_the_same_to_a_reader(shipped: Taxonomy) -> None:
    for group in shipped.groups:
        for language in LANGUAGES:
            assert len({tag.title[language] for tag in group.tags}) == len(group.tags), (group.name, language)
            assert len({tag.description[language] for tag in group.tags}) == len(group.tags), (group.name, language)


def test_the_shipped_groups_are_described_too() -> None:
    groups = tomllib.loads(DEFAULT.read_text(encoding="utf-8"))["groups"]
    assert all(set(group["description"]) == LANGUAGES for group in groups.values())


def test_outputs_are_in_the_order_of_the_file(small: Taxonomy) -> None:
    assert small.labels == (
        "mood/happy",
        "mood/sad",
        "about/price",
        "about/price/level",
        "about/price/level/rise",
    )
    assert small.slices == {"mood": slice(0, 2), "about": slice(2, 5)}
    assert small.group("about").leaves == ("price/level/rise",)
    assert [group.nested for group in small.groups] == [False, True]


def test_a_tag_set_survives_a_round_trip_through_json(shipped: Taxonomy, small: Taxonomy) -> None:
    for taxonomy in (shipped, small):
        assert Taxonomy.from_dict(json.loads(json.dumps(taxonomy.to_dict()))) == taxonomy


def test_a_former_name_leads_to_the_present_one(small: Taxonomy) -> None:
    mood = small.group("mood")
    assert [mood.current(name) for name in ("glad", "joyful", "happy")] == ["happy"] * 3


def test_an_unknown_tag_or_group_is_named_with_the_legal_ones(small: Taxonomy) -> None:
    with pytest.raises(TaxonomyError, match=r"tags\.mood: no tag 'angry'\. Legal: happy, sad"):
        small.group("mood").current("angry")
    with pytest.raises(TaxonomyError, match=r"no group 'colour' in taxonomy small@2\. Legal: mood, about"):
        small.group("colour")


def test_a_tag_brings_all_its_ancestors(small: Taxonomy) -> None:
    about = small.group("about")
    assert about.close(["price/level/rise"]) == {"price", "price/level", "price/level/rise"}
    assert about.close(["price"]) == {"price"}
    assert about.close([]) == set()


@pytest.mark.parametrize(
    ("content", "where", "remedy"),
    [
        ("name = [", "f.toml", ""),
        ("version = '1'", "f.toml: name", 'Add name = "…"'),
        ("name = 'x'\nversion = 1", "f.toml: version", 'Add version = "…"'),
        ("name = 'x'\nversion = '1'", "f.toml: groups", "Add a table [groups.NAME]"),
        ("name = '../x'\nversion = '1'", "f.toml: name", "Leave out slashes"),
        ("name = '.x'\nversion = '1'", "f.toml: name", "a point at the beginning"),
        ("[groups]", "f.toml: groups", "Add a table [groups.NAME]"),
        ("[groups]\na = 3", "f.toml: groups.a", "Write [groups.NAME]"),
        ("[groups.'a b'.tags.t]", "f.toml: groups.a b", "a-z, 0-9, _ and -"),
        ("[groups.'a/b'.tags.t]", "f.toml: groups.a/b", "a-z, 0-9, _ and -"),
        ("[groups.a]\nkind = 'both'\n[groups.a.tags.t]", "f.toml: groups.a.kind", "multi-label, exclusive"),
        ("[groups.a]", "f.toml: groups.a.tags", "Add a table [groups.a.tags.TAG]"),
        ("[groups.a.tags]\nt = 'x'", "f.toml: groups.a.tags.t", "parent/child"),
        ("[groups.a.tags.T]", "f.toml: groups.a.tags.T", "a-z, 0-9, _ and -"),
        ("[groups.a.tags.'t/']", "f.toml: groups.a.tags.t/", "parent/child"),
        ("[groups.a.tags.'p/t']", "f.toml: groups.a.tags.p/t", "Add the parent to the file"),
        ("[groups.a.tags.t]\ntitle = 'x'", "f.toml: groups.a.tags.t.title", "Write { en = "),
        ("[groups.a.tags.t]\ndescription.en = 1", "f.toml: groups.a.tags.t.description", "Write { en = "),
        ("[groups.a.tags.t]\nformer = 'x'", "f.toml: groups.a.tags.t.former", ""),
        ("[groups.a.tags.t]\nformer = ['t']", "f.toml: groups.a.tags.t.former", ""),
        ("[groups.a.tags.t]\nformer = ['o']\n[groups.a.tags.u]\nformer = ['o']", "f.toml: groups.a.tags.u.former", ""),
    ],
)
def test_a_bad_file_is_refused_with_the_key_and_the_remedy(content: str, where: str, remedy: str) -> None:
    head = "" if "name = " in content or "version" in content else "name = 'x'\nversion = '1'\n"
    with pytest.raises(TaxonomyError) as caught:
        Taxonomy.parse(head + content, source="f.toml")
    assert caught.value.where == where
    assert remedy in caught.value.remedy


def test_a_file_that_is_missing_or_no_text_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.toml", "binary.toml"):
        with pytest.raises(TaxonomyError, match=name):
            Taxonomy.load(tmp_path / name)
