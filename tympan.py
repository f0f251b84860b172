"""The command line: mounts the verbs of every room.

A verb imports what it needs when it is called, so that `tympan --help` and `tympan tag` load no torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from model.errors import TympanError
from serving.cli import app as serving_verbs
from serving.settings import version

EXTRAS = {"labels": "label", "train": "train", "evaluate": "train"}
"""Verb → the extra of pyproject.toml that it needs."""


class Verbs(TyperGroup):
    """Turns what a user can mend into one line and exit code 2."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 — typer does not export the class of its contexts
        """Run a verb."""
        try:
            return super().invoke(ctx)
        except TympanError as error:
            typer.echo(f"tympan: {error}", err=True)
        except ModuleNotFoundError as error:
            extra = EXTRAS.get(ctx.invoked_subcommand or "")
            if not extra:
                raise
            typer.echo(_missing(ctx.invoked_subcommand or "", extra, error), err=True)
        raise typer.Exit(2)


app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # its panels would show the texts of mentions
    help="Tags what people say about an organisation with what they intend and what it is about.",
    epilog="For example:\n\ntympan serve\n\ntympan tag mentions.csv -o tagged.csv\n\ntympan tag --help",
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tympan {version()}")
        raise typer.Exit()


@app.callback()
def _main(
    shown: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    pass


def _missing(verb: str, extra: str, error: ModuleNotFoundError) -> str:
    return (
        f"tympan: {verb} needs the extra {extra!r} ({error.name} is missing). Install it: pip install 'tympan[{extra}]'"
    )


def _mount(room: str, verbs: Sequence[str], *, under: str | None = None) -> None:
    """Mount a room's verbs, or, if what they need is not installed, stand-ins that say so."""
    try:
        app.add_typer(importlib.import_module(f"{room}.cli").app, name=under)
    except ModuleNotFoundError as error:
        for verb in verbs:
            _stand_in(verb, error)


def _stand_in(verb: str, error: ModuleNotFoundError) -> None:
    @app.command(
        verb,
        help=f"(needs the extra {EXTRAS[verb]!r})",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def _() -> None:
        raise error


app.add_typer(serving_verbs)
_mount("labels", ["labels"], under="labels")
_mount("training", ["train", "evaluate"])

if __name__ == "__main__":
    app()
