"""What people have labelled, from wherever they do: files of records, projects of Label Studio, corrections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labels.errors import FeedbackStoreError
from labels.record import Record, read
from model.taxonomy import Taxonomy


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where labels come from.

    `files` are records as JSONL, or folders of them. Of `projects` of the Label Studio at `studio` (None: that of the
    environment) a copy is kept in `copies`, so that only what changed is asked for. `feedback` is where
    `labels.feedback.store.FeedbackStore` keeps corrections.
    """

    files: Sequence[Path] = ()
    projects: Sequence[str] = ()
    studio: str | None = None
    copies: Path
    feedback: str | Path | None = None


def gather(sources: Sources, taxonomy: Taxonomy, *, tell: Callable[[str], None] = lambda _: None) -> list[Record]:
    """All records of the sources: those of files first, corrections last, since of one mention the later ones count.

    `tell` hears what is left out and why, never a text. RecordError, StudioError or FeedbackStoreError if a source
    cannot be read.
    """
    records = [record for file in sources.files for record in read(file, taxonomy)]
    for project in sources.projects:
        records += _of_project(project, sources, taxonomy, tell)
    if sources.feedback:
        records += _of_feedback(sources.feedback, taxonomy, tell)
    return records


def _of_project(name: str, sources: Sources, taxonomy: Taxonomy, tell: Callable[[str], None]) -> list[Record]:
    from labels.pull import pull  # noqa: PLC0415 — with the client of Label Studio, where there is a project only
    from labels.studio import Studio  # noqa: PLC0415

    with Studio(url=sources.studio) as studio:
        project = studio.project(name)
        found = pull(studio, project, sources.copies / f"project-{project.id}", taxonomy)
    for task, faults in found.faults.items():
        tell(f"{name}, task {task}: {'; '.join(faults)}")
    return found.records()


def _of_feedback(where: str | Path, taxonomy: Taxonomy, tell: Callable[[str], None]) -> list[Record]:
    from labels.feedback.records import gather as settled  # noqa: PLC0415 — with the database, where there is one only
    from labels.feedback.store import opened  # noqa: PLC0415

    if "://" not in str(where) and not Path(where).is_dir():
        # Not what is given: of a URL with a slash too few it would show the password.
        raise FeedbackStoreError("--feedback", "is no folder", "Give the service's TYMPAN_STATE, or a URL")
    store = opened(where)
    if store is None:
        tell(f"{where} holds no corrections")
        return []
    try:
        found = settled((kept.correction for kept in store.after()), taxonomy)
    finally:
        store.close()
    for problem in found.problems:
        tell(str(problem))
    if found.disputes:
        tell(f"{len(found.disputes)} corrected mentions are disputed: see tympan labels corrections --disputed")
    return found.records
