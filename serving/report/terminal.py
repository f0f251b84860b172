"""The report on a terminal: what stands at the top of the page, in a few lines."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from serving.report.facts import Facts
from serving.report.view import View
from serving.report.wording import Wording

_LINES = 5


def show(facts: Facts, language: str, console: Console) -> None:
    """The figures at the top, what is out of the ordinary, what stands in the way most, and corrected counts."""
    wording = Wording(facts, language)
    view = View(facts, wording)
    say = wording.say
    figures = Table(title=say("first_screen"), title_justify="left", show_header=False)
    for one in facts.standings:
        figure = wording.number(one.rows if one.in_week is None else one.in_week)
        week = say("week_of", week=wording.short_day(one.week)) if one.week else ""
        normal = view.normal(one.normal) if one.normal else ""
        in_all = say("in_all", rows=wording.number(one.rows))
        figures.add_row(
            *map(Text, (wording.headline(one.kind, one.name), figure, week, view.verdict(one), normal, in_all))
        )
    console.print(figures)
    if other := view.other_model():
        console.print(Text(other))
    if unusual := view.unusual():
        table = Table(title=say("unusual"), title_justify="left", show_header=False)
        for strange in unusual[:_LINES]:
            low, high = wording.number(strange.normal.low), wording.number(strange.normal.high)
            said = say(
                "unusual_line", rows=wording.number(strange.rows), week=wording.day(strange.week), low=low, high=high
            )
            arrow = "▲" if view.more(strange) else "▼"
            table.add_row(Text(f"{arrow} {wording.thing(strange.kind, strange.name)}"), Text(said))
        console.print(table)
    if obstacles := view.obstacles():
        table = Table(title=say("obstacles"), title_justify="left", show_header=False)
        for obstacle in obstacles[:_LINES]:
            trend = f"{obstacle['change']} {obstacle['trend']}".strip()
            table.add_row(Text(obstacle["title"]), Text(wording.number(obstacle["rows"])), Text(trend))
        console.print(table)
    if note := view.corrected_note():
        for title, nodes, _ in view.groups():
            table = Table(title=title, title_justify="left", show_header=False)
            for node in nodes:
                table.add_row(*map(Text, (node.title, wording.number(node.rows), node.corrected)))
            console.print(table)
        console.print(Text(note))
