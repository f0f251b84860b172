"""A changed tag set, applied together to a project's page, to the answers that it stores and to datasets.

In this order, so that a kill at any moment leaves every answer on a page that shows it, and a second run goes on:
the page takes the new tags beside the old ones; the answers are renamed, each in its place; so are the records; the
page lets go of the old tags; the model's suggestions are renamed, which must fit the page that they are shown on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from labels import versions
from labels.dataset import LATEST, is_dataset, load, manifest_of, save
from labels.errors import DatasetError, MigrationError
from labels.interface import NONE, Result, options
from labels.page import renewed, widened
from labels.record import Record, read, write
from labels.rename import Renaming, answered, labels
from labels.studio import FETCHED, Annotation, Project, Studio, Suggestion, batches
from model.taxonomy import Taxonomy

Each = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Change:
    """What becomes of the tag `label` (`group/path`), and how many answers, suggestions and records have it."""

    label: str
    what: str
    answers: int
    suggestions: int
    records: int


@dataclass
class Survey:
    """What a project and datasets hold: how often which tag, and what is to be rewritten."""

    answers: Counter[str] = field(default_factory=Counter)
    suggestions: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    old_answers: list[tuple[Annotation, Result]] = field(default_factory=list)
    old_suggestions: list[tuple[Suggestion, Result]] = field(default_factory=list)
    old_records: int = 0


def survey(
    studio: Studio, project: Project, renaming: Renaming, datasets: Sequence[Path] = (), *, each: Each = lambda *_: None
) -> Survey:
    """Read everything and change nothing. MigrationError for tags in use of which nothing says what they become."""
    found = Survey()
    for path in datasets:
        for record in chain.from_iterable(_sides(path).values()):
            found.records.update(labels(record))
            found.old_records += renaming.record(record) != record
    _read(studio, project, renaming, found, each)
    unknown = sorted(label for label in {*found.answers, *found.records} if renaming.becomes(label) is None)
    if unknown:
        raise _unmapped(unknown, found, renaming.taxonomy)
    return found


def changes(project: Project, renaming: Renaming, found: Survey, *, before: Taxonomy | None = None) -> list[Change]:
    """A row for every tag that is renamed, merged, removed or added.

    `before` is the tag set that the page was made with; MigrationError if the page has tags that are in neither.
    """
    page = {f"{group}/{path}" for group, paths in options(project.schema).items() for path in paths if path != NONE}
    new = renaming.taxonomy.labels
    if before and (strange := sorted(page - {*before.labels, *new})):
        told = f"has tags that are neither in {before.id} nor in {renaming.taxonomy.id}: {', '.join(strange)}"
        raise MigrationError(f"project {project.title!r}", told, "Give the tag set of its page as --from")
    old = page | set(before.labels if before else ()) | {*found.answers, *found.suggestions, *found.records}
    rows = []
    for label in [*sorted(old - {*new}), *(label for label in new if label not in old)]:
        target = renaming.becomes(label) or ""
        what = "added" if label in new else f"becomes {target}" if target else "removed"
        rows.append(Change(label, what, found.answers[label], found.suggestions[label], found.records[label]))
    return rows


def migrate(
    studio: Studio,
    project: Project,
    renaming: Renaming,
    found: Survey,
    datasets: Sequence[Path] = (),
    *,
    language: str = "en",
    each: Each = lambda *_: None,
) -> None:
    """Carry out what `survey` found. Safe to run again, from a new survey, after a failure at any point.

    StudioError if the server fails. MigrationError if somebody gave a tag meanwhile that nothing says what becomes of.
    """
    both = widened(project.schema, renaming.taxonomy)
    if options(both) != options(project.schema):
        studio.configure(project, label_config=both)
    while found.old_answers:  # again for what people answered meanwhile
        for done, (annotation, result) in enumerate(found.old_answers, start=1):
            studio.revise(project, annotation, result)
            each("Answers", done, len(found.old_answers))
        found = survey(studio, project, renaming, each=each)
    for path in datasets:
        _rewrite(path, renaming)
    studio.configure(project, label_config=renewed(project.schema, renaming.taxonomy, language=language))
    for done, (suggestion, result) in enumerate(found.old_suggestions, start=1):
        studio.revise(project, suggestion, result)
        each("Suggestions", done, len(found.old_suggestions))


def _read(studio: Studio, project: Project, renaming: Renaming, found: Survey, each: Each) -> None:
    tasks = [state.id for state in studio.states(project)]
    done = 0
    for block in batches(tasks, FETCHED):
        for annotation in chain.from_iterable(studio.annotations(project, block).values()):
            found.answers.update(answered(annotation.result))
            if (result := renaming.result(annotation.result)) != annotation.result:
                found.old_answers.append((annotation, result))
        for suggestion in studio.suggestions(project, block):
            found.suggestions.update(answered(suggestion.result))
            if (result := renaming.result(suggestion.result)) != suggestion.result:
                found.old_suggestions.append((suggestion, result))
        done += len(block)
        each("Reading", done, len(tasks))


def _unmapped(unknown: Sequence[str], found: Survey, taxonomy: Taxonomy) -> MigrationError:
    used = [f"{label} ({found.answers[label]:,} answers, {found.records[label]:,} records)" for label in unknown]
    group, _, path = unknown[0].partition("/")
    remedy = (
        f'Name it under `former` of a tag, or give --mapping a file with: [{group}] "{path}" = "NEW" ("" for nothing)'
    )
    problem = f"are in use and {taxonomy.id} does not say what becomes of them"
    return MigrationError(", ".join(used), problem, remedy)


def _sides(path: Path) -> dict[str, list[Record]]:
    """The records of a dataset by side, or all those of a JSONL file."""
    if is_dataset(path):
        return load(path)
    if path.is_dir():
        raise DatasetError(str(path), "is no dataset", "Give a dataset, or a JSONL file of records")
    return {"": read(path, None)}


def _rewrite(path: Path, renaming: Renaming) -> None:
    """A new version in a folder that keeps versions, else the same dataset or file, replaced when it is whole."""
    before = _sides(path)
    after = {side: [renaming.record(record) for record in found] for side, found in before.items()}
    taxonomy = renaming.taxonomy
    if (path / LATEST).exists():
        versions.add(path, list(chain.from_iterable(after.values())), taxonomy=taxonomy)
    elif not is_dataset(path):
        if after != before:
            write(path, after[""])
    elif after != before or manifest_of(path)["taxonomy"] != taxonomy.id:
        save(path, after, taxonomy=taxonomy)
