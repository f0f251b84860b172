"""Whether the labels that the queue saves a head on a frozen encoder are saved a model that is fine-tuned whole.

`benchmarks.labelling` counts labels with a head, which learns in seconds. Here the same choices of texts are learnt as
`tympan train` learns, which takes minutes each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console

from benchmarks.labelling.pools import GOAL, pools
from benchmarks.labelling.simulation import Head, Pool, Positions, at_random, by_queue, rounds
from benchmarks.quality.cache import encoder_name
from benchmarks.quality.measure import measure
from benchmarks.report import MarkdownOption, Report, Table, machine, percent, start
from benchmarks.store import Store, key
from benchmarks.tasks import TASKS, Material, Source, Task
from labels.dataset import fingerprint
from training.encoder import PACKAGE
from training.plan import Plan

app = typer.Typer(add_completion=False, help="Labels that the queue saves, with whole models.")

_LONGEST = 4
"""How many times the epochs of a task few texts are learnt at most, so that they are not learnt in too few steps."""
_WORK = Path("runs/labelling")


@app.command()
def main(
    data: Annotated[Path, typer.Option(help="The folder with minibar/ and banking77/.")],
    task: Annotated[str, typer.Option(help="A task of benchmarks.labelling.")] = "banking77",
    seeds: Annotated[int, typer.Option(help="Those of benchmarks.labelling; the first one is confirmed.", min=1)] = 3,
    limit: Annotated[int | None, typer.Option(help="Rows to read of each file, to try it out.", min=1)] = None,
    encoder: Annotated[str, typer.Option(help="As for `tympan train`.")] = PACKAGE,
    work: Annotated[Path, typer.Option(help="The folder of benchmarks.labelling; a killed run goes on.")] = _WORK,
    markdown: MarkdownOption = None,
) -> None:
    """Fine-tune on the texts that the queue chose, and on as many and more at random, and compare with all of them.

    For example:

    python -m benchmarks.confirmation --data ../shared/data

    python -m benchmarks.confirmation --data ../shared/data --task minibar --limit 500
    """
    material, pool = pools(TASKS[task], Source(data, limit), range(seeds), encoder=encoder, work=work)[0]
    console, found = Console(stderr=True), []
    for name, chosen in _choices(pool):
        console.rule(f"{name}: {len(chosen):,} texts")
        found.append((name, len(chosen), _score(TASKS[task], material, chosen, encoder, work, console)))
    Report((_table(task, found),), _notes(TASKS[task], encoder)).give(markdown)


def _choices(pool: Pool) -> Iterator[tuple[str, Positions]]:
    """What to learn: all texts last, and before it what a head needs to reach the goal, chosen one way and another."""
    everything = np.arange(len(pool.vectors))
    goal = GOAL * Head(pool, everything).macro_f1()
    queue, chance = (
        next(labelled for labelled, head in rounds(pool, strategy, 0) if head.macro_f1() >= goal)
        for strategy in (by_queue, at_random)
    )
    yield "by queue", queue
    yield "at random, as many", np.random.default_rng(0).permutation(everything)[: len(queue)]
    yield "at random, as many as a head needs", chance
    yield "all", everything


def _score(task: Task, material: Material, chosen: Positions, encoder: str, work: Path, console: Console) -> float:
    """Macro-F1 on the test side of a bundle trained on the `chosen` texts, and validated as all of them would be."""
    texts = material.sides["train"]
    longer = min(_LONGEST, len(texts) / len(chosen))
    settings = replace(task.settings, epochs=math.ceil(task.settings.epochs * longer))
    sides = {**material.sides, "train": [texts[position] for position in sorted(chosen)]}
    known = Store(work / "confirmation.json", ("models",))
    name = key(encoder=encoder_name(encoder), settings=asdict(settings), texts=fingerprint(sides["train"]))
    found = known.get("models", name)
    if not found:
        plan = Plan(taxonomy=material.taxonomy, settings=settings, encoder=encoder, parity_records=task.parity_records)
        with TemporaryDirectory(prefix="tympan-confirmation-") as folder:
            found = measure(replace(material, sides=sides), plan, Path(folder) / "bundle", console)
        known.add("models", name, found)
    return float(found["test"]["all"]["macro_f1"])


def _table(task: str, found: Sequence[tuple[str, int, float]]) -> Table:
    best = found[-1][2]
    rows = tuple((name, f"{size:,}", percent(score, 1), percent(score / best, 1)) for name, size, score in found)
    return Table(f"{task}: macro-F1 of whole models on chosen texts", ("texts", "labels", "macro-F1", "% of all"), rows)


def _notes(task: Task, encoder: str) -> tuple[str, ...]:
    return (
        f"Seed 0. The texts that a head on the frozen encoder ({encoder}) needs for {GOAL:.0%} of its own macro-F1 "
        "with all of them, learnt by the whole model, measured on the test side in the form that ships.",
        f"{task.settings.epochs} epochs on all texts, and on fewer as many more as there are fewer texts, up to "
        f"{_LONGEST} times; every model is validated and calibrated on one validation side, which no budget counts.",
        machine(torch.get_num_threads(), ("scikit-learn", "torch")),
    )


if __name__ == "__main__":
    start(app)
