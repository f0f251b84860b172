"""Which texts are the same, or nearly: by the share of character n-grams that they have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from labels.extra import library
from labels.record import Record
from model.mention import OTHER, TARGET, prepare

SAME_SIDE = 0.8
"""From this similarity on, two texts belong to the same side of a split."""
_GRAM = 4
"""Characters in one n-gram."""
_PERMUTATIONS = 128


@dataclass(frozen=True)
class Pair:
    """Two positions, `first` < `second`, and the Jaccard similarity of their n-grams, in 0…1."""

    first: int
    second: int
    similarity: float


def normal(prepared: str) -> str:
    """Strip a prepared text of what makes no difference here: case, punctuation, and who is the target."""
    folded = prepared.replace(OTHER, TARGET).casefold()
    return re.sub(r"\W+", " ", folded).strip() or folded  # a text of emoji alone keeps them


def near(texts: Sequence[str], threshold: float) -> list[Pair]:
    """Find the pairs of `texts` whose similarity is at least `threshold`, the most alike first.

    Candidates come from MinHash signatures in a locality-sensitive index (Broder, "On the resemblance and
    containment of documents", 1997; Leskovec et al., "Mining of massive datasets", chapter 3), which may miss a
    pair close to the threshold; the similarity of those that it gives is exact.
    """
    sketch = library("datasketch")
    grams = [_grams(text) for text in texts]
    # A missed pair costs more than a candidate too many, which is compared in full anyhow.
    index = sketch.MinHashLSH(threshold=threshold, num_perm=_PERMUTATIONS, weights=(0.1, 0.9))
    pairs = []
    encoded = [[gram.encode() for gram in own] for own in grams]
    signatures = sketch.MinHash.bulk(encoded, num_perm=_PERMUTATIONS, seed=1, hashfunc=crc32)
    for second, (own, signature) in enumerate(zip(grams, signatures, strict=True)):
        for first in index.query(signature):
            similarity = len(own & grams[first]) / len(own | grams[first])
            if similarity >= threshold:
                pairs.append(Pair(first, second, similarity))
        index.insert(second, signature)
    return sorted(pairs, key=lambda pair: (-pair.similarity, pair.first, pair.second))


def families(records: Sequence[Record], threshold: float = SAME_SIDE) -> list[list[int]]:
    """Positions of `records` in families: of one text, or linked by nearly the same ones. Singles included."""
    owners: dict[str, int] = {}
    union = library("scipy.cluster.hierarchy").DisjointSet(range(len(records)))
    for position, record in enumerate(records):
        # One text may stand with and without a watchlist, so it is compared as it is and with its names masked.
        for text in (normal(prepare(record.text)), normal(record.prepared())):
            union.merge(position, owners.setdefault(text, position))
    positions = list(owners.values())
    for pair in near(list(owners), threshold):
        union.merge(positions[pair.first], positions[pair.second])
    return [sorted(family) for family in union.subsets()]


def _grams(text: str) -> set[str]:
    return {text[start : start + _GRAM] for start in range(max(1, len(text) - _GRAM + 1))}
