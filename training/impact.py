"""What a new model would change in the figures of those who read them: recent mentions, tagged by both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labels.record import Record
from model.tagger import Tagger

_EXAMPLES = 3


@dataclass(frozen=True)
class Shift:
    """How many mentions get a tag (`group/path`) before and after, and the ids of some that gain (+) or lose it (−)."""

    label: str
    before: int
    after: int
    gained: int
    lost: int
    examples: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "examples": list(self.examples)}


def shifts(mentions: Sequence[Record], before: Tagger, after: Tagger) -> list[Shift]:
    """Every tag that both know and whose mentions are not the same, the largest change of its count first."""
    texts = [mention.prepared() for mention in mentions]
    old, new = (
        dict(zip(tagger.taxonomy.labels, tagger.decoder.decisions(tagger.probabilities(texts)).T, strict=True))
        for tagger in (before, after)
    )
    found = []
    for label in old.keys() & new.keys():
        flipped = np.flatnonzero(old[label] != new[label])
        if len(flipped):
            gained = int((new[label] & ~old[label]).sum())
            counts = int(old[label].sum()), int(new[label].sum()), gained, len(flipped) - gained
            examples = (f"{'+' if new[label][row] else '−'}{mentions[row].id}" for row in flipped[:_EXAMPLES])
            found.append(Shift(label, *counts, tuple(examples)))
    return sorted(found, key=lambda shift: (-abs(shift.after - shift.before), -shift.gained - shift.lost, shift.label))
