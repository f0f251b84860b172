"""From the network's raw outputs to tags: calibrated probabilities, closed under parents, against thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.taxonomy import Group, Taxonomy

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Score:
    """A tag's path and its calibrated probability."""

    tag: str
    score: float

    def to_dict(self) -> dict[str, str | float]:
        """As the API writes it."""
        return {"tag": self.tag, "score": round(self.score, 4)}


@dataclass(frozen=True)
class Calibration:
    """Per label: probability = link(slope · logit + offset); a tag is given from its threshold on.

    In a multi-label group the link is the logistic function (Platt, "Probabilistic outputs for support vector
    machines", 1999); in an exclusive one it is softmax, all slopes of the group being 1/temperature (Guo et
    al., "On calibration of modern neural networks", 2017). Three sequences of length labels.
    """

    slopes: Sequence[float]
    offsets: Sequence[float]
    thresholds: Sequence[float]

    @classmethod
    def neutral(cls, taxonomy: Taxonomy) -> Calibration:
        """Uncalibrated: slope 1, offset 0, threshold 0.5 (0 in an exclusive group, which gives its best tag)."""
        thresholds = [0.5 if group.kind == "multi-label" else 0.0 for group in taxonomy.groups for _ in group.tags]
        count = len(taxonomy.labels)
        return cls([1.0] * count, [0.0] * count, thresholds)


class Decoder:
    """Decodes outputs for one taxonomy and calibration."""

    def __init__(self, taxonomy: Taxonomy, calibration: Calibration) -> None:
        self._taxonomy = taxonomy
        self._slopes = np.asarray(calibration.slopes, dtype=np.float32)
        self._offsets = np.asarray(calibration.offsets, dtype=np.float32)
        self._thresholds = np.asarray(calibration.thresholds, dtype=np.float32)
        self._edges = {group.name: _edges(group) for group in taxonomy.groups}

    def probabilities(self, logits: Floats) -> Floats:
        """Logits (texts, labels) → calibrated probabilities (texts, labels), a parent at least its children's."""
        scaled = logits * self._slopes + self._offsets
        found = np.empty_like(scaled, dtype=np.float32)
        for group in self._taxonomy.groups:
            columns = self._taxonomy.slices[group.name]
            found[:, columns] = _close(_link(scaled[:, columns], group), group, self._edges[group.name])
        return found

    def decisions(self, probabilities: Floats, min_score: float = 0.0) -> npt.NDArray[np.bool_]:
        """Probabilities (texts, labels) → which tags are given, with the parents of every tag given.

        `min_score` is a floor added to the tags' own thresholds. An exclusive group gives at most its most
        likely branch.
        """
        given = probabilities >= np.maximum(self._thresholds, min_score)
        for group in self._taxonomy.groups:
            columns = self._taxonomy.slices[group.name]
            if group.kind == "exclusive":
                given[:, columns] &= _best_branch(probabilities[:, columns], group)
            for child, parent in self._edges[group.name]:
                given[:, columns.start + parent] |= given[:, columns.start + child]
        return given

    def tags(self, probabilities: Floats, min_score: float = 0.0) -> list[dict[str, tuple[Score, ...]]]:
        """Per text: group → its tags, the likeliest first (a parent before its children)."""
        return [
            {group.name: self._scores(row, flags, group) for group in self._taxonomy.groups}
            for row, flags in zip(probabilities, self.decisions(probabilities, min_score), strict=True)
        ]

    def _scores(self, row: Floats, given: npt.NDArray[np.bool_], group: Group) -> tuple[Score, ...]:
        start = self._taxonomy.slices[group.name].start
        scores = [Score(path, float(row[start + i])) for i, path in enumerate(group.paths) if given[start + i]]
        return tuple(sorted(scores, key=lambda score: (-score.score, score.tag.count("/"))))


def thresholds_of(taxonomy: Taxonomy, calibration: Calibration) -> Mapping[str, float]:
    """`group/path` → threshold, for reports and cards."""
    return dict(zip(taxonomy.labels, calibration.thresholds, strict=True))


def _link(scaled: Floats, group: Group) -> Floats:
    if group.kind == "multi-label":
        return 1.0 / (1.0 + np.exp(-np.clip(scaled, -60.0, 60.0)))
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _close(probabilities: Floats, group: Group, edges: Sequence[tuple[int, int]]) -> Floats:
    """Raise every parent to its children: to the largest, or in an exclusive group by their sum."""
    for child, parent in edges:
        if group.kind == "exclusive":
            probabilities[:, parent] += probabilities[:, child]
        else:
            probabilities[:, parent] = np.maximum(probabilities[:, parent], probabilities[:, child])
    return probabilities


def _best_branch(probabilities: Floats, group: Group) -> npt.NDArray[np.bool_]:
    """True for the tags on the path to each text's likeliest tag, a parent counting for what its children leave it."""
    branches = np.zeros((len(group.tags), len(group.tags)), dtype=bool)
    for path in group.paths:
        branches[group.index[path], [group.index[ancestor] for ancestor in group.close([path])]] = True
    own = probabilities.copy()
    for child, parent in _edges(group):
        own[:, parent] -= probabilities[:, child]
    best: npt.NDArray[np.bool_] = branches[own.argmax(axis=1)]
    return best


def _edges(group: Group) -> list[tuple[int, int]]:
    """(child, parent) positions, the deepest first, so that a value climbs all the way up."""
    nested = [tag for tag in group.tags if tag.parent]
    nested.sort(key=lambda tag: -tag.path.count("/"))
    return [(group.index[tag.path], group.index[tag.parent]) for tag in nested if tag.parent]
