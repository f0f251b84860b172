"""A report out of what was collected."""

from __future__ import annotations

from collections.abc import Mapping

from model.quantify import Corrected, corrected
from serving.priority import LEVELS
from serving.report.collector import Collector
from serving.report.facts import (
    Calendar,
    Comparison,
    Facts,
    GroupNames,
    HeadlineNames,
    Kind,
    Series,
    Shape,
    Source,
    Standing,
    TagNames,
    Taxonomy,
)
from serving.report.normal import WEEKS, Weeks, unusual
from serving.report.standing import others, standing, trends
from serving.report.weeks import calendar_of
from serving.report.words import encodable

AllSeries = Mapping[Kind, Mapping[str, Series]]
_REASONS = 20


def assembled(made: Collector) -> Facts:
    """The report of what `made` has collected."""
    days, zone, column = made.tally.days(), made.layout.zone, encodable(made.date_column)
    calendar = calendar_of(days, made.dates, column=column, zone=zone) if column else None
    series, shape = made.tally.series(made.dates, calendar), _shape(made)
    comparison, judges = _comparison(made, shape, series, calendar)
    strange, tests = unusual(series, calendar, judges) if calendar and comparison else ([], 0)
    return Facts(
        source=_source(made),
        taxonomy=_taxonomy(made),
        shape=shape,
        calendar=calendar,
        series=series,
        untagged=dict(made.untagged),
        corrected=_corrected(made, series),
        towards={name: dict(counts) for name, counts in made.towards.items()},
        standings=_standings(made, series, calendar, judges, judged=comparison is not None),
        comparison=comparison and comparison.model_copy(update={"tests": tests}),
        unusual=strange,
        trends=trends(series.get("obstacle", {}), calendar),
        words={bucket: words for bucket, words in made.words.marking().items() if words},
        examples={bucket: sample.examples() for bucket, sample in made.samples.items()},
        questions=made.questions.grouped(),
        authors=made.authors.widest(),
        events=list(made.events),
    )


def _corrected(made: Collector, series: AllSeries) -> dict[str, Corrected | None]:
    """The counts of the tags, each corrected by itself; none if nothing is known of the bundle's errors."""
    if not made.trials:
        return {}
    tagged, tags = made.rows - made.failed, series.get("tag", {})
    return {
        name: corrected(counted.rows, tagged, made.trials[name]) if name in made.trials else None
        for name, counted in tags.items()
    }


def _comparison(
    made: Collector, shape: Shape, series: AllSeries, calendar: Calendar | None
) -> tuple[Comparison | None, dict[Kind, dict[str, Weeks]] | None]:
    """By what the weeks are judged: the earlier report's, or if None each other; no comparison if they are too few."""
    if calendar is None:
        return None, None
    if made.baseline is None:
        own = Comparison(file=None, first=calendar.first, last=calendar.last, tests=0)
        return (own if len(calendar.weeks) > WEEKS else None), None
    weeks = made.baseline.earlier(calendar)
    if len(weeks) < WEEKS:
        return None, None
    other = made.baseline.model if made.baseline.model != made.model else ""
    earlier = Comparison(file=made.baseline.file, first=weeks[0], last=weeks[-1], tests=0, model=other)
    return earlier, made.baseline.weeks(shape, series, calendar)


def _standings(
    made: Collector,
    series: AllSeries,
    calendar: Calendar | None,
    judges: Mapping[Kind, Mapping[str, Weeks]] | None,
    *,
    judged: bool,
) -> list[Standing]:
    """Of the headlines and of the most pressing level; without headlines, of the most frequent tags that lead."""
    names: list[tuple[Kind, str]] = [("headline", line.name) for line in made.layout.headline]
    if not names:
        tags = series.get("tag", {})
        leading = [tag for tag in tags if tag.startswith(f"{made.layout.lead}/") and tag.count("/") == 1]
        names = [("tag", tag) for tag in sorted(leading, key=lambda tag: -tags[tag].rows)[:3]]
    if "level" in series:
        names.append(("level", LEVELS[0]))
    found = []
    for kind, name in names:
        blank = Series(rows=0, weeks=[0] * len(calendar.weeks) if calendar else [])
        counted = series.get(kind, {}).get(name, blank)
        weeks = None
        if judged and calendar:
            weeks = others(counted, calendar) if judges is None else judges.get(kind, {}).get(name)
        found.append(standing(kind, name, counted, calendar, weeks))
    return found


def _source(made: Collector) -> Source:
    reading, table = made.reading, made.table
    return Source(
        file=encodable(table.source.file_name or table.source.name),
        format=encodable(str(table)),
        text_column=encodable(reading.text_column),
        date_column=encodable(made.date_column),
        target=encodable(reading.target.name) if reading.target else None,
        min_score=reading.min_score,
        rows=made.rows,
        failed=made.failed,
        model=made.model,
        reasons=[(encodable(reason), rows) for reason, rows in made.reasons.most_common(_REASONS)],
    )


def _taxonomy(made: Collector) -> Taxonomy:
    groups = [
        GroupNames(
            name=group.name,
            title=dict(group.title),
            tags=[TagNames(path=tag.path, title=dict(tag.title)) for tag in group.tags],
        )
        for group in made.taxonomy.groups
    ]
    return Taxonomy(id=made.taxonomy.id, groups=groups)


def _shape(made: Collector) -> Shape:
    layout, watched = made.layout, made.reading.watchlist
    return Shape(
        lead=layout.lead,
        headlines=[HeadlineNames(title=line.title, any=line.any, more=line.more) for line in layout.headline],
        obstacles=layout.obstacles.by if layout.obstacles else None,
        questions=layout.questions.by if layout.questions else None,
        questions_title=layout.questions.title if layout.questions else {},
        owners=made.owners,
        roles={encodable(organisation.name): organisation.role for organisation in watched.organisations}
        if watched
        else {},
    )
