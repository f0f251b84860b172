"""`tympan models`: the bundles of a registry, which is its champion, and how it came to be."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from model.bundle import Bundle
from model.errors import TympanError
from model.registry import Registry
from training.errors import TrainingError

app = typer.Typer(
    no_args_is_help=True,
    help="The models of a registry: look at them, compare two, and choose the one that is served.\n\n"
    "For example:\n\ntympan models add runs/mine --registry models --promote\n\ntympan models list --registry models",
)
RegistryOption = Annotated[Path, typer.Option(help="The folder of the registry.", envvar="TYMPAN_BUNDLE")]
WhoOption = Annotated[str, typer.Option(help="Who decides, for the history.", show_default="the name of the account")]


@app.command()
def add(
    bundle: Annotated[Path, typer.Argument(help="A bundle's folder.")],
    registry: RegistryOption,
    promote: Annotated[bool, typer.Option("--promote", help="Make it the champion, if there is none yet.")] = False,
    who: WhoOption = "",
) -> None:
    """Copy a bundle into a registry, which is made if it is not there.

    Exit code 0: held. 2: refused, nothing has changed.
    """
    found = Registry(registry)
    if promote and found.champion():
        raise TrainingError("--promote", f"would replace {found.champion()} unseen", "Use tympan models promote")
    version = found.add(bundle)
    if promote:
        found.promote(version, who=who or _account(), why="the first")
    typer.echo(f"{version} is held{' and the champion' if promote else ''}")


@app.command("list")
def show_all(registry: RegistryOption) -> None:
    """List the models that are held, with their mean F1 on their own test texts.

    Exit code 0: listed. 2: refused.
    """
    found = Registry(registry)
    champion = found.champion()
    table = Table(
        Column("model", no_wrap=True),
        "",
        "languages",
        "macro-F1 by group",
        "came",
        title=str(registry),
        title_justify="left",
    )
    came = {
        event["version"]: event["at"][:16].replace("T", " ") for event in found.history() if event["event"] == "add"
    }
    for version in found.versions():
        try:
            bundle = Bundle.described(found.folder(version))
        except TympanError as error:
            table.add_row(version, "", "", str(error), came.get(version, ""))
            continue
        groups = bundle.metrics.get("test", {}).get("groups", {})
        figures = ", ".join(f"{name} {100 * figures['macro_f1']:.1f}" for name, figures in groups.items())
        mark = "champion" if version == champion else ""
        table.add_row(version, mark, " ".join(bundle.languages), figures, came.get(version, ""))
    Console().print(table)


@app.command()
def show(version: Annotated[str, typer.Argument(help="A version that is held.")], registry: RegistryOption) -> None:
    """Show a model's card, what happened to it, and how it compared with the champion of its time.

    Exit code 0: shown. 2: refused.
    """
    found = Registry(registry)
    folder = found.folder(version)
    typer.echo((folder / "README.md").read_text(encoding="utf-8"))
    for event in found.history():
        if event["version"] == version:
            told = {key: value for key, value in event.items() if key not in ("event", "version", "at") and value}
            typer.echo(f"{event['at'][:19]} {event['event']} {json.dumps(told, ensure_ascii=False) if told else ''}")
    report = found.path / "reports" / f"{version}.md"
    if report.exists():
        typer.echo(f"Report: {report}")


@app.command()
def compare(
    champion: Annotated[str, typer.Argument(help="A version that is held.", metavar="A")],
    challenger: Annotated[str, typer.Argument(help="Another.", metavar="B")],
    registry: RegistryOption,
    data: Annotated[
        Path, typer.Option(help="Labelled records that neither has learnt from: JSONL, or a dataset's side.")
    ],
    rules: Annotated[Path | None, typer.Option(help="What B is held to: a TOML file.")] = None,
) -> None:
    """Compare two models on labelled texts, tag by tag and language by language, and hold B to the rules of release.

    Exit code 0: B is no worse. 1: it is, and why is told. 2: refused.
    """
    from labels.dataset import is_dataset, load
    from labels.record import read
    from training.release import Rules
    from training.report import rows
    from training.trial import compared

    found, held_to = Registry(registry), Rules.load(rules)
    before, after = (Bundle.read(found.folder(version)) for version in (champion, challenger))
    held_to.check(after.taxonomy.labels, after.languages)
    records = load(data, after.taxonomy)["test"] if is_dataset(data) else read(data, after.taxonomy)
    trial = compared(before, after, records, records, rules=held_to)
    table = Table("tags", "language", "cases", champion, challenger, "change", title=str(data), title_justify="left")
    for row in rows([*trial.frozen.groups, *trial.frozen.tags]):
        table.add_row(*row)
    Console().print(table)
    for reason in trial.verdict.reasons:
        typer.echo(f"- {reason}")
    typer.echo(f"{challenger} passes" if trial.verdict.passed else f"{challenger} does not pass")
    raise typer.Exit(0 if trial.verdict.passed else 1)


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="A version that is held.")],
    registry: RegistryOption,
    why: Annotated[str, typer.Option(help="Why, for the history.")],
    who: WhoOption = "",
    force: Annotated[bool, typer.Option("--force", help="Even if it was judged and did not pass.")] = False,
) -> None:
    """Make a model the champion: services that serve this registry follow within a second or so.

    Exit code 0: promoted. 2: refused, nothing has changed.
    """
    found = Registry(registry)
    if (refusal := found.refusal(version)) and not force:
        raise TrainingError(version, f"did not pass: {refusal}", "Promote it all the same: --force")
    found.promote(version, who=who or _account(), why=f"{why} (forced)" if force else why)
    typer.echo(f"{version} is the champion")


@app.command()
def rollback(
    registry: RegistryOption,
    why: Annotated[str, typer.Option(help="Why, for the history.")],
    who: WhoOption = "",
) -> None:
    """Go back to the champion before.

    Exit code 0: done. 2: refused, nothing has changed.
    """
    typer.echo(f"{Registry(registry).rollback(who=who or _account(), why=why)} is the champion again")


def _account() -> str:
    """The name of the account; in a container there may be none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
