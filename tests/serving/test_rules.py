"""The file of rules: what is refused in it, and with which words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.taxonomy import DEFAULT, Taxonomy
from serving.errors import PrioritiesError
from serving.rules import SHIPPED, Rules, priorities_for, told
from tests.bundles import TINY, tiny_taxonomy
from tests.serving.pressing import LISTENING

TEXT = """
taxonomy = "tiny"

[default]
level = "low"
reason.en = "Nothing"
owner = "care"

[[rule]]
name = "leaving"
all = ["intent/churn"]
towards = ["brand", "nobody"]
answered = ["no", "unknown"]
level = "urgent"
reason = { en = "Leaves", fr = "Part" }

[[rule]]
name = "trouble"
any = ["intent/friction", "intent/help"]
none = ["intent/praise"]
min_score = 0.5
level = "normal"
reason.en = "Trouble"
owner = "care"

[owners.care]
title.en = "Customer care"
tags = ["topic/service"]
"""


def refused(text: str, *said: str, taxonomy: Taxonomy | None = None) -> None:
    """One line that has all that is `said`."""
    with pytest.raises(PrioritiesError) as error:
        Rules.parse(text, source="mine.toml").on(taxonomy or tiny_taxonomy())
    line = str(error.value)
    assert line.startswith("mine.toml")
    assert len(line.splitlines()) == 1
    assert error.value.remedy
    for piece in said:
        assert piece in line


def test_the_file_of_these_tests_is_right() -> None:
    Rules.parse(TEXT).on(tiny_taxonomy())


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('level = "urgent"', 'level = "urgnt"', ("rule 'leaving': level", "'urgnt'", "'urgent', 'high'")),
        ('level = "low"\n', "", ("default.level: is missing", "Add it")),
        ("[default]", "[defaults]", ("defaults: is no known key", "Legal: taxonomy, default")),
        ('taxonomy = "tiny"', "", ("taxonomy: is missing",)),
        ('taxonomy = "tiny"', 'taxonomy = "listening"', ("taxonomy: is 'listening'", "'tiny'")),
        ('name = "leaving"', "", ("rule 1: name: is missing",)),
        ('name = "trouble"', 'name = "leaving"', ("rule 'leaving': name", "given twice")),
        ('name = "trouble"', 'name = ""', ("rule '': name", "is not one line")),
        ("answered = [", "answred = [", ("rule 'leaving': answred", "no known key", "towards, answered")),
        ('["no", "unknown"]', '["not"]', ("rule 'leaving': answered", "'not'", "'yes', 'no' or 'unknown'")),
        ('["brand", "nobody"]', '["us"]', ("rule 'leaving': towards", "'us'", "'competitor'")),
        ('["brand", "nobody"]', "[]", ("rule 'leaving': towards: is empty",)),
        ('all = ["intent/churn"]', 'all = "intent/churn"', ("rule 'leaving': all", "is no list")),
        ('all = ["intent/churn"]', "all = [3]", ("rule 'leaving': all", "3 is no text")),
        ('["intent/churn"]', '["churn"]', ("rule 'leaving': all", "'churn'", "tiny@1.0", "mean intent/churn?")),
        ('["topic/service"]', '["topic/servic"]', ("owners.care: tags", "mean topic/service")),
        ('["intent/churn"]', '["mood/dark"]', ("'mood/dark'", "Legal: intent, topic, intent/purchase")),
        ("min_score = 0.5", "min_score = 50", ("rule 'trouble': min_score: 50 is too large",)),
        ("min_score = 0.5", "min_score = 0.0", ("rule 'trouble': min_score", "above 0")),
        ("min_score = 0.5", 'min_score = "0.5"', ("rule 'trouble': min_score", "is no number")),
        ('any = ["intent/friction", "intent/help"]', "", ("rule 'trouble': min_score", "of no tag")),
        ('reason.en = "Trouble"', 'reason.en = "A\\nB"', ("rule 'trouble': reason.en", "is not one line")),
        ('reason.en = "Trouble"', 'reason = "Trouble"', ("rule 'trouble': reason", "is no table")),
        ('reason.en = "Trouble"', "reason = {}", ("rule 'trouble': reason: is empty",)),
        ('reason.en = "Trouble"', 'reason.english = "T"', ("rule 'trouble': reason.english", "no language code")),
        (
            'owner = "care"\n\n[owners',
            'owner = "it"\n\n[owners',
            ("rule 'trouble': owner", "'it'", "[owners.it]", "care"),
        ),
        ('owner = "care"\n\n[[', 'owner = "it"\n\n[[', ("default: owner", "'it'")),
        ("[owners.care]", '[owners."Customer care"]', ("'Customer care'", "no name of a department")),
        ('title.en = "Customer care"', "", ("owners.care: title: is missing",)),
        ('title.en = "Customer care"', 'titel.en = "C"', ("owners.care: titel", "Legal: title, tags")),
        ('["topic/service"]', '["topic/service", "topic/service"]', ("owners.care: tags", "belongs to care already")),
        ('none = ["intent/praise"]', 'none = ["intent"]', ("rule 'trouble': none", "rules out")),
    ],
)
def test_a_mistake_is_said_with_its_rule_its_field_its_value_and_what_to_do(
    right: str, wrong: str, said: tuple[str, ...]
) -> None:
    assert right in TEXT
    refused(TEXT.replace(right, wrong, 1), *said)


def test_what_is_no_toml_or_no_file_is_refused(tmp_path: Path) -> None:
    refused("taxonomy = tiny", "is not TOML", "line 1")
    refused("rule = 3\n" + TEXT.partition("[[rule]]")[0], "rule", "is no list")
    refused('rule = ["a"]\n' + TEXT.partition("[[rule]]")[0], "rule 1", "is no table")
    refused(TEXT.partition("[[rule]]")[0], "rule: is missing")
    (tmp_path / "latin.toml").write_bytes("# é".encode("latin-1"))
    for name in ("nowhere.toml", "latin.toml", "."):
        with pytest.raises(PrioritiesError, match="cannot be read as UTF-8 text"):
            Rules.load(tmp_path / name)


def with_rule(conditions: str, *, first: bool = False) -> str:
    """The text with one more rule, at the end or at the start."""
    rule = f'[[rule]]\nname = "new"\n{conditions}\nlevel = "high"\nreason.en = "New"\n\n'
    place = "[[rule]]" if first else "[owners"
    return TEXT.replace(place, rule + place, 1)


@pytest.mark.parametrize(
    "conditions",
    [
        'all = ["intent/churn"]\ntowards = ["brand"]\nanswered = ["no"]',
        'all = ["topic/price", "intent/churn"]\ntowards = ["nobody"]\nanswered = ["unknown"]',
        'any = ["intent/help"]\nnone = ["intent/praise", "topic"]\nmin_score = 0.5',
        'all = ["intent/friction"]\nnone = ["intent/praise"]\nmin_score = 0.7\nanswered = ["yes"]',
        'all = ["intent/help"]\nany = ["topic", "intent/churn"]\nnone = ["intent/praise"]\nmin_score = 0.5',
    ],
)
def test_a_rule_that_an_earlier_one_hides_is_refused(conditions: str) -> None:
    refused(with_rule(conditions), "rule 'new'", "never counts", "Move it up")
    Rules.parse(with_rule(conditions, first=True)).on(tiny_taxonomy())


@pytest.mark.parametrize(
    "conditions",
    [
        'all = ["intent/churn"]',
        'all = ["intent/churn"]\ntowards = ["brand", "competitor"]\nanswered = ["no"]',
        'any = ["intent/help"]\nnone = ["topic"]\nmin_score = 0.5',
        'any = ["intent/help", "intent/churn"]\nnone = ["intent/praise"]\nmin_score = 0.5',
        'any = ["intent/help"]\nnone = ["intent/praise"]\nmin_score = 0.4',
        'none = ["intent/praise"]\ntowards = ["sponsor"]',
    ],
)
def test_a_rule_that_still_counts_for_something_is_taken(conditions: str) -> None:
    Rules.parse(with_rule(conditions)).on(tiny_taxonomy())


def test_a_group_hides_its_tags_and_a_tag_those_below_it() -> None:
    for wide in ("topic", "topic/service"):
        text = with_rule(f'all = ["{wide}"]', first=True)
        narrow = '[[rule]]\nname = "narrow"\nall = ["topic/service/outage"]\nlevel = "high"\nreason.en = "N"\n[owners'
        refused(text.replace("[owners", narrow, 1), "rule 'narrow'", "rule 'new', above it")


def test_a_rule_without_conditions_is_the_default() -> None:
    refused(with_rule(""), "rule 'new': has no condition", "[default]")


def test_a_former_name_of_a_tag_is_understood() -> None:
    renamed = TINY.replace("[groups.intent.tags.churn]", '[groups.intent.tags.leaving]\nformer = ["churn"]')
    Rules.parse(TEXT).on(Taxonomy.parse(renamed))


def test_the_shipped_rules_are_for_whatever_tag_set_has_their_tags() -> None:
    ours = priorities_for(LISTENING, None)
    assert ours
    assert told(ours, None) == "Priorities by the rules that ship"
    more = DEFAULT.read_text(encoding="utf-8").replace('name = "listening"', 'name = "bank"', 1)
    assert priorities_for(Taxonomy.parse(more + "\n[groups.mood.tags.glad]\n"), None)
    assert priorities_for(tiny_taxonomy(), None) is None
    assert told(None, None).startswith("No priorities: ")


def test_a_file_of_ones_own_comes_first_and_must_be_for_the_models_tags() -> None:
    mine = Rules.parse(TEXT, source="mine.toml")
    assert told(priorities_for(tiny_taxonomy(), mine), mine) == "Priorities by the rules of mine.toml"
    with pytest.raises(PrioritiesError, match=r"mine\.toml: taxonomy: is 'tiny'"):
        priorities_for(LISTENING, mine)


def test_every_text_of_the_shipped_file_is_in_three_languages() -> None:
    rules = Rules.load(SHIPPED)
    texts = [
        rules.default.reason,
        *(rule.reason for rule in rules.entries),
        *(own.title for own in rules.owners.values()),
    ]
    assert {frozenset(text) for text in texts} == {frozenset({"en", "fr", "it"})}


@given(st.integers(0, len(TEXT)), st.integers(0, 40), st.text(max_size=5))
def test_a_file_with_any_damage_is_taken_or_refused_in_one_line(start: int, length: int, put: str) -> None:
    try:
        Rules.parse(TEXT[:start] + put + TEXT[start + length :]).on(tiny_taxonomy())
    except PrioritiesError as error:
        assert error.problem and error.remedy
