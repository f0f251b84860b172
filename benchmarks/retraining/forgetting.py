"""What a model forgets of the other sectors while it learns one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.errors import BenchmarkError
from benchmarks.places import CORPORA
from benchmarks.report import MarkdownOption, Report, Table, machine
from benchmarks.retraining.rounds import (
    KEPT,
    LANGUAGES,
    WORK,
    ResultsOption,
    Rounds,
    SeedOption,
    Sides,
    WorkOption,
    figures,
    upto,
)
from labels.dataset import fingerprint
from labels.record import read
from labels.split import split
from model.processor import processor_limit
from model.tagger import Tagger
from model.taxonomy import DEFAULT, Taxonomy
from training.evaluate import evaluate
from training.fit import Settings
from training.plan import Plan


def forgetting(
    sector: Annotated[str, typer.Option(help="Whose labels come in the rounds.")] = "telecom",
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    epochs: Annotated[int, typer.Option(help="Of the first model.", min=1)] = 5,
    seed: SeedOption = 0,
    work: WorkOption = WORK,
    results: ResultsOption = KEPT,
    markdown: MarkdownOption = None,
) -> None:
    """A model that knows all sectors but one learns that one, round after round: macro-F1 on the others, after each.

    For example:

    python -m benchmarks.retraining forgetting --sector telecom
    """
    taxonomy, console, kept = Taxonomy.load(DEFAULT), Console(stderr=True), Rounds(results)
    settings = Settings(epochs=epochs, seed=seed)
    plan = Plan(taxonomy=taxonomy, settings=settings, keep_languages=LANGUAGES, precision="fp32")
    sectors = _Sectors.read(sector, taxonomy, seed)
    of = {"kind": "forgetting", "sector": sector, "rounds": rounds, "seed": seed, "epochs": epochs}
    found = []
    for number in range(rounds + 1):
        sides, new = sectors.after(number, rounds)

        def measure(number: int = number, sides: Sides = sides, new: set[str] = new) -> dict[str, float]:
            folder, before = (work / f"{sector}-{seed}-{each}" for each in (number, number - 1))
            entry = figures(folder, sides, new, before if number else None, plan, console)
            groups = evaluate(Tagger.load(folder), sectors.own["test"])["groups"]
            return entry | {_of(group, sector): groups[group]["macro_f1"] for group in groups}

        found.append((len(new), kept.measured(measure, **of, number=number, data=sectors.data)))
    note = (
        f"Macro-F1 on {len(sectors.others['test']):,} texts of the other sectors, which no round learns from, and on "
        f"{len(sectors.own['test']):,} of {sector}; seed {seed}. In 32 bits: what is measured is learning alone. Texts "
        f"are invented. {machine(processor_limit(), ('torch',))}"
    )
    Report((_table(sector, found, [group.name for group in taxonomy.groups]),), (note,)).give(markdown)


@dataclass(frozen=True)
class _Sectors:
    """The sides of one sector and those of the others, and the fingerprint of all."""

    own: Sides
    others: Sides
    data: str

    @classmethod
    def read(cls, sector: str, taxonomy: Taxonomy, seed: int) -> _Sectors:
        records = read(CORPORA, taxonomy)
        inside = [record for record in records if (record.source or "").split("/")[1:2] == [sector]]
        if not inside:
            raise BenchmarkError("--sector", f"{sector!r} is none of the corpora's", "See labels/corpora/README.md")
        ids = {record.id for record in inside}
        others = split([record for record in records if record.id not in ids], seed=seed)
        return cls(split(inside, seed=seed), others, fingerprint(records))

    def after(self, number: int, rounds: int) -> tuple[Sides, set[str]]:
        """The sides after a round, and the ids of what came in it: of the one sector all that came until then."""
        sides = {
            **{side: [*self.others[side], *upto(self.own[side], number, rounds)] for side in ("train", "validation")},
            "test": self.others["test"],
        }
        known = {record.id for record in upto(self.own["train"], max(0, number - 1), rounds)}
        return sides, {record.id for record in upto(self.own["train"], number, rounds)} - known


def _of(group: str, sector: str) -> str:
    return f"{group} of {sector}"


def _table(sector: str, found: list[tuple[int, dict[str, float]]], groups: list[str]) -> Table:
    rows = []
    for number, (new, entry) in enumerate(found):
        cells = [f"{100 * entry[group]:.1f}" for group in groups]
        cells += [f"{100 * entry[group] / found[0][1][group]:.1f} %" for group in groups]
        cells += [f"{100 * entry[_of(group, sector)]:.1f}" for group in groups]
        rows.append((f"{number}", f"{new:,}", *cells))
    shares, own = (f"{group}, of the start" for group in groups), (_of(group, sector) for group in groups)
    return Table(f"Labels of {sector} in rounds", ("round", "new labels", *groups, *shares, *own), tuple(rows))
