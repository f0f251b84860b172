"""What callers see when the service has more to do than it can, over HTTP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import uvicorn

from serving.app import create_app
from serving.connection import Connection
from serving.settings import Settings
from tests.serving.calls import problem
from tests.serving.conftest import start, stop
from tests.serving.slow import SlowTagger

SLOW = "panne merci cher bravo " * 60


def many(count: int, name: str = "") -> dict[str, object]:
    return {"mentions": [{"id": str(n), "text": f"{name} {n} {SLOW}"} for n in range(count)]}


def test_a_call_that_cannot_be_answered_in_its_time_is_told_so(client: httpx.Client) -> None:
    answer = client.post("/v1/tag", json=many(300, "late"), headers={"X-Request-Timeout-Ms": "1"})
    assert "0.001 s" in problem(answer, 504)["detail"]
    assert client.post("/v1/tag", json=many(1)).status_code == 200


@pytest.mark.parametrize("value", ["0", "600001", "soon", "-1", "1.5"])
def test_a_time_that_is_none_is_refused_by_name(client: httpx.Client, value: str) -> None:
    answer = client.post("/v1/tag", json=many(1), headers={"X-Request-Timeout-Ms": value})
    assert "X-Request-Timeout-Ms" in problem(answer, 422)["detail"]


def test_calls_beyond_the_queue_are_refused_at_once_and_the_others_are_answered(bundle: Path) -> None:
    running = start(bundle, "--threads", "1", TYMPAN_QUEUE_TOKENS="20000")
    try:
        with httpx.Client(base_url=running.url, timeout=60) as client, ThreadPoolExecutor(24) as pool:
            asked = list(pool.map(lambda n: client.post("/v1/tag", json=many(60, str(n))), range(24)))
        statuses = [answer.status_code for answer in asked]
        assert set(statuses) == {200, 429}
        for answer in asked:
            if answer.status_code == 429:
                problem(answer, 429)
                assert int(answer.headers["retry-after"]) >= 1
            else:
                assert len(answer.json()["results"]) == 60
        assert httpx.post(f"{running.url}/v1/tag", json=many(1)).status_code == 200
    finally:
        stop(running)


def test_a_client_that_hangs_up_frees_its_place(bundle: Path) -> None:
    tagger = SlowTagger.load(bundle, threads=1)
    assert isinstance(tagger, SlowTagger)
    tagger.prepare_test()
    tagger.allow(1)  # for the service's own first call
    app = create_app(tagger, Settings.read())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", http=Connection))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        port = listening(server)
        body = httpx.Request("POST", "http://x", json=many(100, "gone")).read()
        head = "POST /v1/tag HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        line = app.state.service.line
        with socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            until(lambda: line.waiting > 0)
        until(lambda: line.waiting == 0)
        assert len(tagger.order) == 1
    finally:
        tagger.allow(1_000)
        server.should_exit = True
        thread.join(timeout=30)


def listening(server: uvicorn.Server) -> int:
    until(lambda: server.started)
    return int(server.servers[0].sockets[0].getsockname()[1])


def until(holds: Callable[[], bool], *, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)
