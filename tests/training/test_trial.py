"""On which texts a challenger is tried."""

from __future__ import annotations

from model.bundle import Bundle
from tests.training.toys import toy_records
from training.release import Rules
from training.trial import compared


def test_no_text_counts_that_a_model_before_the_champion_had_learnt(trained: Bundle) -> None:
    known, new = toy_records(60, number=5), toy_records(90, number=6)[-20:]
    new = [record for record in new if record.id not in {one.id for one in known}]
    learnt = {record.id for record in (*known[:10], *new[:3])}
    trial = compared(trained, trained, known, [*known, *new], rules=Rules(min_cases=1), learnt=learnt)
    assert trial.fresh
    assert (trial.frozen.records, trial.fresh.records) == (50, len(new) - 3)
