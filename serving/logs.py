"""Logs: one line a record, JSON or text, on standard error, and nothing in them that a caller wrote.

An error is told by its type and where it was raised. Its message is left out, since it may quote a mention; so is all
but the first line of a record's text, since asyncio and others put there what they hold.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

from serving.call import under_way

Format = Literal["json", "text"]
Level = Literal["debug", "info", "warning", "error"]
_FRAMES = 5  # the innermost, which say where it went wrong and from where that was called


class Formatter(logging.Formatter):
    """Makes a line of a record."""

    def __init__(self, form: Format) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """One line: time, level and message, the request that it is about, and what `extra={"facts": …}` adds."""
        facts = _facts(record)
        if self._form == "json":
            return json.dumps(facts, ensure_ascii=False)
        head = " ".join(str(facts.pop(name)) for name in ("time", "level", "message"))
        return " ".join((head, *(f"{name}={value}" for name, value in facts.items())))


def configure(form: Format, level: Level) -> None:
    """Have this process log in that form: all of ours from `level` on, and warnings and worse of the libraries."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter(form))
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)
    logging.getLogger("serving").setLevel(number)
    logging.captureWarnings(True)
    threading.excepthook = _thread_died


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    call = under_way()
    facts: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "message": record.getMessage().partition("\n")[0],
        "logger": record.name,
    }
    if call:
        facts |= {"request_id": call.id, "trace_id": call.trace}
    if record.exc_info and record.exc_info[0]:
        kind, _, trace = record.exc_info
        facts |= {"error": f"{kind.__module__}.{kind.__qualname__}", "at": _places(trace)}
    return facts | getattr(record, "facts", {})


def _places(trace: TracebackType | None) -> str:
    """The innermost first: `serving.batching:172 _compute < …`."""
    frames = list(traceback.walk_tb(trace))[-_FRAMES:]
    return " < ".join(
        f"{frame.f_globals.get('__name__')}:{line} {frame.f_code.co_name}" for frame, line in reversed(frames)
    )


def _thread_died(died: threading.ExceptHookArgs) -> None:
    if died.exc_value:
        error = (died.exc_type, died.exc_value, died.exc_traceback)
        logging.getLogger(__name__).critical("a thread died", exc_info=error)
