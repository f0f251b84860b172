"""The whole line at once: the starter corpus, one epoch, export, gates, bundle, a server, tags over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from labels.dataset import split
from labels.record import read
from model.bundle import Bundle
from model.taxonomy import DEFAULT, Taxonomy
from tests.encoders import tiny_encoder
from tests.serving.conftest import start, stop
from training.fit import Settings
from training.pipeline import train
from training.plan import Plan

ROOT = Path(__file__).parents[1]
LISTENING = Taxonomy.load(DEFAULT)


@pytest.fixture(scope="module")
def corpus_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Trained for one epoch on every third record of the starter corpus, and past the gates."""
    folder = tmp_path_factory.mktemp("line")
    records = read(ROOT / "labels" / "corpora", LISTENING)[::3]
    source = tiny_encoder(folder / "encoder", [record.text for record in records])
    settings = Settings(epochs=1, batch_size=16, learning_rate=5e-3, head_rate=2e-2, train_embeddings=True)
    return train(split(records), folder / "bundle", Plan(taxonomy=LISTENING, settings=settings, encoder=str(source)))


@pytest.fixture(scope="module")
def served(corpus_bundle: Bundle) -> Iterator[httpx.Client]:
    running = start(corpus_bundle.path, "--threads", "1")
    with httpx.Client(base_url=running.url, timeout=60) as client:
        yield client
    assert stop(running) == 0


def test_from_the_starter_corpus_to_tags_over_http(corpus_bundle: Bundle, served: httpx.Client) -> None:
    asked = {
        "mentions": [
            {"id": "fr", "text": "Je quitte Quorva pour Norbeam, trois pannes en une semaine"},
            {"id": "it", "text": "Come faccio a disdire? Il sito non va", "lang": "it"},
            {"id": "en", "text": "Norbeam have been brilliant today, thank you!"},
            {"id": "none", "text": ""},
        ],
        "watchlist": [{"name": "Quorva", "role": "brand"}, {"name": "Norbeam", "role": "competitor"}],
    }
    answer = served.post("/v1/tag", json=asked)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["model"], body["taxonomy"]) == (corpus_bundle.version, "listening@1.0")
    french, italian, english, empty = body["results"]
    assert [result["id"] for result in body["results"]] == ["fr", "it", "en", "none"]
    assert "error" in empty
    assert (french["lang"], italian["lang"], english["lang"]) == ("fr", "it", "en")
    assert [target["name"] for target in french["targets"]] == ["Quorva", "Norbeam"]
    for tags in (french["tags"], italian["tags"], *(target["tags"] for target in french["targets"])):
        assert list(tags) == ["intent", "topic"]
        for group, given in tags.items():
            paths = {entry["tag"] for entry in given}
            assert paths <= set(LISTENING.group(group).paths)
            assert paths == LISTENING.group(group).close(paths)
            assert all(0 < entry["score"] <= 1 for entry in given)


def test_the_model_that_is_served_says_what_it_was_made_of(corpus_bundle: Bundle, served: httpx.Client) -> None:
    assert served.get("/ready").status_code == 200
    assert corpus_bundle.version in served.get("/v1/model").text
    assert corpus_bundle.metrics["parity"]["flipped"] <= 0.005
    assert sum(corpus_bundle.provenance["records"].values()) > 1000
