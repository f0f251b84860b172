"""What a report says, as plain values: what is written as JSON, shown as a page or workbook, and read as a baseline."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

from model.quantify import Corrected
from serving.report.layout import Titles

Kind = Literal["all", "headline", "tag", "obstacle", "level", "owner", "language", "target", "role"]
"""What a series counts: every tagged row, or those of a headline (by its tags), a tag (`group/path`), an obstacle (by
its tag; empty for all), a level of priority, an owner, a language, an organisation of the watchlist, or a role."""
Verdict = Literal["above", "below", "normal"]


class _Fact(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Fact):
    """The file: how it was read, and what came of its rows (`reasons`: of each failure). `date_column` may be empty.

    `model` is the version that tagged it; empty in reports of before it was written down.
    """

    file: str
    format: str
    text_column: str
    date_column: str
    target: str | None
    min_score: float
    rows: int
    failed: int
    model: str = ""
    reasons: list[tuple[str, int]]


class TagNames(_Fact):
    """A tag of the set, for people."""

    path: str
    title: Titles


class GroupNames(_Fact):
    """A group of the set, for people."""

    name: str
    title: Titles
    tags: list[TagNames]


class Taxonomy(_Fact):
    """The tag set."""

    id: str
    groups: list[GroupNames]


class HeadlineNames(_Fact):
    """A figure at the top, and the tags that it counts."""

    title: Titles
    any: list[str]
    more: Literal["worse", "better"]

    @property
    def name(self) -> str:
        """What its series is called, in this report and in others."""
        return "|".join(self.any)


class Shape(_Fact):
    """What comes first, as the layout says it: `obstacles` and `questions` are the groups that they are counted by."""

    lead: str
    headlines: list[HeadlineNames]
    obstacles: str | None
    questions: str | None
    questions_title: Titles
    owners: dict[str, Titles]
    roles: dict[str, str]
    """Organisation → its role."""

    def headline(self, name: str) -> HeadlineNames:
        """The one whose series has that name."""
        return next(headline for headline in self.headlines if headline.name == name)


class Calendar(_Fact):
    """The dates: of which column, in which order, and the weeks that they span.

    `weeks` are Mondays, without a gap; `covered` says how many days of each lie between the first date and the last.
    `order` is None where no date could be read in two ways. `outside` rows have a date far from all others.
    """

    column: str
    zone: str
    order: Literal["day", "month"] | None
    first: date
    last: date
    read: int
    unread: int
    outside: int
    weeks: list[date]
    covered: list[int]


class Series(_Fact):
    """The rows of one thing, in all and by week; `weeks` is empty where there is no calendar."""

    rows: int
    weeks: list[int]


class Interval(_Fact):
    """What is normal for a week: the rows expected, and from `low` to `high` 95 times of 100."""

    expected: float
    low: int
    high: int


class Standing(_Fact):
    """A headline in the last full week beside what is normal; the last four are None where that cannot be told."""

    kind: Kind
    name: str
    rows: int
    week: date | None
    in_week: int | None
    normal: Interval | None
    verdict: Verdict | None


class Unusual(_Fact):
    """A week in which a thing was said more or less often than is normal. `q`: Benjamini and Hochberg's adjusted p.

    All are there: a tag and those below it, and a headline and its tags.
    """

    kind: Kind
    name: str
    week: date
    rows: int
    normal: Interval
    q: float


class Trend(_Fact):
    """An obstacle of late beside before: the ratio of its weekly rates, with an interval of 95%."""

    name: str
    late: int
    before: int
    ratio: float
    low: float
    high: float


class Trends(_Fact):
    """The trends, rising ones first, and how many weeks are late and how many before."""

    late_weeks: int
    before_weeks: int
    trends: list[Trend]


class Comparison(_Fact):
    """What is normal by: the earlier file, or the other weeks of this one (`file` is None).

    `model` is the version that tagged the earlier file, if it was another: then a change may be the model's doing.
    """

    file: str | None
    first: date | None
    last: date | None
    tests: int
    model: str = ""


class Word(_Fact):
    """A word that marks a bucket: `rows` of it, and how sure, in standard deviations."""

    text: str
    language: str
    rows: int
    sureness: float


class Example(_Fact):
    """A mention, cut if it is long; `row` counts from 1, and `score` is None for those drawn by chance."""

    row: int
    text: str
    language: str
    score: float | None


class Question(_Fact):
    """Questions that are nearly the same: how often, and one of their wordings, often the first that was met."""

    text: str
    language: str
    rows: int


class QuestionTopic(_Fact):
    """The questions of one tag (`path`; empty for those without one)."""

    path: str
    rows: int
    questions: list[Question]


class Author(_Fact):
    """An author: the widest reach, the rows, and their most frequent tags of the lead group."""

    name: str
    reach: int
    rows: int
    tags: list[str]


class Event(_Fact):
    """What happened on a day, to be marked on the curves."""

    day: date
    title: str


class Facts(_Fact):
    """A whole report. `towards`: organisation → `group/path` → rows. `words`, `examples`: by `group/path` or level."""

    form: Literal["tympan-report"] = "tympan-report"
    version: Literal[1] = 1
    source: Source
    taxonomy: Taxonomy
    shape: Shape
    calendar: Calendar | None
    series: dict[Kind, dict[str, Series]]
    untagged: dict[str, int]
    """Group → tagged rows that have none of its tags."""
    corrected: dict[str, Corrected | None] = {}
    """`group/path` → its rows, corrected; None if they cannot be. Empty, as in older reports, if none are."""
    towards: dict[str, dict[str, int]]
    standings: list[Standing]
    comparison: Comparison | None
    unusual: list[Unusual]
    trends: Trends | None
    words: dict[str, list[Word]]
    examples: dict[str, list[Example]]
    questions: list[QuestionTopic]
    authors: list[Author]
    events: list[Event]
