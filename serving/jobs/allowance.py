"""How much of the folder of jobs a caller may take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from serving.errors import QuotaError
from serving.jobs.disk import size
from serving.jobs.job import Job
from serving.settings import Settings

_FULL_SECONDS = 60  # after which a caller with too many jobs is to try again


def check(settings: Settings, owner: str, coming: Sequence[Path], kept: Sequence[tuple[Job, Path]] | None) -> None:
    """QuotaError if a caller may send no file now.

    `coming` are the folders of its files under way, `kept` its jobs with theirs; None if the call is one sent again,
    which makes no job more.
    """
    where = f"key {owner}" if owner else "jobs"
    unfinished = len(coming) + sum(job.open for job, _ in kept or ())
    if unfinished >= settings.job_quota:
        problem = f"has {unfinished:,} unfinished jobs, which are the most"
        raise QuotaError(where, problem, "Wait for one, or delete one", seconds=_FULL_SECONDS)
    if kept is None:
        return
    if len(coming) + len(kept) >= settings.job_quota_kept:
        problem = f"keeps {settings.job_quota_kept:,} jobs, which are the most"
        raise QuotaError(where, problem, "Delete jobs that have ended", seconds=_FULL_SECONDS)
    if sum(map(size, (*coming, *(folder for _, folder in kept)))) >= settings.job_quota_bytes:
        problem = f"keeps {settings.job_quota_bytes:,} bytes or more in files and results"
        raise QuotaError(where, problem, "Delete jobs that have ended", seconds=_FULL_SECONDS)
