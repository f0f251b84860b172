"""The process that serves: its limits, its faults, its start and its end."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import httpx

from model.mention import Mention
from model.tagger import Plans, Tagger
from model.watchlist import Watchlist
from serving.app import create_app
from serving.settings import Settings
from tests.serving.calls import post, problem, tag
from tests.serving.conftest import Running, start, stop


def test_the_limits_can_be_set(bundle: Path) -> None:
    running = start(bundle, TYMPAN_MAX_MENTIONS="2", TYMPAN_MAX_BYTES="200")
    try:
        with httpx.Client(base_url=running.url) as client:
            assert len(tag(client, "a", "b")) == 2
            mentions = [{"id": str(i), "text": "a"} for i in range(3)]
            assert "2" in problem(client.post("/v1/tag", json={"mentions": mentions}), 413)["detail"]
            assert "200" in problem(post(client, b" " * 201), 413)["detail"]
            assert "2 mentions" in client.get("/openapi.json").json()["info"]["description"]
    finally:
        stop(running)


class SleepingTagger(Tagger):
    """A tagger that takes half a second more."""

    def plan(self, mentions: Sequence[Mention], watchlist: Watchlist | None = None, *, most: float = math.inf) -> Plans:
        time.sleep(0.5)
        return super().plan(mentions, watchlist, most=most)


class FailingTagger(Tagger):
    """A tagger that fails."""

    def plan(self, mentions: Sequence[Mention], watchlist: Watchlist | None = None, *, most: float = math.inf) -> Plans:
        raise RuntimeError("secret of the house")


def inside(tagger: Tagger) -> httpx.AsyncClient:
    """A client of an application in this process that has not been started."""
    transport = httpx.ASGITransport(create_app(tagger, Settings.read()), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://inside")


def test_a_fault_of_the_service_is_a_problem_that_tells_nothing(bundle: Path) -> None:
    async def call() -> httpx.Response:
        async with inside(FailingTagger.load(bundle)) as client:
            return await client.post("/v1/tag", json={"mentions": [{"id": "a", "text": "b"}]})

    answer = anyio.run(call)
    problem(answer, 500)
    assert "secret" not in answer.text


def test_the_service_is_not_ready_before_it_has_started(tagger: Tagger) -> None:
    async def call() -> tuple[httpx.Response, httpx.Response]:
        async with inside(tagger) as client:
            return await client.get("/ready"), await client.get("/health")

    ready, health = anyio.run(call)
    problem(ready, 503)
    assert health.status_code == 200


def test_the_service_answers_others_while_it_tags(bundle: Path) -> None:
    done: list[str] = []

    async def call() -> None:
        async with inside(SleepingTagger.load(bundle)) as client, anyio.create_task_group() as tasks:

            async def slow() -> None:
                await client.post("/v1/tag", json={"mentions": [{"id": "a", "text": "b"}]})
                done.append("tagged")

            tasks.start_soon(slow)
            await anyio.sleep(0.05)
            assert (await client.get("/health")).status_code == 200
            done.append("healthy")

    anyio.run(call)
    assert done == ["healthy", "tagged"]


def test_what_was_accepted_is_answered_after_the_signal_to_stop(bundle: Path) -> None:
    running = start(bundle, "--threads", "1")
    mentions = [{"id": str(i), "text": f"{i} " + "panne " * 150} for i in range(1000)]

    def call() -> httpx.Response:
        return httpx.post(f"{running.url}/v1/tag", json={"mentions": mentions}, timeout=30)

    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(call)
        time.sleep(0.3)
        assert not answer.done()
        assert stop(running) == 0
        assert len(answer.result().json()["results"]) == 1000


def test_a_server_says_where_it_is_and_ends_in_order_when_told_to(bundle: Path) -> None:
    running: Running = start(bundle)
    assert running.url in running.said
    assert f"{running.url}/docs" in running.said
    assert httpx.get(f"{running.url}/ready").status_code == 200
    assert stop(running) == 0
