"""Labelling played through on texts whose labels are known: a head learns from ever more of them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from labels.queue import bars, choose, log_odds
from labels.record import Record
from model.decode import Calibration, Decoder, Floats
from model.taxonomy import Taxonomy
from training.evaluate import summary
from training.examples import truth

FIRST = 20
"""Labels that everybody starts from, drawn at random."""
GROWTH = 1.12
"""How many times the labels of a round are those of the one before: the head is fitted anew after each."""
STRENGTH = 0.01
"""Inverse of the regularisation. With all labels, 0.003 to 0.1 came within two points of one another."""

Positions = npt.NDArray[np.intp]
Strategy = Callable[["Pool", "Head", Positions, int, int], Positions]
"""Pool, head as it is, positions that are not labelled, how many to choose, seed → the positions chosen."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Texts to label and texts to test on, as vectors (texts, width) and targets (texts, labels)."""

    taxonomy: Taxonomy
    vectors: Floats
    targets: Floats
    languages: Sequence[str]
    test_vectors: Floats
    test_targets: Floats

    @classmethod
    def of(
        cls, learnt: Sequence[Record], test: Sequence[Record], vector: Callable[[str], Floats], tags: Taxonomy
    ) -> Pool:
        """`vector` gives that of a prepared text; all are brought to the mean and spread of the texts to label."""
        vectors, others = (np.stack([vector(record.prepared()) for record in part]) for part in (learnt, test))
        scale = StandardScaler().fit(vectors)
        return cls(
            taxonomy=tags,
            vectors=scale.transform(vectors),
            targets=truth(learnt, tags)[0],
            languages=[record.lang or "" for record in learnt],
            test_vectors=scale.transform(others),
            test_targets=truth(test, tags)[0],
        )


class Head:
    """Logistic regression on some texts of a pool; of a multi-label group one for each tag, against the rest."""

    def __init__(self, pool: Pool, labelled: Positions) -> None:
        (group,) = pool.taxonomy.groups
        self._pool = pool
        self._exclusive = group.kind == "exclusive"
        self.thresholds = Calibration.neutral(pool.taxonomy).thresholds
        regression = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000)
        self._model = regression if self._exclusive else OneVsRestClassifier(regression)
        targets = pool.targets[labelled]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the first labels lack tags, or have almost as many as texts
            self._model.fit(pool.vectors[labelled], targets.argmax(axis=1) if self._exclusive else targets)

    def probabilities(self, vectors: Floats) -> Floats:
        """Those of vectors (texts, width): (texts, labels); 0 for a tag that no labelled text has."""
        found = np.zeros((len(vectors), len(self._pool.taxonomy.labels)))
        columns = self._model.classes_ if self._exclusive else np.arange(found.shape[1])
        found[:, columns] = self._model.predict_proba(vectors)
        return found

    def macro_f1(self) -> float:
        """On the texts to test on, over the tags that they have."""
        decoder = Decoder(self._pool.taxonomy, Calibration.neutral(self._pool.taxonomy))
        given = decoder.decisions(self.probabilities(self._pool.test_vectors))
        targets = self._pool.test_targets > 0
        return float(summary(targets, given, np.ones_like(targets))["macro_f1"])


@dataclass(frozen=True)
class Curve:
    """Macro-F1 by number of labels, up to all of them."""

    labels: tuple[int, ...]
    scores: tuple[float, ...]

    def needed(self, share: float) -> float:
        """Labels after which `share` of the last score is reached first, on straight lines between the rounds."""
        goal = share * self.scores[-1]
        at = next(place for place, score in enumerate(self.scores) if score >= goal)
        if at == 0:
            return self.labels[0]
        return float(np.interp(goal, self.scores[at - 1 : at + 1], self.labels[at - 1 : at + 1]))


def simulate(pool: Pool, strategy: Strategy, seed: int) -> Curve:
    """Label the whole pool, round after round, as `strategy` says; the first `FIRST` by `seed` alone."""
    found = [(len(labelled), head.macro_f1()) for labelled, head in rounds(pool, strategy, seed)]
    labels, scores = zip(*found, strict=True)
    return Curve(labels, scores)


def rounds(pool: Pool, strategy: Strategy, seed: int) -> Iterator[tuple[Positions, Head]]:
    """What is labelled after each round of `simulate`, in the order of labelling, and the head that learnt it."""
    size = len(pool.vectors)
    labelled = np.random.default_rng(seed).permutation(size)[:FIRST]
    while True:
        head = Head(pool, labelled)
        yield labelled, head
        left = np.setdiff1d(np.arange(size), labelled)
        if not len(left):
            return
        count = min(len(left), math.ceil(len(labelled) * (GROWTH - 1)))
        labelled = np.concatenate([labelled, strategy(pool, head, left, count, seed)])


def at_random(pool: Pool, head: Head, left: Positions, count: int, seed: int) -> Positions:
    """Any of those left."""
    return np.random.default_rng([seed, len(left)]).choice(left, count, replace=False)


def by_queue(pool: Pool, head: Head, left: Positions, count: int, seed: int) -> Positions:
    """What `tympan labels queue` chooses, which asks for near duplicates once besides."""
    probabilities = head.probabilities(pool.vectors[left])
    picks = choose(
        probabilities,
        bars(probabilities, head.thresholds, pool.taxonomy),
        [pool.languages[place] for place in left],
        log_odds(probabilities),
        budget=count,
        seed=seed,
    )
    return left[[pick.text for pick in picks]]


STRATEGIES: dict[str, Strategy] = {"at random": at_random, "by queue": by_queue}
