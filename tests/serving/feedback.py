"""Corrections as callers send them, and services that keep them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.serving.conftest import Running, start, stop


@contextmanager
def served(bundle: Path, place: str, *arguments: str, **environment: str) -> Iterator[tuple[Running, httpx.Client]]:
    """A service that keeps corrections there: in a folder, or a PostgreSQL by its URL."""
    where = {"TYMPAN_FEEDBACK" if "://" in place else "TYMPAN_STATE": place}
    running = start(bundle, "--threads", "1", *arguments, **where, **environment)
    try:
        with httpx.Client(base_url=running.url, timeout=60) as client:
            yield running, client
    finally:
        if running.process.poll() is None:
            stop(running)


def about(text: str | None = "panne", mention: str = "m1", **more: Any) -> dict[str, Any]:
    """What is corrected."""
    return {"id": mention, **({} if text is None else {"text": text}), **more}


def correction(**fields: Any) -> dict[str, Any]:
    """One of Ann's."""
    verdict = {} if "wrong" in fields else {"tags": ["friction"]}
    return {"mention": about(), "group": "intent", "who": "ann", **verdict, **fields}


def send(client: httpx.Client, *corrections: dict[str, Any]) -> list[dict[str, Any]]:
    """What became of each."""
    answer = client.post("/v1/feedback", json={"corrections": corrections})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["results"])


def told(results: list[dict[str, Any]]) -> list[str]:
    """Of each its status, or the code of its error."""
    return [result.get("status") or result["error"]["code"] for result in results]
