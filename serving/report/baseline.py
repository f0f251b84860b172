"""An earlier report, by whose weeks those of a file are judged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from model.taxonomy import Taxonomy
from serving.exports import Reading
from serving.priority import LEVELS
from serving.report.errors import ReportError
from serving.report.facts import Calendar, Facts, Kind, Series, Shape
from serving.report.normal import JUDGED, WEEKS, Weeks
from serving.report.words import encodable

AllSeries = Mapping[Kind, Mapping[str, Series]]


class Baseline:
    """An earlier report, which must be of the same tags, target and floor of scores, and have weeks enough.

    ReportError says which it is not.
    """

    def __init__(self, facts: Facts, taxonomy: Taxonomy, reading: Reading) -> None:
        where = f"--baseline: the report of {facts.source.file}"
        if facts.taxonomy.id != taxonomy.id:
            problem = f"is of the tag set {facts.taxonomy.id}, and the model's is {taxonomy.id}"
            raise ReportError(where, problem, "Tag that file anew with this model")
        target = encodable(reading.target.name) if reading.target else None
        if facts.source.target != target:
            problem = f"is towards {facts.source.target or 'nobody'}, and this file towards {target or 'nobody'}"
            raise ReportError(where, problem, "Give the same --target or --watchlist for both")
        if facts.source.min_score != reading.min_score:
            problem = f"has a --min-score of {facts.source.min_score}, and this file one of {reading.min_score}"
            raise ReportError(where, problem, "Give the same for both")
        if facts.calendar is None or len(facts.calendar.weeks) < WEEKS:
            weeks = len(facts.calendar.weeks) if facts.calendar else 0
            raise ReportError(where, f"has {weeks} weeks with dates", f"Give one of {WEEKS} weeks or more")
        self.file, self.model = facts.source.file, facts.source.model
        self._facts, self._calendar = facts, facts.calendar

    def earlier(self, calendar: Calendar) -> list[date]:
        """Its weeks that the file does not have too."""
        return [self._calendar.weeks[place] for place in self._places(calendar)]

    def weeks(self, shape: Shape, series: AllSeries, calendar: Calendar) -> dict[Kind, dict[str, Weeks]]:
        """The earlier weeks of all that is judged and that both files were searched for, though one may have none."""
        places = self._places(calendar)
        covered = [self._calendar.covered[place] for place in places]
        nothing = Series(rows=0, weeks=[0] * len(self._calendar.weeks))
        here, then = _sought(shape, series), _sought(self._facts.shape, self._facts.series)
        found: dict[Kind, dict[str, Weeks]] = {}
        for kind in JUDGED:
            known = self._facts.series.get(kind, {})
            names = here[kind] & then[kind] if kind in here else known.keys() | series.get(kind, {}).keys()
            counts = {name: known.get(name, nothing).weeks for name in sorted(names)}
            found[kind] = {name: Weeks([weeks[place] for place in places], covered) for name, weeks in counts.items()}
        return found

    def _places(self, calendar: Calendar) -> list[int]:
        own = set(calendar.weeks)
        return [place for place, week in enumerate(self._calendar.weeks) if week not in own]


def _sought(shape: Shape, series: AllSeries) -> dict[Kind, set[str]]:
    """By kind, what a file was searched for; of the kinds that are not there, it was for all that there is."""
    return {
        "headline": {headline.name for headline in shape.headlines},
        "target": set(shape.roles),
        "level": set(LEVELS) if "level" in series else set(),
    }
