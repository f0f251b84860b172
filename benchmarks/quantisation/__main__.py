"""What fewer bits cost and bring: every form of one trained network, compared with its 32-bit floats.

Measured on the validation side of the seeded split, which training did not learn from. Every form is called in two
ways: one call a text, as many side by side as there are threads, which is how the tagger runs what ships; and in
padded batches of 32 texts sorted by length, with the threads inside the call, which is how it is usually done.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import typer
from rich.console import Console
from rich.progress import track

from benchmarks.errors import BenchmarkError
from benchmarks.quantisation.batches import BATCH
from benchmarks.quantisation.forms import FORMS
from benchmarks.quantisation.trial import Court, Trial
from benchmarks.report import MarkdownOption, Report, Table, machine, percent, start
from labels.dataset import split
from labels.record import Record, read
from model.bundle import Bundle
from model.processor import processor_limit
from model.registry import resolve
from model.taxonomy import DEFAULT, Taxonomy
from training import encoder as encoders
from training.fit import Settings
from training.pipeline import train
from training.plan import Plan

app = typer.Typer(add_completion=False, help="The forms of a network in fewer bits, against its 32-bit floats.")

_MADE = Path("runs/quantisation/fp32")
_LANGUAGES = ("fr", "it", "en", "es", "de", "pt", "nl")
"""What the vocabulary of a network made here is trimmed to: as that of the bundle that ships."""
_QUANTISED = {
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "QAttention",
    "MatMulNBits",
    "QuantizeLinear",
    "DequantizeLinear",
}
_COLUMNS = (
    *("form", "calls", "MB", "mentions/s", "× 32 bits in batches"),
    *("largest difference", "flipped, %", "alone against so", "macro-F1"),
)


@app.command()
def main(
    bundle: Annotated[
        Path | None, typer.Option(help=f"A bundle in 32-bit floats. Without one, {_MADE} is used, and made if need be.")
    ] = None,
    network: Annotated[
        Path | None, typer.Option(help="The 32-bit model.onnx of the same training, for a bundle in 8 bits.")
    ] = None,
    data: Annotated[Path, typer.Option(help="The records that it was trained on.")] = Path("labels/corpora"),
    seed: Annotated[int, typer.Option(help="The seed of their split.")] = 0,
    limit: Annotated[int | None, typer.Option(help="Compare on so many records only, to try it out.", min=1)] = None,
    epochs: Annotated[int, typer.Option(help="Of the training of a network made here.", min=1)] = 1,
    encoder: Annotated[str, typer.Option(help="Its encoder.")] = encoders.PACKAGE,
    rounds: Annotated[int, typer.Option(help="Times that every form is timed, in turns.", min=1)] = 3,
    threads: Annotated[int | None, typer.Option(help="For every form.", show_default="all allowed", min=1)] = None,
    markdown: MarkdownOption = None,
) -> None:
    """Compare the forms by size and speed, and by how far their answers are from those of 32-bit floats.

    For example:

    python -m benchmarks.quantisation --markdown docs/quantisation.md

    tympan train --data labels/corpora --precision fp32 -o runs/whole

    python -m benchmarks.quantisation --bundle runs/whole --rounds 5
    """
    if bundle is None and not _MADE.exists():
        _make(data, seed=seed, epochs=epochs, encoder=encoder)
    whole = Bundle.read(resolve(bundle or _MADE))
    source = network or whole.model_file
    _require_floats(source)
    sides = split(read(data, whole.taxonomy), seed=seed)
    court = Court(whole, sides["validation"][:limit], threads or processor_limit())
    with tempfile.TemporaryDirectory() as folder:
        trials = _trials(court, source, Path(folder), sides["train"])
        for _ in track(range(rounds), "rounds", console=Console(stderr=True)):
            for trial in trials:
                trial.go()
    Report((_table(trials),), _notes(court, rounds)).give(markdown)


def _trials(court: Court, source: Path, folder: Path, known: Sequence[Record]) -> list[Trial]:
    """Make every form from the network at `source`, those with fixed scales on records that training `known`."""
    windows = court.tagger(source, {}).encode([record.prepared() for record in known])
    trials = []
    for number, form in enumerate(track(FORMS, "making the forms", console=Console(stderr=True))):
        model = folder / f"{number}.onnx"
        form.write(source, model, windows)
        trials += court.trials(form, model)
    return trials


def _table(trials: Sequence[Trial]) -> Table:
    """Compare all with the first, 32-bit floats in batches; the first alone is the same but for rounding."""
    rival, rows = trials[0], []
    for trial in trials:
        flipped = float((trial.decisions != rival.decisions).mean())
        rows.append(
            (
                trial.form.name,
                trial.way,
                f"{trial.size / 1e6:.1f}",
                f"{trial.rate:.1f}",
                f"{trial.rate / rival.rate:.2f}",
                f"{np.abs(trial.probabilities - rival.probabilities).max():.1e}",
                percent(flipped),
                f"{trial.neighbours:.1e}",
                percent(trial.macro_f1),
            )
        )
    return Table("Forms of one network", _COLUMNS, tuple(rows))


def _notes(court: Court, rounds: int) -> tuple[str, ...]:
    origin = court.bundle.provenance
    return (
        f"{len(court.records)} records of the validation side, {len(court.bundle.taxonomy.labels)} tags each; the "
        f"network: {origin['encoder']}, best epoch {origin['best_epoch']}.",
        "Largest difference: of any calibrated probability from that of 32-bit floats. Flipped: decisions on a tag "
        "that come out otherwise. Alone against so: the largest difference of a probability between a text computed "
        "by itself and in these calls, which is what its neighbours change. Macro-F1: mean of the groups, in points.",
        f"Speed: of the network alone, texts tokenised before; median of {rounds} rounds in which every form takes its "
        f"turn. Batches of {BATCH} are of texts of like length, with all threads in one call.",
        "All forms but the first keep the word embeddings in blocks of 4 or 8 bits; MB is the size of model.onnx. "
        "What each form is: docs/quantisation.md.",
        machine(court.threads, ("onnxruntime", "onnx")),
    )


def _make(data: Path, *, seed: int, epochs: int, encoder: str) -> None:
    """Train a network briefly and keep it."""
    taxonomy = Taxonomy.load(DEFAULT)
    plan = Plan(
        taxonomy=taxonomy,
        settings=Settings(epochs=epochs, seed=seed),
        encoder=encoder,
        keep_languages=_LANGUAGES,
        precision="fp32",
    )
    train(split(read(data, taxonomy), seed=seed), _MADE, plan)


def _require_floats(model: Path) -> None:
    if not model.is_file():
        raise BenchmarkError(str(model), "is no file", "Give the 32-bit model.onnx of the training")
    if _QUANTISED & {node.op_type for node in onnx.load(model).graph.node}:
        raise BenchmarkError(
            str(model), "is in 8 bits already", "Give its 32-bit form with --network, or train with --precision fp32"
        )


if __name__ == "__main__":
    start(app)
