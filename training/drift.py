"""Whether what comes in now still looks like what the model was tested on.

Compared are distributions as the model sees them: languages, tags of every group, how sure it is, tokens that its
vocabulary does not have, and kinds of text. Those are the cells into which k-means divides the vectors of the tests
(Lloyd, "Least squares quantization in PCM", 1982; Arthur & Vassilvitskii, "k-means++", 2007; by scipy). The distance is
that of Jensen and Shannon (Endres & Schindelin, "A new metric for probability distributions", 2003; by scipy, to base
2): 0 for the same, 1 for nothing in common.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.cluster.vq import kmeans2, vq
from scipy.spatial.distance import jensenshannon

from labels.record import Record
from model.language import detect
from model.mention import wording
from model.tagger import Tagger

LARGE = 0.1
"""The distance from which a difference matters, if chance does not explain it."""
LEAST = 100
"""Mentions of which anything can be said."""
_CHANCE = 0.99
_DRAWS = 1_000
_BINS = 10
_KINDS = 12
_OF_A_KIND = 20
"""Mentions of the tests, on the average: of fewer the kinds would be those of single texts."""
_NONE = "none"
Profile = Mapping[str, Mapping[str, int]]
"""What is compared → how often each of its values was met."""


@dataclass(frozen=True)
class Drift:
    """How far one distribution is from that of the tests, and how far it could be by chance (99 times of 100).

    `most` is the value whose share differs most, with its share before and now.
    """

    what: str
    distance: float
    chance: float
    most: str
    before: float
    now: float

    @property
    def large(self) -> bool:
        return self.distance > max(LARGE, self.chance)

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "large": self.large}


def drifted(tagger: Tagger, tested: Sequence[Record], recent: Sequence[Record]) -> list[Drift]:
    """How recent mentions differ from those that a model was tested on; nothing of fewer than LEAST."""
    if len(recent) < LEAST:
        return []
    before, now = _kinds(tagger, tested, recent)
    return drifts(profile(tagger, tested, before), profile(tagger, recent, now))


def _kinds(tagger: Tagger, tested: Sequence[Record], recent: Sequence[Record], *, seed: int = 0) -> list[Sequence[int]]:
    """Of which kind every mention of either is, by the kinds of what was tested; none if the network has no vectors."""
    vectors = [tagger.vectors([mention.prepared() for mention in mentions]) for mentions in (tested, recent)]
    if vectors[0] is None:
        return [(), ()]
    middles = kmeans2(vectors[0], max(1, min(_KINDS, len(tested) // _OF_A_KIND)), minit="++", rng=seed)[0]
    return [vq(found, middles)[0].tolist() for found in vectors]


def profile(tagger: Tagger, mentions: Sequence[Record], kinds: Sequence[int] = ()) -> Profile:
    """The distributions of mentions, as the model sees them; their own tags are not looked at.

    `kinds` are those of the mentions, one each, if they are known.
    """
    texts = [mention.prepared() for mention in mentions]
    probabilities = tagger.probabilities(texts)
    given = tagger.decoder.decisions(probabilities)
    found: dict[str, Counter[str]] = {
        "languages": Counter(
            mention.lang or detect(wording(text)) for mention, text in zip(mentions, texts, strict=True)
        )
    }
    for group in tagger.taxonomy.groups:
        columns = tagger.taxonomy.slices[group.name]
        counts = given[:, columns].sum(axis=0)
        tags = Counter({path: int(count) for path, count in zip(group.paths, counts, strict=True)})
        tags[_NONE] = int((~given[:, columns].any(axis=1)).sum())
        found[f"tags of {group.name}"] = tags
        best = np.minimum((probabilities[:, columns].max(axis=1) * _BINS).astype(int), _BINS - 1)
        found[f"certainty of {group.name}"] = Counter(f"{bin_ / _BINS:g} to {(bin_ + 1) / _BINS:g}" for bin_ in best)
    if kinds:
        found["kinds of text"] = Counter(f"kind {kind + 1}" for kind in kinds)
    known, unknown = tagger.vocabulary_of(texts)
    found["tokens"] = Counter({"known": known, "unknown": unknown})
    return found


def drifts(before: Profile, now: Profile, *, seed: int = 0) -> list[Drift]:
    """Every distribution of two profiles of one model, the most distant first."""
    chance = np.random.default_rng(seed)
    found = [_drift(what, before[what], now[what], chance) for what in before if what in now]
    return sorted(found, key=lambda drift: -drift.distance)


def _drift(what: str, before: Mapping[str, int], now: Mapping[str, int], chance: np.random.Generator) -> Drift:
    values = sorted({*before, *now})
    counts = np.array([[side.get(value, 0) for value in values] for side in (before, now)])
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals[:, None], 1)
    pooled = counts.sum(axis=0) / max(1, totals.sum())
    drawn = [chance.multinomial(total, pooled, size=_DRAWS) / max(1, total) for total in totals]
    by_chance = jensenshannon(drawn[0], drawn[1], base=2, axis=1)
    most = int(np.abs(shares[1] - shares[0]).argmax())
    return Drift(
        what,
        distance=_number(jensenshannon(shares[0], shares[1], base=2)),
        chance=_number(np.quantile(np.nan_to_num(by_chance), _CHANCE)),
        most=values[most],
        before=float(shares[0][most]),
        now=float(shares[1][most]),
    )


def _number(value: float) -> float:
    """Of two distributions of nothing the distance is not a number: they do not differ."""
    return round(float(np.nan_to_num(value)), 4)
