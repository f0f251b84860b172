"""The work on one job: its file is had, tagged with the model of the moment, and what came of it is kept."""

from __future__ import annotations

import logging
import re
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
from serving.errors import TableError
from serving.exports import Reading, check_output, output_for, tag_table
from serving.jobs.job import Job, State
from serving.jobs.progress import Failures, Progress
from serving.jobs.store import ERRORS, Store
from serving.memory import give_back
from serving.priority import own_target
from serving.rules import Rules, priorities_for
from serving.settings import Settings, version
from serving.tables import Table, open_table
from serving.tables.names import column_for, text_column
from serving.tables.remote import blocks_of

_MOST_TRIES = 10
"""Starts of one job at the same row, after which its process is not risked again."""
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
        try:
            if job.tries >= _MOST_TRIES:
                problem = f"stopped its process {job.tries} times at the same place, by want of memory perhaps"
                raise TableError(job.file, problem, "Send it in parts")
            return self._ended(self._tagged(job))
        except StoppedError:
            job = self._store.get(job.id).model_copy(update={"state": "queued", "tries": 0})
            self._store.write(job)
            return job
        except CancelledError:
            return self._end(job, "cancelled")
        except (TableError, WatchlistError, ExtraError) as error:
            return self._end(job, "failed", error=self._plain(error, job))
        except OSError as error:
            problem = f"{job.file}: cannot be worked on: {error.strerror}. The operator can mend it"
            return self._end(job, "failed", error=problem)
        except Exception as error:
            _log.error("the service failed on a job", exc_info=error, extra={"facts": {"job": job.id}})
            return self._end(job, "failed", error=f"{job.file}: the service failed on it. Its log says why")

    def clear(self) -> None:
        """Give the model's memory back."""
        self._tagger = None
        give_back()

    def _tagged(self, job: Job) -> Job:
        folder, now = self._store.folder(job.id), datetime.now(UTC)
        job = job.model_copy(update={"state": "running", "tries": job.tries + 1, "started": job.started or now})
        self._store.write(job)
        _log.info("job started", extra={"facts": {"job": job.id, "tries": job.tries}})
        source = folder / job.stored
        if job.url and not source.exists():
            self._fetch(job, job.url, source)
        options, tagger = job.options, self._loaded()
        table = open_table(
            source,
            options.encoding,
            sheet=options.sheet,
            profile=options.profile,
            text_column=options.text_column,
            most=self._settings.max_unpacked,
        )
        output = output_for(table)
        check_output(table, output, whole=True)
        model = tagger.bundle.version
        begun = f"{model} {version()}"
        resume = job.begun in (None, begun)  # one model tags all rows
        job = job.model_copy(update={"model": model, "begun": begun, "total": table.count})
        self._store.write(job)
        job = self._through(job, tagger, table, output, resume=resume)
        return self._store.end(job, "done", result=output.name)

    def _through(self, job: Job, tagger: Tagger, table: Table, output: Path, *, resume: bool) -> Job:
        """Tag the rows into `output`, with a list of those that fail; returns the job, which is not ended yet."""
        look = partial(self._look, job.id)
        progress, draft = Progress(self._store, job, look), output.with_name(f"{ERRORS}.part")
        reading = self._reading(job, tagger, table)
        with draft.open("w", encoding="utf-8") as file:
            failures = Failures(file, look)
            summary = tag_table(tagger, table, output, reading, resume=resume, each=progress.tell, seen=failures.see)
            failures.close()
        draft.replace(output.with_name(ERRORS))
        return progress.job.model_copy(update={"done": summary.rows, "failed": summary.failed, "tries": 0})

    def _reading(self, job: Job, tagger: Tagger, table: Table) -> Reading:
        options, settings = job.options, self._settings
        watchlist = options.to_watchlist()
        rules = Rules.load(settings.priorities) if settings.priorities else None
        reading = Reading(
            text_column(table, options.text_column),
            min_score=options.min_score,
            priorities=priorities_for(tagger.taxonomy, rules),
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

    def _fetch(self, job: Job, url: str, path: Path) -> None:
        """Copy a file from a storage; TableError if it is not to be had, or too long."""
        draft, size, most = path.with_name("fetched.part"), 0, self._settings.job_bytes
        with draft.open("wb") as file:
            for block in blocks_of(url):
                self._look(job.id)
                size += len(block)
                if size > most:
                    raise TableError(job.file, f"is longer than {most:,} bytes", "Split it, or raise TYMPAN_JOB_BYTES")
                file.write(block)
        draft.replace(path)

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
