"""The verb `erase`: a person's mentions, out of every place that keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labels.studio_cli import UrlOption

if TYPE_CHECKING:
    from labels.erasure.place import Place
    from labels.erasure.receipt import Receipt

app = typer.Typer()


@app.command(
    epilog="For example:\n\n"
    "tympan erase --id m7 --state /var/lib/tympan --dry-run\n\n"
    "tympan erase --text said.txt --state /var/lib/tympan --dataset runs/spring --project Spring --receipt receipt.json"
)
def erase(
    ids: Annotated[list[str] | None, typer.Option("--id", help="A mention's id; several may be given.")] = None,
    texts: Annotated[
        list[str] | None,
        typer.Option("--text", help="A mention's text, or a file that holds it and nothing else; likewise."),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="The folder of a service, with its corrections and jobs.", envvar="TYMPAN_STATE"),
    ] = None,
    feedback: Annotated[
        str | None, typer.Option(help="The PostgreSQL that keeps its corrections.", envvar="TYMPAN_FEEDBACK")
    ] = None,
    datasets: Annotated[
        list[Path] | None, typer.Option("--dataset", help="A dataset, with all its versions; several may be given.")
    ] = None,
    projects: Annotated[
        list[str] | None, typer.Option("--project", help="A project of Label Studio, by title or number; likewise.")
    ] = None,
    url: UrlOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would go, and change nothing.")] = False,
    receipt: Annotated[Path | None, typer.Option(help="Where to write the receipt, in JSON.")] = None,
) -> None:
    """Erase a person's mentions, by their ids or texts, wherever they are kept, and give a receipt.

    What one place has under an id goes from the others by its text. Texts are compared as the model reads them, so
    that spacing makes no difference. A job that has ended goes whole; see docs/erase.md. The token of Label Studio is
    read from LABEL_STUDIO_API_KEY. Safe to run again: a second run goes on where a kill ended the first.

    Exit code 0: all is erased, or nothing was there. 1: something could not be erased. 2: refused, nothing was erased.
    """
    from labels.erasure.asked import Asked
    from labels.erasure.place import erase as carry_out
    from labels.erasure.receipt import Receipt

    said = list(map(_text, texts or ()))
    asked = Asked.of(ids or (), said)
    _check(state, feedback, datasets, projects, receipt)
    with ExitStack() as opened:
        places = [
            *_of_service(state, feedback),
            *_of_datasets(datasets or (), repair=not dry_run),
            *_of_projects(projects or (), url, opened),
        ]
        found = carry_out(places, asked, dry_run=dry_run, each=_say)
    result = Receipt(ids=ids or (), texts=said, places=places, found=found, dry_run=dry_run)
    _show(result)
    written = receipt is None or _written(result, receipt)
    raise typer.Exit(0 if result.whole and written else 1)


def _text(given: str) -> str:
    """What a file of that name says, or else what is given."""
    from labels.errors import ErasureError

    path = Path(given)
    named = path.suffix and not any(sign.isspace() for sign in given) and "://" not in given
    try:
        is_file = path.is_file()
    except (OSError, ValueError):  # a text that is too long for a name, or holds what no name does
        is_file = False
    if named and not is_file:  # to look for the name itself would find nothing, and a receipt say that all is well
        raise ErasureError("--text", "looks like a file's name, and there is none", "Save the text in a file to name")
    try:
        return path.read_text(encoding="utf-8-sig") if is_file else given
    except (OSError, UnicodeDecodeError) as error:
        raise ErasureError("--text", "is a file that cannot be read as UTF-8 text", "Save it as UTF-8") from error


def _check(
    state: Path | None,
    feedback: str | None,
    datasets: list[Path] | None,
    projects: list[str] | None,
    receipt: Path | None,
) -> None:
    """ErasureError if nothing is to be looked through, or what is to be there is not."""
    from labels.errors import ErasureError

    if not (state or feedback or datasets or projects):
        raise ErasureError("--state", "is missing", "Say where to look: --state, --feedback, --dataset or --project")
    if state and not state.is_dir():
        raise ErasureError(str(state), "is no folder", "Give that of TYMPAN_STATE")
    if feedback and "://" not in feedback:
        raise ErasureError("--feedback", "is no URL of a PostgreSQL", "Give a folder as --state")
    if receipt and (receipt.is_dir() or not receipt.parent.is_dir()):
        raise ErasureError(str(receipt), "cannot be written", "Give a file in a folder that is there")


def _of_service(state: Path | None, feedback: str | None) -> Iterator[Place]:
    """Corrections and jobs, where there are any."""
    from labels.erasure.feedback import FeedbackPlace
    from labels.feedback.database import FILE
    from labels.feedback.store import FeedbackStore, opened
    from serving.jobs.erasure import JobsPlace
    from serving.settings import Settings

    if feedback:
        yield FeedbackPlace(FeedbackStore(feedback), _address(feedback))
    if state and (store := opened(state)):
        yield FeedbackPlace(store, str(state / FILE))
    if state:
        yield JobsPlace(Settings.read(state=state), state)


def _of_datasets(folders: Iterable[Path], *, repair: bool) -> Iterator[Place]:
    from labels.erasure.dataset import DatasetPlace, recover

    for folder in folders:
        if repair:
            recover(folder)
        yield DatasetPlace(folder)


def _of_projects(names: Iterable[str], url: str | None, opened: ExitStack) -> Iterator[Place]:
    """On one connection, which is closed with `opened`."""
    from labels.erasure.studio import StudioPlace
    from labels.studio import Studio

    names = list(names)
    if names:
        studio = opened.enter_context(Studio(url=url))
        for name in names:
            yield StudioPlace(studio, name)


def _address(url: str) -> str:
    """Where a database is, without what opens it."""
    from sqlalchemy import make_url

    found = make_url(url)
    return f"PostgreSQL {found.database or ''} on {found.host or 'this machine'}"


def _written(result: Receipt, path: Path) -> bool:
    from labels.errors import ErasureError

    try:
        result.write(path)
    except ErasureError as error:
        typer.echo(str(error), err=True)
        return False
    typer.echo(f"Receipt: {path}")
    return True


def _say(what: str) -> None:
    typer.echo(f"{what} …", err=True)


def _show(receipt: Receipt) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    from labels.erasure.receipt import UNREACHED

    gone = "would be erased" if receipt.dry_run else "erased"
    names = (Column(heading, overflow="fold") for heading in ("place", "where"))
    table = Table(*names, Column("looked through", justify="right"), Column(gone, overflow="fold"))
    for place, found in zip(receipt.places, receipt.found, strict=True):
        counts = ", ".join(f"{count:,} {what}" for what, count in found.counts.items() if count)
        table.add_row(place.kind, place.where, f"{found.looked:,}", counts or "nothing")
    Console(markup=False, highlight=False).print(table)
    for found in receipt.found:
        for note in found.notes:
            typer.echo(note)
        for problem in found.left:
            typer.echo(f"Not erased: {problem}", err=True)
    typer.echo("Not reached:")
    for what in UNREACHED:
        typer.echo(f"- {what}")
    if not receipt.total:
        typer.echo("Nothing was found")
