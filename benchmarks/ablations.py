"""What each choice in training is worth: all but one as they ship, over several seeds, on real mentions.

Networks learn from a share of the corpora, another one for each seed, so that many can be compared in an hour. They are
measured in 32 bits as torch has them, calibrated on the validation side.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
import typer
from rich.console import Console
from torch import Tensor, nn

from benchmarks.mentions import macro_f1, read
from benchmarks.numbers import numbers
from benchmarks.places import CORPORA, RESULTS
from benchmarks.report import MarkdownOption, Report, Table, machine, start
from benchmarks.store import Entry, Store, key
from labels.dataset import fingerprint
from labels.record import Record
from labels.record import read as read_records
from labels.split import split
from model.decode import Decoder
from model.processor import processor_limit
from model.taxonomy import DEFAULT, Group, Taxonomy
from training import encoder as encoders
from training import network as networks
from training.calibrate import calibrate
from training.encoder import Encoder
from training.evaluate import figures
from training.examples import Examples, truth
from training.fit import Settings, fit, predict, seed
from training.network import Network

app = typer.Typer(add_completion=False, help="What each choice in training is worth.")

SHIFT = 0.25
"""As `make train` has it, added to the log-odds of thresholds."""
_NOISES = 4
_MEASURES = ("intents, micro", "macro (10+ cases)", "false alarms", "topics, leaves", "parents")


class Noisy(Examples):
    """A third of the texts, other ones in every epoch, without accents, capitals or a letter."""

    others: Sequence[list[list[int]]]

    @classmethod
    def of(cls, records: Sequence[Record], examples: Examples, encoder: Encoder, length: int, seeded: int) -> Noisy:
        found, chance = cls(examples.ids, examples.targets, examples.known), random.Random(seeded)  # noqa: S311 — no secret
        encoder.tokenizer.enable_truncation(length)
        object.__setattr__(
            found,
            "others",
            [
                [
                    each.ids
                    for each in encoder.tokenizer.encode_batch_fast([noisy(r.prepared(), chance) for r in records])
                ]
                for _ in range(_NOISES)
            ],
        )
        encoder.tokenizer.no_truncation()
        return found

    def tensors(self, batch: Sequence[int] | npt.NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        chosen = [random.choice(self.others if random.random() < 1 / 3 else [self.ids]) for _ in batch]  # noqa: S311
        ids = [version[position] for version, position in zip(chosen, batch, strict=True)]
        return Examples(ids, self.targets, self.known).tensors(range(len(batch)))


def noisy(text: str, chance: random.Random) -> str:
    """A text with one kind of noise or two; words in brackets, which stand for organisations, stay."""
    kinds: tuple[Callable[[str], str], ...] = (_plain, str.lower, str.upper, lambda word: _mistyped(word, chance))
    words = text.split(" ")
    for kind in chance.sample(kinds, chance.choice((1, 1, 2))):
        words = [word if word.startswith("[") else kind(word) for word in words]
    return " ".join(words)


def _plain(word: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))


def _mistyped(word: str, chance: random.Random) -> str:
    """A long word in eight with two letters swapped, or one left out or doubled."""
    if len(word) < 4 or chance.random() > 1 / 8:
        return word
    at = chance.randrange(1, len(word) - 1)
    return word[:at] + chance.choice((word[at + 1] + word[at], "", 2 * word[at])) + word[at + 2 :]


class Smoothed(Network):
    """Label smoothing (Szegedy et al., 2016): a tag is wanted at 0.95 or 0.05."""

    def group_loss(self, group: Group, logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        return super().group_loss(group, logits, 0.9 * targets + 0.05, known)


class Focal(Network):
    """Focal loss with gamma 2 (Lin et al., "Focal loss for dense object detection", 2017)."""

    def group_loss(self, group: Group, logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        cells = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        missed = 1 - (-cells).exp()
        return (missed**2 * cells * known).sum() / len(logits)


class Asymmetric(Network):
    """Asymmetric loss with gammas 0 and 2, margin 0.05 (Ridnik et al., 2021)."""

    def group_loss(self, group: Group, logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        wrong = (logits.sigmoid() - 0.05).clamp(min=0)
        cells = (
            -targets * nn.functional.logsigmoid(logits) - (1 - targets) * wrong**2 * (1 - wrong).clamp(min=1e-6).log()
        )
        return (cells * known).sum() / len(logits)


class Even(Network):
    """The mean of all tokens, whatever the target."""

    def pooled(self, states: Tensor, mask: Tensor, marked: Tensor) -> Tensor:
        return networks.mean(states, networks.shares(mask))


class Beside(Network):
    """The mean of all tokens, and beside it that of the target's."""

    def __init__(self, encoder: Encoder, taxonomy: Taxonomy, *, dropout: float = 0.1, train_embeddings: bool) -> None:
        super().__init__(encoder, taxonomy, dropout=dropout, train_embeddings=train_embeddings)
        self.heads = nn.ModuleList(nn.Linear(2 * encoder.width, len(group.tags)) for group in taxonomy.groups)

    def pooled(self, states: Tensor, mask: Tensor, marked: Tensor) -> Tensor:
        return torch.cat([networks.mean(states, networks.shares(each)) for each in (mask, marked)], dim=1)


