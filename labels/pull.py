"""Annotations out of a project of Label Studio: only what changed is asked for, and every state is accounted for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

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
    """One mention: who answered what, what they settled, and what of it cannot be used."""

    entries: Sequence[Entry]
    """Its tasks: one, unless somebody copied it by hand."""
    answers: Mapping[str, TagLists]
    """Person → tags, of the newest legal answer."""
    found: Consensus
    faults: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Task → what is illegal about its answers."""
    skipped: bool = False
    """Whether anybody skipped it, and nobody answered."""

    @property
    def entry(self) -> Entry:
        """The first of its tasks, which stands for it."""
        return self.entries[0]

    @property
    def round(self) -> int:
        """Which reading it waits for, or had."""
        return round_of(self.entry)

    def record(self) -> Record:
        """As a record: what the votes leave even is unsure, so that nothing is learnt from it."""
        data = self.entry.data
        return to_record(data, self.found.tags, unsure=self.found.unsure, annotators=sorted(self.answers))


@dataclass
class Pulled:
    """What a project holds: every task is in just one reading, or in `foreign`."""

    readings: list[Reading] = field(default_factory=list)
    """Mentions with at least one legal answer."""
    open: list[Reading] = field(default_factory=list)
    """Mentions without one."""
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
        return sum(counts(self).values())

    @property
    def copied(self) -> list[Reading]:
        """Mentions of several tasks."""
        return [reading for reading in (*self.readings, *self.open, *self.skipped) if len(reading.entries) > 1]

    @property
    def annotations(self) -> int:
        return sum(len(reading.answers) for reading in self.readings)

    def records(self) -> list[Record]:
        """That of every mention that was answered."""
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

    StudioError if the server fails: what was read stays, and the next run goes on from there. One process at a time has
    the folder; others wait.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        mirror, changed, gone = _brought_up_to_date(studio, project, folder, each)
    pulled = read(mirror.entries.values(), studio.people(), taxonomy)
    pulled.deleted, pulled.changed = gone, changed
    return pulled


def _brought_up_to_date(
    studio: Studio, project: Project, folder: Path, each: Callable[[int, int], None]
) -> tuple[Mirror, int, int]:
    """The copy, and how many of its tasks have changed and are gone."""
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
    return mirror, len(changed), len(mirror.keep(states))


def alone(folder: Path) -> FileLock:
    """What whoever changes the copy in `folder` holds."""
    return FileLock(folder / f".{MIRROR}.lock")


def read(entries: Iterable[Entry], people: Mapping[int, str], taxonomy: Taxonomy) -> Pulled:
    """Sort mentions by what became of them. All answers to the tasks of one mention are answers to it."""
    pulled = Pulled()
    mentions: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.task):
        if KEY in entry.data and "text" in entry.data:
            mentions.setdefault(str(entry.data[KEY]), []).append(entry)
        else:
            pulled.foreign.append(entry.task)
    for tasks in mentions.values():
        reading = _reading(tasks, people, taxonomy)
        pulled.faults |= reading.faults
        state = pulled.readings if reading.answers else pulled.skipped if reading.skipped else pulled.open
        state.append(reading)
    return pulled


def round_of(entry: Entry) -> int:
    """Which reading a task waits for, or had."""
    number = entry.data.get(ROUND, 1)
    return number if isinstance(number, int) else 1


def _reading(tasks: Sequence[Entry], people: Mapping[int, str], taxonomy: Taxonomy) -> Reading:
    answers: dict[str, TagLists] = {}
    faults: defaultdict[int, list[str]] = defaultdict(list)
    same = [entry for entry in tasks if _labelled(entry) == _labelled(tasks[0])]
    for entry in tasks:
        if entry not in same:
            faults[entry.task].append(f"has another text or target than task {tasks[0].task} of the same mention")
    given = [(entry.task, found) for entry in same for found in _newest(entry.annotations)]
    for task, annotation in sorted(given, key=lambda pair: _when(pair[1])):
        who = people.get(annotation.who, f"user {annotation.who}")
        if annotation.skipped:
            continue
        answer = from_result(annotation.result, taxonomy)
        faults[task] += [f"{who}: {problem}" for problem in answer.problems]
        if answer.tags:
            answers[who] = answer.tags
        elif not answer.problems:
            faults[task].append(f"{who}: an empty answer, with nothing chosen and no “none of these”")
    skipped = any(annotation.skipped for _, annotation in given)
    found = consensus(list(answers.values()), taxonomy)
    if answers:
        try:
            Reading(tasks, answers, found).record()
        except TympanError as error:  # data that somebody changed by hand
            faults[tasks[0].task].append(str(error))
            answers, found = {}, Consensus({}, {})
    return Reading(tasks, answers, found, {task: tuple(told) for task, told in faults.items() if told}, skipped)


def _labelled(entry: Entry) -> tuple[object, object]:
    """What people read, by which copies of a task are told from a task that somebody changed."""
    return entry.data["text"], entry.data.get("target")


def _newest(annotations: Sequence[Annotation]) -> list[Annotation]:
    """The last annotation of every person."""
    return list({annotation.who: annotation for annotation in sorted(annotations, key=_when)}.values())


def _when(annotation: Annotation) -> tuple[str, int]:
    return annotation.updated_at, annotation.id


def counts(pulled: Pulled) -> Counter[str]:
    """How many mentions are in which state; with further tasks of theirs and those of others, all tasks."""
    settled = sum(reading.found.settled for reading in pulled.readings)
    return Counter(
        {
            "settled": settled,
            "disagreed": len(pulled.readings) - settled,
            "open": len(pulled.open),
            "skipped": len(pulled.skipped),
            "copies": sum(len(reading.entries) - 1 for reading in pulled.copied),
            "not ours": len(pulled.foreign),
        }
    )
