"""The weeks that a file's dates span, and what was counted in each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta

from serving.report.facts import Calendar, Kind, Series
from serving.tables.dates import Dates, Day

_FEW = 1_000
"""One row in so many, and at least one, may have a date far from all others without stretching the weeks."""
_ALL = 20
"""Of so few rows none is left out."""
_WEEK = timedelta(7)

Days = Counter[Day | None]
"""Rows by day; None for those without a date."""


class Tally:
    """Rows by what they are and by week: a day in doubt stays, the others are held as their Monday.

    Of all rows the days are held too, so that the span of the dates is known.
    """

    def __init__(self) -> None:
        self._counts: defaultdict[Kind, defaultdict[str, Days]] = defaultdict(lambda: defaultdict(Counter))
        self._days: Days = Counter()

    def add(self, kind: Kind, names: Iterable[str], day: Day | None) -> None:
        """Count a row for each of `names`."""
        counts = self._counts[kind]
        week = _monday(day) if isinstance(day, date) else day
        for name in names:
            counts[name][week] += 1
        if kind == "all":
            self._days[day] += 1

    def days(self) -> Days:
        """All rows by day."""
        return self._days

    def series(self, dates: Dates, calendar: Calendar | None) -> dict[Kind, dict[str, Series]]:
        """Every count in all, and by the weeks of the calendar."""
        return {
            kind: {name: _series(days, dates, calendar) for name, days in counts.items()}
            for kind, counts in self._counts.items()
        }


def calendar_of(days: Days, dates: Dates, *, column: str, zone: str) -> Calendar | None:
    """The weeks of all rows; None if no date was read."""
    rows = _by_date(days, dates)
    if not rows:
        return None
    read = sum(rows.values())
    first, last = _span(rows, read)
    start = _monday(first)
    weeks = [start + place * _WEEK for place in range((last - start) // _WEEK + 1)]
    return Calendar(
        column=column,
        zone=zone,
        order=("day" if dates.day_first else "month") if dates.doubted else None,
        first=first,
        last=last,
        read=read,
        unread=days.total() - read,
        outside=sum(count for day, count in rows.items() if not first <= day <= last),
        weeks=weeks,
        covered=[(min(week + _WEEK, last + timedelta(1)) - max(week, first)).days for week in weeks],
    )


def _span(rows: dict[date, int], read: int) -> tuple[date, date]:
    """From the first day to the last, without the few at an end that would make the span more than twice as long.

    Weeks are left out whole.
    """
    days = sorted(rows)
    first, last, spare = days[0], days[-1], max(1, read // _FEW) if read > _ALL else 0
    later, earlier = _beyond(days, rows, spare), _beyond(days[::-1], rows, spare)
    if 2 * (last - later) < last - first:
        first = next(day for day in days if day >= _monday(later))
    if 2 * (earlier - first) < last - first:
        last = next(day for day in reversed(days) if day < _monday(earlier) + _WEEK)
    return first, last


def _beyond(days: list[date], rows: dict[date, int], spare: int) -> date:
    """The first of `days` until which there are more than `spare` rows."""
    for day in days:
        spare -= rows[day]
        if spare < 0:
            return day
    return days[-1]


def _by_date(days: Days, dates: Dates) -> dict[date, int]:
    known = [day for day in days if day is not None]
    found: Counter[date] = Counter()
    for day, settled in zip(known, dates.settled(known), strict=True):
        found[settled] += days[day]
    return found


def _series(days: Days, dates: Dates, calendar: Calendar | None) -> Series:
    if calendar is None:
        return Series(rows=days.total(), weeks=[])
    weeks = [0] * len(calendar.weeks)
    for day, count in _by_date(days, dates).items():
        place = (day - calendar.weeks[0]) // _WEEK
        if 0 <= place < len(weeks):
            weeks[place] += count
    return Series(rows=days.total(), weeks=weeks)


def _monday(day: date) -> date:
    return day - timedelta(day.weekday())
