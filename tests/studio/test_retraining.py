"""Corrections in, a better model out and live without a lost request; a worse one never: with all that is real."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import torch

from labels.dataset import load
from labels.interface import to_result
from labels.record import Record
from labels.versions import versions
from tests.serving.conftest import Running, start, stop
from tests.serving.feedback import send, told
from tests.studio.server import Labeller, Server
from tests.training.retraining import champion, leaving
from tests.training.toys import TOML, TOY, toy_encoder, toy_records, toy_settings
from training.order import Order
from training.plan import Plan

PROJECT = "People who leave"


@dataclass
class Load:
    """Somebody who asks all the time: what failed, and which models answered in which order."""

    url: str
    failures: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        mentions = [{"id": record.id, "text": record.text} for record in toy_records(5, number=40)]
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while not self.stopped.is_set():
                answer = client.post("/v1/tag", json={"mentions": mentions})
                if answer.status_code != 200:
                    self.failures.append(answer.text)
                elif answer.json()["model"] not in self.models[-1:]:
                    self.models.append(answer.json()["model"])


@contextmanager
def under_load(service: Running) -> Iterator[Load]:
    load = Load(service.url)
    thread = threading.Thread(target=load.run)
    thread.start()
    try:
        yield load
    finally:
        load.stopped.set()
        thread.join()


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> Order:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("retraining")
    encoder = toy_encoder(folder / "encoder")
    return champion(folder, Plan(taxonomy=TOY, settings=toy_settings(), encoder=str(encoder)))


@pytest.fixture
def service(order: Order) -> Iterator[Running]:
    state = str(order.base.with_name("state"))
    quick = {"TYMPAN_RELOAD_SECONDS": "0.1", "TYMPAN_STATE": state, "TYMPAN_RECENT": "500"}
    running = start(order.registry.path, "--threads", "1", **quick)
    yield running
    stop(running)


def retrain(order: Order, server: Server) -> subprocess.CompletedProcess[str]:
    rules = order.base.with_name("rules.toml")
    rules.write_text("max_ece = 0.2\nmax_latency = 3.0\n", encoding="utf-8")  # the networks are tiny
    options = {"registry": order.registry.path, "dataset": order.dataset, "base": order.base, "rules": rules}
    options |= {"encoder": order.encoder, "project": PROJECT, "feedback": order.base.with_name("state")}
    command = [sys.executable, "-m", "tympan", "retrain", *(f"--{name}={value}" for name, value in options.items())]
    studio = {"LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, encoding="utf-8", env={**os.environ, **studio}, check=False)


def labelled(order: Order, server: Server, person: Labeller, records: Sequence[Record]) -> None:
    """Have somebody label the texts of records in a project, on the labelling page."""
    file, taxonomy = order.base.with_name("mentions.jsonl"), order.base.with_name("toy.toml")
    file.write_text("".join(f'{{"id": "{one.id}", "text": "{one.text}"}}\n' for one in records), encoding="utf-8")
    taxonomy.write_text(TOML, encoding="utf-8")
    bundle = str(order.registry.folder(str(order.registry.champion())))
    studio = {"LABEL_STUDIO_URL": server.url, "LABEL_STUDIO_API_KEY": server.token}
    for verb in (["init", PROJECT, f"--taxonomy={taxonomy}"], ["push", PROJECT, str(file)]):
        done = subprocess.run(
            [sys.executable, "-m", "tympan", "labels", *verb, f"--bundle={bundle}"],
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, **studio},
            check=False,
        )
        assert done.returncode == 0, done.stderr
    from labels.studio import Studio  # noqa: PLC0415

    with Studio(url=server.url, token=server.token) as found:
        tasks = person.tasks(found.project(PROJECT).id)
    for record in records:
        person.answer(tasks[record.text], to_result(record.tags, TOY))


def churn(client: httpx.Client, records: Sequence[Record]) -> float:
    """The share of records that the service calls churn."""
    mentions = [{"id": record.id, "text": record.text} for record in records]
    results = client.post("/v1/tag", json={"mentions": mentions}).json()["results"]
    return sum("churn" in [tag["tag"] for tag in result["tags"]["intent"]] for result in results) / len(records)


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_mistake_that_people_correct_is_gone_and_what_they_get_wrong_does_no_harm(
    order: Order, service: Running, server: Server, first: Labeller
) -> None:
    registry, before, probe = order.registry, str(order.registry.champion()), leaving(60, number=77)
    bytes_before = content(registry.folder(before))
    labelled(order, server, first, leaving(20, number=78))
    with httpx.Client(base_url=service.url, timeout=60) as client, under_load(service) as crowd:
        was = churn(client, probe)
        wrong = leaving(200, number=79)
        churn(client, wrong)  # tagged, and so remembered
        corrections = [
            {"mention": {"id": record.id}, "group": "intent", "tags": ["churn"], "who": "ann"} for record in wrong
        ]
        until = time.monotonic() + 20
        while set(told(send(client, *corrections))) - {"stored", "known"}:
            assert time.monotonic() < until
            time.sleep(0.2)
        done = retrain(order, server)
        assert done.returncode == 0, done.stderr
        after = str(registry.champion())
        assert after in done.stdout
        while client.get("/v1/models").json()["served"] != after:
            assert time.monotonic() < until + 120
            time.sleep(0.05)
        assert churn(client, probe) > was + 0.4
        assert client.get("/v1/retraining").json()["state"] == "promoted"
        report = registry.path / "reports" / f"{after}.json"
        found = json.loads(report.read_text(encoding="utf-8"))
        elsewhere = [*found["frozen"]["groups"], *found["frozen"]["tags"]]
        assert {difference["tag"] for difference in elsewhere} >= {"", "churn", "praise"}
        assert all(difference["high"] >= 0 for difference in elsewhere), "no worse than chance explains"
        moved = {shift["label"]: shift for shift in found["shifts"]}
        assert moved["intent/churn"]["gained"] > 0 and moved["intent/churn"]["examples"]
        assert "What would move in the counts of" in report.with_suffix(".md").read_text(encoding="utf-8")

        client.post("/v1/models/rollback", json={"who": "ann", "why": "to see"}).raise_for_status()
        assert client.get("/v1/models").json()["served"] == before
        assert content(registry.folder(before)) == bytes_before

        learnt = load(versions(order.dataset)[0])["train"]
        leavers = [one for one in learnt if "churn" in one.tags["intent"]][:200]
        assert len(leavers) == 200
        poison = [
            {"mention": {"id": one.id, "text": one.text}, "group": "intent", "tags": [], "who": "eve"}
            for one in leavers
        ]
        assert set(told(send(client, *poison))) == {"stored"}
        done = retrain(order, server)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "withdrawn labels, intent/churn in " in done.stdout
        assert client.get("/v1/models").json()["served"] == before == registry.champion()
        told_of = client.get("/v1/retraining").json()
        assert told_of["state"] == "kept"
        report = registry.path / "reports" / f"{told_of['version']}.md"
        for text in (told_of["reasons"][0], report.read_text(encoding="utf-8")):
            assert re.search(
                r"withdrawn labels, intent/churn in (fr|it|en), \d+ known cases: new labels deny \d+", text
            )
    assert crowd.failures == []
    assert crowd.models == [before, after, before]
