"""The verbs of `tympan keys`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from serving.errors import SettingsError
from serving.keys import Key, Scope, add_key, read_keys, revoke_key
from serving.settings import Settings

app = typer.Typer(help="Make, list and revoke the keys that let callers in, in the file TYMPAN_KEYS.")

NameArgument = Annotated[str, typer.Argument(help="Who the key is for: letters, digits, '.', '_' and '-'.")]


@app.command(
    epilog="For example:\n\n"
    "TYMPAN_KEYS=keys.json tympan keys add dashboard --scope tag --scope jobs\n\n"
    "TYMPAN_KEYS=keys.json tympan keys add agency --scope tag --mentions-per-minute 5000 --expires 2027-01-01"
)
def add(
    name: NameArgument,
    scope: Annotated[list[Scope], typer.Option(help="What it may do; admin may do all. May be given again.")],
    per_minute: Annotated[int | None, typer.Option(min=1, help="Requests a minute; any number if absent.")] = None,
    mentions_per_minute: Annotated[
        int | None, typer.Option(min=1, help="Mentions a minute; any number if absent.")
    ] = None,
    expires: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The first day, in UTC, on which it is refused; never if absent."),
    ] = None,
) -> None:
    """Make a key and show it, this once: the file holds only its hash.

    A service that runs takes it at once. Quotas are counted by each process of the service for itself: a minute's
    worth may be used at once, and comes back steadily.
    """
    secret = add_key(
        _file(),
        name,
        scope,
        per_minute=per_minute,
        mentions_per_minute=mentions_per_minute,
        expires=expires.date() if expires else None,
    )
    typer.echo(f"The key of {name}. Keep it: it is not shown again.", err=True)
    typer.echo(secret)


@app.command("list")
def show() -> None:
    """List the keys and what each may do."""
    from rich.console import Console
    from rich.table import Table

    grid = Table("name", "scopes", "requests/min", "mentions/min", "made", "expires")
    for key in read_keys(_file()):
        grid.add_row(*_cells(key))
    Console(highlight=False).print(grid)


@app.command()
def revoke(name: NameArgument) -> None:
    """Take a key out of the file. A service that runs refuses it from its next call on."""
    revoke_key(_file(), name)
    typer.echo(f"Revoked: {name}")


def _file() -> Path:
    file = Settings.read().keys
    if file is None:
        raise SettingsError("TYMPAN_KEYS", "is not set", "Set it to the file of the keys, such as keys.json")
    return file


def _cells(key: Key) -> tuple[str, ...]:
    quotas = (f"{quota:,}" if quota else "any" for quota in (key.per_minute, key.mentions_per_minute))
    expires = f"{key.expires}{' (expired)' if key.expired else ''}" if key.expires else "never"
    return key.name, ", ".join(key.scopes), *quotas, str(key.made), expires
