"""A tool that speaks to text-embeddings-inference gets its labels from this service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from model.mention import MAX_CHARACTERS
from model.tagger import Tagger
from tests.bundles import keyword_bundle
from tests.serving.calls import problem
from tests.serving.slow import failing_on
from tests.serving.test_server import inside

PANNE = [
    {"score": 0.982, "label": "intent/friction"},
    {"score": 0.982, "label": "topic/service"},
    {"score": 0.982, "label": "topic/service/outage"},
]


def predict(client: httpx.Client, inputs: Any, **more: Any) -> httpx.Response:
    return client.post("/predict", json={"inputs": inputs, **more})


def labels(predictions: list[dict[str, Any]]) -> list[str]:
    return [prediction["label"] for prediction in predictions]


def test_the_model_that_answered_is_named_by_a_header(client: httpx.Client) -> None:
    assert predict(client, "une panne").headers["X-Model"] == client.get("/v1/model").json()["model"]
    assert "X-Model" not in client.get("/health").headers


def test_one_text_gets_its_labels_and_a_batch_a_list_for_each(client: httpx.Client) -> None:
    assert predict(client, "une panne").json() == PANNE
    assert predict(client, ["une panne"]).json() == [PANNE]
    assert predict(client, [["une panne"]]).json() == [PANNE]
    both = predict(client, ["une panne", "merci"]).json()
    assert predict(client, [["une panne"], ["merci"]]).json() == both
    assert [labels(found) for found in both] == [labels(PANNE), ["intent/praise"]]


def test_the_likeliest_label_comes_first_across_groups(tmp_path: Path) -> None:
    words = {"intent/help": ["aide"], "topic/price/level": ["aide", "cher"]}

    async def call() -> httpx.Response:
        async with inside(Tagger.load(keyword_bundle(tmp_path / "tiny", words=words))) as client:
            return await client.post("/predict", json={"inputs": "aide cher"})

    found = anyio.run(call).json()
    assert labels(found) == ["topic/price", "topic/price/level", "intent/help"]
    assert found[0]["score"] > found[2]["score"]


def test_a_text_without_labels_or_words_gets_an_empty_list(client: httpx.Client) -> None:
    assert predict(client, "rien").json() == []
    assert predict(client, ["rien", "", " \n", "merci"]).json()[:3] == [[], [], []]
    assert predict(client, []).json() == []


def test_a_long_text_is_read_to_its_end_whatever_truncate_says(client: httpx.Client) -> None:
    for truncate in (False, True):
        answer = predict(client, "rien " * 300 + "panne", truncate=truncate, truncation_direction="Right")
        assert "intent/friction" in labels(answer.json())


@pytest.mark.parametrize("inputs", [None, 1, {}, [["a", "b"]], [[]], [1], [["a"], "b"], "x" * (MAX_CHARACTERS + 1)])
def test_inputs_of_another_shape_are_refused(client: httpx.Client, inputs: Any) -> None:
    assert problem(predict(client, inputs), 422)["errors"][0]["pointer"].startswith("#/inputs")


def test_raw_scores_are_refused_by_name(client: httpx.Client) -> None:
    assert problem(predict(client, "a", raw_scores=True), 422)["errors"][0]["pointer"] == "#/raw_scores"


def test_the_limits_are_those_of_mentions(client: httpx.Client) -> None:
    assert len(predict(client, ["a"] * 1000).json()) == 1000
    assert "1,000" in problem(predict(client, ["a"] * 1001), 413)["detail"]
    late = {"inputs": [f"late {n} " + "panne merci " * 100 for n in range(300)]}
    problem(client.post("/predict", json=late, headers={"X-Request-Timeout-Ms": "1"}), 504)
    problem(client.post("/predict", content=b"{}", headers={"content-type": "text/plain"}), 415)


def test_a_text_that_the_model_fails_on_is_named_by_its_place(bundle: Path) -> None:
    async def call(*texts: str) -> httpx.Response:
        async with inside(failing_on(bundle, tokens=7)) as client:
            return await client.post("/predict", json={"inputs": texts})

    answer = anyio.run(call, "merci", "merci " * 5)
    assert "inputs/1: could not be computed" in problem(answer, 422)["detail"]
    assert labels(anyio.run(call, "merci").json()[0]) == ["intent/praise"]
