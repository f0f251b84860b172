"""From the network's raw outputs to tags: calibrated probabilities, closed under parents, against thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
        self._branches = {group.name: _Branches(group) for group in taxonomy.groups}

    def probabilities(self, logits: Floats) -> Floats:
        """Logits (texts, labels) → calibrated probabilities (texts, labels), a parent at least its children's."""
        scaled = logits * self._slopes + self._offsets
        found = np.empty_like(scaled, dtype=np.float32)
        for group in self._taxonomy.groups:
            columns = self._taxonomy.slices[group.name]
            together = np.maximum if group.kind == "multi-label" else np.add
            found[:, columns] = self._branches[group.name].gathered(together, _link(scaled[:, columns], group))
        return found

    def decisions(self, probabilities: Floats, min_score: float = 0.0) -> npt.NDArray[np.bool_]:
        """Probabilities (texts, labels) → which tags are given, with the parents of every tag given.

        `min_score` is a floor added to the tags' own thresholds. An exclusive group gives at most its most
        likely branch.
        """
        given: npt.NDArray[np.bool_] = probabilities >= np.maximum(self._thresholds, min_score)
        for group in self._taxonomy.groups:
            columns, branches = self._taxonomy.slices[group.name], self._branches[group.name]
            if group.kind == "exclusive":
                given[:, columns] &= branches.best(probabilities[:, columns])
            given[:, columns] = branches.gathered(np.logical_or, given[:, columns])
        return given

    def tags(self, probabilities: Floats, min_score: float = 0.0) -> list[dict[str, tuple[Score, ...]]]:
        """Per text: group → its tags, the likeliest first (a parent before its children)."""
        return [
            {group.name: self._scores(row, flags, group) for group in self._taxonomy.groups}
            for row, flags in zip(probabilities, self.decisions(probabilities, min_score), strict=True)
        ]

    def _scores(self, row: Floats, given: npt.NDArray[np.bool_], group: Group) -> tuple[Score, ...]:
        columns = self._taxonomy.slices[group.name]
        scores = [Score(group.paths[i], float(row[columns.start + i])) for i in np.flatnonzero(given[columns])]
        return tuple(sorted(scores, key=lambda score: (-score.score, score.tag.count("/"))))


class _Branches:
    """The tags of a group, each with all that are under it."""

    def __init__(self, group: Group) -> None:
        under = {path: [path] for path in group.paths}
        for path in group.paths:
            for ancestor in group.close([path]):
                if ancestor != path:
                    under[ancestor].append(path)
        self._members = np.array([group.index[path] for branch in under.values() for path in branch])
        self._starts = np.cumsum([0, *(len(branch) for branch in under.values())])[:-1]
        self._parents = [(group.index[tag.path], group.index[tag.parent]) for tag in group.tags if tag.parent]
        self._way = np.zeros((len(group.tags), len(group.tags)), dtype=bool)
        for path in group.paths:
            self._way[group.index[path], [group.index[ancestor] for ancestor in group.close([path])]] = True

    def gathered(self, together: np.ufunc, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Values (texts, tags) → for every tag those of its branch, put together."""
        found: npt.NDArray[Any] = together.reduceat(values[:, self._members], self._starts, axis=1)
        return found

    def best(self, probabilities: Floats) -> npt.NDArray[np.bool_]:
        """True for the tags on the way to each text's likeliest, a parent counting for what its children leave it."""
        own = probabilities.copy()
        for child, parent in self._parents:
            own[:, parent] -= probabilities[:, child]
        found: npt.NDArray[np.bool_] = self._way[own.argmax(axis=1)]
        return found


def thresholds_of(taxonomy: Taxonomy, calibration: Calibration) -> Mapping[str, float]:
    """`group/path` → threshold, for reports and cards."""
    return dict(zip(taxonomy.labels, calibration.thresholds, strict=True))


def _link(scaled: Floats, group: Group) -> Floats:
    if group.kind == "multi-label":
        return 1.0 / (1.0 + np.exp(-np.maximum(scaled, -60.0)))  # below, exp() would overflow
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares
