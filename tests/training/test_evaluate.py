"""Figures against figures worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labels.record import Record
from model.tagger import Tagger
from model.taxonomy import Taxonomy
from tests.training.toys import TOY
from training.evaluate import calibration_error, chance_error, evaluate, figures, summary

LABELS = TOY.labels


def record(name: str, lang: str = "fr", unsure: dict[str, tuple[str, ...]] | None = None, **tags: Any) -> Record:
    return Record(
        id=name, text=name, lang=lang, tags={key: tuple(paths) for key, paths in tags.items()}, unsure=unsure or {}
    )


def report(records: list[Record], given: list[set[str]], probabilities: np.ndarray | None = None) -> dict[str, Any]:
    """Figures of `records` that were given the labels `given`."""
    flags = np.array([[label in labels for label in LABELS] for labels in given])
    return figures(records, flags.astype(np.float32) if probabilities is None else probabilities, flags, TOY)


INTENTS = [
    record("a", "fr", intent=["churn"]),
    record("b", "fr", intent=["churn"]),
    record("c", "it", intent=["churn", "praise"]),
    record("d", "it", intent=[]),
    record("e", "it", intent=[]),
]
GIVEN = [{"intent/churn"}, set(), {"intent/churn"}, {"intent/churn"}, set()]
# churn: 2 right, 1 too many, 1 missed: precision 2/3, recall 2/3. praise: none of one found.


def test_precision_recall_f1_and_support_of_a_tag() -> None:
    tags = report(INTENTS, GIVEN)["groups"]["intent"]["tags"]
    assert tags["churn"] == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3})
    assert tags["praise"] == {"precision": 0, "recall": 0, "f1": 0, "support": 1}


def test_macro_f1_is_the_mean_over_tags_and_micro_f1_is_over_all_cells() -> None:
    intent = report(INTENTS, GIVEN)["groups"]["intent"]
    assert intent["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert intent["micro_f1"] == pytest.approx(2 * 2 / (3 + 4))  # 3 given, 4 wanted


def test_macro_f1_counts_only_tags_with_a_case() -> None:
    intent = report(INTENTS[:2], GIVEN[:2])["groups"]["intent"]
    assert intent["macro_f1"] == pytest.approx(2 / 3)  # of churn alone: 1 of 2 found, none too many


def test_a_single_column_is_measured_on_its_cases_and_not_on_their_absence() -> None:
    wanted, given = (np.array([[flag] for flag in flags]) for flags in ([1, 0, 0, 0], [1, 1, 0, 0]))
    found = summary(wanted > 0, given > 0, np.ones((4, 1), dtype=bool))
    assert found == pytest.approx({"macro_f1": 2 / 3, "micro_f1": 2 / 3})


def test_false_alarms_are_the_share_of_records_without_a_tag_that_get_one() -> None:
    groups = report(INTENTS, GIVEN)["groups"]
    assert groups["intent"]["false_alarm_rate"] == pytest.approx(1 / 2)
    assert groups["topic"]["false_alarm_rate"] == 0  # nobody labelled it


def test_languages_have_figures_of_their_own() -> None:
    languages = report(INTENTS, GIVEN)["groups"]["intent"]["languages"]
    assert list(languages) == ["fr", "it"]
    assert languages["fr"] == pytest.approx({"n": 2, "macro_f1": 2 / 3, "micro_f1": 2 / 3})
    assert languages["it"] == pytest.approx({"n": 3, "macro_f1": (2 / 3 + 0) / 2, "micro_f1": 2 / 4})


def test_unlabelled_groups_count_in_nothing() -> None:
    more = report([*INTENTS, record("f", "en", topic=["network"])], [*GIVEN, {"intent/praise", "topic/network"}])
    assert more["n"] == 6
    assert more["groups"]["intent"] == report(INTENTS, GIVEN)["groups"]["intent"]
    assert more["groups"]["topic"]["n"] == 1


@pytest.mark.parametrize("labels", [set(), {"intent/praise"}])
def test_unsure_cells_count_in_nothing_whatever_was_given(labels: set[str]) -> None:
    records = [*INTENTS, record("f", "it", {"intent": ("praise",)}, intent=["churn"])]
    found = report(records, [*GIVEN, {"intent/churn", *labels}])["groups"]["intent"]
    assert found["tags"]["churn"]["support"] == 4
    assert found["tags"]["praise"]["support"] == 1
    assert found["micro_f1"] == pytest.approx(2 * 3 / (4 + 5))


def test_an_unsure_tag_is_no_false_alarm() -> None:
    records = [record("a", unsure={"intent": ("praise",)}, intent=[]), record("b", intent=[])]
    assert report(records, [{"intent/praise"}, set()])["groups"]["intent"]["false_alarm_rate"] == 0


def test_a_nested_group_has_figures_of_leaves_and_of_parents() -> None:
    records = [record("a", topic=["price/level"]), record("b", topic=["price/fees"]), record("c", topic=["network"])]
    given = [{"topic/price", "topic/price/level"}, {"topic/price", "topic/price/level"}, set()]
    topic = report(records, given)["groups"]["topic"]
    assert topic["parent"] == pytest.approx({"macro_f1": 1.0, "micro_f1": 1.0})
    # level: 1 right, 1 too many (F1 2/3); fees and network: missed
    assert topic["leaf"] == pytest.approx({"macro_f1": (2 / 3) / 3, "micro_f1": 2 * 1 / (2 + 3)})


def test_an_exclusive_group_has_parents_that_are_right_when_their_child_is() -> None:
    taxonomy = Taxonomy.parse("""
