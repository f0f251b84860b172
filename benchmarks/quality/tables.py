"""The table of figures: the mean and range of the seeds, next to what was published and to the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from benchmarks.quality.cache import Cache, Conditions
from benchmarks.store import Entry
from benchmarks.tasks import Figure, Task

_HEADINGS = ("task", "test", "figure", "seeds", "Tympan", "range", "published", "+/−", "TF-IDF", "+/−")
_TEXTS = 3
"""Columns of words; the others are of numbers."""
_SHOWN = ("epochs", "batch_size", "learning_rate", "head_rate", "max_length")
"""The settings that are named below the table; the file of results has all."""
_MEASURES = {"macro_f1": "macro-F1", "micro_f1": "accuracy"}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One figure of one task. `values` and `baseline` have one number a seed, all in points."""

    task: str
    figure: Figure
    measure: str
    values: tuple[float, ...]
    baseline: tuple[float, ...]

    def cells(self) -> list[str]:
        """What stands in the columns of `_HEADINGS`."""
        mean = float(np.mean(self.values))
        published, baseline = self.figure.published, float(np.mean(self.baseline)) if self.baseline else None
        return [
            self.task,
            self.figure.title,
            self.measure,
            str(len(self.values)),
            f"{mean:.1f}",
            f"{min(self.values):.1f} to {max(self.values):.1f}",
            *_against(mean, published),
            *_against(mean, baseline),
        ]


def lines(task: Task, conditions: Conditions, cache: Cache, seeds: Sequence[int]) -> list[Line]:
    """The lines of a task; none if nothing of it was measured."""
    entries = cache.seeds(conditions, seeds).values()
    baselines = [found for entry in entries if (found := cache.get("baselines", entry["baseline"]))]
    return [
        Line(
            task=task.name,
            figure=figure,
            measure=_MEASURES[task.measure],
            values=tuple(_points(entry, figure, task) for entry in entries),
            baseline=tuple(_points(entry, figure, task) for entry in baselines),
        )
        for figure in task.figures
        if entries
    ]


def notes(task: Task, conditions: Conditions, cache: Cache, seeds: Sequence[int]) -> list[str]:
    """What a reader of the table has to know about a task: what it is, and which form was measured."""
    entries = cache.seeds(conditions, seeds)
    if not entries:
        return []
    settings = {name: getattr(conditions.settings, name) for name in _SHOWN}
    found = [f"{task.name}: {task.about}. Settings: {_settings(settings)}."]
    for seed, entry in sorted(entries.items()):
        if entry["gate"]:
            found.append(
                f"{task.name}, seed {seed}: measured in 32 bits, since of 8 bits the gate said: {entry['gate']}."
            )
    if conditions.limit is not None:
        found.append(f"{task.name}: only {conditions.limit} rows of each file were read. Such figures mean nothing.")
    return found


def tried(task: Task, conditions: Conditions, cache: Cache) -> Table | None:
    """The settings under which a task was measured, by their validation figure; None unless there are several."""
    found = cache.tried(conditions)
    if len(found) < 2:
        return None
    shared = {name for name in found[0][0] if len({str(settings.get(name)) for settings, _ in found}) == 1}
    table = Table("settings", title=f"{task.name}: {_MEASURES[task.measure]} on validation sides", title_justify="left")
    for heading in ("seeds", "mean", "range"):
        table.add_column(heading, justify="right")
    rows = []
    for settings, entries in found:
        values = [100 * entry["validation"]["all"][task.measure] for entry in entries]
        differing = {name: value for name, value in settings.items() if name not in shared}
        rows.append((float(np.mean(values)), values, _settings(differing)))
    for mean, values, shown in sorted(rows, reverse=True):
        table.add_row(shown, str(len(values)), f"{mean:.1f}", f"{min(values):.1f} to {max(values):.1f}")
    return table


def rich_table(found: Sequence[Line]) -> Table:
    """For a terminal."""
    table = Table(title="Figures on the test sides, in points", title_justify="left")
    for position, heading in enumerate(_HEADINGS):
        table.add_column(heading, justify="left" if position < _TEXTS else "right")
    for line in found:
        table.add_row(*line.cells())
    return table


def markdown(found: Sequence[Line], remarks: Sequence[str]) -> str:
    """For a file, with the remarks below."""
    rules = ["---"] * _TEXTS + ["---:"] * (len(_HEADINGS) - _TEXTS)
    rows = [list(_HEADINGS), rules, *(line.cells() for line in found)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([table, "", *(f"- {remark}" for remark in remarks)])


def _against(mean: float, other: float | None) -> tuple[str, str]:
    """Another figure and how far `mean` lies above it."""
    return (f"{other:.1f}", f"{mean - other:+.1f}") if other is not None else ("", "")


def _points(entry: Entry, figure: Figure, task: Task) -> float:
    return 100 * float(entry["test"][figure.name][task.measure])


def _settings(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())
