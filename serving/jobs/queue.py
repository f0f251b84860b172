"""Which job is next: a queue of ids, by huey, in a file of the jobs' folder or in a Redis that machines share.

It is only a queue: what it loses is put in again from the jobs' folder.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from labels.extra import library
from serving.jobs.store import Store
from serving.settings import Settings

if TYPE_CHECKING:
    from huey import Huey
    from huey.consumer import Consumer

_RETRIES = 7
_RETRY_SECONDS = 2
_RETRY_GROWTH = 4  # each wait is four times the one before: 2 seconds at first, some 2 hours at last
_PATIENCE = "?socket_timeout=5&socket_connect_timeout=5"  # in seconds: a Redis that hangs must not hold a call
_log = logging.getLogger(__name__)


def _nobody(_: str) -> None:
    """What a process that only puts in does with a job."""


def _nobody_told(_: str, *, last: bool) -> None:
    """The same, with a call."""


class Queue:
    """Jobs to work on, one after the other, and calls to make when they have ended.

    `work` is called with the id of a job. `tell` is called likewise, and again later for as long as it raises, up to
    seven times; `last` says that it is not called again.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        work: Callable[[str], None] = _nobody,
        tell: Callable[..., None] = _nobody_told,
    ) -> None:
        self._jobs, self._calls = _huey("jobs", settings, store), _huey("calls", settings, store)

        def worked(job: str) -> None:
            work(job)

        def told(job: str, task: Any) -> None:  # noqa: ANN401 — huey's
            tell(job, last=not task.retries)

        again = {"retries": _RETRIES, "retry_delay": _RETRY_SECONDS, "retry_backoff": _RETRY_GROWTH}
        self._work, self._tell = self._jobs.task()(worked), self._calls.task(context=True, **again)(told)

    def put(self, job: str) -> None:
        """Have a job worked on. If the queue cannot be reached that is logged, and done later from the folder."""
        self._put(self._work, job)

    def tell(self, job: str) -> None:
        """Have the call of a job made, likewise."""
        self._put(self._tell, job)

    def waiting(self) -> set[str]:
        """The ids in the queue, of jobs and of calls."""
        tasks = [task for huey in (self._jobs, self._calls) for task in (*huey.pending(), *huey.scheduled())]
        return {task.args[0] for task in tasks}

    @property
    def empty(self) -> bool:
        """Whether no job waits."""
        return not self._jobs.pending_count()

    def consumers(self) -> list[Consumer]:
        """What takes jobs and calls out, a thread for each."""
        options = {"workers": 1, "periodic": False, "check_worker_health": False, "max_delay": 0.5}
        return [huey.create_consumer(**options) for huey in (self._jobs, self._calls)]

    def _put(self, task: Callable[[str], None], job: str) -> None:
        try:
            task(job)
        except Exception as error:  # each kind of storage has its own
            _log.warning("a job is not in the queue yet", extra={"facts": {"job": job, "error": type(error).__name__}})


def _huey(name: str, settings: Settings, store: Store) -> Huey:
    from huey import RedisHuey, SqliteHuey  # noqa: PLC0415 — loaded only where there are jobs

    options = {"name": f"tympan-{name}", "results": False, "serializer": _plain_serializer()}
    if url := settings.queue.get_secret_value():
        library("redis", extra="redis")
        return RedisHuey(url=url if "?" in url else f"{url}{_PATIENCE}", **options)
    store.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SqliteHuey(filename=str(store.path / "queue.sqlite"), **options)


def _plain_serializer() -> Any:  # noqa: ANN401 — huey's
    """Tasks as JSON: huey's own pickles would let whoever writes to the Redis run code here."""
    from huey.registry import Message  # noqa: PLC0415 — as above
    from huey.serializer import Serializer  # noqa: PLC0415

    class Plain(Serializer):  # type: ignore[misc]
        def _serialize(self, data: Any) -> bytes:  # noqa: ANN401
            fields = data._asdict()
            return json.dumps({**fields, "eta": fields["eta"] and fields["eta"].isoformat()}).encode()

        def _deserialize(self, data: Any) -> Any:  # noqa: ANN401
            fields = json.loads(bytes(data))
            return Message(**{**fields, "eta": fields["eta"] and datetime.fromisoformat(fields["eta"])})

    return Plain()
