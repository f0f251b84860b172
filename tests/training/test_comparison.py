"""Two models on the same texts: what of their difference is more than chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.bundle import Bundle
from model.tagger import Tagger
from tests.bundles import keyword_bundle
from tests.training.toys import TOY, toy_records
from training.comparison import EVERY, Comparison, Difference, compare
from training.evaluate import evaluate

RECORDS = toy_records(400, number=5)


class Forgetful(Tagger):
    """A tagger that misses a tag in texts in which a condition holds."""

    label: str
    misses: Callable[[str], bool]

    def probabilities(self, prepared: Sequence[str]):  # type: ignore[no-untyped-def]
        found = super().probabilities(prepared)
        rows = [position for position, text in enumerate(prepared) if self.misses(text)]
        found[rows, self.taxonomy.labels.index(self.label)] = 0.0
        return found


@pytest.fixture(scope="module")
def tagger(trained: Bundle) -> Tagger:
    return Tagger.load(trained.path, threads=1)


def forgetful(trained: Bundle, label: str, misses: Callable[[str], bool]) -> Tagger:
    found = Forgetful.load(trained.path, threads=1)
    assert isinstance(found, Forgetful)
    found.label, found.misses = label, misses
    return found


def of(comparison: Comparison, tag: str, lang: str) -> Difference:
    (found,) = [one for one in comparison.tags if f"{one.group}/{one.tag}" == tag and one.lang == lang]
    return found


def test_a_model_differs_in_nothing_from_itself(tagger: Tagger) -> None:
    found = compare(RECORDS, tagger, tagger)
    assert all(one.change == 0 and one.low == 0 and one.high == 0 for one in (*found.groups, *found.tags))


def test_the_figures_are_those_of_the_evaluation(tagger: Tagger) -> None:
    figures, found = evaluate(tagger, RECORDS)["groups"], compare(RECORDS, tagger, tagger, min_cases=1)
    for one in found.groups:
        wanted = figures[one.group] if one.lang == EVERY else figures[one.group]["languages"][one.lang]
        assert one.before == pytest.approx(wanted["macro_f1"])
    for one in found.tags:
        if one.lang == EVERY:
            assert one.before == pytest.approx(figures[one.group]["tags"][one.tag]["f1"])
            assert one.cases == figures[one.group]["tags"][one.tag]["support"]


def test_a_tag_that_is_forgotten_in_one_language_is_told_there(tagger: Tagger, trained: Bundle) -> None:
    worse = forgetful(trained, "intent/churn", lambda text: "disdico" in text)
    found = compare(RECORDS, tagger, worse)
    assert of(found, "intent/churn", "it").worse and of(found, "intent/churn", EVERY).worse
    assert [one for one in found.tags if one.worse and (one.tag != "churn" or one.lang not in ("it", EVERY))] == []
    assert of(compare(RECORDS, worse, tagger), "intent/churn", "it").better


def test_a_slip_in_one_text_is_no_more_than_chance(tagger: Tagger, trained: Bundle) -> None:
    text = next(record.prepared() for record in RECORDS if record.tags["intent"] == ("churn",))
    found = compare(RECORDS, tagger, forgetful(trained, "intent/churn", lambda one: one == text))
    assert of(found, "intent/churn", EVERY).change < 0
    assert not any(one.worse for one in (*found.groups, *found.tags))


def test_a_tag_of_few_cases_is_not_compared_by_itself(tagger: Tagger) -> None:
    found = compare(RECORDS, tagger, tagger, min_cases=45)
    assert all(one.cases >= 45 for one in found.tags)
    assert {one.lang for one in found.groups} == {"en", "fr", "it", EVERY}


def test_records_of_one_text_are_one_case_of_chance(tagger: Tagger, trained: Bundle) -> None:
    """Copies of a text bring no certainty: with each text ten times the intervals are as wide as with it once."""
    some = RECORDS[:90]
    copies = [replace(record, id=f"{record.id}-{copy}") for record in some for copy in range(10)]
    half = forgetful(trained, "intent/praise", lambda text: len(text) % 2 == 0)
    once, often = (of(compare(found, tagger, half, min_cases=5), "intent/praise", EVERY) for found in (some, copies))
    assert often.cases == 10 * once.cases
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.1)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """On simulated decisions of two models of which neither is better, 95 % intervals miss 0 in about 5 %."""
    from training.comparison import _drawn, _Part  # noqa: PLC0415 — the statistics alone, without networks

    chance, missed, runs = np.random.default_rng(1), 0, 100
    for _ in range(runs):
        wanted = chance.random((300, 1)) < 0.3
        given = [wanted ^ (chance.random((300, 1)) < 0.15) for _ in range(2)]
        part = _Part(EVERY, ["intent/churn"], wanted, given, np.ones_like(wanted), np.arange(300))
        (draws,) = _drawn([part], np.random.default_rng(2), draws=4_000)
        ((one,), _) = part.differences(draws, ["intent"], 1)
        found = one.difference(0.025, EVERY)
        missed += not found.low <= 0 <= found.high
    assert 0.01 <= missed / runs <= 0.1


def test_tags_that_only_one_of_them_knows_are_left_out(tagger: Tagger, tmp_path: Path) -> None:
    other = Tagger.load(keyword_bundle(tmp_path / "other"))
    assert {"intent/churn", "intent/praise", "topic/price", "topic/price/level"} == {*other.taxonomy.labels} & {
        *TOY.labels
    }
    found = compare(RECORDS, other, tagger, min_cases=1)
    assert {f"{one.group}/{one.tag}" for one in found.tags} == {*other.taxonomy.labels} & {*TOY.labels}
