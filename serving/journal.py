"""What Label Studio reports, kept for retraining: one JSON object a line, in a file that only grows."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from filelock import FileLock

from labels.task import EVENTS
from model.lines import append


class Journal:
    """The events of one service, in `folder`, which is made when the first one comes; without a folder, nowhere."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / EVENTS if folder else None
        self._one = CapacityLimiter(1)

    async def record(self, event: Mapping[str, Any]) -> bool:
        """Append an event, on disk before this returns; whether there is a file. OSError if it cannot be written."""
        if self._path is None:
            return False
        await to_thread.run_sync(partial(_append, self._path, event), limiter=self._one)
        return True


def _append(path: Path, event: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")), path.open("a+b") as file:  # other processes write to it too
        append(file, json.dumps(event).encode())
        file.flush()
        os.fsync(file.fileno())
