"""Whose jobs are whose, and what a caller can take of the service by them."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from serving.keys import Scope, add_key
from tests.serving.calls import problem
from tests.serving.conftest import Running, start, stop
from tests.serving.jobs import FEW, done, ended, left, look, made, many, send
from tests.serving.test_load import until

LONGEST = 100_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("limits")


@pytest.fixture(scope="module")
def keys(folder: Path) -> dict[str, str]:
    """Name → secret."""
    scopes = {"ann": Scope.JOBS, "bob": Scope.JOBS, "few": Scope.JOBS, "full": Scope.JOBS, "tag": Scope.TAG}
    return {
        name: add_key(folder / "keys.json", name, [scope]) for name, scope in {**scopes, "admin": Scope.ADMIN}.items()
    }


@pytest.fixture(scope="module")
def running(bundle: Path, folder: Path, keys: dict[str, str]) -> Iterator[Running]:
    found = start(
        bundle,
        *("--threads", "1"),
        TYMPAN_KEYS=str(folder / "keys.json"),
        TYMPAN_STATE=str(folder / "state"),
        TYMPAN_JOB_BYTES=str(LONGEST),
        TYMPAN_JOB_QUOTA="2",
        TYMPAN_JOB_QUOTA_BYTES="500000",
        TYMPAN_JOB_SECONDS="2",
        TYMPAN_RECEIVE_SECONDS="2",
    )
    yield found
    stop(found)


def calling(running: Running, secret: str) -> httpx.Client:
    return httpx.Client(base_url=running.url, timeout=60, headers={"X-API-Key": secret})


@pytest.fixture
def ann(running: Running, keys: dict[str, str]) -> Iterator[httpx.Client]:
    with calling(running, keys["ann"]) as found:
        yield found


def test_a_caller_sees_its_own_jobs_and_an_admin_all(ann: httpx.Client, running: Running, keys: dict[str, str]) -> None:
    with calling(running, keys["bob"]) as bob, calling(running, keys["admin"]) as admin:
        same = {"Idempotency-Key": "one"}
        mine, theirs = made(send(ann, headers=same)), made(send(bob, headers=same))
        assert mine["id"] != theirs["id"]
        for where in (*mine["links"].values(), "/v1/jobs/job-000000000000"):
            told = problem(bob.get(where), 404)
        problem(bob.delete(mine["links"]["self"]), 404)
        assert problem(bob.get(mine["links"]["self"]), 404)["detail"] == told["detail"]
        assert [job["id"] for job in ann.get("/v1/jobs").json()["jobs"]] == [mine["id"]]
        assert {job["id"] for job in admin.get("/v1/jobs").json()["jobs"]} == {mine["id"], theirs["id"]}
        assert look(admin, mine)["id"] == mine["id"]
        for client, job in ((ann, mine), (bob, theirs)):
            done(client, job)


def test_a_key_without_the_scope_and_no_key_are_refused_before_the_file_is_read(
    running: Running, keys: dict[str, str]
) -> None:
    with calling(running, keys["tag"]) as tag, httpx.Client(base_url=running.url) as nobody:
        problem(send(tag), 403)
        problem(send(nobody), 401)
        problem(nobody.get("/v1/jobs"), 401)


def test_a_job_that_has_ended_is_kept_for_its_time_alone(ann: httpx.Client, folder: Path) -> None:
    job = made(send(ann))
    done(ann, job)
    until(lambda: ann.get(job["links"]["self"]).status_code == 404)
    assert not (folder / "state" / "jobs" / "kept" / job["id"]).exists()
    until(lambda: not (folder / "state" / "jobs" / "locks" / job["id"]).exists())


def test_a_key_has_a_few_unfinished_jobs_at_once(running: Running, keys: dict[str, str], ann: httpx.Client) -> None:
    with calling(running, keys["few"]) as few:
        key = {"Idempotency-Key": "kept"}
        first = made(send(few, many(4_000), headers=key))
        second = made(send(few, many(4_000)))
        refused = send(few)
        assert "key few: has 2 unfinished jobs" in problem(refused, 429)["detail"]
        assert int(refused.headers["retry-after"]) > 0
        assert made(send(few, many(4_000), headers=key))["id"] == first["id"], "made before, and no job more"
        made(send(ann))
        few.delete(second["links"]["self"])
        ended(few, first)
        done(few, made(send(few)))


def test_a_key_keeps_so_many_bytes(running: Running, keys: dict[str, str]) -> None:
    with calling(running, keys["full"]) as full:
        ended(full, made(send(full, b"id,text\n" + b"1,panne\n" * 12_400)))
        assert "500,000 bytes" in problem(send(full), 429)["detail"]


def test_a_file_that_is_too_long_is_refused_as_soon_as_that_is_known(ann: httpx.Client, folder: Path) -> None:
    name = {"Content-Disposition": "attachment; filename=a.csv"}
    fits = b"x" * LONGEST
    made(ann.post("/v1/jobs", content=fits, headers=name))
    assert "100,000 bytes" in problem(ann.post("/v1/jobs", content=fits + b"x", headers=name), 413)["detail"]
    problem(send(ann, fits + b"x"), 413)

    def blocks() -> Iterator[bytes]:
        for _ in range(64):
            yield b"x" * 2**16

    problem(ann.post("/v1/jobs", content=blocks(), headers=name), 413)
    problem(send(ann, FEW, watchlist="x" * (2**20 + 1)), 413)
    assert list((folder / "state" / "jobs" / "incoming").iterdir()) == []


def head(running: Running, secret: str, length: int) -> socket.socket:
    """A connection on which a file of that length was announced."""
    host, port = running.url.removeprefix("http://").split(":")
    found = socket.create_connection((host, int(port)), timeout=30)
    lines = ("POST /v1/jobs HTTP/1.1", "Host: a", f"X-API-Key: {secret}", f"Content-Length: {length}")
    found.sendall("\r\n".join([*lines, "Content-Disposition: attachment; filename=a.csv", "", ""]).encode())
    return found


def test_a_file_that_is_cut_short_leaves_nothing(running: Running, keys: dict[str, str], folder: Path) -> None:
    incoming = folder / "state" / "jobs" / "incoming"
    with head(running, keys["bob"], 1_000) as cut:
        cut.sendall(b"id,text\n")
        until(lambda: list(incoming.iterdir()))
    until(lambda: not list(incoming.iterdir()))
    with calling(running, keys["bob"]) as bob:
        assert all(job["file"] for job in bob.get("/v1/jobs").json()["jobs"])
        half = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\ntext\n'
        form = {"content-type": "multipart/form-data; boundary=x"}
        assert "cut short" in problem(bob.post("/v1/jobs", content=half, headers=form), 415)["detail"]
    assert list(incoming.iterdir()) == []


def test_a_file_of_which_no_more_comes_is_given_up(running: Running, keys: dict[str, str], folder: Path) -> None:
    with head(running, keys["bob"], 1_000) as slow:
        slow.sendall(b"id,text\n")
        began = time.monotonic()
        assert slow.recv(4096).startswith(b"HTTP/1.1 408 ")
        assert 1 < time.monotonic() - began < 20
    assert list((folder / "state" / "jobs" / "incoming").iterdir()) == []


def test_a_disk_that_takes_no_more_is_said_in_a_line_and_nothing_is_left(
    ann: httpx.Client, running: Running, folder: Path
) -> None:
    before = left(folder / "state")
    limits = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        body = problem(send(ann, b"x" * 50_000), 503)
    finally:
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, limits)
    assert body["detail"] == "job: cannot be kept: File too large. The operator can mend it"
    assert list((folder / "state" / "jobs" / "incoming").iterdir()) == []
    assert left(folder / "state") <= before


def test_a_folder_that_cannot_be_made_is_said_in_a_line(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    running = start(bundle, "--threads", "1", TYMPAN_STATE=str(tmp_path / "file" / "state"))
    try:
        with httpx.Client(base_url=running.url) as client:
            assert "cannot be kept: Not a directory" in problem(send(client), 503)["detail"]
            assert client.get("/v1/jobs").json() == {"jobs": [], "next": None}
    finally:
        stop(running)


def test_a_service_without_a_folder_has_no_jobs_and_says_why(client: httpx.Client) -> None:
    for answer in (send(client), client.get("/v1/jobs"), client.get("/v1/jobs/job-000000000000")):
        assert "TYMPAN_STATE" in problem(answer, 404)["detail"]
