"""How the figures at the top stand in the last full week, and which obstacles grow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from serving.report.facts import Calendar, Interval, Kind, Series, Standing, Trend, Trends, Verdict
from serving.report.normal import Expected, Weeks

_LATE = 4
"""Full weeks that are late, and as many before them."""
_LEAST = 5
"""Rows that an obstacle must have in those weeks."""
_Z = 1.96


def standing(kind: Kind, name: str, series: Series, calendar: Calendar | None, other: Weeks | None) -> Standing:
    """A headline's, judged by `other` weeks; not judged if there are none."""
    place = last_full(calendar)
    if calendar is None or place is None:
        return Standing(kind=kind, name=name, rows=series.rows, week=None, in_week=None, normal=None, verdict=None)
    found, normal, verdict = series.weeks[place], None, None
    if other is not None:
        normal = Expected.by(other, [calendar.covered[place]]).interval(0)
        verdict = _verdict(found, normal)
    week = calendar.weeks[place]
    return Standing(kind=kind, name=name, rows=series.rows, week=week, in_week=found, normal=normal, verdict=verdict)


def others(series: Series, calendar: Calendar) -> Weeks:
    """The weeks of a series but for its last full one."""
    left = [place for place in range(len(calendar.weeks)) if place != last_full(calendar)]
    return Weeks([series.weeks[place] for place in left], [calendar.covered[place] for place in left])


def _verdict(found: int, normal: Interval) -> Verdict:
    return "above" if found > normal.high else "below" if found < normal.low else "normal"


def last_full(calendar: Calendar | None) -> int | None:
    """The place of the last week that is covered whole; None if there is none."""
    full = [place for place, days in enumerate(calendar.covered) if days == 7] if calendar else []
    return full[-1] if full else None


def trends(series: Mapping[str, Series], calendar: Calendar | None) -> Trends | None:
    """Of each obstacle, rising ones first; None if there are fewer than four full weeks."""
    full = [place for place, days in enumerate(calendar.covered) if days == 7] if calendar else []
    length = min(_LATE, len(full) // 2)
    if length < 2:
        return None
    late, before = full[-length:], full[-2 * length : -length]
    found = []
    for name, counted in series.items():
        parts = [[counted.weeks[place] for place in places] for places in (late, before)]
        if name and sum(map(sum, parts)) >= _LEAST:
            found.append(_trend(name, *parts))
    found.sort(key=lambda trend: (-trend.low, -trend.ratio))
    return Trends(late_weeks=length, before_weeks=length, trends=found)


def _trend(name: str, late: Sequence[int], before: Sequence[int]) -> Trend:
    """The ratio of two sums over as many weeks, by Wilson's interval of the later one's share (Wilson, 1927).

    Its number of rows is divided by the dispersion of the weeks about the mean of their half.
    """
    last, first = sum(late) + 0.5, sum(before) + 0.5
    squares = sum(
        (week - sum(half) / len(half)) ** 2 * len(half) / (sum(half) + 0.5) for half in (late, before) for week in half
    )
    dispersion = max(1.0, squares / (len(late) + len(before) - 2))
    count, share = (last + first) / dispersion, last / (last + first)
    middle = share + _Z**2 / (2 * count)
    half = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    low, high = ((middle + sign * half) / (1 + _Z**2 / count) for sign in (-1, 1))
    ratio, low, high = (round(part / (1 - part), 3) for part in (share, low, high))
    return Trend(name=name, late=sum(late), before=sum(before), ratio=ratio, low=low, high=high)
