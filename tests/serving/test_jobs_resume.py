"""Jobs outlive whatever works on them."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from model.registry import Registry
from model.tagger import Tagger
from serving.jobs.job import Job, Options
from serving.jobs.keeper import working
from serving.jobs.store import Store
from serving.settings import Settings
from tests.bundles import keyword_bundle
from tests.serving.conftest import Running, start, stop
from tests.serving.files import records, tagged, written
from tests.serving.jobs import done, ended, look, made, many, send, under_way, workers
from tests.serving.test_load import until

ROWS = 20_000


@contextmanager
def served(bundle: Path, state: Path, *arguments: str) -> Iterator[tuple[Running, httpx.Client]]:
    running = start(bundle, "--threads", "1", *arguments, TYMPAN_STATE=str(state))
    try:
        with httpx.Client(base_url=running.url, timeout=60) as client:
            yield running, client
    finally:
        if running.process.poll() is None:
            stop(running)


@pytest.fixture(scope="module")
def whole(tagger: Tagger, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The result of a run that nothing stops."""
    return tagged(tagger, written(tmp_path_factory.mktemp("whole"), many(ROWS)))[0]


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")], ids=["one process", "workers"])
def test_a_job_goes_on_when_its_process_is_killed(
    bundle: Path, tmp_path: Path, whole: bytes, arguments: tuple[str, ...]
) -> None:
    with served(bundle, tmp_path, *arguments) as (running, client):
        job = made(send(client, many(ROWS)))
        reached = under_way(client, job)["done"]
        doomed = next(pid for pid in workers(running) if os.getpriority(os.PRIO_PROCESS, pid) == 15)
        os.kill(doomed, signal.SIGKILL)
        assert done(client, job) == whole
        told = [json.loads(line) for line in running.logged() if "the process of jobs died and is replaced" in line]
        assert [(line["process"], line["code"]) for line in told] == [(doomed, -9)]
        assert client.get("/ready").status_code == 200
    assert reached > 0


def test_a_job_goes_on_when_the_service_is_killed_and_started_again(bundle: Path, tmp_path: Path, whole: bytes) -> None:
    with served(bundle, tmp_path) as (running, client):
        job = made(send(client, many(ROWS)))
        under_way(client, job)
        (worker,) = workers(running)
        running.process.kill()
        running.process.wait()
    last = time.monotonic() + 60
    while Path(f"/proc/{worker}").exists():
        assert time.monotonic() < last, "a worker must not outlive the service"
        time.sleep(0.05)
    with served(bundle, tmp_path) as (_, client):
        again = look(client, job)
        assert again["done"] > 0
        assert done(client, job) == whole
        assert look(client, job)["started"] == again["started"]


def test_a_service_that_is_told_to_stop_leaves_its_job_to_be_gone_on_with(
    bundle: Path, tmp_path: Path, whole: bytes
) -> None:
    with served(bundle, tmp_path) as (running, client):
        job = made(send(client, many(ROWS)))
        under_way(client, job)
        began = time.monotonic()
        assert stop(running) == 0
        assert time.monotonic() - began < 20
        assert not [line for line in running.logged() if '"level": "error"' in line]
    kept = json.loads((tmp_path / "jobs" / "kept" / job["id"] / "job.json").read_text())
    assert (kept["state"], 0 < kept["done"] < ROWS) == ("queued", True)
    with served(bundle, tmp_path) as (running, client):
        assert done(client, job) == whole
        (told,) = [json.loads(line) for line in running.logged() if "job started" in line]
        assert told["tries"] == 1


def test_one_model_tags_all_rows_even_if_the_champion_changes_on_the_way(bundle: Path, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    other = registry.add(keyword_bundle(tmp_path / "b", words={"intent/churn": ["panne"]}))
    registry.promote(registry.add(bundle), who="ann", why="first")
    with served(registry.path, tmp_path / "state") as (running, client):
        job = made(send(client, many(ROWS)))
        under_way(client, job)
        stop(running)
    registry.promote(other, who="ann", why="better")
    with served(registry.path, tmp_path / "state") as (_, client):
        rows = records(done(client, job))
        assert {row["tympan_model"] for row in rows} == {other} == {look(client, job)["model"]}
        assert {row["tympan_intent"] for row in rows if row["text"].startswith("panne")} == {"churn"}


def test_a_job_that_its_process_dies_of_again_and_again_is_given_up(bundle: Path, tmp_path: Path) -> None:
    with served(bundle, tmp_path) as (running, client):
        job = made(send(client, many(ROWS)))
        under_way(client, job)
        stop(running)
    path = tmp_path / "jobs" / "kept" / job["id"] / "job.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tries": 10, "state": "running"}))
    with served(bundle, tmp_path) as (_, client):
        after = made(send(client, many(10)))
        assert "stopped its process 10 times at the same place" in ended(client, job)["error"]
        done(client, after)


def test_a_process_that_dies_at_once_is_replaced_after_half_a_second_and_at_least_twice_as_long_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = tmp_path / "starts"
    starts.touch()
    fault = f"""
import os, sys, time
if "--multiprocessing-fork" in sys.orig_argv:
    with open({str(starts)!r}, "a") as file:
        print(time.time(), file=file)
    os._exit(7)
"""
    (tmp_path / "sitecustomize.py").write_text(fault)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with working(Settings.read(state=tmp_path / "state")):
        until(lambda: len(starts.read_text().split()) >= 4, seconds=60)  # a busy machine takes its time
    pauses = [after - before for before, after in pairwise(map(float, starts.read_text().split()))]
    assert all(pause >= least for pause, least in zip(pauses, (0.5, 1, 2), strict=False))


def test_what_a_kill_left_of_a_job_that_has_ended_goes_but_not_what_is_just_written(tmp_path: Path) -> None:
    store = Store(Settings.read(), tmp_path)
    job = Job(id="job-000000000000", owner="", file="a.csv", created=datetime.now(UTC), options=Options())
    with store.draft(job) as draft:
        store.keep(draft, job)
    with store.held(job.id) as mine:
        assert mine
        store.end(mine, "cancelled")
        written = store.folder(job.id) / ".job.json.01234567"  # by the thread that tells of its end
        written.touch()
        store.tidy()
        assert written.exists()
    store.tidy()
    assert [path.name for path in store.folder(job.id).iterdir()] == ["job.json"]
