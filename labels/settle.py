"""What readers could not agree on, sent back to Label Studio for another reading."""

from __future__ import annotations

from dataclasses import dataclass

from labels.pull import Pulled
from labels.studio import Project, Studio
from labels.task import ROUND

VIEW = "Tympan: to be read again"
"""The saved view in which labellers find these tasks: the free edition of Label Studio assigns nobody."""


@dataclass(frozen=True)
class Settled:
    """How many tasks are settled, went back now, and wait for a further reading since before."""

    settled: int
    sent: int
    waiting: int


def settle(studio: Studio, project: Project, pulled: Pulled) -> Settled:
    """Mark every task whose votes are even with the round it waits for, one more than the last. Safe to run again."""
    uneven = [reading for reading in pulled.readings if not reading.found.settled]
    if uneven and VIEW not in studio.views(project):
        waits = {"filter": f"filter:tasks:data.{ROUND}", "operator": "greater_or_equal", "type": "Number", "value": 2}
        studio.save_view(project, VIEW, [waits])
    sent = 0
    for reading in uneven:
        wanted = len(reading.answers)  # two answers make the third reading the second round
        if reading.round < wanted:
            studio.change(reading.task, {**reading.entry.data, ROUND: wanted})
            sent += 1
    for reading in pulled.readings:
        if reading.found.settled and reading.round > 1:
            studio.change(reading.task, {**reading.entry.data, ROUND: 1})
    return Settled(len(pulled.readings) - len(uneven), sent, len(uneven) - sent)
