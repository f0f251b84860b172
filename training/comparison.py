"""Two models on the same labelled texts: where one is better, where it is worse, and what of it may be chance.

Differences are of F1, with intervals by the paired bootstrap (Efron & Tibshirani, "An introduction to the bootstrap",
1993; Berg-Kirkpatrick et al., "An empirical investigation of statistical significance in NLP", 2012). Records of one
text are drawn together, since what is wrong towards one target is often wrong towards the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labels.record import Record
from model.language import UNKNOWN
from model.tagger import Tagger
from training.errors import TrainingError
from training.evaluate import Flags, labelled

EVERY = "all"
"""Stands for all languages together."""
_DRAWS = 40_000  # of a hundred comparisons, ten of them lie beyond a bound
_AT_ONCE = 500  # draws
Counts = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Difference:
    """F1 of one tag, or macro-F1 of a group (then `tag` is empty), before and after, in one language or in all.

    `low` and `high` bound the difference after − before; `cases` are the records that have the tag, of a group those of
    all its tags together.
    """

    group: str
    tag: str
    lang: str
    cases: int
    before: float
    after: float
    low: float
    high: float

    @property
    def change(self) -> float:
        return self.after - self.before

    @property
    def worse(self) -> bool:
        """Whether it is worse by more than chance explains."""
        return self.high < 0

    @property
    def better(self) -> bool:
        """Whether it is better by more than chance explains."""
        return self.low > 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """Differences by group and by tag, each in every language and in all together."""

    records: int
    groups: tuple[Difference, ...]
    tags: tuple[Difference, ...]
    """Those of enough cases, bounded so that all of them hold at once."""
    confidence: float = 0.95
    """Of a group's interval, and of those of all tags together."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "records": self.records,
            "confidence": self.confidence,
            "groups": [difference.to_dict() for difference in self.groups],
            "tags": [difference.to_dict() for difference in self.tags],
        }


def compare(
    records: Sequence[Record],
    before: Tagger,
    after: Tagger,
    *,
    confidence: float = 0.95,
    min_cases: int = 20,
    seed: int = 0,
) -> Comparison:
    """Tag `records` with both and compare the tags that both know.

    A group's interval is two-sided at `confidence`. That of a tag with `min_cases` or more in a language is as well,
    divided by the number of such comparisons (Bonferroni), so that none of many differs by chance alone. TrainingError
    without records, or without a tag in common.
    """
    if not records:
        raise TrainingError("records", "are none", "Give labelled texts to compare on")
    taxonomy, texts = after.taxonomy, [record.prepared() for record in records]
    shared = [label for label in taxonomy.labels if label in before.taxonomy.labels]
    if not shared:
        told = ", ".join(tagger.taxonomy.id for tagger in (before, after))
        raise TrainingError("models", f"have no tag in common: {told}", "Compare models of one tag set")
    wanted, cells = labelled(records, taxonomy)
    columns = [taxonomy.labels.index(label) for label in shared]
    wanted, cells = wanted[:, columns], cells[:, columns]
    given = [
        tagger.decoder.decisions(tagger.probabilities(texts))[:, [tagger.taxonomy.labels.index(one) for one in shared]]
        for tagger in (before, after)
    ]
    languages = np.array([record.lang or UNKNOWN for record in records])
    first: dict[str, int] = {}
    clusters = np.array([first.setdefault(record.text, len(first)) for record in records])
    parts = [
        _Part(lang, shared, wanted & rows, [flags & rows for flags in given], cells & rows, clusters)
        for lang in (*sorted(set(languages)), EVERY)
        for rows in [((languages == lang) | (lang == EVERY))[:, None]]
    ]
    compared = sum(int((part.cases >= min_cases).sum()) for part in parts)
    tail, narrow = (1 - confidence) / 2, (1 - confidence) / 2 / max(1, compared)
    groups, tags = [], []
    for part, draws in zip(parts, _drawn(parts, np.random.default_rng(seed)), strict=True):
        one, many = part.differences(draws, [group.name for group in taxonomy.groups], min_cases)
        groups += [found.difference(tail, part.lang) for found in one]
        tags += [found.difference(narrow, part.lang) for found in many]
    return Comparison(len(records), tuple(groups), tuple(tags), confidence)


