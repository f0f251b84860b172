"""A real Label Studio that asks a real `tympan serve` for suggestions and tells it what people answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import Result

from labels.interface import configuration, to_result
from labels.studio import Studio
from labels.task import EVENTS
from model.bundle import Bundle
from tests.bundles import tiny_taxonomy
from tests.serving.conftest import Running, start, stop
from tests.studio.server import Labeller, Server

TAGS = tiny_taxonomy()
USER, PASSWORD = "studio", "a long password"
CREDENTIALS = {"auth_method": "BASIC_AUTH", "basic_auth_user": USER, "basic_auth_pass": PASSWORD}


@pytest.fixture
def service(bundle: Path, tmp_path: Path) -> Iterator[Running]:
    """A service that only Label Studio may use as its model."""
    credentials = {"TYMPAN_LABEL_STUDIO_USER": USER, "TYMPAN_LABEL_STUDIO_PASSWORD": PASSWORD}
    running = start(bundle, "--threads", "1", **credentials, TYMPAN_STATE=str(tmp_path))
    yield running
    stop(running)


@pytest.fixture
def admin(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Token {server.token}"}, timeout=60) as client:
        yield client


@pytest.fixture
def project(tympan: Callable[..., Result], server: Server, admin: httpx.Client, request: pytest.FixtureRequest) -> int:
    """A project with three tasks that somebody else made, one of them without a text."""
    title = request.node.name[:50]
    assert tympan("init", title).exit_code == 0
    with Studio(url=server.url, token=server.token) as studio:
        number = studio.project(title).id
    data = [{"text": "je résilie"}, {"text": "Orange en panne", "target": "Orange"}, {"text": " "}]
    ask(admin, f"/api/projects/{number}/import", [{"about": "–", **entry} for entry in data])
    return number


def ask(admin: httpx.Client, path: str, body: Any) -> Any:
    answer = admin.post(path, json=body)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def retrieve(admin: httpx.Client, project: int) -> None:
    """Have the model asked for suggestions for all tasks."""
    everything = {"selectedItems": {"all": True, "excluded": []}}
    ask(admin, f"/api/dm/actions?id=retrieve_tasks_predictions&project={project}", everything)


def events(folder: Path) -> list[tuple[str, int, list[int], list[int]]]:
    lines = map(json.loads, (folder / EVENTS).read_text(encoding="utf-8").splitlines())
    return [(line["action"], line["project"], line["tasks"], line["annotations"]) for line in lines]


def test_suggestions_are_asked_for_and_seen_on_the_tasks_and_what_is_answered_is_heard_of(
    project: int, admin: httpx.Client, first: Labeller, service: Running, bundle: Path, tmp_path: Path
) -> None:
    connection = {"project": project, "title": "Tympan", "url": f"{service.url}/label-studio"}
    assert admin.post("/api/ml", json=connection).status_code == 400  # without the password
    model = ask(admin, "/api/ml", {**connection, **CREDENTIALS})["id"]
    version = Bundle.read(bundle).version
    assert admin.get(f"/api/ml/{model}/versions").json() == {"versions": [version]}

    retrieve(admin, project)
    tasks = first.tasks(project)
    found = {text: first.predictions(task) for text, task in tasks.items()}
    leaving, outage = {"intent": ("churn",), "topic": ()}, {"intent": ("friction",), "topic": ("service/outage",)}
    assert {text: [entry["result"] for entry in entries] for text, entries in found.items()} == {
        "je résilie": [to_result(leaving, TAGS)],
        "Orange en panne": [to_result(outage, TAGS)],
        " ": [[]],
    }
    assert {entry["model_version"] for entries in found.values() for entry in entries} == {version}
    assert 0.9 < found["je résilie"][0]["score"] <= 1

    secret = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    hook = {"project": project, "url": f"{service.url}/label-studio/webhook", "headers": {"Authorization": secret}}
    ask(admin, "/api/webhooks/", hook)
    annotation = first.answer(tasks["je résilie"], to_result(leaving, TAGS))
    first.withdraw(annotation)
    ask(admin, f"/api/ml/{model}/train", {})
    assert events(tmp_path) == [
        ("ANNOTATION_CREATED", project, [tasks["je résilie"]], [annotation]),
        ("ANNOTATIONS_DELETED", project, [], [annotation]),
        ("START_TRAINING", project, [], []),
    ]


def test_whoever_connects_a_project_with_another_page_sees_that_it_is_refused_and_a_change_of_the_page_shows(
    project: int, server: Server, admin: httpx.Client, first: Labeller, service: Running
) -> None:
    connection = {"project": project, "title": "Tympan", "url": f"{service.url}/label-studio", **CREDENTIALS}
    own, other = configuration(TAGS), configuration(TAGS).replace('alias="churn"', 'alias="goodbye"')
    with Studio(url=server.url, token=server.token) as studio:
        found = studio.project(str(project))
        studio.configure(found, label_config=other)
        refused = admin.post("/api/ml", json=connection)
        assert refused.status_code == 400
        assert "422" in refused.text
        assert "incompatible with the current labeling configuration" in refused.text
        studio.configure(found, label_config=own)
        model = ask(admin, "/api/ml", connection)["id"]
        studio.configure(found, label_config=other)
    (listed,) = admin.get("/api/ml", params={"project": project}).json()
    assert (listed["id"], listed["readable_state"]) == (model, "Error")
    assert "422" in listed["error_message"]
    retrieve(admin, project)
    assert all(first.predictions(task) == [] for task in first.tasks(project).values())
    assert any("does not fit the model" in line for line in service.logged())
