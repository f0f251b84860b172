"""What the service refuses, and how it says so."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from serving.problems import Problem
from tests.serving.calls import PROBLEM, names, post, problem, tag


def test_a_thousand_mentions_are_tagged_and_one_more_is_refused(client: httpx.Client) -> None:
    assert len(tag(client, *["panne"] * 1000)) == 1000
    mentions = [{"id": str(i), "text": "a"} for i in range(1001)]
    body = problem(client.post("/v1/tag", json={"mentions": mentions}), 413)
    assert "1,000" in body["detail"]


def test_a_body_that_is_declared_too_long_is_refused(client: httpx.Client) -> None:
    assert "1,048,576" in problem(post(client, b" " * (2**20 + 1)), 413)["detail"]


def test_a_body_that_grows_too_long_is_refused_though_no_length_was_declared(client: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"mentions": ['
        for _ in range(64):
            yield b" " * 2**15

    problem(post(client, chunks()), 413)


def test_a_body_that_comes_in_pieces_is_read_whole(client: httpx.Client) -> None:
    content = json.dumps({"mentions": [{"id": "a", "text": "panne"}]}).encode()
    answer = post(client, (content[i : i + 1] for i in range(len(content))))
    assert names(answer.json()["results"][0]["tags"]["intent"]) == ["friction"]


CROWDS = {
    "mentions of the wrong kind": b'{"mentions": [' + b"0," * 400_000 + b"0]}",
    "fields": b'{"mentions": [{' + b",".join(b'"%d":0' % n for n in range(90_000)) + b"}]}",
    "lists in a list": b'{"mentions": [' + b",".join([b"[" + b"0," * 400 + b"0]"] * 900) + b"]}",
    "aliases": b'{"mentions": [], "watchlist": [{"name": "a", "aliases": [' + b"0," * 400_000 + b"0]}]}",
}


@pytest.mark.parametrize("content", CROWDS.values(), ids=CROWDS)
def test_what_would_take_seconds_to_check_is_refused_before(client: httpx.Client, content: bytes) -> None:
    """Every wrong entry would be told by itself, while all other callers wait."""
    assert len(content) < 2**20
    detail = problem(post(client, content), 413)["detail"]
    assert "are more than 1,000" in detail or "more than 75,000 entries" in detail


@pytest.mark.parametrize("name", [b"\\ud800", b"<b>", b"a" * 100], ids=["surrogate", "markup", "long"])
def test_a_crowd_under_any_name_is_refused_in_our_words(client: httpx.Client, name: bytes) -> None:
    content = b'{"' + name + b'": [' + b"0," * 1000 + b"0]}"
    assert problem(post(client, content), 413)["detail"].startswith("body: are more than 1,000")


@pytest.mark.parametrize("path", ["/predict", "/v2/models/tiny/infer", "/v1/tag"])
def test_crowds_are_refused_in_every_protocol(client: httpx.Client, path: str) -> None:
    assert problem(client.post(path, json={"inputs": [0] * 2000}), 413)["detail"].startswith("inputs: are more than 1")


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "", "multipart/form-data; boundary=x"])
def test_a_body_that_is_not_declared_as_json_is_refused(client: httpx.Client, media_type: str) -> None:
    problem(post(client, b'{"mentions": []}', media_type), 415)


def test_json_with_a_charset_is_json(client: httpx.Client) -> None:
    assert post(client, b'{"mentions": []}', "application/json; charset=utf-8").status_code == 200


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe\xfa", b"[" * 200_000, b"1" * 5000, b"mentions", b'{"mentions": [}', b"\x00"],
    ids=["empty", "cut", "bytes", "deep", "huge number", "words", "wrong", "null"],
)
def test_what_is_no_json_is_refused(client: httpx.Client, content: bytes) -> None:
    problem(post(client, content), 422)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"[]", "#"),
        (b"{}", "#/mentions"),
        (b'{"mentions": null}', "#/mentions"),
        (b'{"mentions": [{"id": "a"}]}', "#/mentions/0/text"),
        (b'{"mentions": [{"id": "a", "text": "b"}, {"id": 1, "text": "b"}]}', "#/mentions/1/id"),
        (b'{"mentions": [{"id": "", "text": "b"}]}', "#/mentions/0/id"),
        (b'{"mentions": [{"id": "\\ud800", "text": "b"}]}', "#/mentions/0/id"),
        (b'{"mentions": [{"id": "a", "text": "b", "created_at": "soon"}]}', "#/mentions/0/created_at"),
        (b'{"mentions": [{"id": "a", "text": "b", "answered": "no"}]}', "#/mentions/0/answered"),
        (b'{"mentions": [{"id": "a", "text": "b", "a/b~c": 1}]}', "#/mentions/0/a~1b~0c"),
        (b'{"mentions": [], "minscore": 1}', "#/minscore"),
        (b'{"mentions": [], "min_score": 1.1}', "#/min_score"),
        (b'{"mentions": [], "min_score": NaN}', "#/min_score"),
        (b'{"mentions": [], "min_score": "0.4"}', "#/min_score"),
        (b'{"mentions": [], "watchlist": [{"name": "Free", "role": "friend"}]}', "#/watchlist/0/role"),
        (b'{"mentions": [], "watchlist": [{"name": "@"}]}', "#/watchlist/0/name"),
        (b'{"mentions": [], "watchlist": [{"name": "Free"}, {"name": "Free"}]}', "#/watchlist"),
    ],
)
def test_a_field_at_fault_is_pointed_to(client: httpx.Client, body: bytes, pointer: str) -> None:
    assert problem(post(client, body), 422)["errors"][0]["pointer"] == pointer


def test_a_broken_surrogate_in_a_text_does_no_harm(client: httpx.Client) -> None:
    answer = post(client, b'{"mentions": [{"id": "a", "text": "panne \\ud83d"}]}')
    assert names(answer.json()["results"][0]["tags"]["intent"]) == ["friction"]


def test_a_thousand_faults_are_not_all_explained(client: httpx.Client) -> None:
    body = problem(client.post("/v1/tag", json={"mentions": [{}] * 1000}), 422)
    assert len(body["errors"]) == 20


def test_a_refusal_does_not_repeat_what_was_sent(client: httpx.Client) -> None:
    answer = client.post("/v1/tag", json={"mentions": [{"id": ["secret"], "text": {"secret": "secret"}}]})
    problem(answer, 422)
    assert "secret" not in answer.text


def test_paths_and_methods_that_are_not_there_are_problems_too(client: httpx.Client) -> None:
    assert problem(client.get("/v1/nothing"), 404)["instance"] == "/v1/nothing"
    refused = client.get("/v1/tag")
    problem(refused, 405)
    assert refused.headers["allow"] == "POST"


def test_every_problem_that_is_documented_has_an_example_that_fits(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status >= "400":
                    example = Problem.model_validate(response["content"][PROBLEM]["example"])
                    assert example.status == int(status)
                    assert "X-Request-Id" in response["headers"]
                    assert ("Retry-After" in response["headers"]) == (status == "429")


def test_examples_of_problems_are_what_the_service_says(client: httpx.Client) -> None:
    responses = client.get("/openapi.json").json()["paths"]["/v1/tag"]["post"]["responses"]
    many = json.dumps({"mentions": [0] * 1001}).encode()
    provoked = {
        413: post(client, many),
        415: post(client, b"{}", "text/plain"),
        422: post(client, b'{"mentions": [{"id": "a"}]}'),
    }
    for status, answer in provoked.items():
        example = responses[str(status)]["content"][PROBLEM]["example"]
        assert problem(answer, status) == example


def test_every_route_documents_its_problems(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    found = {
        f"{method} {path}": {status for status in operation["responses"] if status >= "400"}
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert found == {
        "post /v1/tag": {"401", "403", "408", "413", "415", "422", "429", "500", "503", "504"},
        "get /v1/taxonomy": {"401", "403", "429", "500"},
        "get /v1/model": {"401", "403", "429", "500"},
        "get /v1/models": {"401", "403", "409", "429", "500"},
        "get /v1/retraining": {"401", "403", "409", "429", "500"},
        "post /v1/models/{version}/activate": {"401", "403", "408", "409", "413", "415", "422", "429", "500"},
        "post /v1/models/rollback": {"401", "403", "408", "409", "413", "415", "422", "429", "500"},
        "post /predict": {"401", "403", "408", "413", "415", "422", "429", "500", "503", "504"},
        "get /v2": {"401", "403", "429", "500"},
        "get /v2/health/live": {"401", "429", "500"},
        "get /v2/health/ready": {"401", "429", "500", "503"},
        "get /v2/models/{name}": {"401", "403", "404", "422", "429", "500"},
        "get /v2/models/{name}/ready": {"401", "403", "404", "422", "429", "500", "503"},
        "post /v2/models/{name}/infer": {"401", "403", "404", "408", "413", "415", "422", "429", "500", "503", "504"},
        "post /v1/feedback": {"401", "403", "404", "408", "413", "415", "422", "429", "500", "503"},
        "post /v1/jobs": {"401", "403", "404", "408", "409", "413", "415", "422", "429", "500", "503"},
        "get /v1/jobs": {"401", "403", "404", "422", "429", "500"},
        "get /v1/jobs/{job}": {"401", "403", "404", "422", "429", "500"},
        "delete /v1/jobs/{job}": {"401", "403", "404", "422", "429", "500", "503"},
        "get /v1/jobs/{job}/result": {"401", "403", "404", "409", "422", "429", "500"},
        "get /v1/jobs/{job}/errors": {"401", "403", "404", "409", "422", "429", "500"},
        "get /health": {"401", "429", "500"},
        "get /ready": {"401", "429", "500", "503"},
        "get /metrics": {"401", "429", "500"},
        "get /label-studio/health": {"500"},
        "get /label-studio/versions": {"401", "500"},
        "post /label-studio/setup": {"401", "408", "413", "415", "422", "500"},
        "post /label-studio/predict": {"401", "408", "413", "415", "422", "429", "500", "503"},
        "post /label-studio/webhook": {"401", "408", "413", "415", "422", "500"},
    }
    for path, operations in document["paths"].items():
        good = {"/metrics": "text/plain", "/v1/jobs/{job}/result": "application/octet-stream"}.get(path)
        for operation in operations.values():
            for status, response in operation["responses"].items():
                expected = {PROBLEM if status >= "400" else good or "application/json"}
                assert set(response.get("content", {})) == (set() if status == "204" else expected)
