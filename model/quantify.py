"""How many texts have a tag, from how many were given it: the count, corrected for the errors of the classifier.

Of texts among which a share p has a tag, a classifier gives it to the share p · tpr + (1 - p) · fpr: to those with the
tag by its rate of true positives, to the others by its rate of false ones. Both rates are known from its test split,
and solved for p this is the adjusted count (Forman, "Quantifying counts and costs via classification", Data Mining and
Knowledge Discovery 17, 2008), which epidemiology has by another name (Rogan and Gladen, "Estimating prevalence from
the results of a screening test", 1978).

It holds under prior shift: a tag may be rarer or more frequent than in the test split, and those with it, and those
without it, are met as they are there. If they are worded in another way (concept shift), or are of other languages or
sectors, the rates are others, and no count can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LEAST = 10
"""Texts of the test split with the tag, and without it, from which its rates are known well enough."""
_LEAST_GAP = 0.1
"""Between the two rates: what is divided by less says more of chance than of texts."""
_DRAWS = 10_000
_ENDS = (2.5, 97.5)
"""The interval, in percent of the draws."""
_NO_GAP = 1e-9
"""In place of a gap that was drawn as none or less: such a draw says nothing, and ends at 0 or 1."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Corrected:
    """How many texts have a tag, corrected: `rows`, and from `low` to `high` with 95%. All are numbers of texts."""

    rows: int
    low: int
    high: int


@dataclass(frozen=True)
class Trial:
    """What came of one tag on the test split, in texts: with the tag `hits` and `missed`, without `wrong` and `clear`.

    `wrong` were given it all the same.
    """

    hits: int
    missed: int
    wrong: int
    clear: int

    @classmethod
    def of(cls, figures: Mapping[str, float], texts: int) -> Trial:
        """From a tag's `precision`, `recall` and `support`, of so many labelled `texts`.

        Texts that people were unsure of count in `texts` and not in the figures: they pass for clear ones.
        """
        support, precision = round(figures["support"]), figures["precision"]
        hits = round(figures["recall"] * support)
        wrong = round(hits / precision) - hits if precision else 0  # without a hit it is not known, nor needed
        return cls(hits=hits, missed=support - hits, wrong=wrong, clear=max(texts - support - wrong, 0))

    @property
    def told(self) -> bool:
        """Whether a count can be corrected by it: there are texts enough, and the two rates are far enough apart."""
        with_it, without = self.hits + self.missed, self.wrong + self.clear
        return min(with_it, without) >= LEAST and self.hits / with_it - self.wrong / without >= _LEAST_GAP


def trials(metrics: Mapping[str, Any]) -> dict[str, Trial]:
    """`group/path` → what came of the tag on the test split, from a bundle's `metrics`; empty if they say nothing."""
    groups = metrics.get("test", {}).get("groups", {})
    return {
        f"{name}/{path}": Trial.of(figures, group["n"])
        for name, group in groups.items()
        for path, figures in group["tags"].items()
    }


def corrected(found: int, texts: int, by: Trial, *, seed: int = 0) -> Corrected | None:
    """The count of a tag that `found` of `texts` were given, at least one text; None if it cannot be told.

    That is if the test split says too little (`told`), or the share that was given the tag lies beyond what its rates
    allow: fewer than its false alarms alone would be, or more than if all had the tag. The rates do not hold then.

    The interval has the chance of the test split in it and that of the texts: the two rates and the observed share are
    drawn from their Beta distributions, with Jeffreys' prior, and what follows from each draw is the count's
    distribution. The same `seed` draws the same.
    """
    if not by.told:
        return None
    chance = np.random.default_rng(seed)

    def drawn(yes: int, no: int) -> Floats:
        return chance.beta(yes + 0.5, no + 0.5, _DRAWS)

    tpr, fpr = by.hits / (by.hits + by.missed), by.wrong / (by.wrong + by.clear)
    rows = round(texts * float(_share(found / texts, tpr, fpr)))
    shares = _share(drawn(found, texts - found), drawn(by.hits, by.missed), drawn(by.wrong, by.clear))
    low, high = (float(end) for end in np.percentile(shares, _ENDS))
    if high <= 0 or low >= 1:
        return None
    # Of rates of 0 or 1 every draw lies on one side, and the count itself may be just outside.
    return Corrected(rows=rows, low=min(round(texts * low), rows), high=max(round(texts * high), rows))


def _share(observed: Floats | float, tpr: Floats | float, fpr: Floats | float) -> Floats:
    """The share with the tag, in [0, 1], from the share that was given it; one for every draw."""
    shares: Floats = np.clip((observed - fpr) / np.maximum(tpr - fpr, _NO_GAP), 0.0, 1.0)
    return shares
