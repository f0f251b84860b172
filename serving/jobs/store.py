"""The folder of jobs: each has one of its own there, with what is known of it, its file and its result.

    incoming/ID/   a job that is being received
    kept/ID/       job.json, input.csv, input.tagged.csv, errors.json
    locks/ID       locked by the process that works on it

A job comes into `kept` by one renaming, and what is known of it is replaced as a whole. Only who holds a job's lock
changes it; others leave a mark beside it. All processes and machines that share jobs share this folder.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from serving.errors import QuotaError, StoreError, UnknownJobError
from serving.jobs.job import FORM, Job, State
from serving.settings import Settings

_RECORD, _MARK, ERRORS = "job.json", "cancel", "errors.json"
_FULL_SECONDS = 60  # after which a caller with too many jobs is to try again
_SILENT_SECONDS = 300  # for which nothing is written of a file that still comes, with `receive_seconds` at the least


class Store:
    """The jobs in the folder `settings.state`, which is made when the first one comes."""

    def __init__(self, settings: Settings, state: Path) -> None:
        self._settings = settings
        self.path = state / "jobs"

    def folder(self, job: str) -> Path:
        return self.path / "kept" / job

    def all(self) -> list[Job]:
        """Every job, the newest first."""
        names = self._names("kept")
        found = [job for name in names if (job := self._read(self.folder(name)))]
        return sorted(found, key=lambda job: (job.created, job.id), reverse=True)

    def get(self, job: str) -> Job:
        """UnknownJobError if it is not there."""
        found = self._read(self.folder(job)) if re.fullmatch(FORM, job) else None
        if found is None:
            raise UnknownJobError("job", "is not there", "It has expired, was deleted, or is another caller's")
        return found

    @contextmanager
    def draft(self, job: Job) -> Iterator[Path]:
        """A folder for a job that is being received; what is still there when the block ends is removed.

        QuotaError if its owner has too many, unless it is there already; StoreError if nothing can be written.
        """
        folder = self.path / "incoming" / f"{job.id}-{secrets.token_hex(4)}"
        with _writing():
            for name in ("incoming", "kept", "locks"):
                (self.path / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(self.path / "locks" / "new", mode=0o600):  # two calls must not take the same last place
                if not self.folder(job.id).exists():
                    self._check_quota(job.owner)
                folder.mkdir(mode=0o700)
                self._write(folder, job)
        try:
            with _writing():
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, draft: Path, job: Job) -> Job:
        """Let a draft become `job`; returns the one that is there already under that id, if there is one."""
        with _writing():
            self._write(draft, job)
            try:
                draft.rename(self.folder(job.id))
            except OSError:
                if not self.folder(job.id).exists():
                    raise
        return self.get(job.id)

    def write(self, job: Job) -> None:
        """Replace what is known of a job. For who holds it; nothing happens if it is gone."""
        with suppress(FileNotFoundError):
            self._write(self.folder(job.id), job)

    def end(self, job: Job, state: State, **facts: object) -> Job:
        """End a job that is held, and remove what is of no use any more."""
        job = job.ending(state, self._settings.job_seconds, **facts)
        if state == "done":
            self.write(job)
        kept = (_RECORD, ERRORS, job.result)
        for path in [path for path in self.folder(job.id).iterdir() if path.name not in kept]:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        if state != "done":  # written last: on a full disk there is room now
            self.write(job)
        return job

    def cancel(self, job: Job) -> Job:
        """End a job at once, or have who works on it end it. StoreError if nothing can be written."""
        with _writing():
            with suppress(FileNotFoundError):
                (self.folder(job.id) / _MARK).touch()
            with self.held(job.id) as mine:
                if mine and not mine.ended:
                    return self.end(mine, "cancelled")
        return self.get(job.id)

    def cancelled(self, job: str) -> bool:
        """Whether it is to be ended, or gone."""
        folder = self.folder(job)
        return (folder / _MARK).exists() or not folder.exists()

    def forget(self, job: str) -> None:
        """Remove all of a job. Nobody finds a half of it."""
        gone = self.path / "incoming" / f"{job}-{secrets.token_hex(4)}"
        with _writing(), suppress(FileNotFoundError):
            self.folder(job).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        (self.path / "locks" / job).unlink(missing_ok=True)

    @contextmanager
    def held(self, job: str) -> Iterator[Job | None]:
        """The job, which no other process changes while the block lasts; None if one has it, or it is gone."""
        lock = FileLock(self.path / "locks" / job, timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            yield None
            return
        try:
            yield self._read(self.folder(job))
        finally:
            lock.release()

    def tidy(self) -> None:
        """Remove the jobs that have expired, and what was left of requests that a kill cut short."""
        now = datetime.now(UTC)
        for job in self.all():
            if job.expires and job.expires <= now:
                self.forget(job.id)
        silent = time.time() - _SILENT_SECONDS - self._settings.receive_seconds
        for name in self._names("incoming"):
            folder = self.path / "incoming" / name
            with suppress(OSError):
                if max(path.stat().st_mtime for path in (folder, *folder.iterdir())) < silent:
                    shutil.rmtree(folder)

    @property
    def rows(self) -> int:
        """The rows that jobs have tagged since the folder was made."""
        try:
            return int((self.path / "rows").read_text())
        except (OSError, ValueError):
            return 0

    def count(self, rows: int) -> None:
        """Add to `rows`."""
        with FileLock(self.path / "locks" / "rows", mode=0o600):
            _replace(self.path / "rows", str(self.rows + rows))

    def _check_quota(self, owner: str) -> None:
        coming = [self._read(self.path / "incoming" / name) for name in self._names("incoming")]
        mine = [job for job in self.all() if job.owner == owner]
        unfinished = sum(job is not None and job.owner == owner for job in coming) + sum(job.open for job in mine)
        where = f"key {owner}" if owner else "jobs"
        if unfinished >= self._settings.job_quota:
            problem = f"has {unfinished:,} unfinished jobs, which are the most"
            raise QuotaError(where, problem, "Wait for one, or delete one", seconds=_FULL_SECONDS)
        if sum(map(self._size, mine)) >= self._settings.job_quota_bytes:
            problem = f"keeps {self._settings.job_quota_bytes:,} bytes or more in files and results"
            raise QuotaError(where, problem, "Delete jobs that have ended", seconds=_FULL_SECONDS)

    def _size(self, job: Job) -> int:
        found = 0
        for path in self.folder(job.id).rglob("*"):
            with suppress(FileNotFoundError):
                found += path.stat().st_size
        return found

    def _names(self, part: str) -> Sequence[str]:
        try:
            return [folder.name for folder in (self.path / part).iterdir()]
        except OSError:
            return ()

    def _read(self, folder: Path) -> Job | None:
        """The job of a folder; as cancelled if that is asked for and not yet carried out."""
        try:
            job = Job.model_validate_json((folder / _RECORD).read_bytes())
        except (OSError, ValidationError):
            return None
        return job.model_copy(update={"state": "cancelled"}) if job.open and (folder / _MARK).exists() else job

    def _write(self, folder: Path, job: Job) -> None:
        _replace(folder / _RECORD, json.dumps(job.model_dump(mode="json")))


def _replace(path: Path, text: str) -> None:
    """Write a file aside, on the disk before it is renamed."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _writing() -> Iterator[None]:
    """What the system refuses to write, in plain words."""
    try:
        yield
    except OSError as error:
        raise StoreError("job", f"cannot be kept: {error.strerror}", "The operator can mend it") from error
