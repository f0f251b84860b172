"""Dates as exports write them. Whether day or month comes first is settled by what the whole column holds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import cache
from typing import Any, NamedTuple

from labels.extra import library

FIRST, LAST = date(1990, 1, 1), date(2100, 1, 1)
"""What lies outside is no date of a mention, but a number that looks like one."""
_LONGEST = 64  # characters of a date in words
_ISO = re.compile(r"\d{4}-?\d\d-?\d\d(?!\d)")
_NUMBERS = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d\d)(?![\d/.\-])")
_ZONED = re.compile(r".*:\d\d.*?(?:[+-]\d\d?(?::?\d\d)?|z|utc|gmt)\)?", re.IGNORECASE)
_GREENWICH = re.compile(r"\(?(?:utc|gmt)\s?([+-][\d:]+)\)?", re.IGNORECASE)
_SINCE_1970 = re.compile(r"(\d{10})(\d{3})?(?:\.\d+)?")
_WEEKDAY = re.compile(r"^[^\W\d]+\.?,?\s+")
_HOURS = re.compile(r"(\d)\s?h\s?(\d)")
_DEFAULTS = (datetime(2000, 1, 1), datetime(2001, 2, 2))
_MONTHS = (
    *("jan january janv janvier gen gennaio", "feb february fev fevr fevrier febbraio", "mar march mars marzo"),
    *("apr april avr avril aprile", "may mai mag maggio", "jun june juin giu giugno"),
    *("jul july juil juillet lug luglio", "aug august aout ago agosto", "sep sept september septembre set settembre"),
    *("oct october octobre ott ottobre", "nov november novembre", "dec december decembre dic dicembre"),
)


class Doubtful(NamedTuple):
    """A day written as two numbers and a year, of which either number can be the month."""

    first: int
    second: int
    year: int
    shifts: tuple[int, int] = (0, 0)
    """Days to the day in the zone asked for: if the second number is the month, and if the first one is."""

    def on(self, *, day_first: bool) -> date:
        """The day, if the first number is the day of the month, or if it is the month."""
        day, month = (self.first, self.second) if day_first else (self.second, self.first)
        return date(self.year, month, day) + timedelta(self.shifts[not day_first])


Day = date | Doubtful


class Dates:
    """A column of dates, read cell by cell.

    Read are the `formats` of `datetime.strptime`, ISO 8601, seconds or milliseconds since 1970, numbers, and words in
    English, French and Italian. Moments that name their time zone become days of `zone`; others stay as written.
    """

    def __init__(self, formats: Sequence[str] = (), *, zone: tzinfo = UTC) -> None:
        self._formats, self._zone = list(formats), zone
        self._proofs = {True: 0, False: 0}  # day first → cells that can be read only so
        self._doubtful: set[Doubtful] = set()
        self._sure: tuple[date, date] | None = None

    def read(self, cell: str) -> Day | None:
        """The day that a cell says; None if it says none. What is doubtful waits for `settled`."""
        cell = cell.strip()
        found = self._found(cell) if cell else None
        if isinstance(found, Doubtful):
            self._doubtful.add(found)
            return found
        if found is None or not FIRST <= found < LAST:
            return None
        first, last = self._sure or (found, found)
        if self._sure is None or found < first or found > last:
            self._sure = min(first, found), max(last, found)
        return found

    @property
    def doubted(self) -> bool:
        """Whether a cell could be read in two ways."""
        return bool(self._doubtful)

    @property
    def day_first(self) -> bool:
        """Whether the day comes before the month in the cells read so far that could be read in two ways.

        So it is in most of those that can be read in only one way; without any, if the days then lie closer together,
        or as close: an export seldom holds the same day of every month.
        """
        if self._proofs[True] != self._proofs[False]:
            return self._proofs[True] > self._proofs[False]
        return self._span(day_first=True) <= self._span(day_first=False)

    def settled(self, days: Sequence[Day]) -> list[date]:
        """Days that were read, in the order that the whole column has."""
        day_first = self.day_first
        return [day.on(day_first=day_first) if isinstance(day, Doubtful) else day for day in days]

    def _span(self, *, day_first: bool) -> timedelta:
        days = [day.on(day_first=day_first) for day in self._doubtful]
        days += self._sure or ()
        return max(days) - min(days) if days else timedelta(0)

    def _found(self, cell: str) -> Day | None:
        for place, form in enumerate(self._formats):
            try:
                moment = datetime.strptime(cell, form)
            except ValueError:
                continue
            if place:
                self._formats.insert(0, self._formats.pop(place))  # the next cell is most often written alike
            return self._day(moment)
        if _ISO.match(cell):
            try:
                return self._day(datetime.fromisoformat(cell))
            except ValueError:
                pass
        if numbers := _NUMBERS.match(cell):
            return self._of_numbers(int(numbers[1]), int(numbers[3]), numbers[4], cell[numbers.end() :])
        if seconds := _SINCE_1970.fullmatch(cell):
            return self._day(datetime.fromtimestamp(int(seconds[1]), UTC))
        return self._in_words(cell) if len(cell) <= _LONGEST else None

    def _of_numbers(self, first: int, second: int, written: str, tail: str) -> Day | None:
        """The day of two numbers and a year; `tail` is what stands behind, such as a time of day and its zone."""
        year, clock = int(written), _clock(tail)
        if len(written) == 2:
            year += 2000 if year < 69 else 1900  # as strptime has it
        if max(first, second) <= 12 and first != second:
            if not min(first, second) or not FIRST.year <= year < LAST.year:
                return None
            doubtful = Doubtful(first, second, year)
            shifts = [self._shift(doubtful.on(day_first=day_first), clock) for day_first in (True, False)]
            return doubtful._replace(shifts=(shifts[0], shifts[1]))
        try:
            found = Doubtful(first, second, year).on(day_first=first >= second)
        except ValueError:
            return None
        if first != second:
            self._proofs[first > second] += 1
        return found + timedelta(self._shift(found, clock)) if FIRST <= found < LAST else None

    def _shift(self, day: date, clock: time | None) -> int:
        """How many days lie between a day as written and the day in the zone asked for; 0 without a `clock`."""
        if clock is None:
            return 0
        return (datetime.combine(day, clock).astimezone(self._zone).date() - day).days

    def _in_words(self, cell: str) -> date | None:
        """By dateutil; a weekday before the date, which may be called like a month, is tried to leave out."""
        cell = unicodedata.normalize("NFD", cell.replace("à", ","))  # without its accent it would mean before noon
        cell = _offset(cell)
        cell = _HOURS.sub(r"\1:\2", "".join(c for c in cell if not unicodedata.combining(c)))
        day_first = not cell[:4].isdigit()
        parse, names = _dateutil()
        for text in dict.fromkeys((cell, _WEEKDAY.sub("", cell))):
            try:
                found = [
                    parse(text, parserinfo=names, default=default, tzinfos=_zone_of, dayfirst=day_first)
                    for default in _DEFAULTS
                ]
            except (ValueError, OverflowError, TypeError):
                continue
            if found[0].date() == found[1].date():  # else the year, month or day is the default's
                return self._day(found[0])
        return None

    def _day(self, moment: datetime) -> date | None:
        try:
            return (moment.astimezone(self._zone) if moment.tzinfo else moment).date()
        except OverflowError:  # at the ends of the calendar
            return None


def _clock(tail: str) -> time | None:
    """The time of day with its zone behind a date, such as ` 23:30 -0500`; None if it names no zone."""
    if len(tail) > _LONGEST or not _ZONED.fullmatch(tail):
        return None
    parse, names = _dateutil()
    try:
        moment = parse(_offset(tail.lstrip("Tt, ")), parserinfo=names, default=_DEFAULTS[0], tzinfos=_zone_of)
    except (ValueError, OverflowError, TypeError):
        return None
    clock: time = moment.timetz()
    return clock if clock.tzinfo else None


def _offset(text: str) -> str:
    """`text` with `+0200` for `GMT+0200`, which dateutil takes for two hours the other way."""
    return _GREENWICH.sub(r" \1", text)


def _zone_of(_: str | None, offset: int | None) -> tzinfo | None:
    """A zone by its offset in seconds; abbreviations mean several zones, and are passed over."""
    return None if offset is None else timezone(timedelta(seconds=offset))


@cache
def _dateutil() -> tuple[Any, Any]:
    """Its parser, and the names of the months in three languages, without accents."""
    parser = library("dateutil.parser", extra="report")
    months = [tuple(names.split()) for names in _MONTHS]
    jump = [*parser.parserinfo.JUMP, "le", "il", "de", "del", "alle", "ore", "er"]
    return parser.parse, type("Names", (parser.parserinfo,), {"MONTHS": months, "JUMP": jump})()
