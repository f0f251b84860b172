"""The service's answers, over HTTP."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from model.bundle import Bundle
from model.mention import MAX_CHARACTERS
from serving import examples
from serving.schemas import TagAnswer
from tests.serving.calls import names, tag

WATCHLIST = [{"name": "Free", "role": "brand", "aliases": ["freebox"]}, {"name": "Orange", "role": "competitor"}]
WITHOUT_RULES = {"priority": None, "priority_reason": None, "owner": None}


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
                **WITHOUT_RULES,
            },
            {
                "id": "b",
                "lang": answer.json()["results"][1]["lang"],
                "tags": {"intent": [], "topic": []},
                "targets": [],
                **WITHOUT_RULES,
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


def test_no_mentions_give_no_results(client: httpx.Client) -> None:
    assert tag(client) == []


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


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_pages_of_the_documentation_need_nothing_from_elsewhere(client: httpx.Client, page: str) -> None:
    parts = re.findall(r'(?:src|href)="([^"]+)"', client.get(page).text)
    assert any(part.endswith(".js") for part in parts)
    for part in parts:
        assert part.startswith("/")
        assert client.get(part).status_code == 200, part


@pytest.mark.parametrize("language", examples.REQUESTS)
def test_every_request_of_the_documentation_works(client: httpx.Client, language: str) -> None:
    asked = examples.REQUESTS[language]["value"]
    results = client.post("/v1/tag", json=asked).json()["results"]
    assert [result["id"] for result in results] == [mention["id"] for mention in asked["mentions"]]


@pytest.mark.parametrize("language", examples.ANSWERS)
def test_every_answer_of_the_documentation_has_the_shape_of_an_answer(language: str) -> None:
    shown = examples.ANSWERS[language]["value"]
    assert TagAnswer.model_validate(shown).model_dump(mode="json") == shown


def test_callers_at_the_same_time_get_their_own_answers(client: httpx.Client) -> None:
    words = {"panne": ["friction"], "merci": ["praise"], "annulla": ["churn"], "rien": []}

    def call(number: int) -> bool:
        word = list(words)[number % len(words)]
        results = tag(client, *[f"{word} {number} {i}" for i in range(5)])
        return all(names(result["tags"]["intent"]) == words[word] for result in results)

    with ThreadPoolExecutor(16) as callers:
        assert all(callers.map(call, range(64)))
