"""The verb `tag`."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from model.tagger import Tagged
    from serving.exports import Reading, Summary
    from serving.priority import Priority
    from serving.report import Facts
    from serving.report.request import Request
    from serving.settings import Settings
    from serving.tables import Row, Table

app = typer.Typer()

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
    "tympan tag export.csv --report june.html --report june.json --baseline may.json --report-language fr\n\n"
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
    report: Annotated[
        list[Path] | None,
        typer.Option(help="Sum it up in this .html, .xlsx or .json; may be repeated.", show_default=False),
    ] = None,
    report_language: Annotated[Literal["fr", "it", "en"], typer.Option(help="The language of the report.")] = "en",
    report_layout: Annotated[
        Path | None,
        typer.Option(help="A TOML file of which tags come first in the report; that which ships if absent."),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="The report in JSON of an earlier file, which says what is normal.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option(help="A CSV of dates and titles to mark on the curves of the report.")
    ] = None,
    corrected: Annotated[
        bool,
        typer.Option(
            "--corrected",
            help="Correct the report's counts for the model's errors: if it was tested on mentions like these.",
        ),
    ] = False,
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

    from serving.console import show, tell
    from serving.exports import check_output, interrupted, output_for, tag_table
    from serving.settings import Settings
    from serving.tables import open_table
    from serving.tables.columns import text_column as find_text_column

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exit removes what is half-written, a kill would not
    aloud = Console(stderr=True, highlight=False, soft_wrap=True)
    settings = Settings.read(bundle=bundle, priorities=priorities)
    most = settings.max_unpacked
    table = open_table(input, encoding, sheet=sheet, profile=profile, text_column=text_column, most=most)
    output = output or output_for(table)
    check_output(table, output, whole=True)
    request = None
    if report or report_layout or baseline or events or corrected:
        from serving.report.request import Request

        beside = {"layout": report_layout, "baseline": baseline, "events": events}
        others = (table.path, output)
        request = Request.checked(report or (), language=report_language, others=others, corrected=corrected, **beside)
    reading = replace(_reading(find_text_column(table, text_column), watchlist, target, min_score), scores=scores)
    tell(table, reading, aloud)
    if resume and not interrupted(output):
        aloud.print("Nothing to go on from: it starts anew", markup=False)
    tag_it = partial(tag_table, table=table, output=output, resume=resume, on_error=on_error, jobs=jobs, by=engine)
    try:
        summary, facts = _tagged(tag_it, table, reading, settings, request, aloud)
    except (KeyboardInterrupt, SystemExit):
        aloud.print("Interrupted: the same command with --resume goes on from there", markup=False)
        raise
    show(summary, output)
    if facts:
        from serving.report.terminal import show as show_report

        show_report(facts, report_language, Console(highlight=False))
    for path in report or ():
        typer.echo(f"Report: {path}")
    if summary.failed:
        for reason, rows in summary.reasons.most_common(5):
            aloud.print(f"{rows:,} rows not tagged: {reason}", markup=False)
        raise typer.Exit(1)


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
    tag_it: Callable[..., Summary],
    table: Table,
    reading: Reading,
    settings: Settings,
    request: Request | None,
    aloud: Console,
) -> tuple[Summary, Facts | None]:
    """Tag `table` by `tag_it`, a `tag_table` that knows the rest, under progress bars; with the reports if wanted."""
    from model.tagger import Tagger
    from serving.console import Bars
    from serving.rules import SHIPPED, Rules, priorities_for, told
    from serving.tables.columns import column_for

    rules = Rules.load(settings.priorities) if settings.priorities else None
    tagger = Tagger.load(settings.bundle, threads=settings.threads)
    made = priorities_for(tagger.taxonomy, rules)
    reading = replace(reading, priorities=made, answered_column=column_for(table, "answered"))
    aloud.print(told(made, rules), markup=False)
    owners = {name: dict(owner.title) for name, owner in (rules or Rules.load(SHIPPED)).owners.items()}
    facts: list[Facts] = []
    collector = request.collector(table, tagger, reading, owners) if request else None
    with Bars(aloud, table.count) as bars:

        def seen(row: Row, result: Tagged | str, priority: Priority | None) -> None:
            bars.written()
            if collector:
                collector.add(row, result, priority)

        def done(_: Summary) -> None:
            if request and collector:
                facts.append(collector.facts())
                request.write(facts[0])

        summary = tag_it(tagger, reading=reading, each=bars.tagged, seen=seen, done=done)
    return summary, facts[0] if facts else None