@dataclass(frozen=True)
class _Drawn:
    """One difference with its draws."""

    group: str
    tag: str
    cases: int
    before: float
    after: float
    draws: Counts

    def difference(self, tail: float, lang: str) -> Difference:
        low, high = np.quantile(self.draws, [tail, 1 - tail])
        return Difference(
            self.group, self.tag, lang, self.cases, self.before, self.after, round(float(low), 6), round(float(high), 6)
        )


class _Part:
    """The records of one language: hits and errors of both models by cluster and label."""

    def __init__(
        self,
        lang: str,
        labels: Sequence[str],
        wanted: Flags,
        given: Sequence[Flags],
        cells: Flags,
        clusters: npt.NDArray[np.intp],
    ) -> None:
        self.lang = lang
        self._labels = labels
        self.cases = (wanted & cells).sum(axis=0)
        counts = []
        for flags in given:
            right = wanted & flags & cells
            wrong = (wanted != flags) & cells
            counts.append(np.stack([right, wrong], axis=-1))
        by_record = np.stack(counts, axis=1).astype(np.float32)  # records, models, labels, (right, wrong)
        self.clusters = int(clusters.max(initial=-1)) + 1
        total = np.zeros((self.clusters, *by_record.shape[1:]), dtype=np.float32)
        np.add.at(total, clusters, by_record)
        self._flat = total.reshape(len(total), -1)  # by cluster
        self._shape = total.shape[1:]

    def differences(self, draws: Counts, groups: Sequence[str], min_cases: int) -> tuple[list[_Drawn], list[_Drawn]]:
        """The differences of groups, and of tags with enough cases; `draws` (draws, labels) are those of `draw`."""
        before, after = _f1(self._flat.sum(axis=0).reshape(self._shape))
        names = [label.partition("/")[::2] for label in self._labels]
        one, many = [], []
        for group in groups:
            inside = [at for at, (name, _) in enumerate(names) if name == group and self.cases[at]]
            if not inside:
                continue
            one.append(
                _Drawn(
                    group=group,
                    tag="",
                    cases=int(self.cases[inside].sum()),
                    before=float(before[inside].mean()),
                    after=float(after[inside].mean()),
                    draws=draws[:, inside].mean(axis=1),
                )
            )
            many += [
                _Drawn(group, names[at][1], int(self.cases[at]), float(before[at]), float(after[at]), draws[:, at])
                for at in inside
                if self.cases[at] >= min_cases
            ]
        return one, many

    def draw(self, weights: Counts) -> Counts:
        """How often each cluster is drawn (draws, clusters) → differences of F1 (draws, labels)."""
        counts = (weights @ self._flat).reshape(len(weights), *self._shape)
        before, after = np.moveaxis(_f1(counts), 1, 0)
        found: Counts = after - before
        return found


def _drawn(parts: Sequence[_Part], chance: np.random.Generator, draws: int = _DRAWS) -> list[Counts]:
    """Every part's differences (draws, labels), from the same draws.

    Each cluster is drawn by itself, 0 times or more, once on average (the Poisson bootstrap: Chamandy et al.,
    "Estimating uncertainty for massive data streams", 2012): as good for this many, and one draw serves all languages.
    """
    found: list[list[Counts]] = [[] for _ in parts]
    for _ in range(0, draws, _AT_ONCE):  # all at once would not fit into memory
        weights = chance.poisson(1.0, (_AT_ONCE, parts[0].clusters)).astype(np.float32)
        for drawn, part in zip(found, parts, strict=True):
            drawn.append(part.draw(weights))
    return [np.concatenate(drawn) for drawn in found]


def _f1(counts: Counts) -> Counts:
    """(…, right or wrong) → F1; 0 where there is nothing to be right or wrong about."""
    right, wrong = counts[..., 0], counts[..., 1]
    found: Counts = 2 * right / np.maximum(2 * right + wrong, 1)
    return found
