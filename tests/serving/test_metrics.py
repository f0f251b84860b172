"""What the service counts and times is what happened, and tells nothing of what was said."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from model.tagger import Tagger
from serving.app import create_app
from serving.settings import Settings
from tests.serving.calls import post, tag
from tests.serving.conftest import start, stop
from tests.serving.scrapes import Growth, read, scrape, value
from tests.serving.slow import SlowTagger

V1_TAG = {"method": "POST", "route": "/v1/tag"}


def fresh(words: str) -> str:
    """A text that nobody asked for before: letters alone, so that it is one token more."""
    return f"{words} {''.join(chr(ord('g') + int(digit, 16)) for digit in uuid.uuid4().hex)}"


def test_requests_are_counted_by_route_and_status_and_timed(client: httpx.Client) -> None:
    growth = Growth(client)
    tag(client, "panne")
    post(client, b"{")
    client.get("/v1/nothing-of-that-name")
    assert growth.of("requests_total", **V1_TAG, status="200") == 1
    assert growth.of("requests_total", **V1_TAG, status="422") == 1
    assert growth.of("requests_total", method="GET", route="other", status="404") == 1
    assert growth.of("request_seconds_count", **V1_TAG) == 2
    assert 0 < growth.of("request_seconds_sum", **V1_TAG) < 60


def test_every_route_that_is_counted_is_one_of_the_description(client: httpx.Client) -> None:
    client.get("/docs")
    client.get("/v1/taxonomy")
    described = {*client.get("/openapi.json").json()["paths"], "/docs", "/redoc", "other"}
    found = {dict(labels).get("route") for _, labels in scrape(client)} - {None}
    assert {"/v1/taxonomy", "other"} <= found <= described


def test_mentions_are_counted_with_their_tags_and_languages(client: httpx.Client) -> None:
    growth = Growth(client)
    mentions = [
        {"id": "a", "text": "quitte panne", "lang": "fr"},
        {"id": "b", "text": "outage", "lang": "en"},
        {"id": "c", "text": "nada", "lang": "es"},
        {"id": "d", "text": ""},
    ]
    client.post("/v1/tag", json={"mentions": mentions})
    assert growth.of("mentions_total", result="tagged") == 3
    assert growth.of("mentions_total", result="refused") == 1
    assert growth.of("mentions_total", result="failed") == 0
    languages = {
        name: growth.of("mention_languages_total", language=name) for name in ("fr", "it", "en", "es", "other")
    }
    assert languages == {"fr": 1, "it": 0, "en": 1, "es": 0, "other": 1}
    assert growth.of("tags_total", group="intent", tag="friction") == 2
    assert growth.of("tags_total", group="intent", tag="churn") == 1
    assert growth.of("tags_total", group="topic", tag="service/outage") == 2
    assert growth.of("untagged_mentions_total", group="intent") == 1
    assert growth.of("untagged_mentions_total", group="topic") == 1


def test_texts_are_computed_once_and_remembered_after(client: httpx.Client) -> None:
    growth, text = Growth(client), fresh("panne")
    tag(client, text)
    tag(client, text)
    assert (growth.of("cache_misses_total"), growth.of("cache_hits_total")) == (1, 1)
    assert growth.of("tokens_total") == 2 + 2  # its two words, and the special tokens around them
    assert (growth.of("request_tokens_sum"), growth.of("request_tokens_count")) == (4, 1)
    assert (growth.of("request_windows_sum"), growth.of("request_windows_count")) == (1, 1)
    assert growth.of("wait_seconds_count") == 1
    stages = {
        stage: growth.of("stage_seconds_count", stage=stage) for stage in ("prepare", "tokenise", "infer", "decode")
    }
    assert stages == {"prepare": 2, "tokenise": 1, "infer": 1, "decode": 2}


@pytest.mark.parametrize(
    ("reason", "request_"),
    [
        ("not_found", {"method": "GET", "url": "/nothing"}),
        ("method_not_allowed", {"method": "GET", "url": "/v1/tag"}),
        ("media_type", {"method": "POST", "url": "/v1/tag", "content": b"x"}),
        ("request_too_large", {"method": "POST", "url": "/v1/tag", "content": b" " * (2**20 + 1)}),
        ("request_validation", {"method": "POST", "url": "/v1/tag", "json": {}}),
        ("watchlist", {"method": "POST", "url": "/v1/tag", "json": {"mentions": [], "watchlist": [{"name": "A"}] * 2}}),
    ],
)
def test_refusals_are_counted_by_their_reason(client: httpx.Client, reason: str, request_: dict[str, Any]) -> None:
    growth = Growth(client)
    assert client.request(**request_).status_code >= 400
    assert growth.of("refusals_total", reason=reason) == 1


def test_a_deadline_that_passes_is_a_refusal(client: httpx.Client) -> None:
    growth = Growth(client)
    mentions = [{"id": str(n), "text": fresh("panne merci " * 100)} for n in range(300)]
    late = client.post("/v1/tag", json={"mentions": mentions}, headers={"X-Request-Timeout-Ms": "1"})
    assert late.status_code == 504
    assert growth.of("refusals_total", reason="deadline") == 1


def test_the_model_that_is_served_is_named(client: httpx.Client) -> None:
    served = client.get("/v1/model").json()
    assert value(scrape(client), "model_info", version=served["model"], taxonomy=served["taxonomy"]) == 1


def test_nothing_that_a_caller_wrote_is_in_a_scrape(client: httpx.Client) -> None:
    mention = {"id": "geheim-a", "text": "geheim-b panne", "lang": "geheim-c", "target": "geheim-d"}
    tokens = {"Authorization": "Bearer geheim-e", "X-Request-Id": "geheim-f", "traceparent": "geheim-g"}
    client.post("/v1/tag?geheim-h=1", json={"mentions": [mention]}, headers=tokens)
    client.request("GEHEIM", "/geheim-i")
    client.get("/v1/tag/geheim-j")
    assert "geheim" not in client.get("/metrics").text.lower()


def test_every_name_begins_with_the_service_and_ends_with_its_unit(client: httpx.Client) -> None:
    families = re.findall(r"^# TYPE (\S+) (\w+)$", client.get("/metrics").text, re.MULTILINE)
    assert len(families) > 15
    for name, kind in families:
        assert name.startswith("tympan_")
        if kind == "counter":
            assert name.endswith("_total")
        else:
            assert name.endswith(
                ("_seconds", "_tokens", "_windows", "_workers", "_jobs", "_bytes", "_info", "_fds", "_ratio")
            ), name


def test_two_services_in_one_process_count_apart(tagger: Tagger) -> None:
    async def call() -> list[float]:
        counted = []
        for times in (1, 2):
            transport = httpx.ASGITransport(create_app(tagger, Settings.read()))
            async with httpx.AsyncClient(transport=transport, base_url="http://inside") as client:
                for _ in range(times):
                    await client.get("/health")
                found = read((await client.get("/metrics")).text)
                counted.append(value(found, "requests_total", method="GET", route="/health", status="200"))
        return counted

    assert anyio.run(call) == [1, 2]


def test_the_queue_is_as_deep_as_what_waits(bundle: Path) -> None:
    slow = SlowTagger.load(bundle, threads=1)
    assert isinstance(slow, SlowTagger)
    slow.prepare_test()
    app = create_app(slow, Settings.read())

    async def depth(client: httpx.AsyncClient) -> float:
        return value(read((await client.get("/metrics")).text), "queue_tokens")

    async def call() -> tuple[float, float]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://inside") as client:
            async with anyio.create_task_group() as tasks:
                mentions = [{"id": "a", "text": "panne merci"}, {"id": "b", "text": "merci"}]
                tasks.start_soon(lambda: client.post("/v1/tag", json={"mentions": mentions}))
                await anyio.to_thread.run_sync(slow.started.acquire)  # the worker has the longer one
                full = await depth(client)
                slow.allow(2)
            return full, await depth(client)

    assert anyio.run(call) == (1 + 2, 0)


def test_processes_that_share_a_folder_are_scraped_as_one(bundle: Path, tmp_path: Path) -> None:
    both = [start(bundle, "--threads", "1", PROMETHEUS_MULTIPROC_DIR=str(tmp_path)) for _ in range(2)]
    try:
        for running in both:
            with httpx.Client(base_url=running.url) as client:
                tag(client, "panne", "panne merci")
        with httpx.Client(base_url=both[0].url) as client:
            found = scrape(client)
        assert value(found, "requests_total", **V1_TAG, status="200") == 2
        assert value(found, "mentions_total", result="tagged") == 2 * (2 + 1)  # and each one's first call
        assert value(found, "tags_total", group="intent", tag="friction") == 4
        assert value(found, "queue_tokens") == 0
        assert [labels for name, labels in found if name == "tympan_model_info"]
        assert value(found, "workers") == 2
        stop(both.pop())
        with httpx.Client(base_url=both[0].url) as client:
            assert value(scrape(client), "workers") == 1
    finally:
        for running in both:
            stop(running)
