"""One line a record, whatever happens, and nothing in it that a caller wrote."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.call import Call, begin
from serving.logs import Formatter
from tests.serving.conftest import ROOT, Running, start, stop

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
HEX = "0123456789abcdef"


@pytest.fixture(scope="module")
def logging_server(bundle: Path) -> Iterator[Running]:
    running = start(bundle, "--threads", "1")
    yield running
    stop(running)


def call(running: Running, method: str, path: str, **more: Any) -> tuple[httpx.Response, dict[str, Any]]:
    """The answer, and the line of the log that is about it."""
    answer = httpx.request(method, f"{running.url}{path}", **more)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        lines = [json.loads(line) for line in running.logged()]
        if found := [line for line in lines if line.get("request_id") == answer.headers["x-request-id"]]:
            assert len(found) == 1
            return answer, found[0]
        time.sleep(0.02)
    raise AssertionError("the request was not logged")


def test_a_request_is_one_line_of_json(logging_server: Running) -> None:
    mentions = [{"id": "a", "text": "panne"}, {"id": "b", "text": ""}]
    answer, line = call(logging_server, "POST", "/v1/tag", json={"mentions": mentions})
    assert abs(time.time() - datetime.fromisoformat(line.pop("time")).timestamp()) < 60
    assert 0 < line.pop("seconds") < 60
    assert set(line.pop("trace_id")) <= set(HEX)
    assert line == {
        "level": "info",
        "message": "request",
        "logger": "serving.watch",
        "request_id": answer.headers["x-request-id"],
        "method": "POST",
        "route": "/v1/tag",
        "status": 200,
        "mentions": 2,
        "model": answer.json()["model"],
    }


def test_the_trace_of_the_caller_is_gone_on_with(logging_server: Running) -> None:
    _, line = call(logging_server, "GET", "/health", headers={"traceparent": TRACEPARENT})
    assert line["trace_id"] == TRACE


@pytest.mark.parametrize("given", ["", "00-xyz", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "geheim"])
def test_a_trace_that_is_none_is_replaced(logging_server: Running, given: str) -> None:
    _, line = call(logging_server, "GET", "/health", headers={"traceparent": given})
    assert len(line["trace_id"]) == 32
    assert set(line["trace_id"]) <= set(HEX) and set(line["trace_id"]) != {"0"}


def test_a_request_id_that_is_a_uuid_is_kept(logging_server: Running) -> None:
    given = str(uuid.uuid4())
    answer, line = call(logging_server, "GET", "/health", headers={"X-Request-Id": given})
    assert (answer.headers["x-request-id"], line["request_id"]) == (given, given)


@pytest.mark.parametrize("given", ["je quitte Orange", "tym_secret", "a" * 65, "abc"])
def test_any_other_request_id_is_replaced(logging_server: Running, given: str) -> None:
    answer, _ = call(logging_server, "GET", "/health", headers={"X-Request-Id": given})
    assert len(answer.headers["x-request-id"]) == 32


def test_refusals_and_paths_that_are_not_there_have_an_id_and_a_line_too(logging_server: Running) -> None:
    for method, path, status, route in (
        ("GET", "/nothing", 404, "other"),
        ("GET", "/v1/tag", 405, "/v1/tag"),
        ("POST", "/v1/tag", 415, "/v1/tag"),
    ):
        answer, line = call(logging_server, method, path)
        assert (answer.status_code, line["status"], line["route"], line["level"]) == (status, status, route, "info")


def test_nothing_that_a_caller_wrote_is_logged(bundle: Path) -> None:
    running = start(bundle, TYMPAN_LOG_LEVEL="debug")
    try:
        mention = {"id": "geheim", "text": "geheim panne", "lang": "geheim", "target": "geheim"}
        secret = {"Authorization": "Bearer geheim", "X-API-Key": "geheim", "X-Request-Id": "geheim", "geheim": "geheim"}
        with httpx.Client(base_url=running.url, headers=secret) as client:
            client.post("/v1/tag?geheim=geheim", json={"mentions": [mention]})
            client.post("/v1/tag", content=b'{"geheim": geheim')
            client.post("/v1/tag", json={"geheim": "geheim"})
            client.post("/v1/tag", json={"mentions": [mention], "watchlist": [{"name": "geheim"}] * 2})
            client.post(
                "/label-studio/predict", json={"tasks": [{"data": {"text": "geheim"}}], "label_config": "geheim"}
            )
            client.get("/geheim")
            client.request("GEHEIM", "/health")
        assert stop(running) == 0
        lines = running.logged()
        assert len(lines) >= 7
        assert "geheim" not in "\n".join(lines).lower()
    finally:
        stop(running)


def test_lines_can_be_text(bundle: Path) -> None:
    running = start(bundle, TYMPAN_LOG_FORMAT="text")
    httpx.get(f"{running.url}/health")
    assert stop(running) == 0
    (line,) = running.logged()
    assert " info request logger=serving.watch request_id=" in line
    assert " method=GET route=/health status=200 seconds=" in line


def test_a_level_leaves_out_what_is_below(bundle: Path) -> None:
    running = start(bundle, TYMPAN_LOG_LEVEL="warning")
    httpx.get(f"{running.url}/health")
    httpx.get(f"{running.url}/nothing")
    assert stop(running) == 0
    assert running.logged() == []


def test_bytes_that_are_no_http_are_a_line_of_the_same_form(bundle: Path) -> None:
    running = start(bundle)
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"geheim\r\n\r\n")
        connection.recv(1000)
    assert stop(running) == 0
    (line,) = map(json.loads, running.logged())
    assert (line["level"], line["logger"]) == ("warning", "uvicorn.error")


FAULTY = """
import socket, sys
import uvicorn
from model.tagger import Tagger
from serving import logs
from serving.app import create_app
from serving.settings import Settings
class Faulty(Tagger):
    def plan(self, mentions, watchlist=None, *, most=0):
        raise ValueError(f"cannot read {mentions[0].text}")
