"""A tool that speaks the Open Inference Protocol gets its tags from this service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from model.bundle import Bundle
from model.tagger import Tagger
from tests.serving.calls import problem
from tests.serving.slow import failing_on
from tests.serving.test_server import inside

INFER = "/v2/models/tiny/infer"
PANNE = {
    "lang": "fr",
    "tags": {
        "intent": [{"tag": "friction", "score": 0.982}],
        "topic": [{"tag": "service", "score": 0.982}, {"tag": "service/outage", "score": 0.982}],
    },
}


def asked(*texts: str, **more: Any) -> dict[str, Any]:
    tensor = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts), **more}
    return {"inputs": [tensor]}


def elements(answer: httpx.Response) -> list[dict[str, Any]]:
    """What the output tensor says of each text."""
    assert answer.status_code == 200, answer.text
    (output,) = answer.json()["outputs"]
    return [json.loads(element) for element in output["data"]]


def test_the_service_and_its_model_say_what_they_are(client: httpx.Client) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2").json()["name"] == "tympan"
    assert client.get("/v2/models/tiny/ready").json() == {"name": "tiny", "ready": True}
    assert client.get("/v2/models/tiny").json() == {
        "name": "tiny",
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
        "outputs": [{"name": "tags", "datatype": "BYTES", "shape": [-1]}],
    }


def test_each_text_gets_an_element_with_its_tags(client: httpx.Client, bundle: Path) -> None:
    text = "Il y a encore une panne depuis ce matin"
    answer = client.post(INFER, json={**asked(text, "rien du tout"), "id": "42", "outputs": [{"name": "tags"}]})
    body = answer.json()
    assert (body["model_name"], body["model_version"], body["id"]) == ("tiny", Bundle.read(bundle).version, "42")
    (output,) = body["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("tags", "BYTES", [2])
    assert elements(answer)[0] == PANNE
    assert elements(answer)[1]["tags"] == {"intent": [], "topic": []}


def test_an_answer_has_an_id_though_none_was_given(client: httpx.Client) -> None:
    ids = {client.post(INFER, json=asked("a")).json()["id"] for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize("shape", [[2, 1], [1, 2]])
def test_a_batch_may_be_nested_or_flat_and_comes_back_in_its_shape(client: httpx.Client, shape: list[int]) -> None:
    nested = [["panne"], ["merci"]] if shape == [2, 1] else [["panne", "merci"]]
    for data in (nested, ["panne", "merci"]):
        answer = client.post(INFER, json=asked("panne", "merci", shape=shape, data=data))
        assert answer.json()["outputs"][0]["shape"] == shape
        assert [found["tags"]["intent"][0]["tag"] for found in elements(answer)] == ["friction", "praise"]


def test_no_texts_give_no_elements(client: httpx.Client) -> None:
    assert elements(client.post(INFER, json=asked())) == []


def test_what_a_tool_adds_for_others_is_passed_over(client: httpx.Client) -> None:
    body = asked("panne", parameters={"content_type": "str"})
    body |= {"parameters": {"priority": 1}, "outputs": [{"name": "tags", "parameters": {"binary_data": False}}]}
    assert elements(client.post(INFER, json=body))[0]["tags"] == PANNE["tags"]


def test_a_text_that_cannot_be_tagged_has_an_error_and_the_others_their_tags(bundle: Path) -> None:
    async def call() -> httpx.Response:
        async with inside(failing_on(bundle, tokens=7)) as client:
            return await client.post(INFER, json=asked("panne", "", "merci " * 5))

    found = elements(anyio.run(call))
    assert found[0]["tags"] == PANNE["tags"]
    assert [element["error"].partition(".")[0] for element in found[1:]] == [
        "text: is empty",
        "text: could not be computed",
    ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/inputs"),
        ({"inputs": []}, "#/inputs"),
        ({"inputs": asked("a")["inputs"] * 2}, "#/inputs"),
        (asked("a", name="input-0"), "#/inputs/0/name"),
        (asked("a", datatype="FP32"), "#/inputs/0/datatype"),
        (asked("a", shape=[2]), "#/inputs/0"),
        (asked("a", shape=[1, 1, 1]), "#/inputs/0/shape"),
        (asked("a", shape=[-1]), "#/inputs/0/shape/0"),
        ({**asked("a"), "outputs": [{"name": "logits"}]}, "#/outputs/0/name"),
        ({**asked("a"), "id": 42}, "#/id"),
    ],
)
def test_tensors_that_the_model_does_not_take_are_refused(
    client: httpx.Client, body: dict[str, Any], pointer: str
) -> None:
    assert problem(client.post(INFER, json=body), 422)["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("path", ["", "/ready"])
def test_a_model_of_another_name_is_not_there_and_the_right_one_is_named(client: httpx.Client, path: str) -> None:
    assert "Call it tiny" in problem(client.get(f"/v2/models/bert{path}"), 404)["detail"]
    assert "Call it tiny" in problem(client.post("/v2/models/bert/infer", json=asked("a")), 404)["detail"]


def test_the_limits_are_those_of_mentions(client: httpx.Client) -> None:
    assert "1,000" in problem(client.post(INFER, json=asked(*["a"] * 1001)), 413)["detail"]
    late = asked(*(f"slow {n} " + "panne merci " * 100 for n in range(300)))
    problem(client.post(INFER, json=late, headers={"X-Request-Timeout-Ms": "1"}), 504)
    problem(client.post(INFER, content=b"{}", headers={"content-type": "application/octet-stream"}), 415)


def test_it_is_not_ready_before_the_service_is(tagger: Tagger) -> None:
    async def call() -> list[httpx.Response]:
        async with inside(tagger) as client:
            return [await client.get(path) for path in ("/v2/health/ready", "/v2/models/tiny/ready", "/v2/health/live")]

    ready, model_ready, live = anyio.run(call)
    problem(ready, 503)
    problem(model_ready, 503)
    assert live.status_code == 200
