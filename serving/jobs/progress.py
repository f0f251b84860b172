"""What is written down of a job while it is worked on: how far it is, and which rows failed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import IO

from model.tagger import Tagged
from serving.jobs.job import Job
from serving.jobs.store import Store
from serving.priority import Priority
from serving.tables import Row

_TELL_SECONDS = 0.5  # between two writings
_LOOK_ROWS = 1_000  # between two looks whether to stop


class Progress:
    """How far a job is, kept twice a second; `look` raises what the work is to stop with."""

    def __init__(self, store: Store, job: Job, look: Callable[[], None]) -> None:
        self.job = job
        self._store, self._look = store, look
        self._began: tuple[float, int] | None = None
        self._told = 0.0, 0

    def tell(self, rows: int, failed: int) -> None:
        """So many rows are done, first those of an earlier start, and so many of them failed."""
        now = time.monotonic()
        if self._began is None:
            self._began, self._told = (now, rows), (0.0, rows)
        if now - self._told[0] >= _TELL_SECONDS or rows == self.job.total:
            self._keep(now, rows, failed)
        self._look()

    def _keep(self, now: float, rows: int, failed: int) -> None:
        assert self._began  # noqa: S101 — as set above
        seconds, new = now - self._began[0], rows - self._began[1]
        update: dict[str, object] = {"done": rows, "failed": failed}
        if new:
            update |= {"tries": 0, "rate": round(new / seconds, 1) if seconds else None}
        self.job = self.job.model_copy(update=update)
        self._store.write(self.job)
        self._store.count(rows - self._told[1])
        self._told = now, rows


class Failures:
    """The rows that were not tagged, as JSON that is written as they come: numbers and reasons, and no text."""

    def __init__(self, file: IO[str], look: Callable[[], None]) -> None:
        self._file, self._look = file, look
        self._row, self._between = 0, '{"errors": ['

    def see(self, _: Row, result: Tagged | str, __: Priority | None) -> None:
        """The next row, as `tag_table` shows it."""
        self._row += 1
        if isinstance(result, str):
            self._file.write(self._between + json.dumps({"row": self._row, "reason": result}))
            self._between = ",\n"
        if self._row % _LOOK_ROWS == 0:
            self._look()

    def close(self) -> None:
        """Write the end of it."""
        self._file.write("]}" if self._between == ",\n" else self._between + "]}")
