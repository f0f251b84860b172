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
_MOST_KEPT = 10_000  # jobs of one caller
_LOCK_SECONDS = 20
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
            # two calls must not take the same last place
            with FileLock(self.path / "locks" / "new", mode=0o600, timeout=_LOCK_SECONDS):
                self._check_quota(job.owner, again=self.folder(job.id).exists())
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
                settle(self.path / "kept")
            except OSError:
                if not self.folder(job.id).exists():
                    raise
        return self.get(job.id)

    def write(self, job: Job) -> None:
        """Replace what is known of a job. For who holds it; nothing happens if it is gone, or another has its id."""
        there = self._read(self.folder(job.id))
        if there and there.created == job.created:
            with suppress(FileNotFoundError):
                self._write(self.folder(job.id), job)

    def end(self, job: Job, state: State, **facts: object) -> Job:
        """End a job that is held, and remove what is of no use any more."""
        job = job.ending(state, self._settings.job_seconds, **facts)
        try:
            self.write(job)
            self._strip(job)
        except OSError:  # on a full disk there is room once the files are gone
            if state == "done":
                raise
            self._strip(job)
            self.write(job)
        return job

    def _strip(self, job: Job) -> None:
        """Remove the files of a job that is held and has ended, but for its result."""
        with suppress(FileNotFoundError):
            for path in self._useless(job):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def _useless(self, job: Job) -> list[Path]:
        """What is in the folder of a job that has ended beside its result and what is known of it."""
        kept = (_RECORD, ERRORS, job.result)
        return [path for path in self.folder(job.id).iterdir() if path.name not in kept]

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
        """Remove the jobs that have expired or cannot be read, and what was left of requests that a kill cut short."""
        now, old = datetime.now(UTC), time.time() - self._settings.job_seconds
        for name in self._names("kept"):
            folder = self.folder(name)
            job = self._read(folder)
            with suppress(OSError):
                if (job.expires and job.expires <= now) if job else folder.stat().st_mtime < old:
                    self.forget(name)
                elif job and job.ended and self._useless(job):  # left by a kill, or just being written
                    with self.held(name) as mine:
                        if mine and mine.ended:
                            self._strip(mine)
        for name in self._names("locks"):
            if re.fullmatch(FORM, name) and not self.folder(name).exists():
                with suppress(OSError), FileLock(self.path / "locks" / name, timeout=0, mode=0o600):
                    (self.path / "locks" / name).unlink(missing_ok=True)
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

    def _check_quota(self, owner: str, *, again: bool) -> None:
        """QuotaError if a caller has too many jobs; of what is `again` there, only those under way are counted."""
        incoming = [self.path / "incoming" / name for name in self._names("incoming")]
        coming = [folder for folder in incoming if (job := self._read(folder)) and job.owner == owner]
        mine = [] if again else [job for job in self.all() if job.owner == owner]
        unfinished = len(coming) + sum(job.open for job in mine)
        where = f"key {owner}" if owner else "jobs"
        if len(mine) >= _MOST_KEPT:
            problem = f"has {_MOST_KEPT:,} jobs, which are the most"
            raise QuotaError(where, problem, "Delete jobs that have ended", seconds=_FULL_SECONDS)
        if unfinished >= self._settings.job_quota:
            problem = f"has {unfinished:,} unfinished jobs, which are the most"
            raise QuotaError(where, problem, "Wait for one, or delete one", seconds=_FULL_SECONDS)
        if sum(map(_size, (*coming, *(self.folder(job.id) for job in mine)))) >= self._settings.job_quota_bytes:
            problem = f"keeps {self._settings.job_quota_bytes:,} bytes or more in files and results"
            raise QuotaError(where, problem, "Delete jobs that have ended", seconds=_FULL_SECONDS)

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


def _size(folder: Path) -> int:
    """The bytes of all files in a folder, which may go meanwhile."""
    found = 0
    with suppress(FileNotFoundError):
        for path in folder.rglob("*"):
            with suppress(FileNotFoundError):
                found += path.stat().st_size
    return found


def settle(folder: Path) -> None:
    """Have the names in a folder on the disk: a renaming must not be lost when the machine dies."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _replace(path: Path, text: str) -> None:
    """Write a file aside, on the disk before it is renamed."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        settle(path.parent)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _writing() -> Iterator[None]:
    """What the system refuses to write, in plain words."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            "job", f"cannot be kept: {error.strerror or type(error).__name__}", "The operator can mend it"
        ) from error
