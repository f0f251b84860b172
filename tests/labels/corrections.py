"""Corrections for the tests of this room, and programs that write them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from labels.feedback.correction import Correction

ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
_WRITER = """
import sys
from labels.feedback.store import FeedbackStore
from tests.labels.corrections import correction
place, name, batches = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = FeedbackStore(place)
print("open", flush=True)
sys.stdin.readline()
for batch in range(batches):
    store.add([correction(f"{name}-{batch}-{number}") for number in range(10)])
    print(f"{name}-{batch}", flush=True)
"""


def correction(name: str = "c1", *, minutes: int = 0, **fields: Any) -> Correction:
    """One of Ann's about a mention's topics, so many minutes after noon."""
    verdict = {} if "wrong" in fields else {"tags": ("place",)}
    about: dict[str, Any] = {"at": NOON + timedelta(minutes=minutes)}
    about |= {"mention": "m1", "text": "Trop cher ici.", "group": "about", "who": "ann"}
    return Correction(id=name, **{**about, **verdict, **fields})


def writer(place: str, name: str, *, batches: int) -> subprocess.Popen[str]:
    """A process that has opened the store and, told to, adds batches of ten and says of each that it is kept."""
    found = subprocess.Popen(
        [sys.executable, "-c", _WRITER, place, name, str(batches)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return found


def go(process: subprocess.Popen[str]) -> None:
    """Let a writer begin, once it is ready."""
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "open\n"
    process.stdin.write("\n")
    process.stdin.flush()
