"""How fast rounds of new labels are learnt, against training anew in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from matplotlib.figure import Figure
from rich.console import Console

from benchmarks.errors import BenchmarkError
from benchmarks.report import MarkdownOption, Report, Table, machine
from benchmarks.retraining.rounds import (
    KEPT,
    LANGUAGES,
    WORK,
    ResultsOption,
    Rounds,
    SeedOption,
    WorkOption,
    figures,
    upto,
)
from benchmarks.tasks import TASKS, Source
from benchmarks.texts import DataOption
from labels.dataset import fingerprint
from model.processor import processor_limit
from training.plan import Plan

TUNED, ANEW = "fine-tuned", "anew"
Curves = Mapping[str, list[tuple[int, float]]]
"""Labels learnt so far and points of F1, by way."""


def stream(
    data: DataOption = Path("../shared/data"),
    rounds: Annotated[int, typer.Option(help="Rounds in which the labels come.", min=2)] = 10,
    labels: Annotated[int, typer.Option(help="How many labels come in all, at most.", min=2)] = 4_000,
    anew: Annotated[bool, typer.Option(help="Train anew in every round as well, to compare.")] = True,
    seed: SeedOption = 0,
    work: WorkOption = WORK,
    results: ResultsOption = KEPT,
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the curves here, as PNG.")] = None,
    markdown: MarkdownOption = None,
) -> None:
    """App reviews (minibar) come in rounds: macro-F1 on an app that is never learnt, after each.

    For example:

    python -m benchmarks.retraining stream --labels 1000 --rounds 10 --markdown docs/retraining-rounds.md
    """
    task = TASKS["minibar"]
    material = task.read(Source(data), seed)
    learnt = material.sides["train"][:labels]
    plan = Plan(
        taxonomy=material.taxonomy,
        settings=replace(task.settings, seed=seed),
        keep_languages=LANGUAGES,
        precision="fp32",  # of one tag out of three, 8 bits flip more than the gate allows: docs/quality.md
    )
    curves: Curves = {way: [] for way in ((TUNED, ANEW) if anew else (TUNED,))}
    kept, console, data_id = Rounds(results), Console(stderr=True), fingerprint(learnt)
    for number in range(1, rounds + 1):
        sides = {**material.sides, "train": upto(learnt, number, rounds)}
        known = {record.id for record in upto(learnt, number - 1, rounds)}
        new = {record.id for record in sides["train"]} - known
        for way, points in curves.items():
            of = f"stream-{seed}-{len(learnt)}-{rounds}"
            before = work / f"{of}-{TUNED}-{number - 1}" if way == TUNED and number > 1 else None
            measure = partial(figures, work / f"{of}-{way}-{number}", sides, new, before, plan, console)
            named = {"kind": "stream", "way": way, "number": number, "rounds": rounds, "seed": seed, "data": data_id}
            points.append((len(sides["train"]), 100 * kept.measured(measure, **named)["review"]))
    if picture:
        _draw(curves, picture)
    _report(curves, {side: len(found) for side, found in material.sides.items()}, seed).give(markdown)


def _report(curves: Curves, texts: Mapping[str, int], seed: int) -> Report:
    rows = tuple(
        (f"{number}", f"{points[0][0]:,}", *(f"{score:.1f}" for _, score in points))
        for number, points in enumerate(zip(*curves.values(), strict=True), start=1)
    )
    note = (
        f"Macro-F1 on {texts['test']:,} reviews of an app that is never learnt; seed {seed}. Beside the labels that "
        f"are counted {texts['validation']:,} others tell each round when to stop, and what thresholds to take. "
        "Fine-tuned: from the model of the round before, on the new labels and up to 1,500 earlier ones, as "
        "`tympan retrain` does. Anew: from the encoder, on all labels so far, in the way of many labels. "
        f"{machine(processor_limit(), ('torch',))}"
    )
    return Report(
        (Table("App reviews in rounds", ("round", "labels", *(f"F1, {way}" for way in curves)), rows),), (note,)
    )


def _draw(curves: Mapping[str, Sequence[tuple[int, float]]], file: Path) -> None:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for way, points in curves.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=way)
    axes.set(xlabel="labels", ylabel="macro-F1 on an app that is never learnt", ylim=(60, 90))
    axes.grid(alpha=0.3)
    axes.legend()
    try:
        figure.savefig(file, format="png", dpi=150)
    except OSError as error:
        raise BenchmarkError(str(file), "cannot be written", "Choose another file") from error
