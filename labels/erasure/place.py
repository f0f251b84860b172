"""Where mentions are kept, and the way through all such places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from labels.erasure.asked import Asked
from model.errors import TympanError

_NEEDED = "is kept until nothing else is left, since it says what text the id has. Run it again"


@dataclass
class Found:
    """What a place holds of what was asked for, or what was erased there."""

    looked: int = 0
    """How many things were looked through."""
    counts: Counter[str] = field(default_factory=Counter)
    """What → how many."""
    texts: set[str] = field(default_factory=set)
    """The forms of texts that are there under an id that was asked for."""
    notes: list[str] = field(default_factory=list)
    """What else goes with it."""
    left: list[str] = field(default_factory=list)
    """What cannot be looked through or erased now, and why."""


class Place(Protocol):
    """`look` changes nothing. Both raise a TympanError if the place cannot be used."""

    kind: str
    where: str

    def look(self, asked: Asked) -> Found: ...

    def erase(self, asked: Asked) -> Found: ...


def erase(
    places: Sequence[Place],
    asked: Asked,
    *,
    dry_run: bool = False,
    each: Callable[[str], None] = lambda _: None,
) -> list[Found]:
    """What was erased in each of `places`, or with `dry_run` what would be. `each` is called with what is done.

    Places know a mention by different ids, and all by its text: what one of them has under an id that was asked for is
    erased from the others by its text. All are looked through before anything is erased, so that a place that cannot be
    used refuses it all; one that fails after that is told of, and the others go on. Those that say what text an id has
    come last, and stay while something is left in a place that does not: a second run could not find it otherwise.
    """
    found = [_told("Looking through", place, each).look(asked) for place in places]
    whole = asked.also(text for one in found for text in one.texts)
    if dry_run:
        return found if whole == asked else [_told("Looking through", place, each).look(whole) for place in places]
    done: dict[int, Found] = {}
    for number in sorted(range(len(places)), key=lambda number: bool(found[number].texts - asked.texts)):
        place, before = places[number], found[number]
        told = before.texts - asked.texts
        if any(one.left and told - found[other].texts for other, one in done.items()):
            done[number] = Found(before.looked, left=[f"{place.kind}: {_NEEDED}"])
        else:
            done[number] = _erased(_told("Erasing from", place, each), whole, before.looked)
    return [done[number] for number in range(len(places))]


def _erased(place: Place, asked: Asked, looked: int) -> Found:
    try:
        return place.erase(asked)
    except TympanError as error:
        return Found(looked, left=[str(error)])


def _told(what: str, place: Place, each: Callable[[str], None]) -> Place:
    each(f"{what} {place.kind}")
    return place
