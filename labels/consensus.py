"""What several readers of one text agree on, what they do not, and how far they agree in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from labels.extra import library
from labels.schema import TagLists
from model.taxonomy import Group, Taxonomy

Votes = npt.NDArray[np.float64]
"""Readers, decisions: 1 and 0 for a tag given and not, NaN where a reader did not answer."""


@dataclass(frozen=True)
class Consensus:
    """Tags that most readers gave, and those on which the votes are even, by group."""

    tags: TagLists
    unsure: TagLists

    @property
    def settled(self) -> bool:
        """Whether no vote is even."""
        return not any(self.unsure.values())


@dataclass(frozen=True)
class Agreement:
    """How far readers agree on one tag, over the texts that two or more of them read.

    `given` are the texts to which any of them gave it. `alpha` is Krippendorff's, nominal; `kappa` is Cohen's, the mean
    over pairs of readers weighted by the texts they share. None where every answer is the same, which says nothing.
    """

    given: int
    alpha: float | None
    kappa: float | None


def consensus(answers: Sequence[TagLists], taxonomy: Taxonomy) -> Consensus:
    """Settle the `answers` to one text by majority, tag by tag, a parent counting with its leaves.

    A group that nobody answered stays unlabelled. In an exclusive group the tag with most votes wins.
    """
    tags: dict[str, tuple[str, ...]] = {}
    unsure: dict[str, tuple[str, ...]] = {}
    for group in taxonomy.groups:
        votes = [answer[group.name] for answer in answers if group.name in answer]
        if votes:
            given, even = (_elected if group.kind == "exclusive" else _majority)(group, votes)
            tags[group.name] = given
            if even:
                unsure[group.name] = even
    return Consensus(tags, unsure)


def agreement(readings: Iterable[Mapping[str, TagLists]], taxonomy: Taxonomy) -> dict[str, Agreement]:
    """`group/path` → agreement, from the readings of every text (reader → tags)."""
    shared = [reading for reading in readings if len(reading) > 1]
    people = sorted({who for reading in shared for who in reading})
    found = {}
    for group in taxonomy.groups:
        for path in group.paths:
            votes: Votes = np.full((len(people), len(shared)), np.nan)
            for column, reading in enumerate(shared):
                for who, tags in reading.items():
                    if group.name in tags:
                        votes[people.index(who), column] = path in group.close(tags[group.name])
            read = votes[:, (~np.isnan(votes)).sum(axis=0) > 1]
            given = int((read == 1).any(axis=0).sum())
            found[f"{group.name}/{path}"] = Agreement(given, alpha(read), kappa(read))
    return found


def alpha(votes: Votes) -> float | None:
    """Krippendorff's alpha of votes (readers, decisions), nominal; None if all are the same.

    Every decision must be of two readers or more.
    """
    if len({*votes[~np.isnan(votes)]}) < 2:
        return None
    krippendorff = library("krippendorff").alpha
    return float(krippendorff(reliability_data=votes, level_of_measurement="nominal", value_domain=[0.0, 1.0]))


def kappa(votes: Votes) -> float | None:
    """Cohen's kappa of votes (readers, decisions), the mean over pairs of readers weighted by the decisions they share.

    None if every pair's are all the same.
    """
    cohen = library("sklearn.metrics").cohen_kappa_score
    total, weight = 0.0, 0
    for first, second in combinations(votes, 2):
        both = ~np.isnan(first) & ~np.isnan(second)
        if both.any() and len({*first[both], *second[both]}) > 1:
            total += float(cohen(first[both], second[both])) * int(both.sum())
            weight += int(both.sum())
    return total / weight if weight else None


def _majority(group: Group, votes: Sequence[Iterable[str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The paths that more than half gave, and those that just half did, both without what follows from others."""
    counts = Counter(path for vote in votes for path in group.close(vote))
    given = [path for path in group.paths if 2 * counts[path] > len(votes)]
    even = [path for path in group.paths if 2 * counts[path] == len(votes)]
    return tuple(group.deepest(given)), tuple(even)


def _elected(group: Group, votes: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The one answer with most votes; if several have as many, none, and all their tags are unsure."""
    counts = Counter(vote[0] if vote else "" for vote in votes)
    most = max(counts.values())
    winners = [path for path, count in counts.items() if count == most]
    if len(winners) == 1:
        return tuple(filter(None, winners)), ()
    return (), tuple(filter(None, winners))
