"""One round: a model is made, anew or from the one before, and measured; what came out is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.places import RESULTS, ROOT
from benchmarks.store import Store, key
from labels.dataset import fingerprint
from labels.record import Record
from model.bundle import Bundle
from training import challenger
from training.pipeline import train
from training.plan import Plan

REVISION = 3
"""Of what a round does; raised when that changes, so that figures of before are not mixed with those of after."""
WORK = ROOT / "runs" / "retraining"
KEPT = RESULTS / "retraining.json"
LANGUAGES = ("fr", "it", "en")
Sides = Mapping[str, Sequence[Record]]

WorkOption = Annotated[Path, typer.Option(help="Where the models of the rounds are kept while it runs.")]
ResultsOption = Annotated[Path, typer.Option(help="The file that keeps what was measured.")]
SeedOption = Annotated[int, typer.Option(help="Another seed gives other rounds.")]


class Rounds:
    """What rounds came to, kept in `file`, so that a run that was stopped goes on where it was."""

    def __init__(self, file: Path) -> None:
        self._store = Store(file, ("rounds",))

    def measured(self, measure: Callable[[], dict[str, float]], **named: object) -> dict[str, float]:
        """The figures of the round that is `named` so: those that are kept, or what `measure` finds."""
        name = key(revision=REVISION, **named)
        if not (entry := self._store.get("rounds", name)):
            entry = measure()
            self._store.add("rounds", name, entry)
        return entry


def upto(records: Sequence[Record], number: int, rounds: int) -> list[Record]:
    """Those that came until the end of a round, if equally many come in each."""
    return list(records[: len(records) * number // rounds])


def figures(
    folder: Path, sides: Sides, new: set[str], champion: Path | None, plan: Plan, console: Console
) -> dict[str, float]:
    """Make a model in `folder`, from a champion if there is one; its macro-F1 on the test side, and the seconds."""
    began = time.perf_counter()
    if champion is None:
        train(sides, folder, replace(plan, keep_weights=True), console=console)
    else:
        everything = fingerprint(record for side in sides.values() for record in side)
        before = Bundle.read(champion)
        challenger.make(before, sides, new, folder, dataset=everything, encoder=plan.encoder, console=console)
    seconds = time.perf_counter() - began
    groups = Bundle.read(folder).metrics["test"]["groups"]
    return {"seconds": round(seconds, 1), **{name: group["macro_f1"] for name, group in groups.items()}}
