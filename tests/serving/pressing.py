"""Mentions as a model tags them, written by hand, and what the shipped rules say of them."""

from __future__ import annotations

from collections.abc import Sequence

from model.decode import Score
from model.tagger import Tagged, Tags, TargetTags
from model.taxonomy import DEFAULT, Taxonomy
from model.watchlist import Organisation
from serving.priority import Priorities, Priority
from serving.rules import SHIPPED, Rules

LISTENING = Taxonomy.load(DEFAULT)
RULES = Rules.load(SHIPPED)
PRIORITIES: Priorities = RULES.on(LISTENING)
FREE, ORANGE = Organisation("Free"), Organisation("Orange", "competitor")


def tags(*labels: str, score: float = 0.9) -> Tags:
    """The tags of "churn" or "service/outage", each with its parents, the first the likeliest."""
    found: dict[str, dict[str, float]] = {group.name: {} for group in LISTENING.groups}
    for place, label in enumerate(labels):
        group = next(group for group in LISTENING.groups if label in group.index)
        for path in sorted(group.close([label])):
            found[group.name].setdefault(path, score - place / 100)
    return {group: tuple(Score(path, likely) for path, likely in scores.items()) for group, scores in found.items()}


def judged(
    *labels: str,
    towards: Organisation | None = FREE,
    answered: bool | None = None,
    others: Sequence[tuple[Organisation, Tags]] = (),
    lang: str = "en",
) -> Priority:
    """What the shipped rules say of a mention with these tags."""
    targets = tuple(TargetTags(other.name, other.role, given) for other, given in others)
    return PRIORITIES.of(Tagged("m", lang, tags(*labels), targets), target=towards, answered=answered)
