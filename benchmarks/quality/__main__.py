"""How well models trained by Tympan tag public data, next to published figures and to TF-IDF.

    python -m benchmarks.quality --data ../shared/data

What is measured is the form that ships: the bundle, through the tagger. Every figure is kept in a file as soon as
it is known, so that a benchmark that was interrupted goes on.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import mentions
from benchmarks.errors import BenchmarkError
from benchmarks.places import RESULTS
from benchmarks.quality import tables
from benchmarks.quality.baseline import STRENGTH
from benchmarks.quality.cache import REVISION, Cache, Conditions, data_key, encoder_name
from benchmarks.quality.measure import measure, measure_baseline
from benchmarks.report import MarkdownOption, write
from benchmarks.store import key
from benchmarks.tasks import TASKS, Material, Source, Task, named, seeds_of
from model.errors import TympanError
from training.encoder import PACKAGE
from training.errors import TrainingError
from training.fit import Settings
from training.plan import Plan, Precision

LANGUAGES = "fr,it,en,es,de,pt,nl"
PRECISION: Precision = "int8"
_WIDTH = 120
"""Characters of a line in a log."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Which tasks to measure and how; `settings` by a task's name, `work` where bundles stay (None: nowhere)."""

    tasks: Sequence[Task]
    settings: Mapping[str, Settings]
    seeds: Sequence[int]
    encoder: str
    keep_languages: tuple[str, ...]
    limit: int | None
    cache: Cache
    work: Path | None
    console: Console

    def run(self, data: Path) -> int:
        """Measure what is not kept yet, every task with one seed before the next; returns how many runs failed."""
        failed = 0
        for seed in self.seeds:
            for task in self.tasks:
                try:
                    self._run(task, seed, task.read(Source(data, self.limit), seed))
                except TrainingError as error:  # one that no model can be made of; the others go on
                    self.console.print(f"{task.name}, seed {seed}: {error}", style="red", markup=False)
                    failed += 1
        return failed

    def conditions(self, task: Task) -> Conditions:
        """Under which a task is measured, whatever the seed."""
        return Conditions(
            task=task.name,
            settings=self.settings[task.name],
            encoder=encoder_name(self.encoder),
            keep_languages=self.keep_languages,
            precision=PRECISION,
            limit=self.limit,
        )

    def show(self, markdown: Path | None) -> None:
        """Tables on the console, for people, and the first of them as Markdown on standard output or in a file."""
        every = [(task, self.conditions(task)) for task in self.tasks]
        found = [line for task, under in every for line in tables.lines(task, under, self.cache, self.seeds)]
        notes = [note for task, under in every for note in tables.notes(task, under, self.cache, self.seeds)]
        self.console.print(tables.rich_table(found))
        for task, under in every:
            if tried := tables.tried(task, under, self.cache):
                self.console.print(tried)
        text = tables.markdown(found, notes)
        if markdown:
            write(markdown, f"{text}\n")
        else:
            typer.echo(text)

    def _run(self, task: Task, seed: int, material: Material) -> None:
        conditions, data = self.conditions(task), data_key(material)
        name = key(conditions=conditions.to_dict(), seed=seed, data=data)
        if self.cache.get("models", name):
            self.console.print(f"{task.name}, seed {seed}: measured already")
            return
        counts = ", ".join(f"{len(records):,} for {side}" for side, records in material.sides.items())
        self.console.rule(f"{task.name}, seed {seed}: {counts}")
        with _folder(self.work) as work:
            found = measure(material, self._plan(task, seed, material), work / f"{task.name}-{name}", self.console)
        baseline = self._baseline(data, material)
        identity = {"conditions": conditions.to_dict(), "seed": seed, "data": data, "baseline": baseline}
        self.cache.add("models", name, {**identity, **found})
        self.console.print(tables.rich_table(tables.lines(task, conditions, self.cache, [seed])))

    def _plan(self, task: Task, seed: int, material: Material) -> Plan:
        return Plan(
            taxonomy=material.taxonomy,
            settings=replace(self.settings[task.name], seed=seed),
            encoder=self.encoder,
            keep_languages=self.keep_languages,
            precision=PRECISION,
            parity_records=task.parity_records,
        )

    def _baseline(self, data: str, material: Material) -> str:
        """The key of the baseline's figures on this data, which are measured if they are not kept yet."""
        name = key(data=data, strength=STRENGTH, revision=REVISION)
        if not self.cache.get("baselines", name):
            self.console.print("fitting TF-IDF and logistic regression")
            self.cache.add("baselines", name, measure_baseline(material))
        return name


