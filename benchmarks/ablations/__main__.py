"""What each choice in training is worth: one thing done otherwise at a time, over several seeds, on real mentions.

Networks learn from a share of the corpora, another one for each seed, so that many can be compared in an hour. They are
measured in 32 bits as torch has them, calibrated on the validation side.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated

import torch
import typer
from rich.console import Console

from benchmarks.ablations.choices import BASE, CHOICES, Choice
from benchmarks.errors import BenchmarkError
from benchmarks.mentions import macro_f1, read
from benchmarks.numbers import numbers
from benchmarks.places import CORPORA, RESULTS
from benchmarks.report import MarkdownOption, Report, Table, machine, start
from benchmarks.store import Entry, Store, key
from benchmarks.targets import GROUP, names_several, whole
from labels.dataset import fingerprint
from labels.record import Record
from labels.record import read as read_records
from labels.split import split
from model.decode import Decoder, Floats
from model.processor import processor_limit
from model.taxonomy import DEFAULT, Taxonomy
from training import encoder as encoders
from training.calibrate import calibrate
from training.evaluate import figures, labelled
from training.examples import Examples, truth
from training.fit import Settings, fit, predict, seed

app = typer.Typer(add_completion=False, help="What each choice in training is worth.")

REVISION = 2
"""To be raised when a choice, or what is measured of it, changes: earlier results are then measured again."""
SHIFT = 0.25
"""As `make train` had it when this began, added to the log-odds of thresholds."""
_EVERY = 4
"""One in so many records of the validation side is used, as many as the training side has for one."""
_MEASURES = ("intents, micro", "macro (10+ cases)", "false alarms", "topics, leaves", "parents", "whole sets")


@app.command()
def main(
    data: Annotated[Path, typer.Option(help="The folder of public data: mentions/, minibar/ and xlmt/.")],
    only: Annotated[list[str] | None, typer.Option(help="A choice; may be repeated.", show_default="all")] = None,
    seeds: Annotated[str, typer.Option(help="One run of each choice for each of these.")] = "1,2,3",
    one_in: Annotated[int, typer.Option(help="Learn from one record in so many of the training side.", min=1)] = 8,
    epochs: Annotated[int, typer.Option(min=1)] = 3,
    corpora: Annotated[Path, typer.Option(help="Records to learn from.", show_default="those that ship")] = CORPORA,
    encoder: Annotated[str, typer.Option(help="As `tympan train` takes it.")] = encoders.PACKAGE,
    results: Annotated[Path, typer.Option(help="The file that keeps what was measured.")] = RESULTS / "ablations.json",
    markdown: MarkdownOption = None,
) -> None:
    """Train with each choice and seed, and compare on the development set. Interrupted, it goes on where it was.

    For example:

    python -m benchmarks.ablations --data ../shared/data --markdown ablations.md

    python -m benchmarks.ablations --data ../shared/data --only "focal loss" --seeds 1 --one-in 50 --epochs 1
    """
    names, taxonomy, console = _chosen(only), Taxonomy.load(DEFAULT), Console(stderr=True)
    every, real, store = numbers(seeds, "--seeds"), read(data), Store(results, ("runs",))
    records = read_records(corpora, taxonomy)
    sides, step = split(records), min(_EVERY, one_in)
    several = [record for at, record in enumerate(sides["validation"]) if at % step and names_several(record)]
    read_from = {"corpora": fingerprint(records), "real": fingerprint(real), "shift": SHIFT, "revision": REVISION}
    found: dict[str, list[Entry]] = {name: [] for name in names}
    for each in every:
        train = sides["train"]
        train = random.Random(each).sample(train, max(1, len(train) // one_in))  # noqa: S311 — no secret
        trial = Trial(taxonomy, encoder, train, sides["validation"][::step], real, several, console)
        for name in names:
            settings = replace(Settings(epochs=epochs, seed=each), **CHOICES[name].settings)
            settings = replace(settings, patience=settings.epochs)
            named = key(choice=name, settings=asdict(settings), one_in=one_in, encoder=encoder, **read_from)
            if not (entry := store.get("runs", named)):
                console.print(f"{name}, seed {each}", highlight=False)
                entry = trial.run(CHOICES[name], settings)
                store.add("runs", named, entry)
            found[name].append(entry)
    note = (
        f"Means over the seeds {seeds}, and differences from the first line, run by run, with their standard "
        f"deviation, in points. {epochs} epochs of one in {one_in} of the {len(records):,} records, others for each "
        f"seed; {len(real)} real mentions, in 32 bits. {machine(processor_limit(), ('torch',))}"
    )
    Report((table(found),), (note,)).give(markdown)


def _chosen(only: Sequence[str] | None) -> list[str]:
    for name in only or ():
        if name not in CHOICES:
            raise BenchmarkError("--only", f"{name!r} is no choice", f"Legal: {', '.join(CHOICES)}")
    return [name for name in CHOICES if not only or name == BASE or name in only]


@dataclass(frozen=True)
class Trial:
    """What every choice is given: records to learn from, to stop and calibrate with, and to be measured on."""

    taxonomy: Taxonomy
    encoder: str
    train: Sequence[Record]
    validation: Sequence[Record]
    real: Sequence[Record]
    several: Sequence[Record]
    console: Console

    def run(self, choice: Choice, settings: Settings) -> Entry:
        """Train one network; its figures on the real mentions and on those of several organisations, as shares."""
        seed(settings.seed)
        encoder = encoders.load(self.encoder)  # trimmed, it would read these texts in the same tokens
        how = self.taxonomy, encoder.tokenizer, settings.max_length
        network = choice.network(
            encoder, self.taxonomy, dropout=settings.dropout, train_embeddings=settings.train_embeddings
        )
        train = choice.examples.encode(self.train, *how)
        validation, real, several = (
            Examples.encode(records, *how) for records in (self.validation, self.real, self.several)
        )
        network.start_from_shares(torch.from_numpy(train.targets), torch.from_numpy(train.known))
        fit(network, train, validation, settings=settings, console=self.console)
        wanted = truth(self.validation, self.taxonomy)
        thresholds = calibrate(predict(network, validation).numpy(), *wanted, self.taxonomy, threshold_shift=SHIFT)
        decoder = Decoder(self.taxonomy, thresholds)
        return self.measured(decoder, *(predict(network, each).numpy() for each in (real, several)))

    def measured(self, decoder: Decoder, real: Floats, several: Floats) -> Entry:
        """The figures of logits (texts, labels) of both kinds of mention."""
        found = decoder.probabilities(real)
        groups = figures(self.real, found, decoder.decisions(found), self.taxonomy)["groups"]
        intent, topic = groups["intent"], groups["topic"]
        macro = macro_f1(intent)
        given, wanted, cells = (
            each[:, self.taxonomy.slices[GROUP]]
            for each in (decoder.decisions(decoder.probabilities(several)), *labelled(self.several, self.taxonomy))
        )
        values = (
            intent["micro_f1"],
            math.nan if macro is None else macro,
            intent["false_alarm_rate"],
            topic["leaf"]["micro_f1"],
            topic["parent"]["micro_f1"],
            float(whole(given, wanted, cells).mean()),
        )
        return dict(zip(_MEASURES, values, strict=True))


def table(found: Mapping[str, Sequence[Entry]]) -> Table:
    """A line for each choice: the first as it is, the others as differences."""
    rows = [(BASE, *(f"{100 * mean(run[measure] for run in found[BASE]):.1f}" for measure in _MEASURES))]
    for name in found:
        if name != BASE:
            pairs = list(zip(found[name], found[BASE], strict=True))
            rows.append((name, *(_difference([100 * (a[each] - b[each]) for a, b in pairs]) for each in _MEASURES)))
    return Table("On real mentions", ("choice", *_MEASURES), tuple(rows))


def _difference(found: Sequence[float]) -> str:
    spread = f" ± {stdev(found):.1f}" if len(found) > 1 else ""
    return f"{mean(found):+.1f}{spread}"


if __name__ == "__main__":
    start(app)
