"""The jobs of a service as a place of which a person's mentions are erased."""

from __future__ import annotations

from pathlib import Path

from labels.erasure.asked import Asked, form
from labels.erasure.place import Found
from model.errors import TympanError
from model.mention import prepare
from serving.errors import TableError
from serving.jobs.job import Job
from serving.jobs.store import Store
from serving.settings import Settings
from serving.tables import Row, Table, open_table
from serving.tables.columns import column_for, text_column


class JobsPlace:
    """The jobs in a folder TYMPAN_STATE. One that holds what is asked for goes whole: half a result is none."""

    kind = "jobs"

    def __init__(self, settings: Settings, state: Path) -> None:
        self._settings, self._store = settings, Store(settings, state)
        self.where = str(self._store.path)

    def look(self, asked: Asked) -> Found:
        return self._look(asked)[0]

    def erase(self, asked: Asked) -> Found:
        found, mine = self._look(asked)
        found.counts.clear()
        found.notes.clear()
        for job in mine:
            with self._store.held(job.id) as held:
                if held and held.ended:
                    self._store.forget(job.id)
                    found.counts["jobs"] += 1
                    found.notes.append(_note(job))
                else:
                    found.left.append(f"{job.id}: is being worked on. Run it again later")
        return found

    def _look(self, asked: Asked) -> tuple[Found, list[Job]]:
        """What is there, and the ended jobs that hold it."""
        found, mine = Found(), []
        for job in self._store.all():
            found.looked += 1
            try:
                holds = self._holds(job, asked, found.texts)
            except TympanError as error:
                found.left.append(f"{job.id}: cannot be looked through: {error.problem}. Delete it, then run it again")
                continue
            if holds and job.ended:
                mine.append(job)
                found.counts["jobs"] += 1
                found.notes.append(_note(job))
            elif holds:
                found.left.append(f"{job.id}: has not ended. Cancel it, or wait, and run it again")
        if coming := sum(1 for _ in (self._store.path / "incoming").glob("*")):
            found.left.append(f"{coming:,} files are just coming and were not looked through. Run it again later")
        return found, mine

    def _holds(self, job: Job, asked: Asked, texts: set[str]) -> bool:
        """Whether a file of the job does; adds to `texts` those under an id that is asked for."""
        folder, held = self._store.folder(job.id), False
        paths = [folder / name for name in (job.stored, job.result) if name and (folder / name).exists()]
        if job.open and not paths:
            raise TableError(job.file, "its file is not here yet")
        for path in paths:
            options = job.options
            table = open_table(
                path,
                options.encoding,
                sheet=options.sheet,
                profile=options.profile,
                text_column=options.text_column,
                most=self._settings.max_unpacked,
            )
            held |= _scan(table, asked, options.text_column, texts)
        return held


def _scan(table: Table, asked: Asked, column: str | None, texts: set[str]) -> bool:
    """Whether a table holds what is asked for: in any column if none is known to hold the text."""
    identity, held = column_for(table, "id"), False
    try:
        column = text_column(table, column)
    except TableError:
        column = None
    for row in table.rows():
        if identity and asked.has_id(row.cells.get(identity)):
            held = True
            texts |= {form(row.cells.get(column, ""))} - {""} if column else set()
        said = [row.cells.get(column)] if column else row.cells.values()
        held = held or any(map(asked.has, said)) or _in_disorder(row, asked)
    return held


def _in_disorder(row: Row, asked: Asked) -> bool:
    """Whether a row whose cells cannot be trusted holds a text anywhere."""
    return bool(row.fault and asked.texts) and any(text in prepare(row.raw) for text in asked.texts)


def _note(job: Job) -> str:
    rows = f", of {job.total:,} rows" if job.total is not None else ""
    copy = ". Its copy in another storage stays" if job.options.result_url else ""
    return f"{job.id}{rows}: goes whole, with the rows of others{copy}"
