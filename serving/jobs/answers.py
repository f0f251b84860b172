"""What callers are told of jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from serving.jobs import job as jobs
from serving.jobs.job import Job, State
from serving.schemas import Told


class LinksItem(Told):
    """Where more of a job is to be had."""

    self: str = Field(examples=["/v1/jobs/job-3f1c0a9b7d2e"])
    result: str = Field(examples=["/v1/jobs/job-3f1c0a9b7d2e/result"])
    errors: str = Field(examples=["/v1/jobs/job-3f1c0a9b7d2e/errors"])


class JobAnswer(Told):
    """A job: a file that is tagged while nobody waits."""

    id: str = Field(examples=["job-3f1c0a9b7d2e"])
    state: State = Field(description="`queued` and `running` jobs have not ended, the others have.")
    file: str = Field(description="The name of the file.", examples=["export.csv"])
    total: int | None = Field(description="Rows of the file; null until it was read.")
    done: int = Field(description="Rows that were worked on.")
    failed: int | None = Field(description="Rows that could not be tagged so far; null until the first were worked on.")
    rate: float | None = Field(description="Rows a second.")
    seconds_left: int | None = Field(description="Until it ends, at that rate; null while that is not known.")
    created: datetime
    started: datetime | None
    ended: datetime | None
    expires: datetime | None = Field(description="When it is removed, with its result; null until it has ended.")
    model: str | None = Field(description="The version that tags it.", examples=["listening-3f1c0a9b7d2e"])
    error: str | None = Field(description="Why it failed, or its result could not be copied, in one line.")
    webhook: jobs.Told | None = Field(
        description="What became of its call, once it has ended; null if none was asked for."
    )
    links: LinksItem

    @classmethod
    def of(cls, job: Job) -> JobAnswer:
        facts = job.model_dump(include=set(cls.model_fields) - {"links"})
        where = f"/v1/jobs/{job.id}"
        links = LinksItem(self=where, result=f"{where}/result", errors=f"{where}/errors")
        return cls(**facts, seconds_left=_seconds_left(job), webhook=job.told, links=links)


class JobsAnswer(Told):
    """Jobs, the newest first."""

    jobs: list[JobAnswer]
    next: str | None = Field(description="What to send as `after` for the next ones; null if there are none.")


class FailureItem(Told):
    """A row that was not tagged."""

    row: int = Field(description="Its number among the rows of the file, from 1, the header left out.")
    reason: str


class ErrorsAnswer(Told):
    """The rows of a job that were not tagged."""

    errors: list[FailureItem]


EXAMPLES: dict[str, Any] = {
    "done": {
        "summary": "A job that has ended",
        "value": {
            "id": "job-3f1c0a9b7d2e",
            "state": "done",
            "file": "export.csv",
            "total": 12000,
            "done": 12000,
            "failed": 3,
            "rate": 240.5,
            "seconds_left": None,
            "created": "2026-03-02T08:15:00Z",
            "started": "2026-03-02T08:15:01Z",
            "ended": "2026-03-02T08:15:53Z",
            "expires": "2026-03-03T08:15:53Z",
            "model": "listening-3f1c0a9b7d2e",
            "error": None,
            "webhook": None,
            "links": {
                "self": "/v1/jobs/job-3f1c0a9b7d2e",
                "result": "/v1/jobs/job-3f1c0a9b7d2e/result",
                "errors": "/v1/jobs/job-3f1c0a9b7d2e/errors",
            },
        },
    }
}


def _seconds_left(job: Job) -> int | None:
    if job.state != "running" or not job.rate or job.total is None:
        return None
    return round((job.total - job.done) / job.rate)
