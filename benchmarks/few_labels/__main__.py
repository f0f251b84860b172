"""Which way of training wins with 8 to 64 labels a tag, on public data, next to SetFit.

Every figure is kept in a file as soon as it is known, so that a benchmark that was interrupted goes on.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from benchmarks.environment import versions
from benchmarks.errors import BenchmarkError
from benchmarks.few_labels.ways import WAYS, Given, conditions
from benchmarks.numbers import numbers
from benchmarks.places import RESULTS
from benchmarks.quality.cache import encoder_name
from benchmarks.report import MarkdownOption, Report, Table, machine, percent, start
from benchmarks.store import Entry, Store, key
from benchmarks.tasks import TASKS, TWO, Material, Source, Task, TwoTasksOption, named, seeds_of
from labels.dataset import fingerprint
from labels.record import Record
from labels.split import split
from model.taxonomy import Group
from training.encoder import PACKAGE

app = typer.Typer(add_completion=False, help="Ways of training with few labels.")
VALIDATION = 0.2
"""The share of the labels that Tympan's ways keep to stop and set thresholds by."""
SETFIT_AT_MOST = 16
"""Labels a tag up to which SetFit is tried: it learns from pairs, and their number grows with the square."""
_TITLES = {
    "ordinary": "ordinary",
    "epochs": "more epochs",
    "pairs": "pairs",
    "frozen": "frozen",
    "setfit": "SetFit",
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One draw of labels that every way learns from."""

    task: Task
    count: int
    seed: int
    given: Given

    def name(self, way: str) -> str:
        """What an outcome is kept under."""
        sides = {side: fingerprint(records) for side, records in self.given.sides.items()}
        encoder, stated = encoder_name(self.given.encoder), conditions(way, self.given)
        return key(task=self.task.name, sides=sides, encoder=encoder, conditions=stated)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is the same for all draws: texts to measure on, the most steps of SetFit, and the encoder."""

    test: int
    steps: int
    encoder: str
    console: Console


@app.command()
def main(
    data: Annotated[Path, typer.Option(help="The folder with minibar/ and banking77/.")],
    only: TwoTasksOption = None,
    way: Annotated[list[str] | None, typer.Option(help="A way; may be repeated.", show_default="all")] = None,
    labels: Annotated[str, typer.Option(help="Labels a tag, with commas.")] = "8,16,64",
    seeds: Annotated[str, typer.Option(help="Whole numbers with commas; each draws other labels.")] = "0",
    test: Annotated[int, typer.Option(help="Texts of the test side to measure on, drawn by seed.", min=1)] = 1_000,
    steps: Annotated[int, typer.Option(help="The most steps that SetFit may take.", min=1)] = 200,
    encoder: Annotated[str, typer.Option(help="As for `tympan train`.")] = PACKAGE,
    table: Annotated[bool, typer.Option("--table", help="Only show what was measured.")] = False,
    results: Annotated[
        Path, typer.Option(help="The file of the figures.", show_default="benchmarks/results/few_labels.json")
    ] = RESULTS / "few_labels.json",
    markdown: MarkdownOption = None,
) -> None:
    """Draw a few labels of each tag, learn from them in every way, and measure on the test side.

    For example:

    python -m benchmarks.few_labels --data ../shared/data --markdown docs/few-labels.md

    python -m benchmarks.few_labels --data ../shared/data --only minibar --way pairs --labels 8 --seeds 0,1,2
    """
    tasks, ways = named(only or TWO), list(way or WAYS)
    if unknown := [name for name in ways if name not in WAYS]:
        raise BenchmarkError("--way", f"{unknown[0]!r} is none", f"Legal: {', '.join(WAYS)}")
    counts, drawn_by = numbers(labels, "--labels"), seeds_of(seeds)
    store, console = Store(results, ("outcomes",)), Console(stderr=True)
    torch.set_num_threads(1)  # as SetFit gets, so that seconds compare
    asked = Asked(test=test, steps=steps, encoder=encoder, console=console)
    rows, every = [], []
    for task in tasks:
        cells = _cells(task, Source(data), counts, drawn_by, asked)
        for found in cells.values():
            for cell in found if not table else ():
                _measure(cell, ways, store, console)
            rows.append(_row(found, store))
            every += found
    Report((_table(rows),), _notes(every, store, test, steps)).give(markdown)


def _cells(
    task: Task, source: Source, counts: Sequence[int], seeds: Sequence[int], asked: Asked
) -> dict[int, list[Cell]]:
    """Labels a tag → the draws of so many, one a seed."""
    cells: dict[int, list[Cell]] = {count: [] for count in counts}
    for seed in seeds:
        material = task.read(source, seed)
        for count, found in cells.items():
            given = Given(
                taxonomy=material.taxonomy,
                sides=drawn(material, count, asked.test, seed),
                encoder=asked.encoder,
                max_length=task.settings.max_length,
                seed=seed,
                steps=asked.steps,
                console=asked.console,
            )
            found.append(Cell(task=task, count=count, seed=seed, given=given))
    return cells


def drawn(material: Material, count: int, test: int, seed: int) -> dict[str, list[Record]]:
    """`count` labels a tag of the training side as `train` and `validation`, and at most `test` of the test side."""
    chance = random.Random(seed)  # noqa: S311  no secret
    (group,) = material.taxonomy.groups
    learnt = _few(chance.sample(material.sides["train"], len(material.sides["train"])), group, count)
    asked = material.sides["test"]
    sides = split(learnt, seed=seed, fractions={"train": 1 - VALIDATION, "validation": VALIDATION})
    return {**sides, "test": chance.sample(asked, min(test, len(asked)))}


def _few(records: Sequence[Record], group: Group, count: int) -> list[Record]:
    """The first `count` records of each tag, and as many of none; one that has two tags counts for both."""
    left = dict.fromkeys([*group.paths, None], count)
    found = []
    for record in records:
        tags = record.tags[group.name] or (None,)
        if any(left[tag] > 0 for tag in tags):
            found.append(record)
            for tag in tags:
                left[tag] -= 1
    return found


def _measure(cell: Cell, ways: Iterable[str], store: Store, console: Console) -> None:
    for way in ways:
        if store.get("outcomes", cell.name(way)) or (way == "setfit" and cell.count > SETFIT_AT_MOST):
            continue
        console.rule(f"{cell.task.name}, {cell.count} a tag, seed {cell.seed}: {way}")
        outcome = WAYS[way](cell.given)
        identity = {"task": cell.task.name, "labels": cell.count, "seed": cell.seed, "way": way}
        store.add("outcomes", cell.name(way), {**identity, "conditions": conditions(way, cell.given), **outcome})
        console.print(f"{way}: {100 * outcome[cell.task.measure]:.1f} in {outcome['seconds']} s", highlight=False)


def _row(cells: Sequence[Cell], store: Store) -> tuple[str, ...]:
    """The name of the draws, their texts, and for each way its figure and its minutes."""
    first = cells[0]
    texts = [sum(len(cell.given.sides[side]) for side in ("train", "validation")) for cell in cells]
    shown = []
    for way in WAYS:
        outcomes = [outcome for cell in cells if (outcome := store.get("outcomes", cell.name(way)))]
        shown += [_figure(outcomes, first.task.measure), _minutes(outcomes)]
    return (f"{first.task.name}, {first.count} a tag", f"{sum(texts) / len(texts):,.0f}", *shown)


def _figure(outcomes: Sequence[Entry], measure: str) -> str:
    """The mean over seeds, and if there are several the least and the most."""
    if not outcomes:
        return "–"
    found = [outcome[measure] for outcome in outcomes]
    mean = percent(sum(found) / len(found), 1)
    return mean if len(found) == 1 else f"{mean} ({percent(min(found), 1)} to {percent(max(found), 1)})"


def _minutes(outcomes: Sequence[Entry]) -> str:
    return f"{sum(outcome['seconds'] for outcome in outcomes) / len(outcomes) / 60:.1f}" if outcomes else "–"


def _table(rows: Sequence[tuple[str, ...]]) -> Table:
    columns = [column for way in WAYS for column in (_TITLES[way], "minutes")]
    return Table("Few labels", ("labels", "texts", *columns), tuple(rows))


def _notes(cells: Sequence[Cell], store: Store, test: int, steps: int) -> tuple[str, ...]:
    stopped = [
        f"{outcome['steps']:,} of {outcome['whole_steps']:,} at {cell.task.name}, {cell.count} a tag"
        for cell in cells
        if cell.seed == cells[0].seed and (outcome := store.get("outcomes", cell.name("setfit")))
    ]
    measured = " and ".join(f"{TASKS[name].measure} for {name}" for name in dict.fromkeys(c.task.name for c in cells))
    seeds = sorted({cell.seed for cell in cells})
    return (
        f"In points: {measured.replace('_', '-')} (micro-F1 of one tag for every text is accuracy), on at most "
        f"{test:,} texts of the test side, drawn by seed. Seeds: {', '.join(map(str, seeds))}. A dash: not measured.",
        "Minutes are for learning alone, on one thread, with other work on the machine; "
        f"{machine(1, ('torch', 'transformers', 'scikit-learn'))}",
        f"All but pairs and SetFit keep {100 * VALIDATION:.0f} % of the labels to stop and set thresholds by. SetFit "
        f"{versions('setfit')['setfit']} was stopped after {steps:,} steps of 16 pairs. Steps, of "
        f"those that its own settings take: {'; '.join(stopped) or 'none measured'}.",
    )


if __name__ == "__main__":
    start(app)
