"""The authors whom most people may have read, where an export says how many."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from serving.report.facts import Author

_ROOM = 2_000
_SHOWN = 15
_SHORT = re.compile(r"(\d+)(?:[.,](\d+))?\s*([kKmM])")
_NUMBER = re.compile(r"(\d{1,3}(?:[ ., \u00a0\u202f'’]\d{3})+|\d+)(?:[.,](\d+))?\s*([kKmM])?")
_TIMES = {"": 1, "k": 1_000, "m": 1_000_000}
_MOST = 1e15
"""So many people there are not: such a number is an id, or a slip."""


@dataclass
class _Seen:
    reach: int = 0
    rows: int = 0
    tags: Counter[str] = field(default_factory=Counter)


class Authors:
    """Authors by their widest reach; at most twice 2,000 are held, and those of the least reach go first."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def add(self, name: str, reach: int, tags: Iterable[str]) -> None:
        """One more row of an author."""
        seen = self._seen.get(name)
        if seen is None:
            if len(self._seen) >= 2 * _ROOM:
                self._purge()
            seen = self._seen[name] = _Seen()
        seen.reach = max(seen.reach, reach)
        seen.rows += 1
        seen.tags.update(tags)

    def widest(self) -> list[Author]:
        """Those of the widest reach; none if no reach is known."""
        return [
            Author(name=name, reach=seen.reach, rows=seen.rows, tags=[tag for tag, _ in seen.tags.most_common(3)])
            for name, seen in self._sorted()[:_SHOWN]
            if seen.reach
        ]

    def _sorted(self) -> list[tuple[str, _Seen]]:
        return sorted(self._seen.items(), key=lambda item: (-item[1].reach, -item[1].rows, item[0]))

    def _purge(self) -> None:
        self._seen = dict(self._sorted()[:_ROOM])


@lru_cache(4096)
def reach_of(cell: str) -> int:
    """A number of people as exports write it (`12 345`, `12,345`, `12.3K`, `1,2 M`); 0 if a cell says none.

    Before K or M a lone dot or comma is the decimal sign, however many digits follow it.
    """
    found = _SHORT.fullmatch(cell.strip()) or _NUMBER.fullmatch(cell.strip())
    if not found:
        return 0
    whole = "".join(letter for letter in found[1] if letter.isdecimal())
    people = float(f"{whole}.{found[2] or 0}") * _TIMES[(found[3] or "").lower()]
    return round(people) if people < _MOST else 0