name = "moods"
version = "1"
[groups.mood]
kind = "exclusive"
[groups.mood.tags.good]
[groups.mood.tags.bad]
[groups.mood.tags."bad/angry"]
[groups.mood.tags."bad/sad"]
""")
    records = [record("a", mood=["bad/angry"]), record("b", mood=["bad/sad"]), record("c", mood=["good"])]
    given = np.array([[0, 1, 1, 0], [0, 1, 1, 0], [1, 0, 0, 0]], dtype=bool)
    mood = figures(records, given.astype(np.float32), given, taxonomy)["groups"]["mood"]
    assert mood["parent"]["micro_f1"] == 1
    assert mood["tags"]["bad"]["support"] == 2
    assert mood["leaf"]["micro_f1"] == pytest.approx(2 / 3)


def test_the_calibration_error_is_the_mean_distance_of_stated_and_observed() -> None:
    probabilities = np.array([0.9, 0.9, 0.9, 0.9, 0.02, 0.02, 1.0, 0.0])
    wanted = np.array([1, 1, 0, 0, 0, 0, 1, 0], dtype=bool)
    # bins of 1/15: 0.9 four times, half true; 0.02, 0.02 and 0.0, none true; 1.0 once, true
    expected = (4 * 0.4 + 3 * (0.04 / 3) + 1 * 0.0) / 8
    assert calibration_error(probabilities, wanted) == pytest.approx(expected)


def test_of_few_cells_chance_alone_comes_to_a_large_error_and_of_many_to_a_small_one() -> None:
    chance = np.random.default_rng(7)
    few, many = chance.beta(0.5, 1, 36), chance.beta(0.5, 1, 5_000)
    assert chance_error(few) > 0.1 > 0.03 > chance_error(many)
    errors = [calibration_error(few, chance.random(36) < few) for _ in range(200)]
    assert 0.85 < np.mean([error <= chance_error(few) for error in errors]) < 1


def test_the_calibration_error_of_a_group_pools_its_known_cells() -> None:
    records = [record("a", intent=["churn"]), record("b", unsure={"intent": ("churn",)}, intent=[])]
    probabilities = np.zeros((2, len(LABELS)), dtype=np.float32)
    probabilities[:, 0] = 0.7
    intent = report(records, [set(), set()], probabilities)["groups"]["intent"]
    assert intent["ece"] == pytest.approx(0.3 / 3)  # 0.7 and true once, 0 and false twice


def test_the_report_has_the_shape_that_is_promised() -> None:
    found = report(INTENTS, GIVEN)
    assert found.keys() == {"n", "groups"}
    assert list(found["groups"]) == ["intent", "topic", "mood"]
    keys = {"n", "macro_f1", "micro_f1", "ece", "ece_by_chance", "false_alarm_rate", "tags", "languages"}
    assert found["groups"]["intent"].keys() == keys
    assert found["groups"]["topic"].keys() == keys | {"leaf", "parent"}
    assert found["groups"]["topic"]["leaf"].keys() == {"macro_f1", "micro_f1"}
    assert list(found["groups"]["topic"]["tags"]) == ["price", "price/level", "price/fees", "network"]


def test_a_bundle_is_measured_as_it_would_serve(bundle: Path) -> None:
    tagger = Tagger.load(bundle, threads=1)
    records = [
        Record(id="1", text="merci", lang="fr", tags={"intent": ("praise",)}),
        Record(id="2", text="grazie", lang="it", tags={"intent": ("praise",)}),
        Record(id="3", text="panne", lang="fr", tags={"intent": (), "topic": ("service/outage",)}),
        Record(id="4", text="Acme broken", lang="en", target="Rival", tags={"intent": ("friction",)}),
    ]
    intent = evaluate(tagger, records)["groups"]["intent"]
    assert intent["tags"]["praise"] == {"precision": 1, "recall": 1, "f1": 1, "support": 2}
    assert intent["tags"]["friction"] == pytest.approx({"precision": 0.5, "recall": 1, "f1": 2 / 3, "support": 1})
    assert intent["false_alarm_rate"] == 1
    assert evaluate(tagger, records)["groups"]["topic"]["leaf"]["micro_f1"] == 1
