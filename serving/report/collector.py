"""What is collected for a report while the rows of a file pass by: memory does not grow with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from model.quantify import trials
from model.tagger import Tagged, Tags
from model.taxonomy import Group, Taxonomy
from serving.exports import Reading
from serving.priority import LEVELS, Priority
from serving.report.authors import Authors, reach_of
from serving.report.baseline import Baseline
from serving.report.facts import Event, Facts
from serving.report.heavy import Heavy
from serving.report.layout import Layout, Titles
from serving.report.questions import Questions
from serving.report.sample import Sample, ticket
from serving.report.weeks import Tally
from serving.report.words import Words, encodable, words_of
from serving.tables import Row, Table
from serving.tables.columns import column_for
from serving.tables.dates import Dates, Day

_REASONS = 500
"""Reasons of failures with room in the counts."""
_LONGEST = 80
"""Characters of an author's name."""


class Collector:
    """Takes every row of a file in order, by `add`; then `facts` is the report.

    `owners` are the titles of the departments that priorities name, `earlier` is a report to judge this file by, and
    `events` are marked on its curves. `model` is the version that tags it, and `metrics` are the bundle's, by which
    counts are corrected. `seed` chooses the examples. Raises ReportError if `earlier` is of other tags.
    """

    def __init__(
        self,
        table: Table,
        taxonomy: Taxonomy,
        reading: Reading,
        layout: Layout,
        *,
        owners: Mapping[str, Titles] | None = None,
        earlier: Facts | None = None,
        events: Sequence[Event] = (),
        model: str = "",
        metrics: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.table, self.taxonomy, self.reading, self.layout, self.model = table, taxonomy, reading, layout, model
        self.owners, self.events = dict(owners or {}), sorted(events, key=lambda event: event.day)
        self.baseline = Baseline(earlier, taxonomy, reading) if earlier else None
        self._seed, self._columns = seed, {role: column_for(table, role) or "" for role in ("date", "author", "reach")}
        self.date_column = self._columns["date"]
        formats = table.profile.date_formats if table.profile else ()
        self.dates = Dates(formats, zone=ZoneInfo(layout.zone))
        self.rows, self.failed = 0, 0
        self.reasons: Heavy[str] = Heavy(_REASONS)
        self.tally, self.words, self.authors = Tally(), Words(), Authors()
        self.questions = Questions(layout.questions.starts if layout.questions else {})
        self.samples: dict[str, Sample] = {}
        self.towards: dict[str, Counter[str]] = {}
        self.untagged: Counter[str] = Counter({group.name: 0 for group in taxonomy.groups})
        # With a floor, tags are given more rarely than when the bundle was tested, and its errors are others.
        self.trials = {} if reading.min_score else trials(metrics or {})
        self._headlines = [(line.name, frozenset(line.any)) for line in layout.headline]

    def add(self, row: Row, result: Tagged | str, priority: Priority | None) -> None:
        """One more row: its tags and how pressing it is, or why it has no tags."""
        self.rows += 1
        if isinstance(result, str):
            self.failed += 1
            self.reasons.see((result,))
            return
        scores = {f"{group}/{score.tag}": score.score for group, tags in result.tags.items() for score in tags}
        present = set(scores)
        for group, tags in result.tags.items():
            if tags:
                present.add(group)
            else:
                self.untagged[group] += 1
        day = self.dates.read(row.cells.get(self.date_column, "")) if self.date_column else None
        self._count(result, scores, present, day)
        if priority:
            self.tally.add("level", (priority.level,), day)
            self.tally.add("owner", (priority.owner,) if priority.owner else (), day)
        self._count_targets(result, day)
        urgent = priority is not None and priority.level == LEVELS[0]
        text = encodable(row.cells.get(self.reading.text_column, ""))
        self._read_text(text, result, scores, present, urgent=urgent)
        if author := row.cells.get(self._columns["author"], "").strip():
            reach = reach_of(row.cells.get(self._columns["reach"], ""))
            self.authors.add(encodable(author[:_LONGEST]), reach, _references(self.layout.lead, result.tags))

    def facts(self) -> Facts:
        """The report of all rows so far."""
        from serving.report.assembly import assembled  # noqa: PLC0415 — it needs the collector's type

        return assembled(self)

    def _count(self, result: Tagged, scores: Iterable[str], present: set[str], day: Day | None) -> None:
        self.tally.add("all", ("",), day)
        self.tally.add("tag", scores, day)
        self.tally.add("language", (result.lang,), day)
        self.tally.add("headline", [name for name, tags in self._headlines if not tags.isdisjoint(present)], day)
        if (obstacles := self.layout.obstacles) and not present.isdisjoint(obstacles.any):
            self.tally.add("obstacle", ("", *_references(obstacles.by, result.tags)), day)

    def _count_targets(self, result: Tagged, day: Day | None) -> None:
        if result.targets:
            self.tally.add("target", [encodable(target.name) for target in result.targets], day)
            self.tally.add("role", {target.role for target in result.targets}, day)
        for target in result.targets:
            counts = self.towards.setdefault(encodable(target.name), Counter())
            for group in target.tags:
                counts.update(_references(group, target.tags))

    def _read_text(
        self, text: str, result: Tagged, scores: Mapping[str, float], present: set[str], *, urgent: bool
    ) -> None:
        words, language = words_of(text), result.lang
        self.words.add(words, language, scores)
        number = ticket(words, self._seed)
        for bucket, score in scores.items():
            self._sample(bucket).add(number, score, self.rows, text, language)
        if urgent:
            self._sample(LEVELS[0]).add(number, None, self.rows, text, language)
        asked = self.layout.questions
        if asked and not present.isdisjoint(asked.any):
            paths = [score.tag for score in result.tags.get(asked.by, ())]
            self.questions.add(text, language, [f"{asked.by}/{path}" for path in Group.deepest(paths)])

    def _sample(self, bucket: str) -> Sample:
        if bucket not in self.samples:
            self.samples[bucket] = Sample()
        return self.samples[bucket]


def _references(group: str, tags: Tags) -> list[str]:
    return [f"{group}/{score.tag}" for score in tags.get(group, ())]
