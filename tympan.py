"""The command line: mounts the verbs of every room.

A verb imports what it needs when it is called, so that `tympan --help` and `tympan tag` load no torch, and so that
the service runs where only its own libraries are installed.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from labels.cli import app as labels_verbs
from model.errors import TympanError
from serving.cli import app as serving_verbs
from serving.settings import version
from training.cli import app as training_verbs
from training.models_cli import app as models_verbs

EXTRAS = {"labels": "label", "train": "train", "evaluate": "train", "retrain": "train", "models": "train"}
"""Verb → the extra of pyproject.toml that it needs."""


class Verbs(TyperGroup):
    """Turns what a user can mend into one line and exit code 2."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 — typer does not export the class of its contexts
        """Run a verb."""
        try:
            return super().invoke(ctx)
        except TympanError as error:
            typer.echo(f"tympan: {error}", err=True)
        except OSError as error:  # a full disk, often without a file's name, or a folder of somebody else's
            if not error.filename and error.errno not in (errno.ENOSPC, errno.EDQUOT):  # a closed pipe, a connection
                raise
            where = f"{error.filename}: " if error.filename else ""
            typer.echo(f"tympan: {where}{error.strerror}. Mend that, and run it again", err=True)
            _drop_output()
        except ModuleNotFoundError as error:
            extra = EXTRAS.get(ctx.invoked_subcommand)
            if not extra:
                raise
            line = f"{ctx.invoked_subcommand} needs the extra {extra!r} ({error.name} is missing)"
            typer.echo(f"tympan: {line}. Install it: pip install 'tympan[{extra}]'", err=True)
        raise typer.Exit(2)


def _drop_output() -> None:
    """Let go of what standard output does not take: at the end it would fail again, with a traceback."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        with suppress(OSError), Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # its panels would show the texts of mentions
    help="Tags what people say about an organisation with what they intend and what it is about.",
    epilog="For example:\n\ntympan serve\n\ntympan tag mentions.csv -o tagged.csv\n\ntympan tag --help",
)
app.add_typer(serving_verbs)
app.add_typer(labels_verbs, name="labels")
app.add_typer(training_verbs)
app.add_typer(models_verbs, name="models")


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


if __name__ == "__main__":
    app()
