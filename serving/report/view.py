"""What the page shows, in its reader's words: plain values for the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate
from typing import Any

from serving.priority import LEVELS
from serving.report.facts import Example, Facts, Interval, Kind, Series, Standing, Trend, Unusual, Word
from serving.report.wording import Wording

CURVES = 4
"""Weeks from which there are curves."""
_UNUSUAL = 200
_NONE = Series(rows=0, weeks=[])
_ARROWS = {"above": "▲", "below": "▼", "normal": "●"}


@dataclass
class Node:
    """A tag: its rows, those below it, and what marks it. `width` is that of its bar, in percent.

    `corrected` are its rows corrected, in words; empty if none are.
    """

    title: str
    rows: int
    share: str
    width: float
    corrected: str
    children: list[Node] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)


class View:
    """The parts of a page."""

    def __init__(self, facts: Facts, wording: Wording) -> None:
        self.facts, self.wording = facts, wording
        self.tagged = facts.source.rows - facts.source.failed
        self.curved = facts.calendar is not None and len(facts.calendar.weeks) >= CURVES

    @property
    def dated(self) -> bool:
        """Whether the file has a column of dates."""
        return bool(self.facts.source.date_column)

    @property
    def most(self) -> int:
        """The tagged rows, which are the whole of a bar."""
        return max(self.tagged, 1)

    def levels(self) -> list[tuple[str, int]]:
        """The levels of priority, the most pressing first."""
        return [(level, self.series("level", level).rows) for level in LEVELS]

    def series(self, kind: Kind, name: str) -> Series:
        return self.facts.series.get(kind, {}).get(name, _NONE)

    def ranked(self, kind: Kind) -> list[tuple[str, int]]:
        """The names of a kind and their rows, most first."""
        counted = {name: series.rows for name, series in self.facts.series.get(kind, {}).items()}
        return sorted(counted.items(), key=lambda item: (-item[1], item[0]))

    def strange(self, kind: Kind, name: str) -> set[int]:
        """The places of the weeks in which a thing is out of the ordinary."""
        calendar = self.facts.calendar
        weeks = {week: place for place, week in enumerate(calendar.weeks)} if calendar else {}
        return {weeks[one.week] for one in self.facts.unusual if (one.kind, one.name) == (kind, name)}

    def unusual(self) -> list[Unusual]:
        """What is out of the ordinary, 200 at most: of a tag and one below it the one below, of a headline its tags."""
        headlines = [(headline.name, set(headline.any)) for headline in self.facts.shape.headlines]
        said: set[tuple[str, str, date, bool]] = set()
        for one in self.facts.unusual:
            if one.kind == "tag":
                above = list(accumulate(one.name.split("/"), "{}/{}".format))
                names: list[tuple[Kind, str]] = [("tag", name) for name in above[:-1]]
                names += [("headline", name) for name, tags in headlines if not tags.isdisjoint(above)]
                said |= {(*name, one.week, self.more(one)) for name in names}
        found = [one for one in self.facts.unusual if (one.kind, one.name, one.week, self.more(one)) not in said]
        return found[:_UNUSUAL]

    def more(self, one: Unusual) -> bool:
        """Whether it was said more often than is normal, and not less."""
        return one.rows > one.normal.high

    def tone(self, one: Standing) -> str:
        """Whether what is found is worse, better, or neither."""
        if one.verdict in (None, "normal") or one.kind not in ("headline", "level"):
            return "plain"  # nobody has said whether more of a tag is worse
        more = self.facts.shape.headline(one.name).more if one.kind == "headline" else "worse"
        worse = (one.verdict == "above") == (more == "worse")
        return "worse" if worse else "better"

    def verdict(self, one: Standing) -> str:
        return f"{_ARROWS[one.verdict]} {self.wording.say(one.verdict)}" if one.verdict else ""

    def groups(self) -> list[tuple[str, list[Node], str]]:
        """Each group's title, its tags as a tree, and the share without any; the group that leads comes first."""
        lead, found = self.facts.shape.lead, []
        for group in sorted(self.facts.taxonomy.groups, key=lambda group: group.name != lead):
            nodes = self._nodes(group.name, "")
            without = self.wording.percent(self.facts.untagged.get(group.name, 0), self.tagged)
            found.append((self.wording.group(group.name), nodes, without))
        return found

    def _nodes(self, group: str, above: str) -> list[Node]:
        under = f"{group}/{above}/" if above else f"{group}/"
        names = [(name, rows) for name, rows in self.ranked("tag") if name.startswith(under)]
        direct = [(name, rows) for name, rows in names if "/" not in name.removeprefix(under)]
        return [self._node(name, rows) for name, rows in direct]

    def _node(self, name: str, rows: int) -> Node:
        group, _, path = name.partition("/")
        return Node(
            title=self.wording.tag(name),
            rows=rows,
            share=self.wording.percent(rows, self.tagged),
            width=round(100 * rows / max(self.tagged, 1), 1),
            corrected=self.corrected(name),
            children=self._nodes(group, path),
            words=self.facts.words.get(name, []),
            examples=self.facts.examples.get(name, []),
        )

    def corrected(self, name: str) -> str:
        """A tag's corrected count and between what it lies; a dash if it cannot be told, nothing if none are."""
        if not self.facts.corrected:
            return ""
        found = self.facts.corrected.get(name)
        if found is None:
            return "≈ –"
        between = self.wording.say("between", low=self.number(found.low), high=self.number(found.high))
        return f"≈ {self.number(found.rows)} ({between})"

    def corrected_note(self) -> str:
        """What the corrected counts mean; nothing if there are none."""
        return self.wording.say("corrected_note") if self.facts.corrected else ""

    def obstacles(self) -> list[dict[str, Any]]:
        """The leaves of the obstacles, the most frequent first, each with its trend."""
        trends = {trend.name: trend for trend in self.facts.trends.trends} if self.facts.trends else {}
        ranked = [(name, rows) for name, rows in self.ranked("obstacle") if name]
        leaves = [(name, rows) for name, rows in ranked if not any(o.startswith(f"{name}/") for o, _ in ranked)]
        most = max((rows for _, rows in leaves), default=1)
        return [
            {
                "title": self.wording.path(name),
                "rows": rows,
                "width": round(100 * rows / most, 1),
                **self.trend(trends.get(name)),
            }
            for name, rows in leaves
        ]

    def trend(self, trend: Trend | None) -> dict[str, str]:
        """A trend in words: its tone, its name, its change in percent, and between what it lies."""
        if trend is None:
            return {"tone": "plain", "trend": self.wording.say("untold"), "change": "", "between": ""}
        tone, name = "plain", "steady"
        if trend.low > 1:
            tone, name = "worse", "rising"
        elif trend.high < 1:
            tone, name = "better", "falling"
        between = self.wording.say("between", low=self._change(trend.low), high=self._change(trend.high))
        return {"tone": tone, "trend": self.wording.say(name), "change": self._change(trend.ratio), "between": between}

    def rising(self) -> list[dict[str, str]]:
        """The obstacles that clearly rise, by how much."""
        found = [trend for trend in (self.facts.trends.trends if self.facts.trends else []) if trend.low > 1]
        found = [one for one in found if not any(other.name.startswith(f"{one.name}/") for other in found)]
        return [{"title": self.wording.path(one.name), **self.trend(one)} for one in found]

    def towards(self) -> list[dict[str, Any]]:
        """Each organisation: its role, rows, and the most frequent tags of the leading group towards it."""
        lead, found = f"{self.facts.shape.lead}/", []
        for name, rows in self.ranked("target"):
            counts = self.facts.towards.get(name, {})
            tags = sorted((tag for tag in counts if tag.startswith(lead)), key=lambda tag: -counts[tag])[:4]
            role = self.facts.shape.roles.get(name)
            found.append(
                {
                    "name": name,
                    "role": self.wording.role(role) if role else "",
                    "rows": rows,
                    "tags": [(self.wording.tag(tag), counts[tag]) for tag in tags],
                }
            )
        return found

    def other_model(self) -> str:
        """That the earlier file was tagged by another model; empty if it was not."""
        source, comparison = self.facts.source, self.facts.comparison
        if not comparison or not comparison.model:
            return ""
        return self.wording.say("other_model", file=comparison.file, before=comparison.model, now=source.model)

    def notes(self) -> list[str]:
        """How the report is to be read."""
        say, calendar, comparison = self.wording.say, self.facts.calendar, self.facts.comparison
        found = [say("reading_counts")]
        if comparison:
            tests = say("reading_tests", tests=self.number(comparison.tests))
            found.append(f"{say('reading_normal')} {tests}")
        if self.facts.trends:
            found.append(say("reading_trend"))
        found.append(say("reading_words"))
        if calendar and calendar.order:
            found.append(say(f"reading_dates_{calendar.order}"))
        if calendar and (calendar.unread or calendar.outside):
            unread, outside = self.number(calendar.unread), self.number(calendar.outside)
            found.append(say("reading_unread", unread=unread, outside=outside))
        return found

    def normal(self, interval: Interval) -> str:
        return self.wording.say("normal_range", low=self.number(interval.low), high=self.number(interval.high))

    def number(self, value: float) -> str:
        return self.wording.number(value)

    def said(self, title: str, weeks: Sequence[int]) -> str:
        """A curve in words."""
        calendar = self.facts.calendar
        if calendar is None or not weeks:
            return title
        least, most, last = (self.number(value) for value in (min(weeks), max(weeks), weeks[-1]))
        week = self.wording.day(calendar.weeks[-1])
        return self.wording.say("curve_text", what=title, least=least, most=most, last=last, week=week)

    def _change(self, ratio: float) -> str:
        text = self.wording.percent(abs(ratio - 1), 1)
        return f"{'+' if ratio >= 1 else '−'}{text}" if ratio < 10 else f"× {self.number(round(ratio))}"
