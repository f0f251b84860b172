"""What to label next: the texts that a model doubts most, unlike one another, in every language, rare tags first.

Of the most doubtful texts, as many clusters are made as there are places, and the most doubtful of each is taken: the
batch of Zhdanov, "Diverse mini-batch active learning" (2019), whose k-means is weighted with the doubt as well. Doubt
is the distance to the decision, in log-odds: to a tag's threshold, or in an exclusive group to its closest rival
(margin sampling: Scheffer et al., "Active hidden Markov models for information extraction", 2001). The vectors that
are clustered are the log-odds themselves: in `benchmarks/labelling`, TF-IDF of the texts and farthest points
(Sener & Savarese, "A core-set approach", 2018) took as many labels to the same end, and entropy took more.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labels.extra import library
from model.decode import Floats
from model.taxonomy import Group, Taxonomy

Positions = npt.NDArray[np.intp]

_CANDIDATES = 10
"""The most texts that are clustered, for each place."""
_COMPARABLE = 0.5
"""Share of the doubt of the last one, had the most doubtful been taken, that a text must have to be clustered."""
_LEAST = 1e-4
"""Probabilities closer to 0 or 1 count as this far from it."""


@dataclass(frozen=True)
class Pick:
    """A text to label: its position, and which tag (a column) the model is unsure of, and how much (0 to 1).

    `alike` is the number of doubtful texts that it stands for, itself included.
    """

    text: int
    label: int
    doubt: float
    alike: int


def choose(
    probabilities: Floats,
    bars: Floats,
    languages: Sequence[str],
    vectors: Floats,
    *,
    budget: int,
    counts: Sequence[int] | None = None,
    groups: Sequence[slice] | None = None,
    seed: int = 0,
) -> list[Pick]:
    """The `budget` texts that are most worth labelling, the most doubtful first; all if there are no more.

    `probabilities` (texts, labels) are calibrated, `bars` (texts, labels) are what each must reach for its tag to be
    given, and texts are alike whose `vectors` (texts, any width) are close. Each language has its share of the places,
    and at least one while there are enough; `counts` (texts) is how many texts each stands for already. A tag is rare
    among those of its group, the columns of one of `groups` (None: all are one).
    """
    doubts = doubt(probabilities, bars)
    # A probability is expected cases: of a rare tag every one counts for more.
    cases = 1 + probabilities.sum(axis=0)
    for columns in groups or [slice(None)]:  # else a group of many rare tags would crowd the others out
        cases[columns] /= cases[columns].mean()
    weighted = doubts / np.sqrt(cases)
    scores, labels = weighted.max(axis=1), weighted.argmax(axis=1)
    found = [
        Pick(int(text), int(labels[text]), float(doubts[text, labels[text]]), alike)
        for places, members in _shares(np.asarray(languages), budget)
        for text, alike in _spread(members, scores, vectors, places, np.asarray(counts or [1] * len(scores)), seed)
    ]
    return sorted(found, key=lambda pick: (-scores[pick.text], pick.text))


def doubt(probabilities: Floats, bars: Floats) -> Floats:
    """How close each probability is to its bar (texts, labels): 1 on it, halved with every 0.69 of log-odds."""
    found: Floats = np.exp(-np.abs(log_odds(probabilities) - log_odds(bars)))
    return found


def log_odds(probabilities: Floats) -> Floats:
    """Finite for probabilities of 0 and 1 too."""
    kept = np.clip(probabilities, _LEAST, 1 - _LEAST)
    found: Floats = np.log(kept / (1 - kept))
    return found


def bars(probabilities: Floats, thresholds: Sequence[float], taxonomy: Taxonomy) -> Floats:
    """What each probability (texts, labels) must reach for its tag to be given (texts, labels).

    That is its threshold, and in an exclusive group, if it is more, the likeliest tag that cannot hold beside it.
    """
    found: Floats = np.broadcast_to(np.asarray(thresholds, dtype=float), probabilities.shape).copy()
    for group in taxonomy.groups:
        if group.kind == "exclusive":
            columns = taxonomy.slices[group.name]
            for place, others in enumerate(_rivals(group)):
                best = probabilities[:, columns][:, others].max(axis=1, initial=0)
                found[:, columns.start + place] = np.maximum(found[:, columns.start + place], best)
    return found


def _rivals(group: Group) -> Iterator[list[int]]:
    """For each tag of an exclusive group the positions of those on other branches."""
    for path in group.paths:
        yield [
            place
            for place, other in enumerate(group.paths)
            if path not in group.close([other]) and other not in group.close([path])
        ]


def _shares(languages: npt.NDArray[np.str_], budget: int) -> list[tuple[int, Positions]]:
    """For each language, how many of `budget` places it gets, and the positions of its texts.

    By the numbers of texts (the method of Sainte-Laguë, whose first divisor of 0 gives every language one first).
    """
    names, numbers = np.unique(languages, return_counts=True)
    ranked = [
        (np.inf if place == 0 else number / (2 * place + 1), number, name)
        for name, number in zip(names, numbers, strict=True)
        for place in range(min(number, budget))
    ]
    ranked.sort(key=lambda seat: (-seat[0], -seat[1], seat[2]))
    seats = [name for _, _, name in ranked[:budget]]
    return [(seats.count(name), np.flatnonzero(languages == name)) for name in names]


def _spread(
    members: Positions, scores: Floats, vectors: Floats, places: int, counts: npt.NDArray[np.intp], seed: int
) -> Iterator[tuple[int, int]]:
    """`places` of the positions `members`, each with how many texts it stands for."""
    if not places:
        return
    ranked = members[np.argsort(-scores[members], kind="stable")][: places * _CANDIDATES]
    ranked = ranked[scores[ranked] >= _COMPARABLE * scores[ranked[:places]][-1]]
    if len(ranked) <= places:
        yield from ((int(text), int(counts[text])) for text in ranked)
        return
    clustering = library("sklearn.cluster").KMeans(places, n_init=1, max_iter=30, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", library("sklearn.exceptions").ConvergenceWarning)
        homes = clustering.fit(vectors[ranked], sample_weight=scores[ranked]).labels_
    firsts = np.unique(homes, return_index=True)[1]
    # Equal vectors leave clusters empty, of which it warns: their places go to the most doubtful that are left.
    others = np.setdiff1d(np.arange(len(ranked)), firsts)[: places - len(firsts)]
    for place in (*firsts, *others):
        yield int(ranked[place]), int(counts[ranked][homes == homes[place]].sum())
