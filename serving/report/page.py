"""The report as a page: one file without scripts, that fetches nothing; every text of others is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from serving.report.charts import curve, spark
from serving.report.facts import Facts, Kind, Standing
from serving.report.view import View
from serving.report.wording import Wording
from serving.settings import version

_TEMPLATES = Path(__file__).with_name("templates")
_UNUSUAL = 8
_OTHERS = 3


def page(facts: Facts, language: str) -> str:
    """The HTML of a report."""
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    wording = Wording(facts, language)
    view = View(facts, wording)
    unusual = view.unusual()
    return environment.get_template("report.html").render(
        facts=facts,
        view=view,
        wording=wording,
        say=wording.say,
        number=wording.number,
        cards=[_card(view, one) for one in facts.standings],
        curves=_curves(view) if view.curved else [],
        unusual=unusual[:_UNUSUAL],
        unusual_more=len(unusual[_UNUSUAL:]),
        version=version(),
    )


def _card(view: View, one: Standing) -> dict[str, Any]:
    """A figure at the top: that of the last full week, or without weeks that of the file."""
    wording, weeks = view.wording, view.series(one.kind, one.name).weeks
    title = wording.headline(one.kind, one.name)
    return {
        "title": title,
        "figure": wording.number(one.rows if one.in_week is None else one.in_week),
        "week": wording.say("week_of", week=wording.short_day(one.week)) if one.week else "",
        "rows": wording.say("in_all", rows=wording.number(one.rows)),
        "normal": view.normal(one.normal) if one.normal else "",
        "verdict": view.verdict(one),
        "tone": view.tone(one),
        "spark": _spark(view, one, title) if view.curved and weeks else "",
    }


def _spark(view: View, one: Standing, title: str) -> str:
    weeks, calendar = view.series(one.kind, one.name).weeks, view.facts.calendar
    strange = view.strange(one.kind, one.name)
    return spark(weeks, calendar, said=view.said(title, weeks), strange=strange) if calendar else ""


def _curves(view: View) -> list[dict[str, Any]]:
    """All mentions, the figures at the top, and what else was out of the ordinary, week by week."""
    shown: dict[tuple[Kind, str], Standing | None] = {("all", ""): None}
    shown |= {(one.kind, one.name): one for one in view.facts.standings}
    headlines = {("tag", tag) for line in view.facts.shape.headlines for tag in line.any}
    others = ((one.kind, one.name) for one in view.unusual() if (one.kind, one.name) not in headlines)
    for other in list(dict.fromkeys(others))[:_OTHERS]:
        shown.setdefault(other)
    calendar, found = view.facts.calendar, []
    for (kind, name), one in shown.items():
        weeks = view.series(kind, name).weeks
        if calendar is None or not weeks:
            continue
        title = view.wording.headline(kind, name) if one else view.wording.thing(kind, name)
        band = (one.normal.low, one.normal.high) if one and one.normal else None
        drawn = curve(
            weeks,
            calendar,
            view.wording,
            said=view.said(title, weeks),
            strange=view.strange(kind, name),
            normal=band,
            events=view.facts.events,
        )
        found.append({"title": title, "drawn": drawn, "weeks": weeks})
    return found
