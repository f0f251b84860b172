"""Curves of weeks as SVG that stands in a page: text stays text, and nothing in it is anybody's but ours."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import timedelta
from io import StringIO
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from serving.report.facts import Calendar, Event
from serving.report.wording import Wording

# Okabe and Ito, "Color universal design", 2008: told apart by colour-blind readers, and in grey by their lightness.
_PLAIN, _PARTLY, _STRANGE, _BAND, _INK, _RULE = "#5aa9d6", "#c5dfee", "#b34700", "#f0ede4", "#4a5560", "#dcdfe3"
_STYLE: dict[Any, Any] = {"svg.fonttype": "none", "font.size": 10.5, "path.simplify": False}
_LABELS = 6
_IDS = re.compile(r' id="[A-Za-z2.]+_\d+"')


def curve(
    counts: Sequence[int],
    calendar: Calendar,
    wording: Wording,
    *,
    said: str,
    strange: Collection[int] = (),
    normal: tuple[int, int] | None = None,
    events: Sequence[Event] = (),
) -> Markup:
    """Columns of weekly counts, `said` in words for who cannot see them.

    `strange` are the places of weeks out of the ordinary, `normal` the band of what is normal; `events` are marked by
    their number, since their titles are somebody's text.
    """
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": f"curve {said}"}):
        figure = Figure(figsize=(5.2, 1.9), layout="constrained")
        axes = figure.add_subplot()
        _columns(axes, counts, calendar, strange)
        if normal:
            axes.axhspan(max(0, normal[0] - 0.5), normal[1] + 0.5, color=_BAND, linewidth=0, zorder=0)
        _mark(axes, calendar, events)
        _label(axes, calendar, wording)
        return _svg(figure, said)


def spark(counts: Sequence[int], calendar: Calendar, *, said: str, strange: Collection[int] = ()) -> Markup:
    """The same columns alone, small."""
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": f"spark {said}"}):
        figure = Figure(figsize=(2.6, 0.5))
        axes = figure.add_axes((0, 0, 1, 1))
        _columns(axes, counts, calendar, strange)
        axes.set_axis_off()
        return _svg(figure, said)


def _columns(axes: Axes, counts: Sequence[int], calendar: Calendar, strange: Collection[int]) -> None:
    colours = [
        _STRANGE if place in strange else _PLAIN if days == 7 else _PARTLY
        for place, days in enumerate(calendar.covered)
    ]
    axes.bar(range(len(counts)), counts, width=0.78, color=colours, zorder=2)
    axes.set_xlim(-0.7, len(counts) - 0.3)
    axes.set_ylim(0, max(*counts, 1) * 1.18)


def _mark(axes: Axes, calendar: Calendar, events: Sequence[Event]) -> None:
    """A line at each event, with its number at the top."""
    top = axes.get_ylim()[1]
    for number, event in enumerate(events, start=1):
        if calendar.first <= event.day <= calendar.last:
            place = (event.day - calendar.weeks[0]) / timedelta(7) - 0.43
            axes.axvline(place, color=_INK, linewidth=0.9, linestyle=(0, (3, 2)), zorder=3)
            box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": _INK, "linewidth": 0.7}
            axes.text(place, top, str(number), ha="center", va="top", fontsize=8, color=_INK, bbox=box, zorder=4)


def _label(axes: Axes, calendar: Calendar, wording: Wording) -> None:
    step = -(-len(calendar.weeks) // _LABELS)
    places = range(0, len(calendar.weeks), step)
    years = calendar.first.year != calendar.last.year and len(calendar.weeks) > 52
    name = wording.month if years else wording.short_day
    axes.set_xticks(list(places), [name(calendar.weeks[place]) for place in places])
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.yaxis.set_major_formatter(lambda value, _: wording.number(value))
    axes.tick_params(length=0, pad=5, colors=_INK)
    axes.grid(axis="y", color=_RULE, linewidth=0.6, zorder=1)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_RULE)


def _svg(figure: Figure, said: str) -> Markup:
    """The figure's element; ids that nothing refers to go, since a page must not have one twice."""
    written = StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(written, format="svg", metadata=nothing, transparent=True)
    _, _, rest = written.getvalue().partition("<svg ")
    rest = re.sub(r' (?:width|height)="[\d.]+pt"', "", _IDS.sub("", rest), count=2)
    label = escape(" ".join(said.split()))
    return Markup(f'<svg role="img" aria-label="{label}" {rest}')  # noqa: S704 — matplotlib's own, and the label escaped
