"""A challenger on trial: what it does better or worse than the champion, and whether the rules hold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from labels.record import Record
from model.bundle import Bundle
from model.tagger import Tagger
from training import latency
from training.comparison import Comparison, compare
from training.drift import Drift, drifted
from training.errors import TrainingError
from training.evaluate import evaluate
from training.impact import Shift, shifts
from training.release import Rules, Verdict, judge
from training.withdrawal import Withdrawal


@dataclass(frozen=True)
class Trial:
    """A challenger against the champion: on what neither has learnt from, on new labels, and on recent mentions."""

    champion: Bundle
    challenger: Bundle
    new: int
    frozen: Comparison
    fresh: Comparison | None
    """On new records of the test side; None if there are none."""
    latency: float
    verdict: Verdict
    shifts: Sequence[Shift]
    drifts: Sequence[Drift]
    """Of recent mentions, as the champion sees them, from its test texts."""
    recent: int


def compared(
    champion: Bundle,
    challenger: Bundle,
    known: Sequence[Record],
    tested: Sequence[Record],
    *,
    rules: Rules,
    learnt: Collection[str] = (),
    recent: Sequence[Record] = (),
    new: int = 0,
    withdrawn: Sequence[Withdrawal] = (),
) -> Trial:
    """Compare two models on the test side of the champion's own training, `known`, and on what is new there.

    `tested` is the test side of today, whose labels hold: of both what was known and what is new. `learnt` are ids of
    what the champion or one before it learnt from; what of it a near copy has since drawn to the test side is left out.
    `recent` are mentions without labels, `new` is how many records the champion has not learnt from, and `withdrawn`
    what today's labels deny of those that were known. TrainingError if nothing is left to compare on.
    """
    before, after = (Tagger.load(bundle.path) for bundle in (champion, challenger))
    ids = {record.id for record in known}
    unseen = [record for record in tested if record.id not in learnt]
    frozen = [record for record in unseen if record.id in ids]
    if not frozen:
        problem = "are none that no champion has learnt from"
        raise TrainingError("test texts", problem, "Add new labels, of which some go to the test side")
    fresh = [record for record in unseen if record.id not in ids]
    on_frozen = compare(frozen, before, after, min_cases=rules.min_cases, confidence=rules.confidence)
    figures = evaluate(after, frozen)
    slower = latency.ratio(before, after, [record.prepared() for record in frozen])
    return Trial(
        champion=champion,
        challenger=challenger,
        new=new,
        frozen=on_frozen,
        fresh=compare(fresh, before, after, min_cases=1, confidence=rules.confidence) if fresh else None,
        latency=slower,
        verdict=judge(on_frozen, figures, slower, rules, withdrawn),
        shifts=shifts(recent, before, after) if recent else (),
        drifts=drifted(before, frozen, recent),
        recent=len(recent),
    )
