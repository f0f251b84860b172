"""The verb `tympan labels corrections`: what people corrected, as records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from model.taxonomy import DEFAULT, Taxonomy

app = typer.Typer()


@app.command()
def corrections(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the records, a JSONL file.")],
    disputed: Annotated[
        Path | None, typer.Option(help="Where to write what people disagree on, a JSONL file for `push`.")
    ] = None,
    store: Annotated[
        str,
        typer.Option(
            help="The folder, or the URL of a PostgreSQL, that the service keeps corrections in.",
            envvar=["TYMPAN_FEEDBACK", "TYMPAN_STATE"],
            show_envvar=True,
            show_default="that of the environment",
        ),
    ] = "",
    taxonomy: Annotated[
        Path, typer.Option(help="The tag set, a TOML file.", show_default="the one that ships")
    ] = DEFAULT,
    limit: Annotated[int, typer.Option(help="The most lines to show.", min=1)] = 20,
) -> None:
    """Make records of what people corrected over HTTP, and a file of the mentions on which they disagree.

    A URL with a password is better given in TYMPAN_FEEDBACK than as an option, which others can see.

    Exit code 0: written. 1: written, but some corrections have tags that the tag set does not. 2: refused.

    For example:

    tympan labels corrections --store /var/lib/tympan -o corrected.jsonl --disputed again.jsonl

    tympan labels push "Read again" again.jsonl
    """
    from labels.errors import FeedbackStoreError
    from labels.feedback.records import gather
    from labels.feedback.store import opened
    from labels.record import write, write_lines

    there = opened(store) if store else None
    if there is None:
        raise FeedbackStoreError(store or "store", "holds no corrections", "Give --store, a folder or a URL")
    kept = there.after()
    found = gather((one.correction for one in kept), Taxonomy.load(taxonomy))
    for problem in found.problems[:limit]:
        typer.echo(str(problem), err=True)
    write(output, found.records)
    if disputed:
        write_lines(disputed, found.disputes)
    typer.echo(
        f"{len(kept):,} corrections: {len(found.records):,} records, {len(found.disputes):,} mentions disputed"
        f"{'' if disputed else ' (see --disputed)'}, {len(found.problems):,} corrections left out"
    )
    typer.echo(f"Written: {output}{f' and {disputed}' if disputed else ''}")
    raise typer.Exit(1 if found.problems else 0)
