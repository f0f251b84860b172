"""Records into training, validation and test: the same mix of languages and tags, no text on two sides."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from labels.duplicates import SAME_SIDE, families
from labels.errors import DatasetError
from labels.record import Record
from model.language import UNKNOWN

FRACTIONS: Mapping[str, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}
LARGE = 0.01
"""The share of all records from which a family of alike ones is hard to place."""

Stratum = tuple[str, ...]
"""What is shared out evenly: a language, a tag of a group, or a tag in one language."""


@dataclass(frozen=True, eq=False)
class _Family:
    """Records that stay together: their positions, and how many of them are in each stratum."""

    members: tuple[int, ...]
    strata: Mapping[Stratum, int]


def split(
    records: Sequence[Record],
    *,
    seed: int = 0,
    fractions: Mapping[str, float] = FRACTIONS,
    threshold: float = SAME_SIDE,
    fixed: Mapping[str, str] | None = None,
) -> dict[str, list[Record]]:
    """Side → its records, in the order given. Neither that order nor anything but `seed` and `fixed` changes the sides.

    Records whose texts are alike by `threshold` or more stay on one side. `fixed` (record's id → side) says where some
    were before: they and what is like them stay there, on the smallest side if there were several. DatasetError if
    there are no records or the fractions do not sum to 1.
    """
    if not records:
        raise DatasetError("records", "are none", "Give at least one record")
    if min(fractions.values(), default=-1) < 0 or abs(sum(fractions.values()) - 1) > 1e-6:
        shown = ", ".join(f"{name} {fraction:g}" for name, fraction in fractions.items())
        raise DatasetError("fractions", f"are {shown}", "Give fractions of 0 or more that sum to 1")
    wanted = {name: fraction for name, fraction in fractions.items() if fraction > 0}
    every = _stratified(records, wanted, threshold)
    placed = {family: _placed(records, family, fixed or {}, fractions) for family in every}
    side_of = _shared_out(every, placed, wanted, random.Random(seed))  # noqa: S311  no secret
    sides: dict[str, list[Record]] = {name: [] for name in fractions}
    for position, record in enumerate(records):
        sides[side_of[position]].append(record)
    return sides


def _stratified(records: Sequence[Record], fractions: Mapping[str, float], threshold: float) -> list[_Family]:
    """Sort the families, each with its strata that are large enough to be shared out."""
    strata = [list(_strata(record)) for record in records]
    sizes = Counter(stratum for found in strata for stratum in found)
    smallest = min(fractions.values())
    found = []
    for members in families(records, threshold):
        counts = Counter(stratum for member in members for stratum in strata[member])
        # A tag in one language is balanced by itself only where every side can expect one; below that, rounding
        # each language apart would leave the small sides without the tag.
        kept = {key: count for key, count in counts.items() if len(key) < 3 or sizes[key] * smallest >= 1}
        found.append(_Family(tuple(members), kept))
    return sorted(found, key=lambda family: min(records[member].id for member in family.members))


def _strata(record: Record) -> Iterator[Stratum]:
    lang = record.lang or UNKNOWN
    yield (lang,)
    for group in record.tags:
        for path in record.closed(group) or {""}:  # none of them is a stratum too
            yield (group, path)
            yield (group, path, lang)


def _placed(
    records: Sequence[Record], family: _Family, fixed: Mapping[str, str], fractions: Mapping[str, float]
) -> str | None:
    """The side on which a family was before, or None: the smallest, since what was tested on is never learnt."""
    sides = {fixed[records[member].id] for member in family.members if records[member].id in fixed}
    return min(sides & set(fractions), key=lambda side: (fractions[side], side), default=None)


def _shared_out(
    families: Sequence[_Family],
    placed: Mapping[_Family, str | None],
    fractions: Mapping[str, float],
    chance: random.Random,
) -> dict[int, str]:
    """Position → side, by iterative stratification over families instead of single records.

    The rarest stratum goes first, each family of it to the side that lacks that stratum most (Sechidis, Tsoumakas
    and Vlahavas, "On the stratification of multi-label data", 2011). Libraries that do this (iterative-
    stratification, scikit-multilearn) keep no families together.
    """
    left = _totals(families)
    lacking = {name: {key: fraction * count for key, count in left.items()} for name, fraction in fractions.items()}
    room = {name: fraction * sum(len(family.members) for family in families) for name, fraction in fractions.items()}
    large = max(2, math.ceil(LARGE * sum(len(family.members) for family in families)))
    waiting = chance.sample(families, len(families))
    # The large ones first, while every side has room; small ones, such as a mention's targets, as chance has it,
    # since what comes first goes to the largest side.
    waiting.sort(key=lambda family: -(len(family.members) // large))
    side_of: dict[int, str] = {}

    def place(family: _Family, side: str) -> None:
        side_of.update(dict.fromkeys(family.members, side))
        room[side] = room.get(side, 0) - len(family.members)
        for key, count in family.strata.items():
            left[key] -= count
            if side in lacking:
                lacking[side][key] -= count

    for family in families:
        if side := placed[family]:
            place(family, side)
    waiting = [family for family in waiting if not placed[family]]
    while waiting:
        rarest = min((key for key, count in left.items() if count > 0), key=lambda key: (left[key], key))
        for family in [family for family in waiting if rarest in family.strata]:
            place(family, max(fractions, key=lambda name: (lacking[name][rarest], room[name], chance.random())))
        waiting = [family for family in waiting if rarest not in family.strata]
    return side_of


def _totals(families: Sequence[_Family]) -> Counter[Stratum]:
    totals: Counter[Stratum] = Counter()
    for family in families:
        totals.update(family.strata)
    return totals
