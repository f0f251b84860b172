"""Annotations out of a project of Label Studio: only what changed is asked for, and every state is accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labels.consensus import Consensus, consensus
from labels.interface import from_result
from labels.mirror import Entry, Mirror
from labels.record import Record
from labels.schema import TagLists
from labels.studio import FETCHED, Annotation, Project, Studio, batches
from labels.task import KEY, ROUND, to_record
from model.errors import TympanError
from model.taxonomy import Taxonomy

MIRROR = "label-studio.jsonl"


@dataclass(frozen=True)
class Reading:
    """One task: who answered what, what they settled, and what of it cannot be used."""

    entry: Entry
    answers: Mapping[str, TagLists]
    """Person → tags, of the newest legal answer."""
    found: Consensus
    faults: tuple[str, ...] = ()
    skipped: bool = False
    """Whether anybody skipped it, and nobody answered."""

    @property
    def task(self) -> int:
        return self.entry.task

    @property
    def round(self) -> int:
        """Which reading it waits for, or had."""
        number = self.entry.data.get(ROUND, 1)
        return number if isinstance(number, int) else 1

    def record(self) -> Record:
        """As a record: what the votes leave even is unsure, so that nothing is learnt from it."""
        data = self.entry.data
        return to_record(data, self.found.tags, unsure=self.found.unsure, annotators=sorted(self.answers))


@dataclass
class Pulled:
    """What a project holds: every task is in just one of `readings`, `open`, `skipped` and `foreign`."""

    readings: list[Reading] = field(default_factory=list)
    """Tasks with at least one legal answer."""
    open: list[Reading] = field(default_factory=list)
    """Tasks without one."""
    skipped: list[Reading] = field(default_factory=list)
    foreign: list[int] = field(default_factory=list)
    """Tasks that `tympan labels push` did not make, and that say no mention."""
    deleted: int = 0
    """Tasks that an earlier pull saw and that are gone."""
    changed: int = 0
    """Tasks that were read anew."""
    faults: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Task → what is illegal about its answers."""

    @property
    def tasks(self) -> int:
        return len(self.readings) + len(self.open) + len(self.skipped) + len(self.foreign)

    @property
    def annotations(self) -> int:
        return sum(len(reading.answers) for reading in self.readings)

    def records(self) -> list[Record]:
        """That of every reading: two tasks of one mention, which `push` never makes, give two of one id."""
        return [reading.record() for reading in self.readings]


def pull(
    studio: Studio,
    project: Project,
    folder: Path,
    taxonomy: Taxonomy,
    *,
    each: Callable[[int, int], None] = lambda *_: None,
) -> Pulled:
    """Bring the copy in `folder` up to date and read it. `each` is called with tasks read and to be read.

    StudioError if the server fails: what was read stays, and the next run goes on from there.
    """
    mirror = Mirror(folder / MIRROR, project, studio.url)
    states = {state.id: state for state in studio.states(project)}
    changed = [task for task, state in states.items() if mirror.stamp(task) != state.stamp]
    done = 0
    each(done, len(changed))
    for block in batches(changed, FETCHED):
        found = studio.annotations(project, block)
        mirror.add(
            Entry(task, states[task].stamp, states[task].data, tuple(found[task])) for task in block if task in found
        )
        done += len(block)
        each(done, len(changed))
    gone = mirror.keep(states)
    pulled = read(mirror.entries.values(), studio.people(), taxonomy)
    pulled.deleted, pulled.changed = len(gone), len(changed)
    return pulled


def read(entries: Iterable[Entry], people: Mapping[int, str], taxonomy: Taxonomy) -> Pulled:
    """Sort tasks by what became of them."""
    pulled = Pulled()
    for entry in sorted(entries, key=lambda entry: entry.task):
        if KEY not in entry.data or "text" not in entry.data:
            pulled.foreign.append(entry.task)
            continue
        reading = _reading(entry, people, taxonomy)
        if reading.faults:
            pulled.faults[entry.task] = reading.faults
        state = pulled.readings if reading.answers else pulled.skipped if reading.skipped else pulled.open
        state.append(reading)
    return pulled


def _reading(entry: Entry, people: Mapping[int, str], taxonomy: Taxonomy) -> Reading:
    answers: dict[str, TagLists] = {}
    faults: list[str] = []
    for annotation in _newest(entry.annotations):
        who = people.get(annotation.who, f"user {annotation.who}")
        if annotation.skipped:
            continue
        answer = from_result(annotation.result, taxonomy)
        faults += [f"{who}: {problem}" for problem in answer.problems]
        if answer.tags:
            answers[who] = answer.tags
        elif not answer.problems:
            faults.append(f"{who}: an empty answer, with nothing chosen and no “none of these”")
    skipped = any(annotation.skipped for annotation in entry.annotations)
    try:
        reading = Reading(entry, answers, consensus(list(answers.values()), taxonomy), tuple(faults), skipped)
        if answers:
            reading.record()
    except TympanError as error:  # data that somebody changed by hand
        return Reading(entry, {}, Consensus({}, {}), (*faults, str(error)), skipped)
    return reading


def _newest(annotations: Sequence[Annotation]) -> list[Annotation]:
    """The last annotation of every person."""
    last: dict[int, Annotation] = {}
    for annotation in sorted(annotations, key=lambda found: (found.updated_at, found.id)):
        last[annotation.who] = annotation
    return list(last.values())


def counts(pulled: Pulled) -> Counter[str]:
    """How many tasks are in which state."""
    settled = sum(reading.found.settled for reading in pulled.readings)
    return Counter(
        {
            "settled": settled,
            "disagreed": len(pulled.readings) - settled,
            "open": len(pulled.open),
            "skipped": len(pulled.skipped),
            "not ours": len(pulled.foreign),
        }
    )