logs.configure("json", "info")
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
app = create_app(Faulty.load(sys.argv[1], threads=1), Settings.read())
uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off")).run(sockets=[listener])
"""


def test_a_fault_is_told_by_its_type_and_place_and_without_its_message(bundle: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as errors:
        command = [sys.executable, "-c", FAULTY, str(bundle)]
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert server.stdout
        port = server.stdout.readline().strip()
        mentions = [{"id": "a", "text": "geheim"}]
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/tag", json={"mentions": mentions}, timeout=60)
        assert answer.status_code == 500
    finally:
        server.terminate()
        server.wait(timeout=30)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    mine = [line for line in lines if line.get("request_id") == answer.headers["x-request-id"]]
    request, fault = sorted(mine, key=lambda line: line["message"] != "request")
    assert (request["status"], request["level"]) == (500, "error")
    assert fault["error"] == "builtins.ValueError"
    assert fault["at"].startswith("__main__:10 plan < ")
    assert "geheim" not in log.read_text()


def test_a_record_of_several_lines_is_one_line_and_the_first(caplog: pytest.LogCaptureFixture) -> None:
    told = "Task exception was never retrieved\nfuture: <Task finished exception=ValueError('geheim')>"
    logging.getLogger("asyncio").error(told)
    line = Formatter("json").format(caplog.records[-1])
    assert json.loads(line)["message"] == "Task exception was never retrieved"
    assert "geheim" not in line


def test_a_record_made_while_a_request_is_answered_has_its_id(caplog: pytest.LogCaptureFixture) -> None:
    now = Call()

    def work() -> None:
        begin(now)
        logging.getLogger("serving.any").error("a fault")
        assert json.loads(Formatter("json").format(caplog.records[-1]))["request_id"] == now.id

    thread = threading.Thread(target=work)  # a context of its own
    thread.start()
    thread.join()
    logging.getLogger("serving.any").error("a fault")
    assert "request_id" not in json.loads(Formatter("json").format(caplog.records[-1]))


def test_a_thread_that_dies_is_logged_without_what_it_says() -> None:
    code = """
import threading
from serving import logs
logs.configure("json", "info")
def work():
    raise ValueError("geheim")
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    died = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    line = json.loads(died.stderr)
    assert (line["level"], line["error"], "geheim" in died.stderr) == ("critical", "builtins.ValueError", False)
