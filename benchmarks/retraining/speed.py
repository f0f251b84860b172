"""How long it takes to learn some hundred new labels."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.errors import BenchmarkError
from benchmarks.places import CORPORA
from benchmarks.report import MarkdownOption, Report, Table, machine
from benchmarks.retraining.rounds import SeedOption, figures
from labels.record import read
from labels.split import split
from model.bundle import Bundle
from model.processor import processor_limit
from model.taxonomy import DEFAULT, Taxonomy
from training.plan import Plan
from training.weights import FOLDER


def speed(
    bundle: Annotated[Path, typer.Argument(help="A bundle with weights, made of the corpora.")],
    labels: Annotated[int, typer.Option(help="How many are new.", min=1)] = 500,
    seed: SeedOption = 0,
    markdown: MarkdownOption = None,
) -> None:
    """Fine-tune a number of labels into a champion, from reading its weights to the new bundle, gates included.

    For example:

    python -m benchmarks.retraining speed runs/champion --labels 500
    """
    champion, taxonomy = Bundle.read(bundle), Taxonomy.load(DEFAULT)
    if not (champion.path / FOLDER).is_dir():
        raise BenchmarkError(str(bundle), "keeps no weights to go on from", "Make one: tympan train --checkpoint")
    sides = split(read(CORPORA, taxonomy), seed=seed)
    new = {record.id for record in random.Random(seed).sample(sides["train"], labels)}  # noqa: S311 — no secret
    plan, console = Plan(taxonomy=taxonomy), Console(stderr=True)
    with tempfile.TemporaryDirectory() as folder:
        entry = figures(Path(folder) / "challenger", sides, new, champion.path, plan, console)
    rows = [
        (group, f"{100 * champion.metrics['test']['groups'][group]['macro_f1']:.1f}", f"{100 * entry[group]:.1f}")
        for group in champion.metrics["test"]["groups"]
    ]
    minutes = f"{entry['seconds'] / 60:.1f}"
    note = (
        f"{labels:,} records taken as new, and those that are read again beside them: {minutes} minutes. They were "
        f"learnt before, so that only the time says something. {machine(processor_limit(), ('torch',))}"
    )
    Report((Table("Fine-tuning", ("macro-F1", "before", "after"), tuple(rows)),), (note,)).give(markdown)
