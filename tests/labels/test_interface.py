"""The labelling page's configuration, and tags to and from what it stores."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labels.interface import NONE, configuration, fits, from_result, shows, to_result
from model.taxonomy import DEFAULT, Taxonomy
from tests.bundles import tiny_taxonomy

LISTENING = Taxonomy.load(DEFAULT)
TINY = tiny_taxonomy(exclusive=True)


def page(language: str) -> Element:
    return ElementTree.fromstring(configuration(LISTENING, language=language))  # noqa: S314  made here


@pytest.mark.parametrize("language", ["fr", "it", "en"])
@pytest.mark.parametrize("taxonomy", [LISTENING, TINY])
def test_a_page_fits_the_tags_that_it_was_made_of_in_every_language(taxonomy: Taxonomy, language: str) -> None:
    assert fits(configuration(taxonomy, language=language), taxonomy) == []
    assert shows(configuration(taxonomy, language=language), taxonomy) == []


def test_titles_are_of_the_labellers_language_and_aliases_are_paths() -> None:
    view = page("it")
    options = {option.get("alias"): option.get("value") for option in view.iter("Choice")}
    assert options["churn"] == "Abbandono"
    assert options[NONE] == "Nessuno di questi"


def test_every_option_of_a_flat_group_has_a_key_of_its_own() -> None:
    view = page("en")
    keys = [option.get("hotkey") for option in view.find("Choices") or []]
    assert None not in keys
    assert len(set(keys)) == len(keys) == 7


def test_what_a_page_lacks_and_has_too_much_is_said_by_name() -> None:
    schema = configuration(TINY).replace('alias="churn"', 'alias="goodbye"').replace('name="topic"', 'name="subject"')
    assert fits(schema, TINY) == ["intent lacks churn", "intent has unknown goodbye", "no field 'topic'"]
    assert fits("<View>", TINY) == ["its configuration is no XML"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('toName="text"', 'toName="words"', [f"{group.name} is not to 'text'" for group in TINY.groups]),
        ('choice="multiple"', 'choice="single"', ['intent lacks choice="multiple"']),
        ('value="$text"', 'value="$words"', ["no Text 'text' with the value $text"]),
        ("Choices", "Taxonomy", ["intent is Taxonomy, not Choices"]),
        ('alias="churn"', 'alias="goodbye"', ["intent lacks churn", "intent has unknown goodbye"]),
    ],
)
def test_what_keeps_a_page_from_showing_suggestions_is_said_by_field(old: str, new: str, told: list[str]) -> None:
    assert shows(configuration(TINY).replace(old, new), TINY) == told


@given(st.data())
def test_tags_come_back_as_they_went(data: st.DataObject) -> None:
    tags = {}
    for group in LISTENING.groups:
        chosen = data.draw(st.none() | st.sets(st.sampled_from(group.leaves)))
        if chosen is not None:
            tags[group.name] = tuple(sorted(chosen, key=group.index.__getitem__))
    answer = from_result(to_result(tags, LISTENING), LISTENING)
    assert {name: set(paths) for name, paths in answer.tags.items()} == {n: set(p) for n, p in tags.items()}
    assert answer.problems == ()


def test_a_parent_that_follows_from_its_leaf_is_not_said_twice() -> None:
    assert to_result({"topic": ("price", "price/level")}, LISTENING)[0]["value"] == {"taxonomy": [["price", "level"]]}


def choices(*values: object, name: str = "intent") -> dict[str, object]:
    return {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": list(values)}}


@pytest.mark.parametrize(
    ("region", "problem"),
    [
        (choices("rage"), 'intent: unknown "rage"'),
        (choices(NONE, "churn"), "intent: none of them together with churn"),
        (choices("positive", "neutral", name="sentiment"), "several tags of an exclusive group: positive, neutral"),
        (choices("happy", name="mood"), "unknown field 'mood'"),
        ({"from_name": "intent", "type": "choices", "value": None}, "intent: unreadable answer"),
        ({}, "unknown field 'None'"),
    ],
)
def test_an_illegal_answer_leaves_its_group_open_and_says_why(region: dict[str, object], problem: str) -> None:
    answer = from_result([region, *to_result({"topic": ("price",)}, TINY)], TINY)
    assert answer.tags == {"topic": ("price",)}
    assert any(problem in found for found in answer.problems)


def test_former_names_count_as_present_ones() -> None:
    text = 'name="n"\nversion="1"\n[groups.intent]\n[groups.intent.tags.leaving]\nformer=["churn"]\n'
    assert from_result([choices("churn")], Taxonomy.parse(text)).tags == {"intent": ("leaving",)}
