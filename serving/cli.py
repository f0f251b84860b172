"""The verbs of this room: `serve` and `tag`."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.keys_cli import app as keys_verbs

if TYPE_CHECKING:
    from rich.console import Console

    from serving.exports import Reading, Summary
    from serving.settings import Settings
    from serving.tables import Table

app = typer.Typer()
app.add_typer(keys_verbs, name="keys")

BundleOption = Annotated[
    Path | None,
    typer.Option(
        "--bundle",
        "-b",
        help="A bundle, or a registry whose champion is used; the one that ships with Tympan if absent.",
    ),
]


@app.command(
    epilog="For example:\n\n"
    "tympan serve\n\n"
    "tympan serve --bundle runs/mine --port 9000\n\n"
    "tympan serve --workers 2\n\n"
    "TYMPAN_HOST=0.0.0.0 TYMPAN_THREADS=4 tympan serve"
)
def serve(
    bundle: BundleOption = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on; 127.0.0.1 if absent.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; 8000 if absent, 0 for a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve on that port; 1 if absent.")] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="Threads of the network in each; they share the processors allowed if absent."),
    ] = None,
) -> None:
    """Serve tags over HTTP, until stopped.

    Every option can be set by the environment too: TYMPAN_BUNDLE, TYMPAN_HOST, TYMPAN_PORT, TYMPAN_WORKERS,
    TYMPAN_THREADS, and TYMPAN_MAX_MENTIONS and TYMPAN_MAX_BYTES for the limits of one call. As a model of Label Studio
    (/label-studio) it asks for TYMPAN_LABEL_STUDIO_USER and TYMPAN_LABEL_STUDIO_PASSWORD if they are set, and keeps
    events in the folder TYMPAN_STATE.

    TYMPAN_KEYS names the file of the keys that callers need (tympan keys --help). Without it, none is asked for, and
    an address that others than this machine can reach is refused unless TYMPAN_KEYS_OFF=yes.
    """
    from serving.settings import Settings

    settings = Settings.read(bundle=bundle, host=host, port=port, workers=workers, threads=threads)
    if settings.workers > 1:
        from serving.workers import run
    else:
        from serving.server import run
    run(settings, say=typer.echo)


@app.command(
    epilog="For example:\n\n"
    "tympan tag mentions.csv\n\n"
    'tympan tag export.csv -o tagged.csv --text-column "Full Text"\n\n'
    "tympan tag mentions.jsonl -o tagged.jsonl --watchlist watchlist.toml --min-score 0.4\n\n"
    "tympan tag mentions.csv --target Free --bundle runs/mine\n\n"
    "tympan tag mentions.csv --priorities priorities.toml\n\n"
    "tympan tag export.xlsx --sheet Mentions --profile brandwatch\n\n"
    "tympan tag s3://listening/2026/mentions.parquet -o tagged.parquet"
)
def tag(
    input: Annotated[  # noqa: A002 — its name in --help
        str,
        typer.Argument(
            metavar="INPUT",
            help="CSV, TSV, JSONL, JSON, XLSX, ODS or Parquet, also gzip or zstd: path, URL, or - (standard input).",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write; INPUT with .tagged before its ending if absent."),
    ] = None,
    bundle: BundleOption = None,
    text_column: Annotated[
        str | None, typer.Option(help="The column of the text; found by its name if absent.")
    ] = None,
    watchlist: Annotated[Path | None, typer.Option(help="A TOML file of the organisations to tell apart.")] = None,
    target: Annotated[
        str | None, typer.Option(help="The organisation that tags are towards; the watchlist's only brand if absent.")
    ] = None,
    min_score: Annotated[float, typer.Option(min=0, max=1, help="A floor added to the tags' own thresholds.")] = 0.0,
    encoding: Annotated[str | None, typer.Option(help="The encoding of INPUT; found out if absent.")] = None,
    sheet: Annotated[
        str | None, typer.Option(help="The sheet of a workbook; the first with a column of the text if absent.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Whose export INPUT is, by name or by file; found out by its header if absent.")
    ] = None,
    priorities: Annotated[
        Path | None, typer.Option(help="A TOML file of rules of priority; those that ship if absent.")
    ] = None,
) -> None:
    """Tag a file of mentions: the same rows and columns come back, with the tags in new columns.

    New columns: tympan_GROUP for every group of tags (joined by |), tympan_priority, tympan_priority_reason and
    tympan_owner if there are rules for these tags, tympan_lang, tympan_error, tympan_model and, with a watchlist or
    target, tympan_target. Everything else comes back as it was: docs/exports.md has the formats. Exit code 0 if every
    row was tagged, 1 if some could not be (see tympan_error), 2 if the file or an option was refused and nothing was
    written.
    """
    from rich.console import Console

    from serving.exports import check_output, output_for
    from serving.settings import Settings
    from serving.tables import open_table
    from serving.tables.names import text_column as find_text_column

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exit removes what is half-written, a kill would not
    aloud = Console(stderr=True, highlight=False, soft_wrap=True)
    settings = Settings.read(bundle=bundle, priorities=priorities)
    most = settings.max_unpacked
    table = open_table(input, encoding, sheet=sheet, profile=profile, text_column=text_column, most=most)
    output = output or output_for(table)
    check_output(table, output, whole=True)
    reading = _reading(find_text_column(table, text_column), watchlist, target, min_score)
    _tell(table, reading, aloud)
    summary = _tagged(table, output, reading, settings, aloud)
    _show(summary, output)
    if summary.failed:
        for reason, rows in summary.reasons.most_common(5):
            aloud.print(f"{rows:,} rows not tagged: {reason}", markup=False)
        raise typer.Exit(1)


def _tell(table: Table, reading: Reading, aloud: Console) -> None:
    """Say how the file is read."""
    from serving.tables.names import ROLES, column_for

    name, column = table.source.name, reading.text_column
    aloud.print(f"{name}: {table}; {table.count:,} rows; the text is in column {column!r}", markup=False)
    others = {role: column_for(table, role) for role in ROLES if role != "text"}
    if found := ", ".join(f"{role} in {column!r}" for role, column in others.items() if column):
        aloud.print(f"{name}: {found}", markup=False)
    whose = (f"an export of {table.profile.title}",) if table.profile else ()
    for note in (*whose, *table.notes):
        aloud.print(f"{name}: {note}", markup=False)


def _reading(text_column: str, watchlist: Path | None, target: str | None, min_score: float) -> Reading:
    """Towards whom to read; a target alone is a watchlist of one."""
    from model.errors import WatchlistError
    from model.watchlist import Organisation, Watchlist
    from serving.exports import Reading

    if watchlist:
        watched = Watchlist.load(watchlist)
        return Reading(text_column, watched, watched.get(target) if target else watched.brand(), min_score)
    if target:
        try:
            organisation = Organisation.from_dict({"name": target})
        except WatchlistError as error:
            raise WatchlistError("--target", error.problem, "Give a name") from error
        return Reading(text_column, Watchlist([organisation]), organisation, min_score)
    return Reading(text_column, min_score=min_score)


def _tagged(table: Table, output: Path, reading: Reading, settings: Settings, aloud: Console) -> Summary:
    """Tag `table` under a progress bar."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from model.tagger import Tagger
    from serving.exports import tag_table
    from serving.rules import Rules, priorities_for, told
    from serving.tables.names import column_for

    rules = Rules.load(settings.priorities) if settings.priorities else None
    tagger = Tagger.load(settings.bundle, threads=settings.threads)
    made = priorities_for(tagger.taxonomy, rules)
    reading = replace(reading, priorities=made, answered_column=column_for(table, "answered"))
    aloud.print(told(made, rules), markup=False)
    bar = (TextColumn("Tagging"), BarColumn(), MofNCompleteColumn(), TextColumn("rows,"), TimeRemainingColumn())
    with Progress(*bar, console=aloud) as progress:
        task = progress.add_task("rows", total=table.count)
        return tag_table(tagger, table, output, reading, each=lambda done: progress.update(task, completed=done))


def _show(summary: Summary, output: Path) -> None:
    """The counts of a file, on standard output."""
    from rich.console import Console
    from rich.table import Table as Grid

    console = Console(highlight=False)
    for group, tags in summary.tags.items():
        grid = Grid("tag", title=group, title_justify="left")
        grid.add_column("rows", justify="right")
        for name, rows in tags.most_common():
            grid.add_row(name, f"{rows:,}")
        grid.add_row("(none)", f"{summary.untagged[group]:,}", style="dim")
        console.print(grid)
    languages = ", ".join(f"{language} {rows:,}" for language, rows in summary.languages.most_common())
    console.print(f"{summary.rows:,} rows, {summary.failed:,} not tagged", markup=False)
    console.print(f"Languages: {languages or 'none'}", markup=False)
    console.print(f"Written: {output}", markup=False, soft_wrap=True)
