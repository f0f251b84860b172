"""How the service ends: it says so first, and what it cannot finish is told so."""

from __future__ import annotations

import json
import time
from asyncio import create_task, sleep
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.ending import Ending
from tests.serving.calls import PROBLEM, problem, tag
from tests.serving.conftest import start

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def sent_when_cancelled(*, begun: bool) -> list[MutableMapping[str, Any]]:
    """What a request is answered whose task is cancelled, before its answer has begun or after."""
    sent: list[MutableMapping[str, Any]] = []

    async def forever(_: object, __: object, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await sleep(60)

    async def keep(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def silent() -> MutableMapping[str, Any]:
        await sleep(60)
        return {}

    scope = {"type": "http", "path": "/v1/tag", "method": "POST", "headers": []}
    task = create_task(Ending(forever)(scope, silent, keep))  # type: ignore[arg-type]  # a coroutine is awaitable
    await sleep(0.01)
    task.cancel()
    await sleep(0.01)
    assert task.cancelled() == begun
    return sent


async def test_what_is_cut_off_before_its_answer_began_is_told_to_go_elsewhere() -> None:
    head, body = await sent_when_cancelled(begun=False)
    assert head["status"] == 503
    assert (b"content-type", PROBLEM.encode()) in head["headers"]
    assert "has stopped" in json.loads(body["body"])["detail"]


async def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    (head,) = await sent_when_cancelled(begun=True)
    assert head["status"] == 200


def test_a_service_that_is_told_to_stop_says_so_before_it_refuses_connections(bundle: Path) -> None:
    running = start(bundle, "--threads", "1", TYMPAN_DRAIN_SECONDS="5")
    assert httpx.get(f"{running.url}/ready").status_code == 200
    running.process.terminate()
    with httpx.Client(base_url=running.url) as client:
        while (answer := client.get("/ready")).status_code == 200:  # or the connection is refused in the end
            time.sleep(0.05)
        assert "is starting or stopping" in problem(answer, 503)["detail"]
        tag(client, "panne")
    assert running.process.wait(timeout=30) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{running.url}/ready")