@dataclass(frozen=True)
class Choice:
    """One choice: what differs from what ships."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    network: type[Network] = Network
    noise: bool = False


SHIPS = "as it ships"
CHOICES: Mapping[str, Choice] = {
    SHIPS: Choice(),
    "the last weights": Choice({"averaging": 0.0}),
    "one rate for all layers": Choice({"layer_decay": 1.0}),
    "label smoothing": Choice(network=Smoothed),
    "focal loss": Choice(network=Focal),
    "asymmetric loss": Choice(network=Asymmetric),
    "noise in the texts": Choice(noise=True),
    "no share of the target": Choice(network=Even),
    "the target's mean beside that of all": Choice(network=Beside),
}


@app.command()
def main(
    data: Annotated[Path, typer.Option(help="The folder of public data: mentions/, minibar/ and xlmt/.")],
    only: Annotated[list[str] | None, typer.Option(help="A choice; may be repeated.", show_default="all")] = None,
    seeds: Annotated[str, typer.Option(help="One run of each choice for each of these.")] = "1,2,3",
    one_in: Annotated[int, typer.Option(help="Learn from one record in so many of the training side.", min=1)] = 8,
    epochs: Annotated[int, typer.Option(min=1)] = 3,
    results: Annotated[Path, typer.Option(help="The file that keeps what was measured.")] = RESULTS / "ablations.json",
    markdown: MarkdownOption = None,
) -> None:
    """Train with each choice and seed, and compare on the development set. Interrupted, it goes on where it was.

    For example:

    python -m benchmarks.ablations --data ../shared/data --markdown docs/ablations.md

    python -m benchmarks.ablations --data ../shared/data --only "focal loss" --seeds 1 --one-in 50 --epochs 1
    """
    names, taxonomy, console = _chosen(only), Taxonomy.load(DEFAULT), Console(stderr=True)
    records, real, store = read_records(CORPORA, taxonomy), read(data), Store(results, ("runs",))
    corpora, base = fingerprint(records), Settings(epochs=epochs, patience=epochs)
    found: dict[str, list[Entry]] = {name: [] for name in names}
    for each in numbers(seeds, "--seeds"):
        for name in names:
            choice = CHOICES[name]
            settings = replace(base, seed=each, **choice.settings)
            named = key(choice=name, settings=asdict(settings), one_in=one_in, corpora=corpora)
            if not (entry := store.get("runs", named)):
                console.print(f"{name}, seed {each}", highlight=False)
                entry = _run(choice, settings, _sides(records, one_in, each), real, taxonomy, console)
                store.add("runs", named, entry)
            found[name].append(entry)
    note = (
        f"Means over the seeds {seeds}, and differences from what ships, run by run, with their standard deviation; in "
        f"points. {epochs} epochs of one in {one_in} of the {len(records):,} records, other ones for each seed; "
        f"{len(real)} real mentions, in 32 bits. {machine(processor_limit(), ('torch',))}"
    )
    Report((table(found),), (note,)).give(markdown)


def _chosen(only: Sequence[str] | None) -> list[str]:
    for name in only or ():
        if name not in CHOICES:
            raise typer.BadParameter(f"{name!r} is none of: {', '.join(CHOICES)}")
    return [name for name in CHOICES if not only or name == SHIPS or name in only]


def _sides(records: Sequence[Record], one_in: int, seeded: int) -> Mapping[str, Sequence[Record]]:
    """A part of the training side, another one for each seed, and up to a quarter of the validation side."""
    sides = split(records)
    return {"train": sides["train"][seeded % one_in :: one_in], "validation": sides["validation"][:: min(4, one_in)]}


def _run(
    choice: Choice,
    settings: Settings,
    sides: Mapping[str, Sequence[Record]],
    real: Sequence[Record],
    taxonomy: Taxonomy,
    console: Console,
) -> Entry:
    """Train one network, and its figures on real mentions."""
    seed(settings.seed)
    encoder = encoders.load()  # trimmed, it would read these texts in the same tokens
    network = choice.network(encoder, taxonomy, dropout=settings.dropout, train_embeddings=settings.train_embeddings)

    def encode(part: Sequence[Record]) -> Examples:
        return Examples.encode(part, taxonomy, encoder.tokenizer, settings.max_length)

    train, validation = encode(sides["train"]), encode(sides["validation"])
    network.start_from_shares(torch.from_numpy(train.targets), torch.from_numpy(train.known))
    if choice.noise:
        train = Noisy.of(sides["train"], train, encoder, settings.max_length, settings.seed)
    fit(network, train, validation, settings=settings, console=console)
    fitted = predict(network, validation).numpy()
    calibration = calibrate(fitted, *truth(sides["validation"], taxonomy), taxonomy, threshold_shift=SHIFT)
    decoder = Decoder(taxonomy, calibration)
    probabilities = decoder.probabilities(predict(network, encode(real)).numpy())
    groups = figures(real, probabilities, decoder.decisions(probabilities), taxonomy)["groups"]
    intent, topic = groups["intent"], groups["topic"]
    values = (intent["micro_f1"], macro_f1(intent), intent["false_alarm_rate"])
    return dict(zip(_MEASURES, (*values, topic["leaf"]["micro_f1"], topic["parent"]["micro_f1"]), strict=True))


def table(found: Mapping[str, Sequence[Entry]]) -> Table:
    """A line for each choice: what ships as it is, the others as differences."""
    rows = [(SHIPS, *(f"{100 * mean(run[measure] for run in found[SHIPS]):.1f}" for measure in _MEASURES))]
    for name in found:
        if name != SHIPS:
            pairs = list(zip(found[name], found[SHIPS], strict=True))
            rows.append((name, *(_difference([100 * (a[each] - b[each]) for a, b in pairs]) for each in _MEASURES)))
    return Table("On real mentions", ("choice", *_MEASURES), tuple(rows))


def _difference(found: Sequence[float]) -> str:
    spread = f" ± {stdev(found):.1f}" if len(found) > 1 else ""
    return f"{mean(found):+.1f}{spread}"


if __name__ == "__main__":
    start(app)
