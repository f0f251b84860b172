"""The verb `tympan labels queue`: which mentions of a file are worth a person's time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model.bundle import PRETRAINED

if TYPE_CHECKING:
    from labels.queue import Pick
    from labels.record import Record
    from model.decode import Floats
    from model.tagger import Tagger
    from model.taxonomy import Taxonomy
    from model.watchlist import Watchlist
    from serving.tables import LinesTable, Row, Table

app = typer.Typer()

REASON = "tympan_reason"
"""The new column: why a mention is in the queue."""
_DOUBTED = 0.5
"""Doubt from which a tag is called unsure; below it, it is only worth a look."""


@dataclass(frozen=True)
class _Mentions:
    """The rows of a file that can be labelled, each with its prepared text, and how many cannot."""

    rows: list[Row]
    records: list[Record]
    prepared: list[str]
    refused: int


@app.command()
def queue(
    file: Annotated[Path, typer.Argument(help="Mentions: CSV, TSV or lines of JSON.", metavar="FILE")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write, in FILE's own format.")],
    budget: Annotated[int, typer.Option(help="The most mentions to choose.", min=1)] = 200,
    bundle: Annotated[
        Path, typer.Option("--bundle", "-b", help="The model whose doubts count.", show_default="the one that ships")
    ] = PRETRAINED,
    text_column: Annotated[
        str | None, typer.Option(help="The column of the text; found by its name if absent.")
    ] = None,
    watchlist: Annotated[Path | None, typer.Option(help="A TOML file of the organisations to tell apart.")] = None,
    target: Annotated[str | None, typer.Option(help="The organisation that tags are towards.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed chooses other mentions of the same kinds.")] = 0,
) -> None:
    """Choose the mentions that are worth a person's time, for `tympan labels push`.

    Those whose tags the model is unsure of come first, rare tags before others, spread over kinds of text and over
    languages, and of nearly the same texts one. OUTPUT has their rows as they are, and why in tympan_reason.

    Exit code 0: written. 1: written, but some rows cannot be labelled. 2: refused, nothing was written.

    For example:

    tympan labels queue export.csv --budget 200 -o queue.csv

    tympan labels push "Mentions of spring" queue.csv
    """
    from model.tagger import Tagger
    from model.watchlist import Watchlist
    from serving.errors import TableError
    from serving.exports import check_output
    from serving.tables import LinesTable, open_table
    from serving.tables.columns import text_column as find_column

    table = open_table(file)
    column = find_column(table, text_column)
    check_output(table, output)
    assert isinstance(table, LinesTable)  # noqa: S101 — no other can be taken apart, which `check_output` has seen to
    if REASON in table.columns:
        raise TableError(str(file), f"has a column {REASON} already", "Give the file that it was chosen from")
    mentions = _mentions(table, column, Watchlist.load(watchlist) if watchlist else Watchlist(), target)
    tagger = Tagger.load(bundle)
    chosen = _chosen(mentions, tagger, budget=budget, seed=seed)
    _write(table, output, ((mentions.rows[place], reason) for place, reason in chosen))
    typer.echo(f"{len(chosen):,} of {table.count:,} mentions chosen, {mentions.refused:,} cannot be labelled")
    typer.echo(f"Written: {output}")
    raise typer.Exit(1 if mentions.refused else 0)


def _mentions(table: Table, column: str, watchlist: Watchlist, target: str | None) -> _Mentions:
    """What can be labelled: rows without a fault, with a text of a length that is tagged."""
    from labels.record import Record
    from model.mention import MAX_CHARACTERS
    from model.watchlist import considered

    watchlist, target = considered(watchlist, target)
    found, count = _Mentions([], [], [], 0), 0
    for row in table.rows():
        text = row.cells.get(column, "")
        count += not row.blank
        if row.blank or row.fault or len(text) > MAX_CHARACTERS:
            continue
        record = Record(id=str(count), text=text, target=target, watchlist=watchlist.organisations, tags={})
        if prepared := record.prepared():
            found.rows.append(row)
            found.records.append(record)
            found.prepared.append(prepared)
    return _Mentions(found.rows, found.records, found.prepared, count - len(found.rows))


def _chosen(mentions: _Mentions, tagger: Tagger, *, budget: int, seed: int) -> list[tuple[int, str]]:
    """Positions among `mentions` with the reason for each, the most doubtful first."""
    from labels.console import probabilities as tagged
    from labels.duplicates import families
    from labels.queue import bars, choose, log_odds
    from model.language import UNKNOWN, detect
    from model.mention import wording

    same = sorted(families(mentions.records))
    texts = [mentions.prepared[family[0]] for family in same]
    # A language that the model was not made for is mostly a short text that was taken for it.
    languages = [lang if (lang := detect(wording(text))) in tagger.bundle.languages else UNKNOWN for text in texts]
    probabilities = tagged(tagger, texts)
    picks = choose(
        probabilities,
        bars(probabilities, tagger.bundle.calibration.thresholds, tagger.taxonomy),
        languages,
        log_odds(probabilities),
        budget=budget,
        counts=[len(family) for family in same],
        groups=list(tagger.taxonomy.slices.values()),
        seed=seed,
    )
    return [(same[pick.text][0], _reason(pick, probabilities, tagger.taxonomy)) for pick in picks]


def _reason(pick: Pick, probabilities: Floats, taxonomy: Taxonomy) -> str:
    told = "unsure of" if pick.doubt >= _DOUBTED else "worth a look:"
    like = f"; one of {pick.alike:,} like it" if pick.alike > 1 else ""
    return f"{told} {taxonomy.labels[pick.label]} ({probabilities[pick.text, pick.label]:.2f}){like}"


def _write(table: LinesTable, output: Path, rows: Iterable[tuple[Row, str]]) -> None:
    """The head of `table` and some of its rows, each with its reason; whole, or not there."""
    from serving.exports import written_aside

    with written_aside(output) as file:
        file.write(table.encoding.mark + table.encoding.encode(table.head([REASON])))
        for row, reason in rows:
            file.write(table.encoding.encode(table.line(row, {REASON: reason})))
