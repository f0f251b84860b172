"""Several processes on one address are one service: none takes the others with it, and together they come and go.

A worker is spoken to alone by stopping the others for a moment: they then take no connection.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

import httpx
import pytest

from model.registry import Registry
from serving.backoff import pause
from serving.settings import Settings
from serving.workers import threads_of
from tests.bundles import keyword_bundle
from tests.serving.calls import tag
from tests.serving.conftest import Running, start
from tests.serving.scrapes import scrape, value
from tests.serving.test_cli import refused, tympan
from tests.serving.test_load import many
from tests.serving.test_models import activate, intents

TWO = ("--workers", "2", "--threads", "1")


@contextmanager
def served(bundle: Path, **environment: str) -> Iterator[Running]:
    """A service of two workers, and its end in order."""
    running = start(
        bundle, *TWO, TYMPAN_RECEIVE_SECONDS="600", **environment
    )  # connections stay, however long it takes
    try:
        yield running
    finally:
        if running.process.poll() is None:
            end(running)


def end(running: Running) -> int:
    """As `stop`, with the time that two processes take on a busy machine."""
    running.process.terminate()
    return running.process.wait(timeout=120)


@pytest.fixture(scope="module")
def running(bundle: Path) -> Iterator[Running]:
    with served(bundle) as found:
        yield found


def workers(running: Running) -> list[int]:
    """The processes that serve, the oldest first."""
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@contextmanager
def only(worker: int, others: Sequence[int]) -> Iterator[None]:
    """While the block lasts, new connections come to this worker."""
    stopped = [other for other in others if other != worker]
    for other in stopped:
        os.kill(other, signal.SIGSTOP)
    try:
        yield
    finally:
        for other in stopped:
            os.kill(other, signal.SIGCONT)


@contextmanager
def held_to(worker: int, running: Running) -> Iterator[httpx.Client]:
    """A caller whose one connection is to this worker."""
    one = httpx.Limits(max_connections=1, keepalive_expiry=None)
    with httpx.Client(base_url=running.url, timeout=120, limits=one) as client:
        with only(worker, workers(running)):
            assert client.get("/health").status_code == 200
        yield client


def until(holds: Callable[[], object]) -> None:
    last = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < last
        time.sleep(0.02)


def replaced(dead: int, running: Running) -> bool:
    """Whether there are two workers that answer, without the dead one."""
    now = workers(running)
    if len(now) < 2 or dead in now:
        return False
    with httpx.Client(base_url=running.url, timeout=120) as client:
        return value(scrape(client), "workers") == 2


def test_a_service_says_once_that_it_is_ready_and_how_many_serve(bundle: Path) -> None:
    with served(bundle) as running:
        assert len(workers(running)) == 2
        assert end(running) == 0
        assert running.process.stdout
        said = running.said + running.process.stdout.read()
        assert said.count("Serving ") == 1
        assert "Workers: 2; threads of the network in each: 1" in said.splitlines()


@pytest.mark.parametrize(("given", "processors", "threads"), [(None, 8, 2), (None, 2, 1), (3, 8, 3)])
def test_workers_share_the_processors_unless_threads_are_given(
    given: int | None, processors: int, threads: int
) -> None:
    assert threads_of(Settings.read(workers=4, threads=given), processors) == threads


def test_every_worker_answers_and_a_scrape_of_one_counts_for_all(bundle: Path, tmp_path: Path) -> None:
    with served(bundle, TMPDIR=str(tmp_path)) as running, ExitStack() as stack:
        callers = [stack.enter_context(held_to(worker, running)) for worker in workers(running)]
        for client in callers:
            tag(client, "panne", "panne merci")
        (folder,) = tmp_path.glob("tympan-*")
        for client in callers:
            found = scrape(client)
            assert value(found, "requests_total", method="POST", route="/v1/tag", status="200") == 2
            assert value(found, "mentions_total", result="tagged") == 2 * (2 + 1)  # and each one's first call
            assert value(found, "tags_total", group="intent", tag="friction") == 4
            assert value(found, "workers") == 2
        assert {int(path.stem.rpartition("_")[2]) for path in folder.glob("counter_*.db")} == set(workers(running))
    assert list(tmp_path.iterdir()) == []


def test_killing_one_of_two_fails_its_own_calls_alone_and_another_takes_its_place(running: Running) -> None:
    doomed, spared = workers(running)
    done, begun = Event(), [Event() for _ in range(4)]

    def call(client: httpx.Client, first: Event) -> int:
        """How many calls had no answer; those that had one were tagged."""
        lost = 0
        while not done.is_set():
            try:
                assert client.post("/v1/tag", json=many(5, str(id(client)))).status_code == 200
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                lost += 1
            first.set()
        return lost

    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        clients = [stack.enter_context(held_to(worker, running)) for worker in (doomed, doomed, spared, spared)]
        calls = [pool.submit(call, client, first) for client, first in zip(clients, begun, strict=True)]
        try:
            until(lambda: all(first.is_set() for first in begun))
            os.kill(doomed, signal.SIGSTOP)  # its callers now wait for it
            time.sleep(0.2)
            os.kill(doomed, signal.SIGKILL)
            until(lambda: replaced(doomed, running))
        finally:
            done.set()
        lost = [found.result() for found in calls]
    assert max(lost[:2]) == 1  # a caller's next call is answered
    assert lost[2:] == [0, 0]
    (back,) = set(workers(running)) - {spared}
    with held_to(back, running) as client:
        tag(client, "panne")
    (told,) = (line for line in running.logged() if "a worker died and is replaced" in line)
    assert f'"process": {doomed}, "code": -9' in told


def test_what_every_worker_accepted_is_answered_after_the_signal_to_stop(bundle: Path) -> None:
    room = {"TYMPAN_QUEUE_TOKENS": "1000000"}
    with served(bundle, **room) as running, ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        both = workers(running)
        callers = [stack.enter_context(held_to(worker, running)) for worker in both]
        watcher = stack.enter_context(held_to(both[0], running))
        answers = [pool.submit(client.post, "/v1/tag", json=many(700)) for client in callers]
        until(lambda: value(scrape(watcher), "request_tokens_count") == 2 + 2)  # each one's first call, and these
        assert not all(answer.done() for answer in answers)
        assert end(running) == 0
        assert [len(answer.result().json()["results"]) for answer in answers] == [700, 700]


def test_a_model_that_is_activated_at_one_worker_is_served_by_all(bundle: Path, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    first, second = (
        registry.add(bundle),
        registry.add(keyword_bundle(tmp_path / "b", words={"intent/churn": ["panne"]})),
    )
    registry.promote(first, who="bob", why="first")
    with served(registry.path, TYMPAN_RELOAD_SECONDS="0.05") as running, ExitStack() as stack:
        callers = [stack.enter_context(held_to(worker, running)) for worker in workers(running)]
        assert [intents(client) for client in callers] == [(first, ["friction"])] * 2
        assert activate(callers[0], second).status_code == 200
        assert intents(callers[0]) == (second, ["churn"])
        until(lambda: intents(callers[1]) == (second, ["churn"]))
        assert callers[1].post("/v1/models/rollback", json={"who": "ann", "why": "worse"}).status_code == 200
        until(lambda: intents(callers[0]) == (first, ["friction"]))
        assert {callers[n].get("/v1/models").json()["failure"] for n in range(2)} == {None}


def test_what_cannot_be_served_is_one_clear_line(running: Running, bundle: Path, tmp_path: Path) -> None:
    refused(tympan("serve", *TWO, "--bundle", tmp_path, "--port", "0"), "is no bundle")
    port = running.url.rpartition(":")[2]
    refused(tympan("serve", *TWO, "--bundle", bundle, "--port", port), f"port {port}: is in use")
    refused(tympan("serve", "--bundle", bundle, "--port", "0", "--workers", "0"), "TYMPAN_WORKERS")


@pytest.fixture
def curse(tmp_path: Path) -> Path:
    """A file; while it exists, processes that the service starts die at once, if PYTHONPATH has its folder."""
    path = tmp_path / "curse"
    fault = f"""
