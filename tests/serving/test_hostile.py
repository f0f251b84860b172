"""Clients that are slow, that break HTTP, or that are too many: each is cut short, and the others see nothing of it."""

from __future__ import annotations

import json
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from tests.serving.calls import problem, tag
from tests.serving.conftest import Running, start, stop

HEAD = b"POST /v1/tag HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BODY = b'{"mentions": [{"id": "a", "text": "panne"}]}'


@pytest.fixture(scope="module")
def hasty(bundle: Path) -> Iterator[Running]:
    """A service that gives its clients a second."""
    running = start(bundle, "--threads", "1", TYMPAN_RECEIVE_SECONDS="1")
    yield running
    stop(running)


def test_bodies_are_bounded_together(bundle: Path) -> None:
    """Each is short enough, and none is whole: nobody is to hold the memory of all."""
    running = start(bundle, "--threads", "1", TYMPAN_MAX_BYTES="100000")
    try:
        with ExitStack() as open_ones, httpx.Client(base_url=running.url) as client:
            for _ in range(64):
                connection = open_ones.enter_context(connect(running))
                connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + b" " * 99_999)
            time.sleep(0.5)
            tag(client, "panne")  # for a little there is always room
            answer = client.post("/v1/tag", json={"mentions": [{"id": "a", "text": "panne " * 3000}]})
            assert "holds as many bodies as it can" in problem(answer, 429)["detail"]
            assert answer.headers["Retry-After"] == "1"
            assert client.get("/health").status_code == 200
            open_ones.close()
            time.sleep(0.5)
            tag(client, "panne " * 3000)
    finally:
        stop(running)


def connect(running: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", httpx.URL(running.url).port or 0), timeout=10)


def read(connection: socket.socket) -> bytes:
    """All that comes until the service hangs up."""
    found = bytearray()
    try:
        while chunk := connection.recv(2**16):
            found += chunk
    except ConnectionResetError:  # it hung up on something that it did not read
        pass
    return bytes(found)


def parsed(answer: bytes) -> httpx.Response:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return httpx.Response(int(first.split()[1]), headers=headers, content=body)


def drip(connection: socket.socket, pieces: Iterator[bytes]) -> float:
    """Send a piece every tenth of a second; the seconds until the service hung up."""
    began = time.monotonic()
    connection.setblocking(False)
    for piece in pieces:
        try:
            connection.send(piece)
            if not connection.recv(2**16):
                break
        except BlockingIOError:
            time.sleep(0.1)
        except OSError:
            break
        assert time.monotonic() - began < 8
    return time.monotonic() - began


def endless(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece


@pytest.mark.parametrize("before", [b"", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["the first", "a later one"])
def test_a_head_that_comes_byte_by_byte_is_not_waited_for(hasty: Running, before: bytes) -> None:
    with connect(hasty) as connection:
        if before:
            connection.sendall(before)
            assert b" 200 " in connection.recv(2**16)
        connection.sendall(b"GET /health HTTP/1.1\r\nX-Slow: ")
        assert 0.8 < drip(connection, endless(b"x")) < 4


def test_a_connection_that_says_nothing_is_closed(hasty: Running) -> None:
    with connect(hasty) as connection:
        assert read(connection) == b""


@pytest.mark.parametrize(
    "declared", [b"Content-Length: 44\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n5\r\n"], ids=["length", "chunked"]
)
def test_a_body_that_stops_half_way_is_refused(hasty: Running, declared: bytes) -> None:
    with connect(hasty) as connection:
        connection.sendall(HEAD + declared + b'{"men')
        answer = parsed(read(connection))
    assert "within 1 s" in problem(answer, 408)["detail"]
    assert answer.headers["connection"] == "close"


def test_a_body_that_nobody_reads_is_not_taken_for_ever(hasty: Running) -> None:
    with connect(hasty) as connection:
        connection.sendall(b"POST /v1/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert b" 404 " in connection.recv(2**16)
        assert drip(connection, endless(b" ")) < 4


def test_an_answer_that_is_not_read_is_given_up(hasty: Running) -> None:
    until_no_more_than(idle := open_descriptors(hasty), hasty)  # those before have hung up
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", httpx.URL(hasty.url).port))
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        time.sleep(0.3)
        assert open_descriptors(hasty) > idle
        until_no_more_than(idle, hasty)


def open_descriptors(running: Running) -> int:
    return len(list(Path(f"/proc/{running.process.pid}/fd").iterdir()))


def until_no_more_than(count: int, running: Running) -> None:
    end = time.monotonic() + 15
    while open_descriptors(running) > count:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_others_are_answered_while_a_hundred_clients_are_slow(hasty: Running) -> None:
    with ExitStack() as slow, httpx.Client(base_url=hasty.url, timeout=10) as client:
        for _ in range(100):
            slow.enter_context(connect(hasty)).sendall(HEAD)
        assert len(tag(client, "panne", "merci")) == 2


def test_connections_beyond_what_the_process_can_hold_are_refused_and_no_others(bundle: Path) -> None:
    running = start(bundle, "--threads", "1")
    resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (400, 400))
    try:
        with ExitStack() as held, httpx.Client(base_url=running.url, timeout=10) as client:
            assert len(tag(client, "panne")) == 1
            connections = [held.enter_context(connect(running)) for _ in range(500)]
            refused = parsed(read(connections[-1]))
            assert problem(refused, 503)["detail"].startswith("connections: ")
            assert refused.headers["retry-after"] == "1"
            assert len(tag(client, "merci")) == 1  # on a connection that it had before
        until_no_more_than(100, running)
        assert httpx.get(f"{running.url}/ready").status_code == 200
    finally:
        stop(running)
    assert not any('"level": "error"' in line for line in running.logged())


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00" * 100,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 100,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 2**20 + b"\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n" + BODY,
        HEAD + b"Content-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["null", "tls", "version", "twice", "headers", "chunk", "length", "both"],
)
def test_what_is_no_http_is_refused(hasty: Running, sent: bytes) -> None:
    with connect(hasty) as connection:
        with suppress(OSError):  # it may hang up before it has all of it
            connection.sendall(sent)
        assert b"HTTP/1.1 4" in read(connection)[:10]


def test_garbage_behind_a_request_does_not_take_its_answer(hasty: Running) -> None:
    with connect(hasty) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY + b"\xff\x00garbage\r\n\r\n")
        first, _, rest = read(connection).partition(b"HTTP/1.1 400")
    assert json.loads(first.partition(b"\r\n\r\n")[2])["results"][0]["id"] == "a"
    assert rest
