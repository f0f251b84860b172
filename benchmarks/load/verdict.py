"""What `benchmarks.load` makes of its readings: the table, and whether what is required holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.load.bare import WAYS
from benchmarks.load.callers import Reading
from benchmarks.load.entrant import TYMPAN, Entrant
from benchmarks.load.heat import Outcome
from benchmarks.report import Table

PIPELINE_RATIO = 2.0
"""How many times the throughput of the pipeline is required."""
BARE_SHARE = 0.9
"""The share of the bare loop's throughput that is required."""
_COLUMNS = ("server", "callers", "mentions a call", "calls", "mentions/s", "p50 ms", "p99 ms", "Tympan / it")


@dataclass(frozen=True)
class Figures:
    """Of one entrant with one number of callers: the medians of its rounds, and all its calls."""

    rate: float
    p50: float
    p99: float
    calls: int

    @classmethod
    def of(cls, readings: Sequence[Reading]) -> Figures:
        rate, p50, p99 = (
            float(np.median([getattr(reading, name) for reading in readings])) for name in ("rate", "p50", "p99")
        )
        return cls(rate, p50, p99, sum(reading.calls for reading in readings))


def figures(outcome: Outcome, callers: int) -> dict[Entrant, Figures]:
    """Entrant → its figures, in the order in which they take part."""
    return {result.entrant: Figures.of(result.readings[callers]) for result in outcome.results}


def bare_rate(outcome: Outcome, callers: int) -> float:
    """Texts a second of the bare loop, in the faster of its ways."""
    return max(float(np.median(rates)) for rates in outcome.bare[callers].values())


def load_table(outcomes: Sequence[Outcome]) -> Table:
    """Every entrant with every size of call and number of callers, and the bare loop."""
    rows: list[tuple[str, ...]] = []
    for outcome in outcomes:
        for callers in outcome.bare:
            found = figures(outcome, callers)
            ours = next((figure for entrant, figure in found.items() if entrant is TYMPAN), None)
            load = (f"{callers:,}", f"{outcome.size:,}")
            for entrant, figure in found.items():
                times = (f"{figure.p50:,.1f}", f"{figure.p99:,.1f}")
                against = "" if entrant is TYMPAN else _ratio(ours, figure.rate)
                rows.append((entrant.title, *load, f"{figure.calls:,}", f"{figure.rate:.1f}", *times, against))
            limit = bare_rate(outcome, callers)
            rows.append(("bare loop", *load, "", f"{limit:.1f}", "", "", _ratio(ours, limit)))
    return Table("Under load", _COLUMNS, tuple(rows))


def verdicts(outcomes: Sequence[Outcome]) -> Table:
    """What is required of Tympan with the most callers, what was measured, and whether it holds."""
    rows: list[tuple[str, ...]] = []
    for outcome in outcomes:
        most = max(outcome.bare)
        found = figures(outcome, most)
        if TYMPAN not in found:
            continue
        ours = found.pop(TYMPAN)
        where = f"{most} × {outcome.size}"
        for rival, theirs in found.items():
            if rival.name == "pipeline":
                rows.append(
                    _row(where, f"≥ {PIPELINE_RATIO:g} × {rival.title}", ours.rate / theirs.rate, PIPELINE_RATIO)
                )
            if rival.form == "shipped":
                rows.append(_row(where, f"faster than {rival.title}", ours.rate / theirs.rate, 1.0))
                rows.append(_row(where, f"p99 no worse than {rival.title}", theirs.p99 / ours.p99, 1.0))
        for way, rates in outcome.bare[most].items():
            share = ours.rate / float(np.median(rates))
            rows.append(_row(where, f"≥ {BARE_SHARE:.0%} of the bare loop, {way}", share, BARE_SHARE))
    return Table("Required", ("callers × mentions a call", "requirement", "ratio", "verdict"), tuple(rows))


def settings_note(outcomes: Sequence[Outcome]) -> str:
    """The setting with which each entrant was fastest."""
    parts = [
        f"{result.entrant.title} {result.setting} ({outcome.size} a call)"
        for outcome in outcomes
        for result in outcome.results
        if str(result.setting)
    ]
    return f"Best settings: {'; '.join(parts)}." if parts else "No rival took part."


def bare_note(outcomes: Sequence[Outcome]) -> str:
    """What either way of the bare loop came to."""
    medians = {
        way: np.median([rate for found in outcomes for by in found.bare.values() for rate in by[way]]) for way in WAYS
    }
    told = ", ".join(f"{way} {median:.1f} mentions/s" for way, median in medians.items())
    return f"The bare loop computes texts that are tokenised already, in the faster of two ways each time: {told}."


def _row(where: str, requirement: str, ratio: float, least: float) -> tuple[str, ...]:
    return where, requirement, f"{ratio:.2f}", "held" if ratio >= least else "not held"


def _ratio(ours: Figures | None, theirs: float) -> str:
    return f"{ours.rate / theirs:.2f}" if ours else ""
