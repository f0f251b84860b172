"""The service, over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from model.bundle import Bundle
from model.mention import MAX_CHARACTERS, Mention
from model.tagger import Failed, Tagged, Tagger
from model.watchlist import Watchlist
from serving import examples
from serving.app import create_app
from serving.schemas import TagAnswer
from serving.settings import Settings
from tests.serving.conftest import Running, start, stop

PROBLEM = "application/problem+json"
WATCHLIST = [{"name": "Free", "role": "brand", "aliases": ["freebox"]}, {"name": "Orange", "role": "competitor"}]


def tag(client: httpx.Client, *texts: str, **more: Any) -> list[dict[str, Any]]:
    mentions = [{"id": f"m{i}", "text": text} for i, text in enumerate(texts)]
    answer = client.post("/v1/tag", json={"mentions": mentions, **more})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["results"])


def names(scores: list[dict[str, Any]]) -> list[str]:
    return [score["tag"] for score in scores]


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The body of a refusal, after checking that it is one of RFC 9457."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"] == "about:blank"
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in answer.text
    return body


def post(client: httpx.Client, content: Any, media_type: str = "application/json") -> httpx.Response:
    return client.post("/v1/tag", content=content, headers={"content-type": media_type})


def test_mentions_are_tagged_in_the_shape_that_is_promised(client: httpx.Client, bundle: Path) -> None:
    asked = {
        "mentions": [{"id": "a", "text": "Orange en panne, merci Free", "lang": "fr"}, {"id": "b", "text": "la"}],
        "watchlist": WATCHLIST,
        "min_score": 0.4,
    }
    answer = client.post("/v1/tag", json=asked)
    assert answer.status_code == 200
    assert answer.json() == {
        "model": Bundle.read(bundle).version,
        "taxonomy": "tiny@1.0",
        "results": [
            {
                "id": "a",
                "lang": "fr",
                "tags": {"intent": [], "topic": []},
                "targets": [
                    {"name": "Free", "role": "brand", "tags": {"intent": [], "topic": []}},
                    {"name": "Orange", "role": "competitor", "tags": {"intent": [], "topic": []}},
                ],
            },
            {
                "id": "b",
                "lang": answer.json()["results"][1]["lang"],
                "tags": {"intent": [], "topic": []},
                "targets": [],
            },
        ],
    }


def test_a_tag_comes_with_its_score_and_its_parents(client: httpx.Client) -> None:
    (result,) = tag(client, "une panne")
    assert result["tags"]["intent"] == [{"tag": "friction", "score": 0.982}]
    assert result["tags"]["topic"] == [{"tag": "service", "score": 0.982}, {"tag": "service/outage", "score": 0.982}]


def test_tags_are_towards_the_brand_and_targets_towards_each(client: httpx.Client) -> None:
    (result,) = tag(client, "Orange en panne", watchlist=WATCHLIST)
    assert names(result["tags"]["intent"]) == []
    assert [(target["name"], names(target["tags"]["intent"])) for target in result["targets"]] == [
        ("Orange", ["friction"])
    ]


def test_a_target_of_the_mention_comes_before_the_brand(client: httpx.Client) -> None:
    asked = {"mentions": [{"id": "a", "text": "Orange en panne", "target": "orange"}], "watchlist": WATCHLIST}
    (result,) = client.post("/v1/tag", json=asked).json()["results"]
    assert names(result["tags"]["intent"]) == ["friction"]


def test_a_mention_at_fault_fails_alone_and_says_where(client: httpx.Client) -> None:
    mentions = [
        {"id": "ok", "text": "merci"},
        {"id": "empty", "text": " \n"},
        {"id": "long", "text": "x" * (MAX_CHARACTERS + 1)},
        {"id": "ok", "text": "panne"},
        {"id": "target", "text": "panne", "target": "SFR"},
        {"id": "last", "text": "je résilie", "target": ""},
    ]
    results = client.post("/v1/tag", json={"mentions": mentions, "watchlist": WATCHLIST}).json()["results"]
    assert [result["id"] for result in results] == [mention["id"] for mention in mentions]
    assert names(results[0]["tags"]["intent"]) == ["praise"]
    assert names(results[5]["tags"]["intent"]) == ["churn"]
    errors = [result["error"] for result in results[1:5]]
    assert all("tags" not in result for result in results[1:5])
    assert [(error["code"], error["pointer"]) for error in errors] == [
        ("text_empty", "#/mentions/1/text"),
        ("text_too_long", "#/mentions/2/text"),
        ("duplicate_id", "#/mentions/3/id"),
        ("unknown_target", "#/mentions/4/target"),
    ]
    assert all(error["title"] and error["detail"] for error in errors)
    assert "Free, Orange" in errors[3]["detail"]


def test_a_thousand_mentions_are_tagged_and_one_more_is_refused(client: httpx.Client) -> None:
    assert len(tag(client, *["panne"] * 1000)) == 1000
    mentions = [{"id": str(i), "text": "a"} for i in range(1001)]
    body = problem(client.post("/v1/tag", json={"mentions": mentions}), 413)
    assert "1,000" in body["detail"]


def test_no_mentions_give_no_results(client: httpx.Client) -> None:
    assert tag(client) == []


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


def test_the_tag_set_is_shown_in_several_languages(client: httpx.Client, bundle: Path) -> None:
    shown = client.get("/v1/taxonomy").json()
    taxonomy = Bundle.read(bundle).taxonomy
    assert shown["id"] == "tiny@1.0"
    assert [group["name"] for group in shown["groups"]] == ["intent", "topic"]
    assert shown["groups"][0]["title"] == {"en": "Intents", "fr": "Intentions", "it": "Intenzioni"}
    assert [entry["path"] for entry in shown["groups"][1]["tags"]] == list(taxonomy.group("topic").paths)


def test_the_model_says_what_it_is(client: httpx.Client, bundle: Path) -> None:
    shown = client.get("/v1/model").json()
    assert shown["model"] == Bundle.read(bundle).version
    assert shown["languages"] == ["fr", "it", "en"]
    assert shown["max_length"] == 32
    assert shown["thresholds"]["topic/service/outage"] == 0.5


def test_the_service_is_alive_and_ready(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}


def test_the_documentation_is_served_with_examples_in_three_languages(client: httpx.Client) -> None:
    assert "swagger" in client.get("/docs").text
    document = client.get("/openapi.json").json()
    shown = document["paths"]["/v1/tag"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert set(shown) == {"fr", "it", "en"}


@pytest.mark.parametrize("language", examples.REQUESTS)
def test_every_request_of_the_documentation_works(client: httpx.Client, language: str) -> None:
    asked = examples.REQUESTS[language]["value"]
    results = client.post("/v1/tag", json=asked).json()["results"]
    assert [result["id"] for result in results] == [mention["id"] for mention in asked["mentions"]]


@pytest.mark.parametrize("language", examples.ANSWERS)
def test_every_answer_of_the_documentation_has_the_shape_of_an_answer(language: str) -> None:
    shown = examples.ANSWERS[language]["value"]
    assert TagAnswer.model_validate(shown).model_dump(mode="json") == shown


def test_every_route_documents_its_problems(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    found = {
        f"{method} {path}": {status for status in operation["responses"] if status >= "400"}
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert found == {
        "post /v1/tag": {"413", "415", "422", "500"},
        "get /v1/taxonomy": {"500"},
        "get /v1/model": {"500"},
        "get /health": {"500"},
        "get /ready": {"500", "503"},
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                assert set(response["content"]) == {PROBLEM if status >= "400" else "application/json"}


def test_callers_at_the_same_time_get_their_own_answers(client: httpx.Client) -> None:
    words = {"panne": ["friction"], "merci": ["praise"], "annulla": ["churn"], "rien": []}

    def call(number: int) -> bool:
        word = list(words)[number % len(words)]
        results = tag(client, *[f"{word} {number} {i}" for i in range(5)])
        return all(names(result["tags"]["intent"]) == words[word] for result in results)

    with ThreadPoolExecutor(16) as callers:
        assert all(callers.map(call, range(64)))


def test_the_limits_can_be_set(bundle: Path) -> None:
    running = start(bundle, TYMPAN_MAX_MENTIONS="2", TYMPAN_MAX_BYTES="200")
    try:
        with httpx.Client(base_url=running.url) as client:
            assert len(tag(client, "a", "b")) == 2
            mentions = [{"id": str(i), "text": "a"} for i in range(3)]
            assert "2" in problem(client.post("/v1/tag", json={"mentions": mentions}), 413)["detail"]
            assert "200" in problem(post(client, b" " * 201), 413)["detail"]
            assert "2 mentions" in client.get("/openapi.json").json()["info"]["description"]
    finally:
        stop(running)


class SlowTagger(Tagger):
    """A tagger that takes half a second more."""

    def tag(
        self, mentions: Sequence[Mention], *, watchlist: Watchlist | None = None, min_score: float = 0.0
    ) -> list[Tagged | Failed]:
        time.sleep(0.5)
        return super().tag(mentions, watchlist=watchlist, min_score=min_score)


class FailingTagger(Tagger):
    """A tagger that fails."""

    def tag(
        self, mentions: Sequence[Mention], *, watchlist: Watchlist | None = None, min_score: float = 0.0
    ) -> list[Tagged | Failed]:
        raise RuntimeError("secret of the house")


def inside(tagger: Tagger) -> httpx.AsyncClient:
    """A client of an application in this process that has not been started."""
    transport = httpx.ASGITransport(create_app(tagger, Settings.read()), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://inside")


def test_a_fault_of_the_service_is_a_problem_that_tells_nothing(bundle: Path) -> None:
    async def call() -> httpx.Response:
        async with inside(FailingTagger.load(bundle)) as client:
            return await client.post("/v1/tag", json={"mentions": [{"id": "a", "text": "b"}]})

    answer = anyio.run(call)
    problem(answer, 500)
    assert "secret" not in answer.text


def test_the_service_is_not_ready_before_it_has_started(tagger: Tagger) -> None:
    async def call() -> tuple[httpx.Response, httpx.Response]:
        async with inside(tagger) as client:
            return await client.get("/ready"), await client.get("/health")

    ready, health = anyio.run(call)
    problem(ready, 503)
    assert health.status_code == 200


def test_the_service_answers_others_while_it_tags(bundle: Path) -> None:
    done: list[str] = []

    async def call() -> None:
        async with inside(SlowTagger.load(bundle)) as client, anyio.create_task_group() as tasks:

            async def slow() -> None:
                await client.post("/v1/tag", json={"mentions": [{"id": "a", "text": "b"}]})
                done.append("tagged")

            tasks.start_soon(slow)
            await anyio.sleep(0.05)
            assert (await client.get("/health")).status_code == 200
            done.append("healthy")

    anyio.run(call)
    assert done == ["healthy", "tagged"]


def test_what_was_accepted_is_answered_after_the_signal_to_stop(bundle: Path) -> None:
    running = start(bundle, "--threads", "1")
    mentions = [{"id": str(i), "text": f"{i} " + "panne " * 150} for i in range(1000)]

    def call() -> httpx.Response:
        return httpx.post(f"{running.url}/v1/tag", json={"mentions": mentions}, timeout=30)

    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(call)
        time.sleep(0.3)
        assert not answer.done()
        assert stop(running) == 0
        assert len(answer.result().json()["results"]) == 1000


def test_a_server_says_where_it_is_and_ends_in_order_when_told_to(bundle: Path) -> None:
    running: Running = start(bundle)
    assert running.url in running.said
    assert f"{running.url}/docs" in running.said
    assert httpx.get(f"{running.url}/ready").status_code == 200
    assert stop(running) == 0
