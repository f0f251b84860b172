"""The verb `tag`."""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from serving.exports import Reading, Summary
    from serving.settings import Settings
    from serving.tables import Table

app = typer.Typer()
_WRITTEN = 1000  # rows between two looks of the bar

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
    "tympan tag mentions.csv\n\n"
    'tympan tag export.csv -o tagged.csv --text-column "Full Text"\n\n'
    "tympan tag mentions.jsonl -o tagged.jsonl --watchlist watchlist.toml --min-score 0.4\n\n"
    "tympan tag mentions.csv --target Free --bundle runs/mine\n\n"
    "tympan tag mentions.csv --priorities priorities.toml\n\n"
    "tympan tag export.xlsx --sheet Mentions --profile brandwatch\n\n"
    "tympan tag archive.jsonl.gz -o tagged.jsonl.gz --jobs 4 --resume\n\n"
    "RAY_ADDRESS=ray-head:6379 tympan tag archive.parquet -o tagged.parquet --engine ray\n\n"
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
    scores: Annotated[bool, typer.Option("--scores", help="Add the probability of every tag, a column each.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from where an interrupted run with the same OUTPUT got to.")
    ] = False,
    on_error: Annotated[
        Literal["keep", "stop"],
        typer.Option(help="A row that cannot be tagged is kept with its tympan_error, or stops it all."),
    ] = "keep",
    jobs: Annotated[
        int, typer.Option(min=1, help="Processes that tag, each with its own copy of the model; they share processors.")
    ] = 1,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Who tags: this machine, or Ray (the cluster of RAY_ADDRESS, or --jobs processes here)."),
    ] = "local",
) -> None:
    """Tag a file of mentions: the same rows and columns come back, with the tags in new columns.

    New columns: tympan_GROUP for every group of tags (joined by |), tympan_priority, tympan_priority_reason and
    tympan_owner if there are rules for these tags, tympan_lang, tympan_error, tympan_model and, with a watchlist or
    target, tympan_target and for every role the organisations found. Everything else comes back as it was:
    docs/exports.md has the formats. OUTPUT is complete or not there, and what an interrupted run had done is kept
    beside it for --resume. Exit code 0 if every row was tagged, 1 if some could not be (see tympan_error), 2 if the
    file or an option was refused and nothing was written.
    """
    from rich.console import Console

    from serving.exports import check_output, output_for, tag_table
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
    reading = replace(_reading(find_text_column(table, text_column), watchlist, target, min_score), scores=scores)
    _tell(table, reading, aloud)
    tag_it = partial(tag_table, table=table, output=output, resume=resume, on_error=on_error, jobs=jobs, by=engine)
    try:
        summary = _tagged(tag_it, table, reading, settings, aloud)
    except (KeyboardInterrupt, SystemExit):
        aloud.print("Interrupted: the same command with --resume goes on from there", markup=False)
        raise
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


def _tagged(
    tag_it: Callable[..., Summary], table: Table, reading: Reading, settings: Settings, aloud: Console
) -> Summary:
    """Tag `table` by `tag_it`, a `tag_table` that knows the rest, under progress bars."""
    from model.tagger import Tagger
    from serving.rules import Rules, priorities_for, told
    from serving.tables.names import column_for

    rules = Rules.load(settings.priorities) if settings.priorities else None
    tagger = Tagger.load(settings.bundle, threads=settings.threads)
    made = priorities_for(tagger.taxonomy, rules)
    reading = replace(reading, priorities=made, answered_column=column_for(table, "answered"))
    aloud.print(told(made, rules), markup=False)
    with _Bars(aloud, table.count) as bars:
        return tag_it(tagger, reading=reading, each=bars.tagged, seen=bars.written)


class _Bars:
    """What is tagged, at which rate, and then what is written."""

    def __init__(self, aloud: Console, rows: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        rate, left = TextColumn("{task.fields[rate]}"), TimeRemainingColumn()
        what, count = TextColumn("{task.description}"), MofNCompleteColumn()
        self._progress = Progress(what, BarColumn(), count, TextColumn("rows"), rate, left, console=aloud)
        self._tagging = self._progress.add_task("Tagging", total=rows, rate="")
        self._writing = self._progress.add_task("Writing", total=rows, rate="", start=False, visible=False)
        self._began: tuple[float, int] | None = None
        self._written = 0

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.update(self._writing, completed=self._written)
        self._progress.stop()

    def tagged(self, done: int) -> None:
        """So many rows are done, first those of an interrupted run."""
        if self._began is None:
            self._began = time.monotonic(), done
            self._progress.reset(self._tagging, completed=done)
        seconds, rows = time.monotonic() - self._began[0], done - self._began[1]
        rate = f"{rows / seconds:,.0f} a second," if rows else ""
        self._progress.update(self._tagging, completed=done, rate=rate)

    def written(self, *_: object) -> None:
        """One more row is on its way into the output."""
        if not self._written:
            self._progress.start_task(self._writing)
            self._progress.update(self._writing, visible=True)
        self._written += 1
        if self._written % _WRITTEN == 0:
            self._progress.update(self._writing, completed=self._written)


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