@contextmanager
def _folder(work: Path | None) -> Iterator[Path]:
    """`work`, or a folder that is gone afterwards."""
    if work:
        yield work
    else:
        with tempfile.TemporaryDirectory(prefix="tympan-quality-") as folder:
            yield Path(folder)


@app.command()
def main(
    data: Annotated[Path | None, typer.Option(help="The folder with xlmt/, minibar/ and banking77/.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="A task; may be repeated.", show_default="all")] = None,
    seeds: Annotated[str, typer.Option(help="Whole numbers with commas.")] = "0,1,2",
    table: Annotated[bool, typer.Option("--table", help="Only print the table of what was measured.")] = False,
    show_list: Annotated[bool, typer.Option("--list", help="Only list the tasks and their settings.")] = False,
    results: Annotated[
        Path, typer.Option(help="The file of the figures.", show_default="benchmarks/results/quality.json")
    ] = RESULTS / "quality.json",
    work: Annotated[
        Path | None, typer.Option(help="Keep bundles here; a killed run goes on from its last epoch.")
    ] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a setting; may be repeated.")
    ] = None,
    encoder: Annotated[str, typer.Option(help="As for `tympan train`.")] = PACKAGE,
    keep_languages: Annotated[str, typer.Option(help="As for `tympan train`.")] = LANGUAGES,
    limit: Annotated[int | None, typer.Option(help="Rows to read of each file, to try it out.", min=1)] = None,
    markdown: MarkdownOption = None,
) -> None:
    """Train on public data, measure what would ship, and compare with published figures and TF-IDF.

    Last comes the bundle that ships, on real mentions (see benchmarks.mentions), unless --only is given. Tables for
    people go to standard error, Markdown to standard output.

    Exit code 0: all measured. 1: some runs failed. 2: refused.

    For example:

    python -m benchmarks.quality --data ../shared/data

    python -m benchmarks.quality --data ../shared/data --only xlmt-it --seeds 0 --set learning_rate=2e-4

    python -m benchmarks.quality --table --markdown docs/quality.md
    """
    try:
        tasks = named(only or TASKS)
        benchmark = Benchmark(
            tasks=tasks,
            settings={task.name: _changed(task.settings, change or ()) for task in tasks},
            seeds=seeds_of(seeds),
            encoder=encoder,
            keep_languages=tuple(filter(None, keep_languages.split(","))),
            limit=limit,
            cache=Cache(results),
            work=work,
            console=Console(stderr=True, width=None if sys.stderr.isatty() else _WIDTH),
        )
        failed = 0
        if show_list:
            typer.echo("\n".join(_described(task, benchmark.settings[task.name]) for task in tasks))
            return
        if not table:
            if not data:
                raise BenchmarkError("--data", "is missing", "Give the folder of the data, or --table")
            failed = benchmark.run(data)
        benchmark.show(markdown)
        if data and not only:
            real = mentions.shipped(data)
            real.show(benchmark.console)
            typer.echo(real.markdown())
    except TympanError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    raise typer.Exit(1 if failed else 0)


def _changed(settings: Settings, changes: Sequence[str]) -> Settings:
    """`settings` with each NAME=VALUE of `changes`."""
    known: dict[str, Any] = asdict(settings)
    del known["seed"]  # which --seeds gives
    for change in changes:
        name, _, text = change.partition("=")
        if name not in known:
            raise BenchmarkError("--set", f"{name!r} is no setting", f"Legal: {', '.join(known)}")
        try:
            value = json.loads(text)
            if type(value) is not type(known[name]) and type(value) is not int:
                raise ValueError
            known[name] = type(known[name])(value)
        except ValueError as error:
            raise BenchmarkError("--set", f"{text!r} is no value of {name}", f"It is {known[name]} now") from error
    return replace(settings, **known)


def _described(task: Task, settings: Settings) -> str:
    trained = f"learning rate {settings.learning_rate:g}, {settings.epochs} epochs, {settings.max_length} tokens"
    published = ", ".join(f"{figure.name} {figure.published}" for figure in task.figures if figure.published)
    return f"{task.name}: {task.about}; {trained}" + (f"; published: {published}" if published else "")


if __name__ == "__main__":
    app()
