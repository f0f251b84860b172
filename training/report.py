"""A challenger against the champion, on a page for those who decide: Markdown to read, and JSON with all of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from training.comparison import EVERY, Comparison, Difference
from training.drift import LARGE, Drift
from training.impact import Shift
from training.trial import Trial

_ROWS = 15
"""Tags that are shown of each table; JSON has all."""


def write(trial: Trial, folder: Path) -> Path:
    """Write VERSION.md and VERSION.json into `folder`; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    version = trial.challenger.version
    data = json.dumps(_data(trial), ensure_ascii=False, indent=1) + "\n"
    (folder / f"{version}.json").write_text(data, encoding="utf-8")
    page = folder / f"{version}.md"
    page.write_text("\n".join(_page(trial)) + "\n", encoding="utf-8")
    return page


def _data(trial: Trial) -> dict[str, Any]:
    return {
        "champion": trial.champion.version,
        "challenger": trial.challenger.version,
        "new": trial.new,
        "verdict": trial.verdict.to_dict(),
        "latency": trial.latency,
        "frozen": trial.frozen.to_dict(),
        "fresh": trial.fresh.to_dict() if trial.fresh else None,
        "recent": trial.recent,
        "drifts": [drift.to_dict() for drift in trial.drifts],
        "shifts": [shift.to_dict() for shift in trial.shifts],
    }


def _page(trial: Trial) -> Iterator[str]:
    yield f"# {trial.challenger.version} against {trial.champion.version}\n"
    if trial.verdict.passed:
        rules = len(trial.verdict.findings)
        yield f"**It passes**: no worse by any of {rules} rules. {trial.new:,} records were new.\n"
    else:
        yield f"**It does not pass**, and the champion stays. {trial.new:,} records were new.\n"
        yield from (f"- {reason}" for reason in trial.verdict.reasons)
        yield ""
    yield f"It takes {trial.latency:.2f} times as long for the same texts.\n"
    yield f"## On {trial.frozen.records:,} test texts of the champion\n"
    yield from _comparison(trial.frozen)
    if trial.fresh:
        yield f"## On {trial.fresh.records:,} new texts that neither has learnt from\n"
        yield from _comparison(trial.fresh)
    yield from _impact(trial.shifts, trial.recent)
    yield from _drift(trial.drifts)


def _comparison(found: Comparison) -> Iterator[str]:
    sure = f"{100 * found.confidence:g} % confidence"
    yield f"Macro-F1 by group, in points; the change lies in the interval with {sure}.\n"
    yield from _differences(found.groups)
    if not found.tags:
        return
    least = min(difference.cases for difference in found.tags)
    moved = sorted(found.tags, key=lambda difference: difference.change)
    yield (
        f"F1 of single tags with {least} cases or more, the most changed ones; intervals are so wide that all "
        f"{len(moved)} hold at once.\n"
    )
    half = _ROWS // 2
    yield from _differences(moved if len(moved) <= _ROWS else [*moved[:half], *moved[-half:]])


def _differences(found: Iterable[Difference]) -> Iterator[str]:
    yield "| tags | language | cases | champion | challenger | change |"
    yield "| --- | --- | ---: | ---: | ---: | --- |"
    for row in rows(found):
        yield f"| {' | '.join(row)} |"
    yield ""


def rows(found: Iterable[Difference]) -> Iterator[tuple[str, ...]]:
    """Differences as people read them: tags, language, cases, F1 before and after in points, and the change."""
    for one in found:
        name = f"{one.group}/{one.tag}" if one.tag else one.group
        language = "all" if one.lang == EVERY else one.lang
        interval = f"{100 * one.change:+.1f} ({100 * one.low:+.1f} to {100 * one.high:+.1f})"
        told = " worse" if one.worse else " better" if one.better else ""
        yield name, language, f"{one.cases}", f"{100 * one.before:.1f}", f"{100 * one.after:.1f}", interval + told


def _impact(found: Sequence[Shift], recent: int) -> Iterator[str]:
    if not recent:
        return
    yield f"## What would move in the counts of {recent:,} recent mentions\n"
    if not found:
        yield "Nothing: both give them the same tags.\n"
        return
    yield "| tag | champion | challenger | gained | lost | such as |"
    yield "| --- | ---: | ---: | ---: | ---: | --- |"
    for shift in found[:_ROWS]:
        counts = f"{shift.before:,} | {shift.after:,} | {shift.gained:,} | {shift.lost:,}"
        yield f"| {shift.label} | {counts} | {', '.join(shift.examples)} |"
    yield ""


def _drift(found: Sequence[Drift]) -> Iterator[str]:
    if not found:
        return
    yield "## How recent mentions differ from the test texts, as the champion sees them\n"
    yield (
        f"Distances of Jensen and Shannon, from 0 to 1. Large is over {LARGE:g} and over what chance explains: of such "
        "mentions labels are worth most.\n"
    )
    yield "| what | distance | by chance | | most of all | tests | now |"
    yield "| --- | ---: | ---: | --- | --- | ---: | ---: |"
    for one in found:
        mark = "large" if one.large else ""
        shares = f"{one.most} | {100 * one.before:.1f} % | {100 * one.now:.1f} %"
        yield f"| {one.what} | {one.distance:.2f} | {one.chance:.2f} | {mark} | {shares} |"
    yield ""
