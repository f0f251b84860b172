"""What happened when: a table of dates and titles, to be marked on the curves."""

from __future__ import annotations

from pathlib import Path

from serving.errors import TableError
from serving.report.errors import ReportError
from serving.report.facts import Event
from serving.report.words import encodable
from serving.tables import open_table
from serving.tables.columns import column_for
from serving.tables.dates import Dates, Day
from serving.tables.names import named

_TITLES = ("title", "event", "name", "titre", "evenement", "nom", "titolo", "evento", "nome")
_MOST, _LONGEST = 50, 120


def read_events(path: Path) -> list[Event]:
    """The events of a file such as CSV, with a column of the date and one of the title, by day.

    Raises ReportError, which names the row, if one has no date that can be read or no title.
    """
    try:
        table = open_table(path)
    except TableError as error:
        raise ReportError(f"--events: {error.where}", error.problem, error.remedy) from error
    date, title = column_for(table, "date"), named(table.columns, _TITLES)
    if not date or not title:
        there = ", ".join(column[:40] for column in table.columns)
        raise ReportError(f"--events: {path.name}", "has no columns date and title", f"It has: {there}")
    dates, found = Dates(), list[tuple[Day, str]]()
    for number, row in enumerate((row for row in table.rows() if not row.blank), start=1):
        where = f"--events: {path.name}, row {number:,}"
        written, said = row.cells.get(date, ""), encodable(" ".join(row.cells.get(title, "").split()))
        day = dates.read(written)
        if day is None:
            raise ReportError(where, f"{written[:40]!r} is no date", "Write it as 2026-03-02")
        if not said:
            raise ReportError(where, "has no title", "Say in some words what happened")
        found.append((day, said[:_LONGEST]))
    if len(found) > _MOST:
        raise ReportError(f"--events: {path.name}", f"has {len(found):,} events", f"Give at most {_MOST}")
    days = dates.settled([day for day, _ in found])
    return sorted((Event(day=day, title=said) for day, (_, said) in zip(days, found, strict=True)), key=_when)


def _when(event: Event) -> tuple[object, str]:
    return event.day, event.title
