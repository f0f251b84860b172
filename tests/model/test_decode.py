"""From raw outputs to tags."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.decode import Calibration, Decoder, thresholds_of
from tests.bundles import tiny_taxonomy

TAXONOMY = tiny_taxonomy(exclusive=True)
LABELS = TAXONOMY.labels
LOGITS = st.lists(st.floats(-80, 80, width=32), min_size=len(LABELS), max_size=len(LABELS))


def logits(**raised: float) -> np.ndarray:
    """One text whose labels are all at -9 but those given, `group__tag__child=logit`."""
    row = np.full((1, len(LABELS)), -9.0, dtype=np.float32)
    for label, value in raised.items():
        row[0, LABELS.index(label.replace("__", "/"))] = value
    return row


def decoder(**thresholds: float) -> Decoder:
    """Neutral calibration with the thresholds of some labels changed."""
    neutral = Calibration.neutral(TAXONOMY)
    chosen = list(neutral.thresholds)
    for label, threshold in thresholds.items():
        chosen[LABELS.index(label.replace("__", "/"))] = threshold
    return Decoder(TAXONOMY, Calibration(neutral.slopes, neutral.offsets, chosen))


def given_tags(found: Decoder, row: np.ndarray, group: str, min_score: float = 0.0) -> list[str]:
    return [score.tag for score in found.tags(found.probabilities(row), min_score)[0][group]]


@given(LOGITS)
def test_a_parent_is_at_least_as_likely_as_its_children(row: list[float]) -> None:
    probabilities = decoder().probabilities(np.array([row], dtype=np.float32))[0]
    assert np.isfinite(probabilities).all()
    assert (probabilities >= 0).all()
    assert (probabilities <= 1 + 1e-6).all()
    for group in TAXONOMY.groups:
        for tag in group.tags:
            if tag.parent:
                child, parent = (LABELS.index(f"{group.name}/{path}") for path in (tag.path, tag.parent))
                assert probabilities[parent] >= probabilities[child]


@given(LOGITS, st.floats(0, 1))
def test_a_tag_is_never_given_without_its_parents(row: list[float], threshold: float) -> None:
    found = decoder(topic__service=threshold, topic__price=threshold, sentiment__negative=threshold)
    tags = found.tags(found.probabilities(np.array([row], dtype=np.float32)))[0]
    for group in TAXONOMY.groups:
        paths = {score.tag for score in tags[group.name]}
        assert paths == group.close(paths)


@given(LOGITS, st.floats(0, 1))
def test_a_floor_takes_tags_away_and_adds_none(row: list[float], floor: float) -> None:
    found = decoder()
    probabilities = found.probabilities(np.array([row], dtype=np.float32))
    assert not (found.decisions(probabilities, floor) & ~found.decisions(probabilities)).any()


@given(LOGITS)
def test_an_exclusive_group_gives_one_branch_at_most(row: list[float]) -> None:
    group = TAXONOMY.group("sentiment")
    leaves = given_tags(decoder(), np.array([row], dtype=np.float32), "sentiment")
    assert len(leaves) <= 2
    assert group.close(leaves[-1:]) == set(leaves)


def test_each_tag_has_its_own_threshold() -> None:
    row = logits(intent__churn=-1.0, intent__praise=-1.0)  # probability 0.27
    assert given_tags(decoder(intent__churn=0.2), row, "intent") == ["churn"]
    assert given_tags(decoder(), row, "intent") == []


def test_a_threshold_is_reached_by_being_equal_to_it() -> None:
    assert given_tags(decoder(intent__churn=0.5), logits(intent__churn=0.0), "intent") == ["churn"]


def test_a_child_brings_its_parent_even_when_the_parent_has_a_higher_threshold() -> None:
    row = logits(topic__service__outage=1.0)
    assert given_tags(decoder(topic__service=0.99), row, "topic") == ["service", "service/outage"]


def test_the_floor_is_added_to_the_thresholds() -> None:
    row = logits(intent__churn=4.0, intent__praise=1.0)
    assert given_tags(decoder(), row, "intent") == ["churn", "praise"]
    assert given_tags(decoder(), row, "intent", min_score=0.9) == ["churn"]
    assert given_tags(decoder(intent__churn=0.99), row, "intent", min_score=0.1) == ["praise"]


def test_tags_come_likeliest_first_and_a_parent_before_its_children() -> None:
    row = logits(topic__price__level=3.0, topic__service__outage=5.0)
    assert given_tags(decoder(), row, "topic") == ["service", "service/outage", "price", "price/level"]


def test_an_exclusive_group_gives_its_likeliest_branch() -> None:
    row = logits(sentiment__negative__angry=2.0, sentiment__positive=1.0)
    assert given_tags(decoder(), row, "sentiment") == ["negative", "negative/angry"]


def test_an_exclusive_group_gives_a_parent_alone_when_none_of_its_children_is_likelier() -> None:
    row = logits(sentiment__negative=4.0, sentiment__positive=1.0, sentiment__negative__angry=0.0)
    assert given_tags(decoder(), row, "sentiment") == ["negative"]


def test_in_an_exclusive_group_a_parent_holds_the_sum_of_its_children() -> None:
    row = logits(sentiment__negative__angry=2.0, sentiment__negative__sad=2.0)
    scores = {s.tag: s.score for s in decoder().tags(decoder().probabilities(row))[0]["sentiment"]}
    assert scores["negative"] == pytest.approx(1.0, abs=1e-3)
    assert scores["negative/angry"] == pytest.approx(0.5, abs=1e-3)


def test_an_exclusive_group_gives_nothing_below_its_threshold() -> None:
    row = logits(sentiment__positive=0.0, sentiment__neutral=0.0)
    assert given_tags(decoder(sentiment__positive=0.6, sentiment__neutral=0.6), row, "sentiment") == []


def test_slopes_and_offsets_are_applied_before_the_link() -> None:
    neutral = Calibration.neutral(TAXONOMY)
    count = len(LABELS)
    found = Decoder(TAXONOMY, Calibration([2.0] * count, [1.0] * count, neutral.thresholds))
    probability = found.probabilities(logits(intent__churn=1.0))[0, LABELS.index("intent/churn")]
    assert probability == pytest.approx(1 / (1 + np.exp(-3.0)), abs=1e-6)


def test_texts_of_a_batch_are_decoded_each_on_its_own() -> None:
    rows = np.concatenate([logits(intent__churn=3.0), logits(intent__help=3.0), logits()])
    tags = decoder().tags(decoder().probabilities(rows))
    assert [[score.tag for score in text["intent"]] for text in tags] == [["churn"], ["help"], []]


def test_thresholds_are_listed_by_label() -> None:
    assert thresholds_of(TAXONOMY, Calibration.neutral(TAXONOMY))["intent/churn"] == 0.5
    assert thresholds_of(TAXONOMY, Calibration.neutral(TAXONOMY))["sentiment/positive"] == 0.0


def test_a_score_is_written_rounded() -> None:
    scores = decoder().tags(decoder().probabilities(logits(intent__churn=1.0)))[0]["intent"]
    assert scores[0].to_dict() == {"tag": "churn", "score": 0.7311}
