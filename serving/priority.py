"""How pressing a tagged mention is, why, and whose: rules over its tags, of which the first that fits counts.

Rules are made for one tag set, from a file that its owner can edit (`serving/rules.py`). Nothing here knows the name
of a group, tag or department.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from model.tagger import Tagged, Tags
from model.watchlist import Organisation, Role, Watchlist, considered

Level = Literal["urgent", "high", "normal", "low"]
Standing = Role | Literal["nobody"]
"""What the organisation that tags are towards is to the listener; `nobody` for tags of the text as it is."""
Answered = Literal["yes", "no", "unknown"]

LEVELS: tuple[Level, ...] = get_args(Level)
"""The most pressing first."""
STANDINGS: tuple[Standing, ...] = (*get_args(Role), "nobody")
ANSWERED: Mapping[bool | None, Answered] = {True: "yes", False: "no", None: "unknown"}


@dataclass(frozen=True)
class Priority:
    """How pressing a mention is, why in one line, and the department that it belongs to, by its name in the rules."""

    level: Level
    reason: str
    owner: str | None


@dataclass(frozen=True)
class Rule:
    """Conditions that must all hold, and what follows.

    A reference is a group, or `group/path`; it holds for the tags below it too. One without conditions always fits.
    """

    name: str
    level: Level
    reason: Mapping[str, str]
    """Language code → why, in one line."""
    owner: str | None = None
    """The department, whatever the tags; None for the one that a tag belongs to."""
    all: frozenset[str] = frozenset()
    any: frozenset[str] = frozenset()
    none: frozenset[str] = frozenset()
    min_score: float = 0.0
    """The least score of the tags that `all` and `any` ask for."""
    towards: frozenset[Standing] = frozenset(STANDINGS)
    answered: frozenset[Answered] = frozenset(ANSWERED.values())

    def fits(self, scores: Mapping[str, float]) -> bool:
        """Whether its conditions on tags hold for the references that are there, each with its score."""
        if not (self.all <= scores.keys() and self.none.isdisjoint(scores)):
            return False
        if self.any and self.any.isdisjoint(scores):
            return False
        if not self.min_score:
            return True
        return all(scores[tag] >= self.min_score for tag in self.all) and (
            not self.any or any(scores.get(tag, -1.0) >= self.min_score for tag in self.any)
        )

    def asks_for(self, tag: str) -> bool:
        """Whether it names a tag, or one above it, as one that must be there."""
        return any(within(tag, named) for named in self.all | self.any)

    @property
    def impossible(self) -> bool:
        """Whether it asks for tags that it rules out."""
        ruled_out = {tag for tag in self.all | self.any if any(within(tag, named) for named in self.none)}
        return bool(ruled_out & self.all) or (bool(self.any) and self.any <= ruled_out)

    def hides(self, later: Rule) -> bool:
        """Whether it fits wherever `later` does, so that `later` never counts. May be False where it is so."""
        return (
            self.towards >= later.towards
            and self.answered >= later.answered
            and (self.min_score <= later.min_score or not (self.all or self.any))
            and all(later._surely({tag}) for tag in self.all)
            and (not self.any or later._surely(self.any))
            and all(any(within(tag, named) for named in later.none) for tag in self.none)
        )

    def _surely(self, wanted: frozenset[str] | set[str]) -> bool:
        """Whether one of `wanted` is there wherever this rule fits."""

        def there(tag: str) -> bool:
            return any(within(tag, named) for named in wanted)

        return any(map(there, self.all)) or (bool(self.any) and all(map(there, self.any)))


@dataclass(frozen=True)
class _Reading:
    """The tags towards one organisation, or of the text as it is: reference → the best score at or below it."""

    name: str | None
    scores: Mapping[str, float]
    rule: Rule

    @property
    def rank(self) -> int:
        return LEVELS.index(self.rule.level)


class Priorities:
    """The rules of one tag set, and whose its tags are.

    `rules` are tried in order; `default` is what follows if none fits, and its owner whose a mention is of which no
    tag belongs to a department. `owners` are departments by reference.
    """

    def __init__(self, rules: Sequence[Rule], *, default: Rule, owners: Mapping[str, str]) -> None:
        self._default = default
        self._owners = owners
        last = replace(default, owner=None)  # even of what no rule fits, a tag's department comes first
        self._rules: dict[tuple[str, Answered], tuple[Rule, ...]] = {
            (standing, answered): tuple(
                rule for rule in (*rules, last) if standing in rule.towards and answered in rule.answered
            )
            for standing in STANDINGS
            for answered in ANSWERED.values()
        }

    def of(self, tagged: Tagged, *, target: Organisation | None, answered: bool | None) -> Priority:
        """The priority of a mention whose own tags are towards `target`.

        It is the most pressing of its own tags' and of those towards every organisation that it names; of equals, its
        own, then that of the organisation that the watchlist has first. Where it names others and not its own target,
        a rule counts for its own tags only if it does not fit what is said to one of the others. The reason is in the
        mention's language if the rules have it, else in English, and names the organisation.
        """
        name, standing = (target.name, target.role) if target else (None, "nobody")
        given = ANSWERED[answered]
        others = [(other, _scores(other.tags)) for other in tagged.targets if other.name != name]
        elsewhere = [scores for _, scores in others] if len(others) == len(tagged.targets) else []
        best = self._read(name, self._rules[standing, given], _scores(tagged.tags), elsewhere)
        for other, scores in others:
            read = self._read(other.name, self._rules[other.role, given], scores)
            best = read if read.rank < best.rank else best
        reason = _in_language(best.rule.reason, tagged.lang)
        if best.name:
            reason = f"{reason} ({' '.join(best.name.split())})"
        return Priority(best.rule.level, reason, best.rule.owner or self._owner(best) or self._default.owner)

    @staticmethod
    def _read(
        name: str | None,
        rules: Sequence[Rule],
        scores: Mapping[str, float],
        elsewhere: Sequence[Mapping[str, float]] = (),
    ) -> _Reading:
        """By the first rule that fits `scores` and none of `elsewhere`; the last one always counts."""
        fitting = (rule for rule in rules[:-1] if rule.fits(scores) and not any(map(rule.fits, elsewhere)))
        return _Reading(name, scores, next(fitting, rules[-1]))

    def _owner(self, reading: _Reading) -> str | None:
        """Whose the tag is that decides: one that the rule asks for, then the deepest, then the likeliest."""
        owned = {tag: owner for tag in reading.scores if (owner := self._owner_of(tag))}
        if not owned:
            return None
        asked, scores = reading.rule.asks_for, reading.scores
        return owned[max(owned, key=lambda tag: (asked(tag), tag.count("/"), scores[tag]))]

    def _owner_of(self, tag: str) -> str | None:
        """Whose a tag is: its own department, or that of the nearest above it."""
        while tag and tag not in self._owners:
            tag = tag.rpartition("/")[0]
        return self._owners.get(tag)


def within(tag: str, named: str) -> bool:
    """Whether a reference is `named`, or lies below it."""
    return tag == named or tag.startswith(f"{named}/")


def own_target(watchlist: Watchlist, target: str | None) -> Organisation | None:
    """The organisation that a mention's own tags are towards; None if they are of the text as it is.

    WatchlistError if the watchlist does not name `target`.
    """
    watchlist, name = considered(watchlist, target)
    return watchlist.get(name) if name else None


def _scores(tags: Tags) -> dict[str, float]:
    """Every reference that holds, with the best score at or below it."""
    found: dict[str, float] = {}
    for group, scores in tags.items():
        for score in scores:
            reference = f"{group}/{score.tag}"
            while reference and found.get(reference, -1.0) < score.score:
                found[reference] = score.score
                reference = reference.rpartition("/")[0]
    return found


def _in_language(texts: Mapping[str, str], language: str) -> str:
    """In `language` (`fr`, or `fr-CA`), else in English, else in the first that there is."""
    code = language.replace("_", "-").partition("-")[0].lower()
    return texts.get(code) or texts.get("en") or next(iter(texts.values()))
