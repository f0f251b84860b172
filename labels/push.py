"""Mentions into a project of Label Studio, with the suggestions of a model if there is one: each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from labels.errors import StudioError
from labels.studio import Project, State, Studio, batches
from labels.suggestion import suggest
from labels.task import KEY, to_data
from model.errors import TympanError
from model.mention import MAX_CHARACTERS, Mention, prepare
from model.tagger import Tagger
from model.watchlist import Watchlist

BLOCK = 250
"""Mentions to a call of the server: what a crash can leave for the next run to see."""


@dataclass(frozen=True)
class Given:
    """One row of a file: a mention with where it comes from, or why there is none."""

    mention: Mention | None
    source: str | None = None
    watchlist: str = ""
    """Its own, in JSON; empty if it has none."""
    fault: str = ""


@dataclass
class Sent:
    """What came of the rows: sent as new tasks, there already, or refused, with the reasons."""

    new: int = 0
    present: int = 0
    predictions: int = 0
    """Suggestions that were sent: those of new tasks, and of tasks that had none."""
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def refused(self) -> int:
        return self.reasons.total()


def push(
    studio: Studio,
    project: Project,
    rows: Iterable[Given],
    tagger: Tagger | None,
    *,
    watchlist: Watchlist | None = None,
    each: Callable[[int], None] = lambda _: None,
) -> Sent:
    """Send the mentions of `rows` that are not in the project yet, each as a task with a suggestion and a score.

    A mention that is there without a suggestion, as after a crash, gets one; without a tagger none does. `each` is
    called with the number of rows done. StudioError if the server fails: what was sent stays, and the next run goes on
    from there.
    """
    sent, done = Sent(), 0
    there = {str(state.data.get(KEY)): state for state in studio.states(project)}
    for block in batches(rows, BLOCK):
        wanted = _wanted(block, watchlist or Watchlist(), sent)
        sent.present += sum(name in there for name in wanted)
        fresh = {name: data for name, data in wanted.items() if name not in there}
        bare = {name: data for name, data in wanted.items() if name in there and not there[name].predictions}
        _add(studio, project, list(fresh.values()), tagger, sent)
        there |= {name: State(0, data, "", 1) for name, data in fresh.items()}
        if tagger:
            _complete(studio, project, {there[name].id: data for name, data in bare.items()}, tagger, sent)
        done += len(block)
        each(done)
    return sent


def _wanted(block: Sequence[Given], watchlist: Watchlist, sent: Sent) -> dict[str, dict[str, Any]]:
    """Key → data of the mentions of a block that can be labelled; the others are counted with their reasons."""
    found: dict[str, dict[str, Any]] = {}
    for row in block:
        try:
            data = _data(row, watchlist)
        except TympanError as error:
            sent.reasons[str(error)] += 1
            continue
        if data[KEY] in found:
            sent.present += 1  # twice in one file
        found[data[KEY]] = data
    return found


def _data(row: Given, watchlist: Watchlist) -> dict[str, Any]:
    if row.mention is None:
        raise StudioError("row", row.fault)
    if not prepare(row.mention.text):
        raise StudioError("text", "is empty")
    if len(row.mention.text) > MAX_CHARACTERS:
        raise StudioError("text", f"is longer than {MAX_CHARACTERS:,} characters")
    if row.watchlist:
        watchlist = Watchlist.from_json(row.watchlist)
    return to_data(row.mention, watchlist=watchlist, source=row.source)


def _add(studio: Studio, project: Project, tasks: Sequence[dict[str, Any]], tagger: Tagger | None, sent: Sent) -> None:
    """Make tasks of these data, each with the model's suggestion if there is a model."""
    if not tasks:
        return
    if not tagger:
        studio.add(project, [{"data": data} for data in tasks])
        sent.new += len(tasks)
        return
    suggested = zip(tasks, suggest(tasks, tagger), strict=True)
    kept = studio.add(project, [{"data": data, "predictions": [found]} for data, found in suggested])
    sent.new += len(tasks)
    sent.predictions += kept
    if kept < len(tasks):  # Label Studio drops those that it finds illegal, and says nothing
        raise StudioError(
            project.title, f"kept {kept} of {len(tasks)} suggestions", "See that its tags are the model's: labels init"
        )


def _complete(studio: Studio, project: Project, tasks: dict[int, dict[str, Any]], tagger: Tagger, sent: Sent) -> None:
    """Add the suggestion to tasks (number → data) that are there without one."""
    if tasks:
        suggested = zip(tasks, suggest(list(tasks.values()), tagger), strict=True)
        studio.predict(project, [{"task": number, **found} for number, found in suggested])
        sent.predictions += len(tasks)
