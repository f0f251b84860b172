"""An earlier report, by whose weeks those of a file are judged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from model.taxonomy import Taxonomy
from serving.exports import Reading
from serving.report.errors import ReportError
from serving.report.facts import Calendar, Facts, Kind, Series
from serving.report.normal import WEEKS, Weeks


class Baseline:
    """An earlier report, which must be of the same tags, target and floor of scores, and have weeks enough.

    ReportError says which it is not.
    """

    def __init__(self, facts: Facts, taxonomy: Taxonomy, reading: Reading) -> None:
        where = f"--baseline: the report of {facts.source.file}"
        if facts.taxonomy.id != taxonomy.id:
            problem = f"is of the tag set {facts.taxonomy.id}, and the model's is {taxonomy.id}"
            raise ReportError(where, problem, "Tag that file anew with this model")
        target = reading.target.name if reading.target else None
        if facts.source.target != target:
            problem = f"is towards {facts.source.target or 'nobody'}, and this file towards {target or 'nobody'}"
            raise ReportError(where, problem, "Give the same --target or --watchlist for both")
        if facts.source.min_score != reading.min_score:
            problem = f"has a --min-score of {facts.source.min_score}, and this file one of {reading.min_score}"
            raise ReportError(where, problem, "Give the same for both")
        if facts.calendar is None or len(facts.calendar.weeks) < WEEKS:
            weeks = len(facts.calendar.weeks) if facts.calendar else 0
            raise ReportError(where, f"has {weeks} weeks with dates", f"Give one of {WEEKS} weeks or more")
        self.file, self._facts, self._calendar = facts.source.file, facts, facts.calendar

    def earlier(self, calendar: Calendar) -> list[date]:
        """Its weeks that the file does not have too."""
        return [self._calendar.weeks[place] for place in self._places(calendar)]

    def weeks(self, series: Mapping[Kind, Mapping[str, Series]], calendar: Calendar) -> dict[Kind, dict[str, Weeks]]:
        """Of all that the file has counted, the earlier weeks; what was not looked for then has none."""
        places = self._places(calendar)
        covered = [self._calendar.covered[place] for place in places]
        found: dict[Kind, dict[str, Weeks]] = {}
        for kind, counted in series.items():
            known = self._facts.series.get(kind, {})
            found[kind] = {
                name: Weeks([known[name].weeks[place] if name in known else 0 for place in places], covered)
                for name in counted
                if self._looked_for(kind, name)
            }
        return found

    def _looked_for(self, kind: Kind, name: str) -> bool:
        shape = self._facts.shape
        sought = {
            "headline": {headline.name for headline in shape.headlines},
            "target": shape.roles.keys(),
            "role": shape.roles.values(),
            "obstacle": set(),  # what one is depends on the layout
        }.get(kind)
        return sought is None or name in sought

    def _places(self, calendar: Calendar) -> list[int]:
        own = set(calendar.weeks)
        return [place for place, week in enumerate(self._calendar.weeks) if week not in own]
