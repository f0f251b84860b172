"""Jobs of a running service, as their callers make and follow them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.serving.conftest import Running

WORDS = ("panne", "merci", "annulla", "la")
FEW = b"id,text\n1,panne\n2,\n3,merci\n"


def many(rows: int) -> bytes:
    """A file of so many rows, each with a text of its own."""
    return "".join(["id,text\n", *(f"{row},{WORDS[row % 4]} {row}\n" for row in range(rows))]).encode()


def send(
    client: httpx.Client, content: Any = FEW, name: str = "mentions.csv", *, headers: Any = None, **options: str
) -> httpx.Response:
    """A form with a file and options."""
    return client.post("/v1/jobs", files={"file": (name, content)}, data=options, headers=headers)


def made(answer: httpx.Response) -> dict[str, Any]:
    """The job that was made."""
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    assert answer.headers["location"] == job["links"]["self"] == f"/v1/jobs/{job['id']}"
    return job


def look(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    """How far it is now."""
    answer = client.get(job["links"]["self"])
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def once(client: httpx.Client, job: dict[str, Any], holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """It, as soon as that holds."""
    last = time.monotonic() + 120
    while not holds(found := look(client, job)):
        assert time.monotonic() < last, found
        time.sleep(0.05)
    return found


def ended(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    return once(client, job, lambda found: found["ended"])


def done(client: httpx.Client, job: dict[str, Any]) -> bytes:
    """Its result, when it has ended well."""
    found = ended(client, job)
    assert (found["state"], found["error"]) == ("done", None)
    answer = client.get(job["links"]["result"])
    assert answer.status_code == 200, answer.text
    return answer.content


def under_way(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    """It, while some of its rows are done and some are not."""
    return once(client, job, lambda found: found["ended"] or 0 < found["done"] < found["total"])


def workers(running: Running) -> list[int]:
    """The processes that the service started, that of jobs the first of them."""
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")
    threads = Path(f"/proc/{running.process.pid}/task").glob("*/children")
    found = [*children.read_text().split(), *(pid for path in threads for pid in path.read_text().split())]
    return [int(pid) for pid in dict.fromkeys(found) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def stripped(state: Path, job: dict[str, Any]) -> None:
    """Wait until nothing but what is kept is left of a job that has ended: its end is told a moment before."""
    last, folder = time.monotonic() + 10, state / "jobs" / "kept" / job["id"]
    kept = {"job.json"} if job["state"] != "done" else {"job.json", "errors.json", job["result"]}
    while (names := {path.name for path in folder.iterdir()}) != kept:
        assert time.monotonic() < last, names
        time.sleep(0.02)


def left(state: Path) -> set[str]:
    """The files of all jobs in the folder, of those that are kept and those that are coming."""
    for record in (state / "jobs" / "kept").glob("*/job.json"):
        if (job := json.loads(record.read_bytes()))["ended"]:
            stripped(state, job)
    paths = (path for part in ("kept", "incoming") for path in (state / "jobs" / part).rglob("*"))
    return {path.name for path in paths if path.is_file()}
