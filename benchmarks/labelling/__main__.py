"""How many labels the queue of `tympan labels queue` saves, by simulation on public data whose labels are known.

A head on a frozen encoder learns from ever more labels, chosen by the queue or at random. What counts is after how
many it has 95 % of the macro-F1 that it has with all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from matplotlib.figure import Figure
from rich.console import Console

from benchmarks.errors import BenchmarkError
from benchmarks.labelling.pools import GOAL, SIDES, pools
from benchmarks.labelling.simulation import FIRST, GROWTH, STRATEGIES, Curve, simulate
from benchmarks.report import MarkdownOption, Report, Table, machine, percent, start
from benchmarks.tasks import TWO, Source, Task, TwoTasksOption, named
from training.encoder import PACKAGE

app = typer.Typer(add_completion=False, help="Labels that the queue saves.")

_WORK = Path("runs/labelling")


@dataclass(frozen=True)
class Outcome:
    """What came of one task: the curves of each strategy, one a seed, and the sizes of the sides."""

    task: str
    curves: Mapping[str, Sequence[Curve]]
    learnt: int
    test: int

    def needed(self, strategy: str) -> list[float]:
        return [curve.needed(GOAL) for curve in self.curves[strategy]]


@app.command()
def main(
    data: Annotated[Path, typer.Option(help="The folder with minibar/ and banking77/.")],
    only: TwoTasksOption = None,
    seeds: Annotated[int, typer.Option(help="Runs of each task, each on its own draw.", min=1)] = 3,
    limit: Annotated[int | None, typer.Option(help="Rows to read of each file, to try it out.", min=1)] = None,
    encoder: Annotated[str, typer.Option(help="As for `tympan train`.")] = PACKAGE,
    work: Annotated[Path, typer.Option(help="The folder that keeps what the encoder made of the texts.")] = _WORK,
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the curves here, as PNG.")] = None,
    markdown: MarkdownOption = None,
) -> None:
    """Label public data by the queue and at random, and show after how many labels a model is nearly as good.

    For example:

    python -m benchmarks.labelling --data ../shared/data --picture docs/queue.png --markdown docs/queue.md

    python -m benchmarks.labelling --data ../shared/data --only banking77 --seeds 1 --limit 1000
    """
    source, tasks = Source(data, limit), named(only or TWO)
    found = [_outcome(task, source, range(seeds), encoder=encoder, work=work) for task in tasks]
    if picture:
        draw(found, picture)
    Report((_table(found),), _notes(found, encoder)).give(markdown)


def _outcome(task: Task, source: Source, seeds: Sequence[int], *, encoder: str, work: Path) -> Outcome:
    """Every strategy with every seed."""
    console = Console(stderr=True)
    found = pools(task, source, seeds, encoder=encoder, work=work)
    curves: dict[str, list[Curve]] = {name: [] for name in STRATEGIES}
    for seed, (_, pool) in zip(seeds, found, strict=True):
        for name, strategy in STRATEGIES.items():
            curve = simulate(pool, strategy, seed)
            curves[name].append(curve)
            told = f"{curve.needed(GOAL):,.0f} of {len(pool.vectors):,} labels"
            console.print(f"{task.name}, seed {seed}, {name}: {told}", highlight=False)
    sizes = ([len(material.sides[side]) for material, _ in found] for side in SIDES)
    return Outcome(task.name, curves, *(round(np.mean(size)) for size in sizes))


def _table(found: Sequence[Outcome]) -> Table:
    rows = []
    for outcome in found:
        random, queue = (outcome.needed(name) for name in STRATEGIES)
        full = np.mean([curve.scores[-1] for curve in outcome.curves["at random"]])
        sizes = (f"{outcome.learnt:,}", f"{outcome.test:,}", percent(float(full), 1))
        saved = f"{100 * np.mean(queue) / np.mean(random):.0f}"
        rows.append((outcome.task, *sizes, _spread(random), _spread(queue), saved))
    columns = ("task", "texts", "tested on", "macro-F1", *STRATEGIES, "ratio, %")
    return Table(f"Labels needed for {GOAL:.0%} of the macro-F1 with all of them", columns, tuple(rows))


def _spread(counts: Sequence[float]) -> str:
    """Mean, and the least and most if there are several."""
    mean = f"{np.mean(counts):,.0f}"
    return f"{mean} ({min(counts):,.0f}–{max(counts):,.0f})" if len(counts) > 1 else mean


def _notes(found: Sequence[Outcome], encoder: str) -> tuple[str, ...]:
    seeds = len(found[0].curves["at random"])
    return (
        f"Mean (least to most) of {seeds} seeds; each has its own first {FIRST} labels, the same for both, and in "
        "minibar another app to test on. Texts are those that can be labelled; macro-F1 is that with all labels.",
        f"The head, a balanced logistic regression on the mean token vectors of the frozen encoder ({encoder}), is "
        f"fitted anew whenever the labels are {GROWTH} times as many, until all are there. Counted is when the goal is "
        "first reached, on straight lines between the fits.",
        "The queue is that of `tympan labels queue` but for near duplicates, which it asks for once.",
        machine(torch.get_num_threads(), ("scikit-learn", "torch")),
    )


def draw(found: Sequence[Outcome], file: Path) -> None:
    """The mean curve of each strategy, and from the least to the most of the seeds as a band; one panel a task."""
    figure = Figure(figsize=(5 * len(found), 4), layout="constrained")
    for place, outcome in enumerate(found, start=1):
        axes = figure.add_subplot(1, len(found), place)
        grid = np.geomspace(FIRST, min(curves[0].labels[-1] for curves in outcome.curves.values()), 100)
        for name, curves in outcome.curves.items():
            shares = [np.interp(grid, curve.labels, np.divide(curve.scores, curve.scores[-1])) for curve in curves]
            (line,) = axes.plot(grid, 100 * np.mean(shares, axis=0), label=name)
            axes.fill_between(
                grid, 100 * np.min(shares, axis=0), 100 * np.max(shares, axis=0), color=line.get_color(), alpha=0.2
            )
        axes.axhline(100 * GOAL, color="grey", linestyle="dashed", linewidth=1)
        axes.set(title=outcome.task, xscale="log", xlabel="labels", ylabel="macro-F1, % of that with all labels")
        axes.legend()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, format="png", dpi=150)
    except OSError as error:
        raise BenchmarkError(str(file), "cannot be written", "Choose another file") from error


if __name__ == "__main__":
    start(app)