import os, sys
if "--multiprocessing-fork" in sys.orig_argv and os.path.exists({str(path)!r}):
    os._exit(7)
"""
    (tmp_path / "sitecustomize.py").write_text(fault, encoding="utf-8")
    return path


def test_a_worker_that_dies_before_the_service_is_ready_is_one_clear_line(bundle: Path, curse: Path) -> None:
    curse.touch()
    done = tympan("serve", *TWO, "--bundle", bundle, "--port", "0", PYTHONPATH=str(curse.parent))
    refused(done, "worker: died before it was ready, with code 7. See its log")


def test_a_worker_that_dies_again_and_again_at_start_is_tried_until_it_does_not(bundle: Path, curse: Path) -> None:
    with served(bundle, PYTHONPATH=str(curse.parent)) as running:
        curse.touch()
        first, second = workers(running)
        os.kill(first, signal.SIGKILL)
        until(lambda: _logged(running, "a worker did not start") == 3)
        with httpx.Client(base_url=running.url, timeout=120) as client:
            tag(client, "panne")
        curse.unlink()
        until(lambda: len(workers(running)) == 2 and _logged(running, "a worker did not start") >= 3)
        assert second in workers(running)
        assert first not in workers(running)


def test_pauses_double_up_to_a_minute_and_go_on_for_ever() -> None:
    assert [pause(failures, first=0.5) for failures in (0, 1, 2, 6, 7, 5_000)] == [0.5, 1, 2, 32, 60, 60]


def test_when_no_worker_starts_any_more_the_service_ends(bundle: Path, curse: Path) -> None:
    with served(bundle, PYTHONPATH=str(curse.parent)) as running:
        curse.touch()
        for one in workers(running):
            os.kill(one, signal.SIGKILL)
        assert running.process.wait(timeout=120) == 2
        assert _logged(running, "a worker did not start") >= 10
        assert running.logged()[-1].startswith(
            "tympan: workers: do not start any more. The last one: worker: died before"
        )


def _logged(running: Running, said: str) -> int:
    return sum(said in line for line in running.logged())


def test_workers_do_not_outlive_what_started_them(bundle: Path, tmp_path: Path) -> None:
    with served(bundle, TMPDIR=str(tmp_path)) as running:  # where a kill leaves the folder of the metrics
        serving = workers(running)
        running.process.kill()
        running.process.wait()
        until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in serving))
