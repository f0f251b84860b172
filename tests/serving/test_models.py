"""Models follow one another while the service runs: nothing is lost, nothing is mixed, and what is broken stays out."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import uvicorn

from model.bundle import LAYOUT, PRETRAINED, Bundle
from model.registry import Registry
from model.tagger import Tagger
from serving.app import create_app
from serving.keys import Scope, add_key
from serving.settings import Settings
from tests.bundles import keyword_bundle
from tests.serving.calls import names, problem, tag
from tests.serving.conftest import Running, start, stop
from tests.serving.scrapes import scrape, value
from tests.serving.slow import SlowTagger
from tests.serving.test_load import listening, until

SIGNED = {"who": "ann", "why": "better"}
QUICK = {"TYMPAN_RELOAD_SECONDS": "0.05"}


@dataclass(frozen=True)
class Held:
    """A registry of two models that differ on "panne"; the first is its champion."""

    registry: Registry
    first: str
    second: str

    def says(self, model: str) -> list[str]:
        return {self.first: ["friction"], self.second: ["churn"]}[model]


def filled(folder: Path, bundle: Path) -> Held:
    registry = Registry(folder / "registry")
    first = registry.add(bundle)
    second = registry.add(keyword_bundle(folder / "second", words={"intent/churn": ["panne"]}))
    registry.promote(first, who="bob", why="first")
    return Held(registry, first, second)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Held:
    return filled(tmp_path_factory.mktemp("models"), bundle)


@pytest.fixture(scope="module")
def running(held: Held) -> Iterator[Running]:
    found = start(held.registry.path, "--threads", "1", **QUICK)
    yield found
    stop(found)


@pytest.fixture
def caller(running: Running, held: Held) -> Iterator[httpx.Client]:
    """A caller of a service that serves the first model."""
    with httpx.Client(base_url=running.url, timeout=60) as found:
        assert activate(found, held.first).status_code == 200
        yield found


@pytest.fixture
def fresh(tmp_path: Path, bundle: Path) -> Held:
    """Such a registry for one test."""
    return filled(tmp_path, bundle)


def altered(held: Held, folder: Path) -> str:
    """A version whose network was altered since it was added."""
    version = held.registry.add(keyword_bundle(folder / "altered", words={"intent/help": ["panne"]}))
    (held.registry.folder(version) / LAYOUT.model).write_bytes(b"altered")
    return version


def sealed_on(network: bytes, held: Held, folder: Path) -> str:
    """A version that is whole, on a network of another make."""
    path = keyword_bundle(folder / "sealed", words={"intent/help": ["merci"]})
    (path / LAYOUT.model).write_bytes(network)
    Bundle.described(path).seal()
    return held.registry.add(path)


def activate(client: httpx.Client, version: str) -> httpx.Response:
    return client.post(f"/v1/models/{version}/activate", json=SIGNED)


def shown(client: httpx.Client) -> dict[str, Any]:
    answer = client.get("/v1/models")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def intents(client: httpx.Client, text: str = "panne") -> tuple[str, list[str]]:
    """The model that answers, and what it says."""
    answer = client.post("/v1/tag", json={"mentions": [{"id": "a", "text": text}]}).json()
    return answer["model"], names(answer["results"][0]["tags"]["intent"])


def resident(running: Running) -> int:
    """Kilobytes of memory that the service holds."""
    status = Path(f"/proc/{running.process.pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0])


def test_the_models_that_are_held_are_shown_with_the_one_that_is_served(caller: httpx.Client, held: Held) -> None:
    found = shown(caller)
    assert (found["served"], found["champion"], found["failure"]) == (held.first, held.first, None)
    assert found["since"].endswith("Z")
    first = {"model": held.first, "served": True, "champion": True, "taxonomy": "tiny@1.0", "fault": None}
    first |= {"languages": ["fr", "it", "en"], "macro_f1": {}}
    assert first in found["models"]
    assert {**first, "model": held.second, "served": False, "champion": False} in found["models"]


def test_another_model_is_served_at_once_and_the_registry_knows_who_and_why(caller: httpx.Client, held: Held) -> None:
    before = shown(caller)["since"]
    assert intents(caller) == (held.first, ["friction"])
    answer = activate(caller, held.second)
    assert (answer.status_code, answer.json()["served"]) == (200, held.second)
    assert answer.json()["since"] > before
    assert intents(caller) == (held.second, ["churn"])
    assert caller.get("/v1/model").json()["model"] == held.second
    assert held.registry.champion() == held.second
    event = held.registry.history()[-1]
    assert (event["who"], event["why"], event["previous"]) == ("ann", "better", held.first)


def test_rolling_back_serves_the_model_before(caller: httpx.Client, held: Held) -> None:
    assert activate(caller, held.second).status_code == 200
    assert caller.post("/v1/models/rollback", json=SIGNED).json()["served"] == held.first
    assert intents(caller) == (held.first, ["friction"])
    assert held.registry.champion() == held.first


def test_a_model_that_did_not_pass_is_served_only_by_force(caller: httpx.Client, held: Held) -> None:
    held.registry.record("judge", held.second, passed=False, reasons=["intent/churn in it is worse: -3.0 points"])
    try:
        detail = problem(activate(caller, held.second), 409)["detail"]
        assert "did not pass: intent/churn in it is worse: -3.0 points" in detail and "force" in detail
        assert intents(caller) == (held.first, ["friction"])
        forced = caller.post(f"/v1/models/{held.second}/activate", json={**SIGNED, "force": True})
        assert forced.json()["served"] == held.second
        assert held.registry.history()[-1]["why"] == "better (forced)"
    finally:
        held.registry.record("judge", held.second, passed=True, reasons=[])
    assert activate(caller, held.second).status_code == 200


def test_drift_that_was_measured_is_shown_to_prometheus(caller: httpx.Client, held: Held) -> None:
    drifts = [
        {"what": "languages", "distance": 0.31, "chance": 0.05, "large": True},
        {"what": "tokens", "distance": 0.0, "chance": 0.02, "large": False},
    ]
    held.registry.tell_drift(held.first, drifts)
    found = scrape(caller)
    assert value(found, "drift_ratio", version=held.first, what="languages") == 0.31
    assert value(found, "drift_chance_ratio", version=held.first, what="languages") == 0.05
    assert value(found, "drift_chance_ratio", version=held.first, what="tokens") == 0.02
    assert abs(value(found, "drift_measured_timestamp_seconds") - time.time()) < 60


def test_without_a_model_before_there_is_no_rolling_back(fresh: Held) -> None:
    async def call() -> httpx.Response:
        app = create_app(Tagger.load(fresh.registry.path, threads=1), Settings.read(bundle=fresh.registry.path))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside") as client:
            return await client.post("/v1/models/rollback", json=SIGNED)

    refused = problem(anyio.run(call), 409)
    assert refused["detail"] == "registry: has no earlier version to go back to. Promote another version"
    assert fresh.registry.champion() == fresh.first


def test_a_model_that_is_not_held_is_refused_with_those_that_are(caller: httpx.Client, held: Held) -> None:
    detail = problem(activate(caller, "tiny-000000000000"), 409)["detail"]
    assert held.first in detail
    assert held.second in detail


@pytest.mark.parametrize("version", ["..", "%2e%2e", ".", "a%2Fb", "x" * 200, "\u00e9", "%00"])
def test_a_version_that_is_a_path_leads_nowhere(caller: httpx.Client, version: str) -> None:
    assert activate(caller, version).status_code in (404, 409)
    assert shown(caller)["failure"] is None


def test_a_model_that_was_altered_is_refused_and_the_present_one_goes_on(
    caller: httpx.Client, held: Held, tmp_path: Path
) -> None:
    version = altered(held, tmp_path)
    detail = problem(activate(caller, version), 422)["detail"]
    assert detail == f"{version}/model.onnx: was altered since it was written. Copy the bundle again, whole"
    assert intents(caller) == (held.first, ["friction"])
    assert held.registry.champion() == held.first
    assert activate(caller, held.second).status_code == 200


@pytest.mark.parametrize("network", ["that cannot be loaded", "with other outputs"])
def test_a_model_that_is_whole_and_cannot_be_run_is_refused_before_it_takes_a_request(
    caller: httpx.Client, held: Held, tmp_path: Path, exclusive_bundle: Path, network: str
) -> None:
    model = b"nonsense" if "loaded" in network else (exclusive_bundle / LAYOUT.model).read_bytes()
    version = sealed_on(model, held, tmp_path)
    assert f"{version}: cannot be run" in problem(activate(caller, version), 422)["detail"]
    assert intents(caller) == (held.first, ["friction"])
    assert held.registry.champion() == held.first


def test_a_bundle_under_the_name_of_another_is_refused(caller: httpx.Client, held: Held) -> None:
    shutil.copytree(held.registry.folder(held.second), held.registry.path / "bundles" / "better")
    assert f"is {held.second}" in problem(activate(caller, "better"), 422)["detail"]
    assert intents(caller)[0] == held.first


def test_what_is_no_bundle_is_shown_with_its_fault(caller: httpx.Client, held: Held) -> None:
    (held.registry.path / "bundles" / "empty").mkdir()
    (entry,) = (entry for entry in shown(caller)["models"] if entry["model"] == "empty")
    assert "is no bundle" in entry["fault"]
    assert str(held.registry.path) not in entry["fault"]


def test_a_registry_that_cannot_be_written_changes_nothing(caller: httpx.Client, held: Held) -> None:
    draft = held.registry.path / ".champion"
    draft.mkdir()
    assert "registry: cannot be written: Is a directory" in problem(activate(caller, held.second), 409)["detail"]
    draft.rmdir()
    assert intents(caller)[0] == held.first


@pytest.mark.parametrize("body", [{}, {"who": "", "why": "x"}, {"who": "ann"}, {**SIGNED, "when": "now"}])
def test_a_change_without_who_and_why_is_refused(caller: httpx.Client, held: Held, body: dict[str, str]) -> None:
    problem(caller.post(f"/v1/models/{held.second}/activate", json=body), 422)
    problem(caller.post("/v1/models/rollback", json=body), 422)


def test_a_pointer_that_changes_on_disk_is_followed(caller: httpx.Client, held: Held) -> None:
    for version in (held.second, held.first, held.second):
        held.registry.promote(version, who="cron", why="retrained")
        until(lambda version=version: intents(caller)[0] == version)  # type: ignore[misc]
        assert intents(caller)[1] == held.says(version)


def test_a_pointer_that_cannot_be_followed_is_logged_once_and_shown(fresh: Held, tmp_path: Path) -> None:
    version = altered(fresh, tmp_path)
    running = start(fresh.registry.path, **QUICK)
    try:
        with httpx.Client(base_url=running.url) as client:
            (fresh.registry.path / "champion").write_text(version, encoding="utf-8")
            until(lambda: shown(client)["failure"] is not None)
            found = shown(client)
            assert (found["served"], found["champion"]) == (fresh.first, version)
            assert "was altered" in found["failure"]
            threading.Event().wait(1.5)  # many more looks, and another try
            assert intents(client) == (fresh.first, ["friction"])
            assert activate(client, fresh.first).status_code == 200
            assert shown(client)["failure"] is None
            (fresh.registry.path / "champion").unlink()
            until(lambda: shown(client)["failure"] == "registry: has no champion. Activate one")
            fresh.registry.promote(fresh.second, who="ann", why="mended")
            until(lambda: shown(client)["served"] == fresh.second)
            assert shown(client)["failure"] is None
    finally:
        stop(running)
    said = running.logged()
    assert sum("was altered" in line for line in said) == 1
    assert sum("has no champion" in line for line in said) == 1


def test_a_model_that_comes_after_its_pointer_is_served_once_it_is_whole(fresh: Held, tmp_path: Path) -> None:
    running = start(fresh.registry.path, **QUICK)
    try:
        with httpx.Client(base_url=running.url) as client:
            folder = fresh.registry.folder(fresh.second)
            folder.rename(tmp_path / "elsewhere")
            (fresh.registry.path / "champion").write_text(fresh.second, encoding="utf-8")
            until(lambda: shown(client)["failure"] is not None)
            assert intents(client)[0] == fresh.first
            (tmp_path / "elsewhere").rename(folder)
            until(lambda: shown(client)["served"] == fresh.second)
            assert shown(client)["failure"] is None
    finally:
        stop(running)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"../../etc", b"a\nb\n", b"\x00"])
def test_whatever_the_pointer_says_the_service_goes_on(caller: httpx.Client, held: Held, content: bytes) -> None:
    (held.registry.path / "champion").write_bytes(content)
    until(lambda: shown(caller)["failure"] is not None)
    assert intents(caller) == (held.first, ["friction"])


def test_without_a_registry_the_answer_says_how_to_have_one(client: httpx.Client) -> None:
    calls = [client.get("/v1/models"), activate(client, "any"), client.post("/v1/models/rollback", json=SIGNED)]
    for answer in calls:
        assert "--bundle REGISTRY" in problem(answer, 409)["detail"]


def test_only_an_administrator_changes_the_model_and_the_history_names_the_key(fresh: Held, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    tagging, ruling = add_key(keys, "tagger", [Scope.TAG]), add_key(keys, "ops", [Scope.ADMIN])
    running = start(fresh.registry.path, TYMPAN_KEYS=str(keys))
    try:
        with httpx.Client(base_url=running.url) as client:
            problem(activate(client, fresh.second), 401)
            client.headers["Authorization"] = f"Bearer {tagging}"
            problem(activate(client, fresh.second), 403)
            assert shown(client)["served"] == fresh.first
            client.headers["Authorization"] = f"Bearer {ruling}"
            assert activate(client, fresh.second).status_code == 200
    finally:
        stop(running)
    assert fresh.registry.history()[-1]["who"] == "ann (key ops)"


def test_under_concurrent_calls_no_request_fails_and_none_is_answered_by_two_models(
    running: Running, held: Held, tmp_path: Path
) -> None:
    bad, done, number = altered(held, tmp_path), threading.Event(), count()

    def call(_: int) -> set[str]:
        seen = set()
        with httpx.Client(base_url=running.url, timeout=30) as client:
            while not done.is_set():
                texts = [f"panne {next(number)}" for _ in range(5)]
                mentions = [{"id": text, "text": text} for text in texts]
                answer = client.post("/v1/tag", json={"mentions": mentions})
                assert answer.status_code == 200, answer.text
                found = answer.json()
                said = [names(result["tags"]["intent"]) for result in found["results"]]
                assert said == [held.says(found["model"])] * 5
                seen.add(found["model"])
        return seen

    with ThreadPoolExecutor(8) as callers, httpx.Client(base_url=running.url, timeout=30) as client:
        calls = [callers.submit(call, n) for n in range(8)]
        try:
            for turn in range(20):
                version = bad if turn % 5 == 4 else (held.second, held.first)[turn % 2]
                assert activate(client, version).status_code == (422 if version == bad else 200)
        finally:
            done.set()
        assert set().union(*(found.result() for found in calls)) == {held.first, held.second}


def test_twenty_swaps_leave_memory_and_threads_as_they_were(running: Running, caller: httpx.Client, held: Held) -> None:
    def swap(times: int) -> None:
        for turn in range(times):
            assert activate(caller, (held.second, held.first)[turn % 2]).status_code == 200
            tag(caller, *(f"panne {turn} {n}" for n in range(50)))

    def threads() -> int:
        return len(list(Path(f"/proc/{running.process.pid}/task").iterdir()))

    swap(10)  # the libraries' own pools fill
    before, tasks = resident(running), threads()
    swap(20)
    until(lambda: threads() <= tasks + 2)
    assert resident(running) - before < 3_000


def test_the_memory_of_a_model_of_some_size_is_given_back(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    versions = [registry.add(PRETRAINED)]
    shutil.copytree(PRETRAINED, tmp_path / "other")
    replace(Bundle.read(tmp_path / "other"), provenance={}).seal()
    versions.append(registry.add(tmp_path / "other"))
    registry.promote(versions[0], who="ann", why="first")
    running = start(registry.path, "--threads", "1")
    try:
        with httpx.Client(base_url=running.url, timeout=120) as client:
            before = resident(running)
            for turn in range(8):
                assert activate(client, versions[(turn + 1) % 2]).status_code == 200
            until(lambda: resident(running) - before < 60_000)  # one model is 100,000
    finally:
        stop(running)


def test_a_request_finishes_on_the_model_that_it_began_with(fresh: Held) -> None:
    tagger = SlowTagger.load(fresh.registry.path, threads=1)
    assert isinstance(tagger, SlowTagger)
    tagger.prepare_test()
    tagger.allow(1)  # for the service's own first call
    app = create_app(tagger, Settings.read(bundle=fresh.registry.path))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        url = f"http://127.0.0.1:{listening(server)}"
        old = app.state.service.line
        with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=url, timeout=30) as client:
            begun = pool.submit(lambda: intents(httpx.Client(base_url=url, timeout=30), "panne x"))
            until(lambda: len(tagger.order) == 1 and tagger.started._value == 2)
            assert activate(client, fresh.second).status_code == 200
            assert intents(client, "panne y") == (fresh.second, ["churn"])
            assert old.alive
            assert not begun.done()
            tagger.allow(1)
            assert begun.result() == (fresh.first, ["friction"])
            until(lambda: not old.alive)
    finally:
        tagger.allow(1_000)
        server.should_exit = True
        thread.join(timeout=30)


def test_how_far_retraining_is_can_be_asked(caller: httpx.Client, held: Held) -> None:
    none = caller.get("/v1/retraining").json()
    assert (none["state"], none["at"], none["reasons"]) == ("none", None, [])
    held.registry.tell("training", since="2026-05-01T09:00:00.000+00:00", new=212)
    told = caller.get("/v1/retraining").json()
    assert (told["state"], told["since"], told["new"], told["version"]) == (
        "training",
        "2026-05-01T09:00:00Z",
        212,
        None,
    )
    held.registry.tell("kept", since="2026-05-01T09:00:00.000+00:00", version=held.second, reasons=["F1, …"])
    told = caller.get("/v1/retraining").json()
    assert (told["state"], told["version"], told["reasons"]) == ("kept", held.second, ["F1, …"])
    held.registry.tell("failed", reason="labels: cannot be read")
    assert caller.get("/v1/retraining").json()["reasons"] == ["labels: cannot be read"]
