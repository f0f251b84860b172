"""What the routes of jobs work with: the folder, the queue and the settings."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from labels.extra import library
from serving.errors import JobStateError
from serving.jobs.job import STATES, Job
from serving.jobs.queue import Queue
from serving.jobs.store import Store
from serving.settings import Settings

_log = logging.getLogger(__name__)


class Desk:
    """Takes jobs in and cancels them."""

    def __init__(self, settings: Settings, state: Path) -> None:
        self.settings = settings
        self.store = Store(settings, state)

    @classmethod
    def of(cls, settings: Settings) -> Desk | None:
        """That of the settings' folder; None if they name none, and there are no jobs. ExtraError without Redis's."""
        if settings.state and settings.queue.get_secret_value():
            library("redis", extra="redis")
        return cls(settings, settings.state) if settings.state else None

    def take(self, job: Job, draft: Path) -> Job:
        """Keep a job whose file is in `draft` as `received`, and have it worked on; returns it.

        One that was made by the same idempotency key is returned instead; JobStateError if it was another request.
        WatchlistError if its watchlist cannot be used.
        """
        job.options.to_watchlist()
        if not job.url:
            (draft / "received").rename(draft / job.stored)
        kept = self.store.keep(draft, job)
        if (kept.owner, kept.fingerprint) != (job.owner, job.fingerprint):
            raise JobStateError("idempotency-key", "was sent with another request", "Send a key of its own with each")
        if kept.created == job.created:
            self._put(kept.id)
        return kept

    def cancel(self, job: Job) -> Job:
        """End a job that has not ended."""
        return self.store.cancel(job)

    def _put(self, job: str) -> None:
        try:
            self._queue.put(job)
        except Exception as error:  # it is kept, and comes into the queue from its folder
            _log.warning("a job is not in the queue yet", extra={"facts": {"job": job, "error": type(error).__name__}})

    @cached_property
    def _queue(self) -> Queue:
        return Queue(self.settings, self.store)


class Counts(Collector):
    """The jobs of a folder by state, and the rows that were tagged there, as they are when they are asked for."""

    def __init__(self, desk: Desk | None) -> None:
        self._desk = desk

    def collect(self) -> Iterator[Metric]:
        jobs = self._desk.store.all() if self._desk else []
        states = GaugeMetricFamily("tympan_jobs", "Jobs in the folder, by state.", labels=["state"])
        for state in STATES:
            states.add_metric([state], sum(job.state == state for job in jobs))
        yield states
        rows = self._desk.store.rows if self._desk else 0
        yield CounterMetricFamily("tympan_job_rows", "Rows that jobs of the folder have tagged.", value=rows)
