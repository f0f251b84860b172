"""The work on one job: its file is had, tagged with the model of the moment, and what came of it is kept."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event

from labels.errors import ExtraError
from model.errors import TympanError, WatchlistError
from model.registry import resolve
from model.tagger import Tagger
from serving.call import Call, begin
from serving.errors import NotAllowedError, TableError
from serving.exports import Reading, Summary, check_output, discard, output_for, tag_table
from serving.jobs.job import Job, State
from serving.jobs.progress import Failures, Progress
from serving.jobs.store import ERRORS, Store, settle
from serving.jobs.upload import check_storage
from serving.memory import give_back
from serving.priority import Priorities, own_target
from serving.rules import Rules, priorities_for
from serving.settings import Settings, version
from serving.tables import Table, open_table
from serving.tables.columns import column_for, text_column
from serving.tables.remote import blocks_of, copy

_MOST_TRIES = 10
"""Starts of one job at the same row, after which its process is not risked again."""
_PATIENCE = 5.0
"""Seconds until what is not to be had now is tried again."""
_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE)
_log = logging.getLogger(__name__)


class StoppedError(Exception):
    """The process is to end, and the job to be gone on with."""


class CancelledError(Exception):
    """Nobody wants the job any more."""


class Bench:
    """Where jobs are worked on, one at a time. Once `stopping` is set, the job under way is left to be gone on with."""

    def __init__(self, settings: Settings, store: Store, stopping: Event) -> None:
        self._settings, self._store, self._stopping = settings, store, stopping
        self._tagger: Tagger | None = None

    def work(self, job: Job) -> Job:
        """Work on a job that is held, and keep what came of it; returns it."""
        begin(Call(id=job.request, trace=job.trace))
        if not job.open:  # cancelled by a mark
            return self._end(job, "cancelled")
        if (ready := self._ready()) is None:
            return job
        try:
            if job.tries >= _MOST_TRIES:
                problem = f"stopped its process {job.tries} times at the same place, by want of memory perhaps"
                raise TableError(job.file, problem, "Send it in parts")
            return self._ended(self._tagged(job, *ready))
        except StoppedError:
            job = self._store.get(job.id).model_copy(update={"state": "queued", "tries": 0})
            self._store.write(job)
            return job
        except CancelledError:
            return self._end(job, "cancelled")
        except (TableError, WatchlistError, ExtraError) as error:
            if _passing(error.__cause__):
                return self._later(job, error)
            return self._end(job, "failed", error=self._plain(error, job))
        except OSError as error:
            if _passing(error):
                return self._later(job, error)
            why = error.strerror or type(error).__name__
            problem = f"{job.file}: cannot be worked on: {why}. The operator can mend it"
            return self._end(job, "failed", error=problem)
        except Exception as error:
            _log.error("the service failed on a job", exc_info=error, extra={"facts": {"job": job.id}})
            return self._end(job, "failed", error=f"{job.file}: the service failed on it. Its log says why")
        finally:
            tempfile.tempdir = None

    def clear(self) -> None:
        """Give the model's memory back."""
        self._tagger = None
        give_back()

    def _ready(self) -> tuple[Tagger, Priorities | None] | None:
        """The tagger and its priorities; None, after a while, if they are not to be had: that is no fault of a job."""
        try:
            rules = Rules.load(self._settings.priorities) if self._settings.priorities else None
            tagger = self._loaded()
            return tagger, priorities_for(tagger.taxonomy, rules)
        except (TympanError, OSError, MemoryError) as error:
            _log.warning("no job can be worked on", extra={"facts": {"why": str(error)}})
            self._stopping.wait(_PATIENCE)
            return None

    def _later(self, job: Job, error: Exception) -> Job:
        """Leave a job in the queue, after a while: what is wrong may be over then."""
        _log.warning("a job waits for the disk", extra={"facts": {"job": job.id, "error": type(error).__name__}})
        job = self._store.get(job.id).model_copy(update={"state": "queued", "tries": 0})
        with suppress(OSError):
            self._store.write(job)
        self._stopping.wait(_PATIENCE)
        return job

    def _tagged(self, job: Job, tagger: Tagger, priorities: Priorities | None) -> Job:
        folder, now = self._store.folder(job.id), datetime.now(UTC)
        job = job.model_copy(update={"state": "running", "tries": job.tries + 1, "started": job.started or now})
        self._store.write(job)
        _log.info("job started", extra={"facts": {"job": job.id, "tries": job.tries}})
        source = folder / job.stored
        if job.url and not source.exists():
            self._fetch(job, job.url, source)
        for spool in folder.glob("tympan-*"):  # of a process that was killed
            spool.unlink(missing_ok=True)
        tempfile.tempdir = str(folder)  # where what is unpacked is kept, so that nothing outlives the job
        options = job.options
        self._look(job.id)
        table = open_table(
            source,
            options.encoding,
            sheet=options.sheet,
            profile=options.profile,
            text_column=options.text_column,
            most=self._settings.max_unpacked,
        )
        self._look(job.id)
        output, errors = output_for(table), folder / ERRORS
        check_output(table, output, whole=True)
        model = tagger.bundle.version
        begun = f"{model} {version()}"
        if job.begun == begun and output.exists() and errors.exists():  # killed before that was written down
            failed = len(json.loads(errors.read_bytes())["errors"])
            facts = {"done": table.count, "failed": failed, "total": table.count}
            return self._store.end(job, "done", result=output.name, error=self._copied(job, output), **facts)
        if job.begun != begun:  # one model tags all rows
            discard(output)
            for old in (output, errors):  # of the model before, if that was as good as done
                old.unlink(missing_ok=True)
        job = job.model_copy(update={"model": model, "begun": begun, "total": table.count})
        self._store.write(job)
        job = self._through(job, tagger, table, output, self._reading(job, table, priorities))
        return self._store.end(job, "done", result=output.name, error=self._copied(job, output))

    def _through(self, job: Job, tagger: Tagger, table: Table, output: Path, reading: Reading) -> Job:
        """Tag the rows into `output`, with a list of those that fail; returns the job, which is not ended yet."""
        look = partial(self._look, job.id)
        progress, draft = Progress(self._store, job, look), output.with_name(f"{ERRORS}.part")
        with draft.open("w", encoding="utf-8") as file:
            failures = Failures(file, look)

            def done(_: Summary) -> None:
                failures.close()
                file.flush()
                os.fsync(file.fileno())
                draft.replace(output.with_name(ERRORS))

            summary = tag_table(
                tagger, table, output, reading, resume=True, each=progress.tell, seen=failures.see, done=done
            )
        settle(output.parent)
        return progress.job.model_copy(update={"done": summary.rows, "failed": summary.failed, "tries": 0})

    def _reading(self, job: Job, table: Table, priorities: Priorities | None) -> Reading:
        options = job.options
        watchlist = options.to_watchlist()
        reading = Reading(
            text_column(table, options.text_column),
            min_score=options.min_score,
            priorities=priorities,
            answered_column=column_for(table, "answered"),
        )
        if watchlist:
            reading = replace(reading, watchlist=watchlist, target=own_target(watchlist, options.target))
        return reading

    def _look(self, job: str) -> None:
        """Raise what the work on a job is to stop with, if it is."""
        if self._stopping.is_set():
            raise StoppedError
        if self._store.cancelled(job):
            raise CancelledError

    def _copied(self, job: Job, output: Path) -> str | None:
        """Copy the result to where the caller wants it, if anywhere; returns why that failed, if it did."""
        if not (url := job.options.result_url):
            return None
        try:
            check_storage("result_url", url, self._settings)  # which may have been changed meanwhile
            copy(output, url)
        except (NotAllowedError, TableError, ExtraError) as error:
            return self._plain(error, job)
        return None

    def _fetch(self, job: Job, url: str, path: Path) -> None:
        """Copy a file from a storage; TableError if it is not to be had, or too long."""
        draft, size, most = path.with_name("fetched.part"), 0, self._settings.job_bytes
        try:
            with draft.open("wb") as file:
                for block in blocks_of(url):
                    self._look(job.id)
                    size += len(block)
                    if size > most:
                        problem = f"is longer than {most:,} bytes"
                        raise TableError(job.file, problem, "Split it, or raise TYMPAN_JOB_BYTES")
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)  # on a full disk it would take the room that others wait for

    def _loaded(self) -> Tagger:
        """The tagger of the settings' bundle, or of the registry's present champion."""
        path = resolve(self._settings.bundle)
        if self._tagger is None or self._tagger.bundle.path != path:
            self._tagger = None  # two at once would need twice the memory
            self._tagger = Tagger.load(path, threads=self._settings.threads)
        return self._tagger

    def _end(self, job: Job, state: State, **facts: object) -> Job:
        """End it with what was written down of it last."""
        return self._ended(self._store.end(self._store.get(job.id), state, **facts))

    def _ended(self, job: Job) -> Job:
        seconds = (job.ended - job.started).total_seconds() if job.ended and job.started else 0.0
        facts = {"job": job.id, "state": job.state, "rows": job.done, "failed": job.failed, "model": job.model}
        _log.info("job ended", extra={"facts": {**facts, "seconds": round(seconds, 3)}})
        return job

    def _plain(self, error: TympanError, job: Job) -> str:
        """An error in the caller's words: its file's name, and fields instead of options."""
        folder = self._store.folder(job.id)
        line = str(error).replace(str(folder / job.stored), job.file).replace(f"{folder}/", "")
        return re.sub(r"(?<!\S)--([a-z]+(?:-[a-z]+)*)", lambda found: found[1].replace("-", "_"), line)


def _passing(error: BaseException | None) -> bool:
    """Whether a fault is of the machine, and may be over soon."""
    return isinstance(error, OSError) and error.errno in _PASSING
