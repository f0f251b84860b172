"""What is normal for a week, judged by other weeks, and which weeks are not.

Counts of a week are taken for draws of a negative binomial distribution. Its mean is the rate of the other weeks (with
half a row more, after Jeffreys) times the days that the week covers. Its variance is what the Gamma-Poisson model
predicts (Gelman et al., "Bayesian Data Analysis", third edition, section 2.6), which takes into account that the rate
is itself estimated, times the dispersion of the other weeks about their rate where they vary more than chance would
have it, as Farrington et al. do ("A statistical algorithm for the early detection of outbreaks of infectious disease",
1996). Neither seasons nor trends are modelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labels.extra import library
from serving.report.facts import Calendar, Interval, Kind, Series, Unusual

WEEKS = 5
"""Weeks to judge by, at least."""
_FALSE = 0.05
"""Of the weeks that are called unusual, the share that may be so by chance (Benjamini and Hochberg, 1995)."""
JUDGED: tuple[Kind, ...] = ("all", "headline", "tag", "level", "language", "target")
"""What is judged week by week."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Weeks:
    """Weeks to judge by: rows and covered days of each."""

    rows: Sequence[int]
    covered: Sequence[int]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Expected:
    """Negative binomial distributions of the rows of weeks: their means and variances."""

    mean: _Floats
    variance: _Floats

    @classmethod
    def by(cls, weeks: Weeks, covered: Sequence[int]) -> Expected:
        """Of weeks with so many `covered` days, judged by other `weeks`."""
        rows, length = np.array(weeks.rows, float), np.array(weeks.covered) / 7
        squares = (rows**2 / length).sum()
        return cls._of(rows.sum(), length.sum(), squares, len(rows), np.array(covered) / 7)

    @classmethod
    def by_the_others(cls, weeks: Weeks) -> Expected:
        """Of each of `weeks`, judged by all of the others."""
        rows, length = np.array(weeks.rows, float), np.array(weeks.covered) / 7
        squares = rows**2 / length
        others = rows.sum() - rows, length.sum() - length, squares.sum() - squares
        return cls._of(*others, len(rows) - 1, length)

    @classmethod
    def _of(
        cls, total: _Floats | float, lengths: _Floats | float, squares: _Floats | float, count: int, length: _Floats
    ) -> Expected:
        """From sums over the weeks to judge by: their rows, lengths in weeks, and rows² / length."""
        rate = (total + 0.5) / lengths
        pearson = squares / rate - 2 * total + rate * lengths
        dispersion = np.maximum(1.0, pearson / max(count - 1, 1))
        mean = rate * length
        return cls(mean, dispersion * mean * (1 + length / lengths))

    def interval(self, place: int) -> Interval:
        """In which the rows of the week at `place` are 95 times of 100."""
        low, high = (int(self._law().ppf(share)[place]) for share in (0.025, 0.975))
        return Interval(expected=round(float(self.mean[place]), 2), low=low, high=high)

    def chances(self, rows: Sequence[int]) -> _Floats:
        """How likely rows at least as far out as these are, on both sides."""
        law, found = self._law(), np.array(rows)
        chances: _Floats = np.minimum(1.0, 2 * np.minimum(law.cdf(found), law.sf(found - 1)))
        return chances

    def _law(self) -> Any:  # noqa: ANN401 — scipy has no types
        mean, variance = self.mean, self.variance
        return library("scipy.stats", extra="report").nbinom(mean**2 / (variance - mean), mean / variance)


def unusual(
    series: Mapping[Kind, Mapping[str, Series]], calendar: Calendar, other: Mapping[Kind, Mapping[str, Weeks]] | None
) -> tuple[list[Unusual], int]:
    """The weeks that are not normal, the latest and least likely first, and how many were judged.

    They are judged by `other` weeks, or by all others of the file. What is said less than once a week in both is not
    judged; what only the `other` weeks have is, since it has fallen to nothing.
    """
    found = list(_expected(series, calendar, other))
    if not found:
        return [], 0
    chances = np.concatenate([expected.chances(counted.weeks) for _, _, counted, expected in found])
    adjusted = library("scipy.stats", extra="report").false_discovery_control(chances).reshape(len(found), -1)
    strange = [
        Unusual(
            kind=kind,
            name=name,
            week=calendar.weeks[week],
            rows=counted.weeks[week],
            normal=expected.interval(int(week)),
            q=float(f"{adjusted[place, week]:.3g}"),
        )
        for place, (kind, name, counted, expected) in enumerate(found)
        for week in np.flatnonzero(adjusted[place] <= _FALSE)
    ]
    return sorted(strange, key=lambda one: (-one.week.toordinal(), one.q)), len(chances)


def _expected(
    series: Mapping[Kind, Mapping[str, Series]], calendar: Calendar, other: Mapping[Kind, Mapping[str, Weeks]] | None
) -> Iterator[tuple[Kind, str, Series, Expected]]:
    """What is frequent enough to be judged, and what it is judged by."""
    nothing = Series(rows=0, weeks=[0] * len(calendar.weeks))
    for kind in JUDGED:
        for name in (series if other is None else other).get(kind, {}):
            counted = series.get(kind, {}).get(name, nothing)
            by = None if other is None else other[kind][name]
            if kind != "all" and counted == series["all"][""]:
                continue  # such as the only brand of a watchlist
            if _frequent(counted.weeks) or (by and _frequent(by.rows)):
                own = Weeks(counted.weeks, calendar.covered)
                yield kind, name, counted, Expected.by(by, calendar.covered) if by else Expected.by_the_others(own)


def _frequent(weeks: Sequence[int]) -> bool:
    """Whether there is a row a week or more."""
    return sum(weeks) >= len(weeks)
