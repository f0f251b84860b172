"""What Label Studio tells the service, how it is kept, and who may tell it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from labels.interface import configuration, to_result
from labels.task import EVENTS
from model.tagger import Tagger
from serving.app import create_app
from serving.settings import Settings
from tests.bundles import tiny_taxonomy
from tests.serving.calls import problem
from tests.serving.conftest import Running, start, stop

TAGS = tiny_taxonomy()
PAGE = configuration(TAGS)
ACCESS = "0123456789abcdef0123456789abcdef01234567"
USER, PASSWORD = "studio", "a long: password"
GUARDED = [("GET", "versions"), ("POST", "setup"), ("POST", "predict"), ("POST", "webhook")]


def event(action: str) -> dict[str, Any]:
    """A call of the webhook, with texts and tokens as in real ones."""
    annotation = {"id": 101, "task": 7, "project": 1, "result": to_result({"intent": ("churn",)}, TAGS)}
    return {
        "action": action,
        "annotation": annotation,
        "task": {"id": 7, "data": {"text": "je résilie"}},
        "project": {"id": 1, "title": "secret title", "token": ACCESS, "label_config": PAGE},
    }


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not there yet."""
    return tmp_path_factory.mktemp("service") / "state"


@pytest.fixture(scope="module")
def keeping(bundle: Path, state: Path) -> Iterator[Running]:
    """A service with a user and password, which keeps events in `state`."""
    credentials = {"TYMPAN_LABEL_STUDIO_USER": USER, "TYMPAN_LABEL_STUDIO_PASSWORD": PASSWORD}
    running = start(bundle, **credentials, TYMPAN_STATE=str(state))
    yield running
    stop(running)


@pytest.fixture
def journal(state: Path) -> Path:
    """The events of this test alone."""
    (state / EVENTS).unlink(missing_ok=True)
    return state / EVENTS


@pytest.fixture
def studio(keeping: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=keeping.url, auth=(USER, PASSWORD), timeout=30) as found:
        yield found


def lines(journal: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    "action",
    ["START_TRAINING", "ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED"],
)
def test_what_retraining_goes_by_is_written_down_without_texts_or_tokens(
    studio: httpx.Client, journal: Path, action: str
) -> None:
    answer = studio.post("/label-studio/webhook", json=event(action))
    assert (answer.status_code, answer.json()) == (201, {"recorded": True})
    (line,) = lines(journal)
    assert datetime.fromisoformat(line.pop("time")).tzinfo
    assert line == {"action": action, "project": 1, "tasks": [7], "annotations": [101]}


def test_one_event_can_be_of_many_annotations_or_none(studio: httpx.Client, journal: Path) -> None:
    bodies: list[dict[str, Any]] = [
        {"action": "ANNOTATIONS_CREATED", "annotation": [{"id": 1, "task": 7}, {"id": 2, "task": 7}], "task": []},
        {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}, {"id": 2}], "project": {"id": 3}},
        {"action": "START_TRAINING", "project": 3},
    ]
    for body in bodies:
        assert studio.post("/label-studio/webhook", json=body).status_code == 201
    assert [(line["project"], line["tasks"], line["annotations"]) for line in lines(journal)] == [
        (None, [7], [1, 2]),
        (3, [], [1, 2]),
        (3, [], []),
    ]


def test_other_actions_are_acknowledged_and_not_kept(studio: httpx.Client, journal: Path) -> None:
    for action in ("PROJECT_UPDATED", "TASKS_CREATED", "anything"):
        answer = studio.post("/label-studio/webhook", json={"action": action, "tasks": [{"id": 1}]})
        assert (answer.status_code, answer.json()) == (200, {"recorded": False})
    assert not journal.exists()


def test_a_line_that_a_kill_cut_short_costs_no_other(studio: httpx.Client, journal: Path) -> None:
    studio.post("/label-studio/webhook", json=event("START_TRAINING"))
    with journal.open("ab") as file:
        file.write(b'{"action": "ANNOTA')
    studio.post("/label-studio/webhook", json=event("ANNOTATION_CREATED"))
    first, cut, last = journal.read_text(encoding="utf-8").splitlines()
    assert (json.loads(first)["action"], json.loads(last)["action"]) == ("START_TRAINING", "ANNOTATION_CREATED")
    assert cut == '{"action": "ANNOTA'


def test_events_that_come_together_are_a_line_each(tagger: Tagger, tmp_path: Path) -> None:
    async def call() -> None:
        transport = httpx.ASGITransport(create_app(tagger, Settings.read(state=tmp_path)))
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://inside") as client,
            anyio.create_task_group() as tasks,
        ):
            for number in range(50):
                body = {"action": "ANNOTATION_CREATED", "annotation": {"id": number}}
                tasks.start_soon(lambda body: client.post("/label-studio/webhook", json=body), body)

    anyio.run(call)
    assert sorted(line["annotations"][0] for line in lines(tmp_path / EVENTS)) == list(range(50))


def test_an_event_that_cannot_be_written_is_not_acknowledged(tagger: Tagger, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file where the folder should be", encoding="utf-8")

    async def call() -> httpx.Response:
        app = create_app(tagger, Settings.read(state=taken))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://inside") as client:
            return await client.post("/label-studio/webhook", json=event("START_TRAINING"))

    problem(anyio.run(call), 500)


def test_without_a_folder_events_are_acknowledged_and_not_kept(client: httpx.Client) -> None:
    answer = client.post("/label-studio/webhook", json=event("START_TRAINING"))
    assert (answer.status_code, answer.json()) == (201, {"recorded": False})


@pytest.mark.parametrize(("method", "route"), GUARDED)
@pytest.mark.parametrize(
    "given",
    [
        None,
        f"Token {ACCESS}",
        "Basic",
        "Basic ?",
        "Basic " + base64.b64encode(USER.encode()).decode(),
        "Basic " + base64.b64encode(f"{USER}:wrong".encode()).decode(),
        "Basic " + base64.b64encode(f"other:{PASSWORD}".encode()).decode(),
        "Basic " + base64.b64encode(f"{USER}:{PASSWORD}é".encode()).decode(),
    ],
    ids=["nothing", "token", "empty", "no base64", "no password", "wrong password", "wrong user", "accent"],
)
def test_only_who_knows_the_password_is_admitted(keeping: Running, method: str, route: str, given: str | None) -> None:
    headers = {"authorization": given} if given else {}
    refused = httpx.request(method, f"{keeping.url}/label-studio/{route}", headers=headers)
    assert PASSWORD not in str(problem(refused, 401))
    assert refused.headers["www-authenticate"].startswith("Basic")


def test_health_and_the_other_routes_need_no_password_and_the_right_one_opens_all(
    keeping: Running, studio: httpx.Client
) -> None:
    assert httpx.get(f"{keeping.url}/label-studio/health").status_code == 200
    assert httpx.get(f"{keeping.url}/v1/model").status_code == 200
    assert studio.get("/label-studio/versions").status_code == 200
    assert studio.post("/label-studio/setup", json={"schema": PAGE}).status_code == 200
    assert studio.post("/label-studio/predict", json={"tasks": [], "label_config": PAGE}).status_code == 200
