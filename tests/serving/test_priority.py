"""How pressing a mention is: the rules that ship, and the way that rules are read."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.decode import Score
from model.errors import WatchlistError
from model.tagger import Tagged, TargetTags
from model.watchlist import Organisation, Watchlist
from serving.priority import ANSWERED, LEVELS, STANDINGS, Priorities, Rule, own_target
from tests.serving.pressing import FREE, LISTENING, ORANGE, PRIORITIES, RULES, judged, tags

PARTNER, SPONSOR = Organisation("La Poste", "partner"), Organisation("Rugby Club", "sponsor")


@pytest.mark.parametrize("towards", [FREE, Organisation("Freebox", "product"), None])
@pytest.mark.parametrize("answered", [False, None])
def test_who_leaves_us_and_has_had_no_reply_is_urgent(towards: Organisation | None, answered: bool | None) -> None:
    found = judged("churn", towards=towards, answered=answered)
    assert (found.level, found.owner) == ("urgent", "care")
    assert found.reason.startswith("Means to leave, and no reply is known")


@pytest.mark.parametrize(("topic", "owner"), [("product/safety", "quality"), ("trust/fraud", "security")])
@pytest.mark.parametrize("answered", [True, False, None])
def test_friction_with_safety_or_fraud_is_urgent_whoever_has_replied(topic: str, owner: str, answered: bool) -> None:
    found = judged("friction", topic, answered=answered)
    assert (found.level, found.owner) == ("urgent", owner)


def test_a_competitors_churn_is_a_high_opportunity() -> None:
    found = judged("churn", "service/outage", towards=ORANGE)
    assert (found.level, found.owner) == ("high", "sales")
    assert found.reason == "Opportunity: means to leave a competitor (Orange)"


@pytest.mark.parametrize(
    ("labels", "towards", "answered", "level", "owner"),
    [
        (("churn", "friction", "service/outage"), FREE, False, "urgent", "operations"),
        (("churn", "contract/cancellation"), FREE, True, "high", "care"),
        (("help", "trust/fraud"), FREE, None, "urgent", "security"),
        (("help", "trust/fraud"), FREE, True, "high", "security"),
        (("product/safety",), FREE, None, "high", "quality"),
        (("friction", "trust/privacy"), FREE, True, "high", "security"),
        (("friction", "service/outage"), FREE, True, "high", "operations"),
        (("friction", "service/performance"), FREE, None, "normal", "operations"),
        (("friction", "brand/ethics"), FREE, None, "high", "communications"),
        (("friction", "support/no_answer"), FREE, False, "high", "care"),
        (("friction", "billing/refund"), FREE, None, "high", "billing"),
        (("friction", "billing/refund"), FREE, True, "low", "billing"),
        (("purchase", "friction", "digital/checkout"), FREE, None, "high", "digital"),
        (("purchase", "product/feature"), FREE, None, "high", "sales"),
        (("purchase", "product/availability"), FREE, True, "low", "sales"),
        (("friction", "help", "digital/app"), FREE, False, "high", "digital"),
        (("help", "delivery/delay"), FREE, None, "normal", "logistics"),
        (("help",), FREE, None, "normal", "care"),
        (("help", "delivery/delay"), FREE, True, "low", "logistics"),
        (("suggestion", "product/feature"), FREE, True, "normal", "product"),
        (("praise", "place/staff"), FREE, None, "low", "premises"),
        (("praise",), FREE, None, "low", "care"),
        ((), FREE, None, "low", "care"),
        (("brand/news",), FREE, None, "low", "communications"),
        (("friction", "price/level"), ORANGE, None, "normal", "sales"),
        (("friction", "product/safety"), ORANGE, None, "normal", "quality"),
        (("praise",), ORANGE, None, "low", "care"),
        (("friction", "delivery/condition"), PARTNER, None, "normal", "communications"),
        (("friction", "trust/fraud"), SPONSOR, None, "high", "communications"),
    ],
)
def test_the_shipped_rules_are_sensible(
    labels: tuple[str, ...], towards: Organisation, answered: bool | None, level: str, owner: str
) -> None:
    found = judged(*labels, towards=towards, answered=answered)
    assert (found.level, found.owner) == (level, owner)


def test_every_shipped_rule_counts_for_some_mention() -> None:
    for rule in RULES.entries:
        towards = None if rule.towards[0] == "nobody" else Organisation("X", rule.towards[0])
        answered = {word: value for value, word in ANSWERED.items()}[rule.answered[0]]
        paths = [label.partition("/")[2] for label in (*rule.all, *rule.any[:1])]
        found = judged(*paths, towards=towards, answered=answered)
        assert found.reason.startswith(rule.reason["en"]), rule.name


def test_a_mention_of_several_organisations_is_as_pressing_as_the_most_pressing_of_them() -> None:
    found = judged("praise", others=[(FREE, tags("praise")), (ORANGE, tags("churn"))])
    assert (found.level, found.owner) == ("high", "sales")
    assert found.reason.endswith("(Orange)")
    box = Organisation("Freebox", "product")
    found = judged(others=[(ORANGE, tags("churn")), (box, tags("friction", "product/safety"))])
    assert (found.level, found.owner) == ("urgent", "quality")
    assert found.reason.endswith("(Freebox)")


def test_what_is_said_to_an_organisation_that_is_named_is_not_held_against_one_that_is_not() -> None:
    leaves_orange = judged("churn", others=[(ORANGE, tags("churn", "friction"))])
    assert (leaves_orange.level, leaves_orange.reason) == ("high", "Opportunity: means to leave a competitor (Orange)")
    leaves_us = judged("churn", others=[(ORANGE, tags("purchase"))])
    assert (leaves_us.level, leaves_us.reason) == ("urgent", "Means to leave, and no reply is known (Free)")
    leaves_both = judged("churn", others=[(FREE, tags("churn")), (ORANGE, tags("churn"))])
    assert (leaves_both.level, leaves_both.owner) == ("urgent", "care")
    joins_us = judged("churn", "purchase", others=[(ORANGE, tags("churn"))])
    assert joins_us.reason == "Means to buy: a reply may make the sale (Free)"


def test_of_equally_pressing_organisations_the_mentions_own_comes_first_and_then_the_watchlists_order() -> None:
    churn = tags("churn")
    assert judged("purchase", others=[(ORANGE, churn)]).reason.endswith("(Free)")
    others = [(Organisation("SFR", "competitor"), churn), (ORANGE, churn)]
    assert judged("help", others=others).reason.endswith("(SFR)")


def test_the_reason_is_in_the_mentions_language_or_in_english_and_on_one_line() -> None:
    assert judged("churn", lang="fr").reason == "Veut partir, sans réponse connue (Free)"
    assert judged("churn", lang="it-CH").reason == "Vuole andarsene, e non risulta una risposta (Free)"
    for lang in ("de", "und", ""):
        assert judged("churn", lang=lang).reason == "Means to leave, and no reply is known (Free)"
    assert judged("churn", towards=None).reason == "Means to leave, and no reply is known"
    assert judged("churn", towards=Organisation("A\nB")).reason.endswith("(A B)")


def test_a_team_without_english_gets_its_own_language() -> None:
    only = Priorities([], default=Rule("default", "low", {"fr": "Rien", "it": "Niente"}), owners={})
    assert only.of(Tagged("m", "de", {}), target=None, answered=None).reason == "Rien"


def ruled(*rules: Rule, owners: dict[str, str] | None = None) -> Priorities:
    return Priorities(rules, default=Rule("default", "low", {"en": "nothing"}, "desk"), owners=owners or {})


def rule(level: str = "high", **conditions: object) -> Rule:
    return replace(Rule("r", level, {"en": level}), **conditions)  # type: ignore[arg-type]


def level(priorities: Priorities, *labels: str, score: float = 0.9) -> str:
    return priorities.of(Tagged("m", "en", tags(*labels, score=score)), target=None, answered=None).level


def test_the_first_rule_that_fits_counts_even_if_a_later_one_is_more_pressing() -> None:
    found = ruled(rule("normal", any={"intent/help"}), rule("urgent", any={"intent/friction"}))
    assert level(found, "friction", "help") == "normal"
    assert level(found, "friction") == "urgent"
    assert level(found, "praise") == "low"


def test_a_tag_holds_for_those_below_it_and_a_group_for_all_of_its_own() -> None:
    assert level(ruled(rule(all={"topic/service"})), "service/outage") == "high"
    assert level(ruled(rule(all={"topic/service/outage"})), "service") == "low"
    assert level(ruled(rule(all={"topic"})), "price") == "high"
    assert level(ruled(rule(none={"intent"})), "price") == "high"
    assert level(ruled(rule(none={"intent"})), "price", "help") == "low"


def test_a_least_score_is_asked_of_all_tags_or_of_one_of_any() -> None:
    both = ruled(rule(all={"intent/churn", "topic/price"}, min_score=0.9))
    assert level(both, "churn", "price") == "low"  # the second is at 0.89
    assert level(ruled(rule(any={"intent/churn", "topic/price"}, min_score=0.9)), "churn", "price") == "high"
    assert level(ruled(rule(any={"intent/churn"}, min_score=0.9)), "churn", score=0.89) == "low"


def test_a_mention_belongs_to_whose_tag_its_rule_asks_for_then_to_the_deepest_then_to_the_likeliest() -> None:
    owners = {
        "topic/service": "network",
        "topic/price": "sales",
        "topic/price/fees": "billing",
        "intent/churn": "loyalty",
    }

    def owner(asked: Rule, *labels: str) -> str | None:
        found = ruled(asked, owners=owners)
        return found.of(Tagged("m", "en", tags(*labels)), target=None, answered=None).owner

    anything = rule(none={"intent/praise"})
    assert owner(anything, "price/level", "service/outage") == "sales"
    assert owner(anything, "service/outage", "price/fees") == "network"
    assert owner(anything, "service", "price/fees") == "billing"
    assert owner(rule(all={"topic/price"}), "service/outage", "price") == "sales"
    assert owner(rule(all={"intent/churn"}), "service/outage", "churn") == "loyalty"
    assert owner(rule(all={"intent/churn"}, owner="boss"), "service/outage", "churn") == "boss"
    assert owner(anything, "help") == "desk"
    assert owner(rule(all={"intent/churn"}), "service/outage", "praise") == "network"


def test_tags_are_towards_the_target_or_the_only_brand_or_nobody() -> None:
    watched = Watchlist([FREE, ORANGE])
    assert own_target(watched, None) == FREE
    assert own_target(watched, "orange") == ORANGE
    assert own_target(Watchlist(), "Acquachiara") == Organisation("Acquachiara")
    assert own_target(Watchlist(), None) is None
    assert own_target(Watchlist([FREE, Organisation("SFR")]), None) is None
    with pytest.raises(WatchlistError):
        own_target(watched, "Bouygues")


TAGS = st.fixed_dictionaries(
    {
        group.name: st.lists(st.builds(Score, st.sampled_from(group.paths), st.floats(0, 1)), max_size=6).map(tuple)
        for group in LISTENING.groups
    }
)
ROLES = st.sampled_from([standing for standing in STANDINGS if standing != "nobody"])
NAMES = st.text(string.printable, min_size=1, max_size=20)


@given(
    own=TAGS,
    others=st.lists(st.builds(TargetTags, NAMES, ROLES, TAGS), max_size=4).map(tuple),
    target=st.none() | st.builds(Organisation, NAMES, ROLES),
    answered=st.sampled_from([True, False, None]),
    lang=st.text(max_size=8),
)
def test_whatever_the_tags_there_is_one_level_one_line_and_an_owner(
    own: dict[str, tuple[Score, ...]],
    others: tuple[TargetTags, ...],
    target: Organisation | None,
    answered: bool | None,
    lang: str,
) -> None:
    found = PRIORITIES.of(Tagged("m", lang, own, others), target=target, answered=answered)
    assert found.level in LEVELS
    assert len(found.reason.splitlines()) == 1
    assert found.owner in RULES.owners
    if target is None:
        more = TargetTags("another", "product", tags("churn", "friction", "product/safety"))
        pressed = PRIORITIES.of(Tagged("m", lang, own, (*others, more)), target=None, answered=answered)
        assert pressed.level == "urgent"
