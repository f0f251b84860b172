"""What retraining comes to: how long it takes, how fast it learns against training anew, and what it forgets."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from matplotlib.figure import Figure
from rich.console import Console

from benchmarks.errors import BenchmarkError
from benchmarks.places import CORPORA, RESULTS, ROOT
from benchmarks.report import MarkdownOption, Report, Table, machine, start
from benchmarks.store import Store, key
from benchmarks.tasks import TASKS, Source
from benchmarks.texts import DataOption
from labels.dataset import fingerprint
from labels.record import Record, read
from labels.split import split
from model.bundle import Bundle
from model.processor import processor_limit
from model.tagger import Tagger
from model.taxonomy import DEFAULT, Taxonomy
from training import challenger
from training.evaluate import evaluate
from training.fit import Settings
from training.pipeline import train
from training.plan import Plan
from training.weights import FOLDER

app = typer.Typer(add_completion=False, help="Retraining round after round: what it learns and what it forgets.")
REVISION = 2
"""Of what a round does; raised when that changes, so that figures of before are not mixed with those of after."""
WORK = ROOT / "runs" / "retraining"
LANGUAGES = ("fr", "it", "en")
Sides = Mapping[str, Sequence[Record]]

WorkOption = Annotated[Path, typer.Option(help="Where the models of the rounds are kept while it runs.")]
ResultsOption = Annotated[Path, typer.Option(help="The file that keeps what was measured.")]
SeedOption = Annotated[int, typer.Option(help="Another seed gives other rounds.")]


@app.command()
def stream(
    data: DataOption = Path("../shared/data"),
    rounds: Annotated[int, typer.Option(help="Rounds in which the labels come.", min=2)] = 10,
    labels: Annotated[int, typer.Option(help="How many labels come in all, at most.", min=2)] = 4_000,
    anew: Annotated[bool, typer.Option(help="Train anew in every round as well, to compare.")] = True,
    seed: SeedOption = 0,
    work: WorkOption = WORK,
    results: ResultsOption = RESULTS / "retraining.json",
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the curves here, as PNG.")] = None,
    markdown: MarkdownOption = None,
) -> None:
    """App reviews (minibar) come in rounds: macro-F1 on an app that is never learnt, after each.

    For example:

    python -m benchmarks.retraining stream --labels 1000 --rounds 10 --markdown docs/retraining-rounds.md
    """
    ways = ("fine-tuned", "anew") if anew else ("fine-tuned",)
    curves: dict[str, list[tuple[int, float]]] = {way: [] for way in ways}
    task = TASKS["minibar"]
    material = task.read(Source(data), seed)
    learnt, store, console = material.sides["train"][:labels], Store(results, ("rounds",)), Console(stderr=True)
    rows: list[tuple[str, ...]] = []
    for number in range(1, rounds + 1):
        known = [list(learnt[: len(learnt) * upto // rounds]) for upto in (number - 1, number)]
        sides = {**material.sides, "train": known[1]}
        new = {record.id for record in known[1]} - {record.id for record in known[0]}
        for way in ways:
            name = key(
                kind="stream",
                revision=REVISION,
                way=way,
                number=number,
                rounds=rounds,
                seed=seed,
                data=fingerprint(learnt),
            )
            folder = work / f"stream-{seed}-{len(learnt)}-{rounds}-{way}-{number}"
            before = work / f"stream-{seed}-{len(learnt)}-{rounds}-fine-tuned-{number - 1}"
            if not (entry := store.get("rounds", name)):
                plan = Plan(
                    taxonomy=material.taxonomy,
                    settings=replace(task.settings, seed=seed),
                    keep_languages=LANGUAGES,
                    precision="fp32",  # of one tag out of three, 8 bits flip more than the gate allows: docs/quality.md
                )
                champion = before if way == "fine-tuned" and number > 1 else None
                entry = _round(folder, sides, new, champion, plan, console)
                store.add("rounds", name, entry)
            curves[way].append((len(known[1]), 100 * entry["review"]))
        rows.append((f"{number}", f"{len(known[1]):,}", *(f"{curves[way][-1][1]:.1f}" for way in ways)))
    columns = ("round", "labels", *(f"F1, {way}" for way in ways))
    if picture:
        _draw(curves, picture)
    notes = (
        f"Macro-F1 on {len(material.sides['test']):,} reviews of an app that is never learnt; seed {seed}. Fine-tuned: "
        "from the model of the round before, on the new labels and a sample of the earlier ones, as `tympan retrain` "
        f"does. Anew: from the encoder, on all labels so far. {machine(processor_limit(), ('torch',))}",
    )
    Report((Table("App reviews in rounds", columns, tuple(rows)),), notes).give(markdown)


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


@app.command()
def forgetting(
    sector: Annotated[str, typer.Option(help="Whose labels come in the rounds.")] = "telecom",
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    epochs: Annotated[int, typer.Option(help="Of the first model.", min=1)] = 5,
    seed: SeedOption = 0,
    work: WorkOption = WORK,
    results: ResultsOption = RESULTS / "retraining.json",
    markdown: MarkdownOption = None,
) -> None:
    """A model that knows all sectors but one learns that one, round after round: macro-F1 on the others, after each.

    For example:

    python -m benchmarks.retraining forgetting --sector telecom
    """
    taxonomy, console = Taxonomy.load(DEFAULT), Console(stderr=True)
    records = read(CORPORA, taxonomy)
    inside = [record for record in records if (record.source or "").split("/")[1:2] == [sector]]
    if not inside:
        raise BenchmarkError("--sector", f"{sector!r} is none of the corpora's", "See labels/corpora/README.md")
    ids = {record.id for record in inside}
    others = split([record for record in records if record.id not in ids], seed=seed)
    own, store = split(inside, seed=seed), Store(results, ("rounds",))
    rows: list[tuple[str, ...]] = []
    first: dict[str, float] = {}
    for number in range(rounds + 1):
        upto = len(own["train"]) * number // rounds
        new = {record.id for record in own["train"][len(own["train"]) * max(0, number - 1) // rounds : upto]}
        sides = {
            "train": [*others["train"], *own["train"][:upto]],
            "validation": [*others["validation"], *own["validation"][: len(own["validation"]) * number // rounds]],
            "test": others["test"],
        }
        name = key(
            kind="forgetting",
            revision=REVISION,
            sector=sector,
            number=number,
            rounds=rounds,
            seed=seed,
            epochs=epochs,
            data=fingerprint(records),
        )
        if not (entry := store.get("rounds", name)):
            settings = Settings(epochs=epochs, seed=seed)
            plan = Plan(taxonomy=taxonomy, settings=settings, keep_languages=LANGUAGES, precision="fp32")
            champion = work / f"{sector}-{seed}-{number - 1}" if number else None
            folder = work / f"{sector}-{seed}-{number}"
            entry = _round(folder, sides, new, champion, plan, console)
            figures = evaluate(Tagger.load(folder), own["test"])["groups"]
            entry |= {f"{group} of {sector}": figures[group]["macro_f1"] for group in figures}
            store.add("rounds", name, entry)
        first = first or dict(entry)
        cells = [f"{100 * entry[group.name]:.1f}" for group in taxonomy.groups]
        cells += [f"{100 * entry[group.name] / first[group.name]:.1f} %" for group in taxonomy.groups]
        cells += [f"{100 * entry[f'{group.name} of {sector}']:.1f}" for group in taxonomy.groups]
        rows.append((f"{number}", f"{len(new):,}", *cells))
    groups = [group.name for group in taxonomy.groups]
    columns = ("round", "new labels", *groups, *(f"{name}, of the start" for name in groups))
    columns += tuple(f"{name} of {sector}" for name in groups)
    notes = (
        f"Macro-F1 on {len(others['test']):,} texts of the other sectors, which no round learns from, and on "
        f"{len(own['test']):,} of {sector}; seed {seed}. In 32 bits: what is measured is learning alone. Texts are "
        f"invented. {machine(processor_limit(), ('torch',))}",
    )
    Report((Table(f"Labels of {sector} in rounds", columns, tuple(rows)),), notes).give(markdown)


@app.command()
def speed(
    bundle: Annotated[Path, typer.Argument(help="A bundle with weights, made of the corpora: make train.")],
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
        raise BenchmarkError(str(bundle), "keeps no weights to go on from", "Train one with --checkpoint")
    sides = split(read(CORPORA, taxonomy), seed=seed)
    new = {record.id for record in random.Random(seed).sample(sides["train"], labels)}  # noqa: S311 — no secret
    plan = Plan(taxonomy=taxonomy)
    with tempfile.TemporaryDirectory() as folder:
        entry = _round(Path(folder) / "challenger", sides, new, champion.path, plan, Console(stderr=True))
    figures = [
        (group, f"{100 * champion.metrics['test']['groups'][group]['macro_f1']:.1f}", f"{100 * entry[group]:.1f}")
        for group in champion.metrics["test"]["groups"]
    ]
    minutes = f"{entry['seconds'] / 60:.1f}"
    notes = (
        f"{labels:,} records taken as new, and those that are read again beside them: {minutes} minutes. They were "
        f"learnt before, so that only the time says something. {machine(processor_limit(), ('torch',))}",
    )
    Report((Table("Fine-tuning", ("macro-F1", "before", "after"), tuple(figures)),), notes).give(markdown)


def _round(
    folder: Path, sides: Sides, new: set[str], champion: Path | None, plan: Plan, console: Console
) -> dict[str, float]:
    """Make a model in `folder`, from a champion if there is one; its macro-F1 on the test side, and the seconds."""
    began = time.perf_counter()
    if champion is None:
        train(sides, folder, replace(plan, keep_weights=True), console=console)
    else:
        everything = fingerprint(record for side in sides.values() for record in side)
        before = Bundle.read(champion)
        challenger.make(
            before,
            sides,
            new,
            folder,
            taxonomy=plan.taxonomy,
            dataset=everything,
            encoder=plan.encoder,
            console=console,
        )
    seconds = time.perf_counter() - began
    figures = Bundle.read(folder).metrics["test"]["groups"]
    return {"seconds": round(seconds, 1), **{name: group["macro_f1"] for name, group in figures.items()}}


if __name__ == "__main__":
    start(app)
