"""What readers could not agree on, sent back to Label Studio for another reading."""

from __future__ import annotations

from dataclasses import dataclass

from labels.pull import Pulled, round_of
from labels.studio import Project, Studio
from labels.task import ROUND

VIEW = "Tympan: to be read again"
"""The saved view in which labellers find these tasks: the free edition of Label Studio assigns nobody."""


_ALL = "Default"


@dataclass(frozen=True)
class Settled:
    """How many mentions are settled, went back now, and wait for a further reading since before."""

    settled: int
    sent: int
    waiting: int


def settle(studio: Studio, project: Project, pulled: Pulled) -> Settled:
    """Mark mentions whose votes are even with the round they wait for, one more than the last. Safe to run again."""
    uneven = [reading for reading in pulled.readings if not reading.found.settled]
    views = studio.views(project) if uneven else [VIEW]
    if not views:  # Label Studio makes this one only where there is none, and all tasks are to stay in sight
        studio.save_view(project, _ALL, [])
    if VIEW not in views:
        waits = {"filter": f"filter:tasks:data.{ROUND}", "operator": "greater_or_equal", "type": "Number", "value": 2}
        studio.save_view(project, VIEW, [waits])
    sent = 0
    for reading in uneven:
        wanted = len(reading.answers)  # two answers make the third reading the second round
        if reading.round < wanted:
            studio.change(reading.entry.task, {**reading.entry.data, ROUND: wanted})
            sent += 1
    for reading in pulled.readings:
        for entry in reading.entries if reading.found.settled else ():
            if round_of(entry) > 1:
                studio.change(entry.task, {**entry.data, ROUND: 1})
    return Settled(len(pulled.readings) - len(uneven), sent, len(uneven) - sent)
