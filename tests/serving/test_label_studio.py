"""The service as a model of Label Studio, called as Label Studio calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from labels.interface import configuration, to_result
from labels.task import to_data
from model.bundle import Bundle
from model.mention import MAX_CHARACTERS, Mention
from model.watchlist import Watchlist
from tests.bundles import tiny_taxonomy
from tests.serving.calls import problem
from tests.serving.conftest import start, stop

TAGS = tiny_taxonomy()
PAGE = configuration(TAGS, language="fr")
ACCESS = "0123456789abcdef0123456789abcdef01234567"
SETUP = {
    "project": "2.1795289546",
    "schema": PAGE,
    "hostname": "http://127.0.0.1:8080",
    "access_token": ACCESS,
    "extra_params": None,
}
WATCHLIST = Watchlist.from_dicts([{"name": "Free"}, {"name": "Orange", "role": "competitor", "aliases": ["@orange"]}])


def predict(client: httpx.Client, *tasks: Any, schema: str = PAGE) -> httpx.Response:
    """As Label Studio asks for suggestions for tasks with this data."""
    body = {
        "tasks": [{"id": n, "data": data, "project": 2, "annotations": []} for n, data in enumerate(tasks)],
        "project": "2.1795289546",
        "label_config": schema,
        "params": {"login": None, "password": None, "context": None},
    }
    # Not as json=: httpx itself refuses to send a lone surrogate.
    headers = {"content-type": "application/json"}
    return client.post("/label-studio/predict", content=json.dumps(body), headers=headers)


def results(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return list(answer.json()["results"])


def test_a_project_is_told_the_model_that_will_suggest(client: httpx.Client, bundle: Path) -> None:
    version = Bundle.read(bundle).version
    assert client.get("/label-studio/health").status_code == 200
    assert client.post("/label-studio/setup", json=SETUP).json() == {"model_version": version}
    assert client.get("/label-studio/versions").json() == {"versions": [version]}


def test_every_task_gets_its_tags_in_the_form_of_an_answer(client: httpx.Client, bundle: Path) -> None:
    first, second = results(predict(client, {"text": "une panne"}, {"text": "rien"}))
    assert first["result"] == to_result({"intent": ("friction",), "topic": ("service/outage",)}, TAGS)
    assert second["result"] == to_result({"intent": (), "topic": ()}, TAGS)
    assert {first["model_version"], second["model_version"]} == {Bundle.read(bundle).version}


def test_the_score_says_how_sure_the_model_is_of_its_least_sure_tag(client: httpx.Client) -> None:
    (found,) = results(predict(client, {"text": "une panne"}))
    assert found["score"] == pytest.approx(2 * 0.982 - 1, abs=1e-3)


@pytest.mark.parametrize(("target", "intents"), [("Free", ()), ("Orange", ("friction",)), (None, ())])
def test_tags_are_towards_the_target_of_the_task(
    client: httpx.Client, target: str | None, intents: tuple[str, ...]
) -> None:
    data = to_data(Mention("m", "Orange en panne", target=target), watchlist=WATCHLIST)
    (found,) = results(predict(client, data))
    assert found["result"][:1] == to_result({"intent": intents}, TAGS)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"text": None},
        {"text": 5},
        {"text": " \n\u200b"},
        {"text": "x" * (MAX_CHARACTERS + 1)},
        {"text": "panne", "target": ["Free"]},
        {"text": "panne", "target": "SFR", "watchlist": [{"name": "Free"}]},
        {"text": "panne", "watchlist": "Free"},
        {"text": "panne", "watchlist": ["Free"]},
        {"text": "panne", "watchlist": [{"name": ""}]},
    ],
    ids=lambda data: str(data)[:40],
)
def test_a_task_that_cannot_be_read_gets_an_empty_result_and_holds_up_no_other(
    client: httpx.Client, data: dict[str, Any]
) -> None:
    empty, other = results(predict(client, data, {"text": "merci"}))
    assert (empty["result"], empty["score"]) == ([], 0.0)
    assert other["result"] == to_result({"intent": ("praise",), "topic": ()}, TAGS)


def test_tasks_of_which_none_can_be_read_are_no_fault(client: httpx.Client) -> None:
    assert [found["result"] for found in results(predict(client, {}, {}))] == [[], []]
    assert results(predict(client)) == []


def test_a_project_with_other_tags_is_refused_by_their_names(client: httpx.Client) -> None:
    other = PAGE.replace('alias="churn"', 'alias="goodbye"')
    connected = client.post("/label-studio/setup", json={**SETUP, "schema": other})
    for answer, pointer in ((predict(client, {"text": "panne"}, schema=other), "label_config"), (connected, "schema")):
        body = problem(answer, 422)
        assert "does not fit tiny@1.0: intent lacks churn; intent has unknown goodbye" in body["detail"]
        assert body["errors"][0]["pointer"] == f"#/{pointer}"
        assert ACCESS not in str(body)
    assert client.get("/label-studio/health").status_code == 200


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ("", "no XML"),
        ("<View>", "no XML"),
        ("\ud800", "no XML"),
        ("<View/>", "no field 'intent'; no field 'topic'"),
        (f'<View><Choices name="intent">{"<Choice>" * 3000}{"</Choice>" * 3000}</Choices></View>', "nest too deep"),
    ],
    ids=["empty", "cut", "surrogate", "none", "deep"],
)
def test_a_configuration_that_is_none_is_refused(client: httpx.Client, schema: str, told: str) -> None:
    assert told in problem(predict(client, {"text": "panne"}, schema=schema), 422)["detail"]


def test_more_tasks_than_mentions_are_allowed_are_refused(client: httpx.Client) -> None:
    assert len(results(predict(client, *[{"text": "panne"}] * 1000))) == 1000
    assert "1,000" in problem(predict(client, *[{"text": "panne"}] * 1001), 413)["detail"]


def test_the_token_of_a_setup_is_neither_said_nor_written(bundle: Path, tmp_path: Path) -> None:
    running = start(bundle, TYMPAN_STATE=str(tmp_path))
    for body in (SETUP, {**SETUP, "project": {"access_token": ACCESS}}, {**SETUP, "schema": f"<View>{ACCESS}</View>"}):
        assert ACCESS not in httpx.post(f"{running.url}/label-studio/setup", json=body).text
    stop(running)
    assert running.process.stdout
    assert ACCESS not in running.process.stdout.read()
    assert running.logged()
    assert ACCESS not in "".join(running.logged())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("route", ["setup", "predict", "webhook"])
def test_a_body_at_fault_is_refused_without_being_repeated(client: httpx.Client, route: str) -> None:
    body = {"project": [ACCESS], "tasks": ACCESS, "label_config": [ACCESS], "action": [ACCESS]}
    assert ACCESS not in str(problem(client.post(f"/label-studio/{route}", json=body), 422))
    problem(client.post(f"/label-studio/{route}", content=b"{}", headers={"content-type": "text/plain"}), 415)
