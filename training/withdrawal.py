"""Of the labels that were known, how many new ones take back: a few are mistakes mended, many a tag that is lost.

Labels that are wrong are seldom wrong at random: one person, or one mapping of columns, denies one tag. Training that
clings to what it knows may hide that for a while, which is why labels are looked at as well as what they lead to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from labels.record import Record
from model.language import UNKNOWN

Case = tuple[str, str, str]
"""A group, a tag and a language."""


@dataclass(frozen=True)
class Withdrawal:
    """Of the known `cases` of a tag in one language, how many new labels deny."""

    group: str
    tag: str
    lang: str
    cases: int
    denied: int

    @property
    def share(self) -> float:
        return self.denied / self.cases


def withdrawals(before: Iterable[Record], after: Iterable[Record]) -> list[Withdrawal]:
    """Every tag of which the records `after` deny a case that those `before` have, the largest share first.

    Records are told by their ids. A tag that somebody is unsure of now is not denied, nor is one of a record that is
    gone.
    """
    now = {record.id: record for record in after}
    cases: Counter[Case] = Counter()
    denied: Counter[Case] = Counter()
    for record in before:
        for group in record.tags:
            for tag in record.closed(group):
                case = (group, tag, record.lang or UNKNOWN)
                cases[case] += 1
                denied[case] += _denies(now.get(record.id), group, tag)
    found = [Withdrawal(*case, cases[case], count) for case, count in denied.items() if count]
    return sorted(found, key=lambda one: (-one.share, one.group, one.tag, one.lang))


def _denies(record: Record | None, group: str, tag: str) -> bool:
    if record is None or group not in record.tags or tag in record.closed(group):
        return False
    unsure = record.unsure.get(group, ())
    return not any(path == tag or path.startswith(f"{tag}/") for path in unsure)
