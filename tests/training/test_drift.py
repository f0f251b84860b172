"""Whether mentions still look like those that the model was tested on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.bundle import Bundle
from model.tagger import Tagger
from tests.training.toys import toy_records
from training.drift import Drift, drifted, drifts, profile

TESTED = toy_records(300, number=50)


@pytest.fixture(scope="module")
def tagger(trained: Bundle) -> Tagger:
    return Tagger.load(trained.path, threads=1)


def large(found: list[Drift]) -> set[str]:
    return {drift.what for drift in found if drift.large}


def test_more_of_the_same_is_no_drift(tagger: Tagger) -> None:
    assert large(drifted(tagger, TESTED, toy_records(300, number=51))) == set()


def test_mentions_in_another_mix_of_languages_are_told(tagger: Tagger) -> None:
    italian = [record for record in toy_records(600, number=52) if record.lang == "it"]
    found = drifted(tagger, TESTED, italian)
    languages = next(drift for drift in found if drift.what == "languages")
    assert languages.large and (languages.most, languages.now) == ("it", 1.0)
    assert languages.before == pytest.approx(1 / 3, abs=0.01)


def test_tags_that_became_frequent_are_told_and_which(tagger: Tagger) -> None:
    leaving = [record for record in toy_records(900, number=53) if "churn" in record.tags["intent"]]
    found = {drift.what: drift for drift in drifted(tagger, TESTED, leaving)}
    assert found["tags of intent"].large and found["tags of intent"].most in ("churn", "none")
    assert not found["tags of mood"].large


def test_words_that_the_vocabulary_does_not_have_are_told(tagger: Tagger) -> None:
    foreign = [replace(record, text=f"{record.text} 漢字 漢字 漢字 漢字") for record in toy_records(200, number=54)]
    assert "tokens" in large(drifted(tagger, TESTED, foreign))


def test_another_kind_of_text_is_told_and_more_of_the_same_is_none(tagger: Tagger) -> None:
    """Kinds are cells of the network's vectors: texts of one tag lie in few of them."""
    leaving = [record for record in toy_records(900, number=53) if "churn" in record.tags["intent"]]
    assert "kinds of text" in large(drifted(tagger, TESTED, leaving))
    assert "kinds of text" not in large(drifted(tagger, TESTED, toy_records(300, number=57)))


def test_of_few_mentions_nothing_is_said(tagger: Tagger) -> None:
    assert drifted(tagger, TESTED, toy_records(99, number=55)) == []


def test_a_distance_that_chance_explains_is_not_large(tagger: Tagger) -> None:
    """Of ten mentions in thirty the mix of tags is far from that of the tests, and says nothing."""
    few = drifts(profile(tagger, TESTED), profile(tagger, toy_records(12, number=56)))
    assert any(drift.distance > 0.1 for drift in few)
    assert large(few) == set()
