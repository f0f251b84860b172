"""What new labels take back of what was learnt."""

from __future__ import annotations

from dataclasses import replace

from labels.record import Record
from tests.training.test_release import comparison, figures
from training.release import Rules, judge
from training.withdrawal import Withdrawal, withdrawals

KNOWN = [
    Record(
        id=f"{lang}-{number}", text=f"text {number}", lang=lang, tags={"intent": ("churn",), "topic": ("price/level",)}
    )
    for lang in ("fr", "it")
    for number in range(20)
]


def relabelled(count: int, lang: str, **changed: object) -> list[Record]:
    ids = {f"{lang}-{number}" for number in range(count)}
    return [replace(record, **changed) if record.id in ids else record for record in KNOWN]  # type: ignore[arg-type]


def test_a_tag_that_is_denied_is_counted_in_its_language_with_the_parent_that_falls_with_it() -> None:
    after = relabelled(4, "fr", tags={"intent": ("churn",), "topic": ()})
    assert withdrawals(KNOWN, after) == [
        Withdrawal("topic", "price", "fr", 20, 4),
        Withdrawal("topic", "price/level", "fr", 20, 4),
    ]


def test_a_parent_that_another_child_implies_is_not_denied() -> None:
    after = relabelled(5, "it", tags={"intent": ("praise",), "topic": ("price/promotion",)})
    assert withdrawals(KNOWN, after) == [
        Withdrawal("intent", "churn", "it", 20, 5),
        Withdrawal("topic", "price/level", "it", 20, 5),
    ]


def test_what_is_unsure_unlabelled_or_gone_is_not_denied() -> None:
    unsure = relabelled(
        20, "fr", tags={"intent": (), "topic": ()}, unsure={"intent": ("churn",), "topic": ("price/level",)}
    )
    assert withdrawals(KNOWN, unsure) == []
    assert withdrawals(KNOWN, relabelled(20, "fr", tags={})) == []
    assert withdrawals(KNOWN, KNOWN[:3]) == []


def test_a_quarter_denied_passes_and_more_does_not() -> None:
    for denied, passed in ((5, True), (6, False)):
        found = withdrawals(KNOWN, relabelled(denied, "it", tags={"intent": (), "topic": ("price/level",)}))
        verdict = judge(comparison(), figures(), 1.0, Rules(), found)
        assert verdict.passed is passed
    assert verdict.reasons == ["withdrawn labels, intent/churn in it, 20 known cases: new labels deny 6 (at most 25 %)"]


def test_few_cases_and_what_does_not_matter_stop_nothing() -> None:
    every = withdrawals(KNOWN, relabelled(20, "it", tags={"intent": (), "topic": ()}))
    assert judge(comparison(), figures(), 1.0, Rules(min_cases=21), every).passed
    assert judge(comparison(), figures(), 1.0, Rules(languages=("fr",)), every).passed
    assert not judge(comparison(), figures(), 1.0, Rules(languages=("it",)), every).passed
