"""The verb `tympan labels import`: a tagged file that a person corrected, as records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model.taxonomy import DEFAULT, Taxonomy

if TYPE_CHECKING:
    from labels.revision import Learnt, Revised
    from serving.tables import Row, Table

app = typer.Typer()

_TARGET = "tympan_target"
_ALL = (
    "Every row counts as looked at: those that nobody looked at would teach the model its own answers. Give --original "
    "(the file as `tympan tag` wrote it), or --only-column (a column that is filled in the rows that were looked at)"
)
_ALONE = (
    "Tags are towards a target: give the --watchlist that the file was tagged with, if there was one. "
    "Each text is read with its target alone now"
)


@app.command("import")
def import_(
    tagged: Annotated[Path, typer.Argument(help="What `tympan tag` wrote, corrected.", metavar="TAGGED")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the records, a JSONL file.")],
    original: Annotated[
        Path | None, typer.Option(help="TAGGED as it was before: only rows that differ become records.")
    ] = None,
    only_column: Annotated[
        str | None, typer.Option(help="A column that is filled in the rows that were looked at, such as `checked`.")
    ] = None,
    taxonomy: Annotated[
        Path, typer.Option(help="The tag set, a TOML file.", show_default="the one that ships")
    ] = DEFAULT,
    text_column: Annotated[
        str | None, typer.Option(help="The column of the text; found by its name if absent.")
    ] = None,
    who: Annotated[str, typer.Option(help="Who corrected it, as the records' annotator.", show_default=False)] = "",
    watchlist: Annotated[
        Path | None, typer.Option(help="The TOML file of organisations that it was tagged with.")
    ] = None,
    limit: Annotated[int, typer.Option(help="The most lines to show.", min=1)] = 20,
) -> None:
    """Make records of a tagged file in which a person corrected the columns tympan_GROUP.

    Tags are separated by bars; an empty cell means that none of the group's tags hold. With both --original and
    --only-column, rows that differ and rows that are marked become records. Rows without a text or with a
    tympan_error are left out.

    Exit code 0: written. 1: written, but some rows could not be read. 2: refused, nothing was written.

    For example:

    tympan tag mentions.csv -o tagged.csv

    tympan labels import corrected.csv --original tagged.csv --who ann -o records.jsonl
    """
    from labels.record import write
    from labels.revision import Before, learn
    from model.watchlist import Watchlist
    from serving.errors import TableError

    _check_output(output, tagged, original)
    tags = Taxonomy.load(taxonomy)
    table, rows = _rows(tagged, tags, text_column, only_column)
    if original is None and only_column is None:
        typer.echo(_ALL, err=True)
    if watchlist is None and _TARGET in table.columns:
        typer.echo(_ALONE, err=True)
    if watchlist and _TARGET not in table.columns:
        raise TableError(str(tagged), f"has no column {_TARGET}", "Leave out --watchlist: it was tagged without one")
    before = Before(_rows(original, tags, text_column, None)[1]) if original else None
    organisations = Watchlist.load(watchlist) if watchlist else None
    found = learn(rows, tags, before=before, marks=only_column is not None, watchlist=organisations, who=who)
    write(output, found.records)
    _tell(found, output, limit)
    raise typer.Exit(1 if found.problems else 0)


def _check_output(output: Path, *inputs: Path | None) -> None:
    from labels.errors import RecordError

    if any(path and output.resolve() == path.resolve() for path in inputs):
        raise RecordError(str(output), "is an input", "Choose another name for the output")


def _rows(
    file: Path, taxonomy: Taxonomy, text_column: str | None, only_column: str | None
) -> tuple[Table, Iterator[Revised]]:
    """A tagged file and its rows."""
    from serving.tables import open_table
    from serving.tables.columns import column_for
    from serving.tables.columns import text_column as find_column

    table = open_table(file, text_column=text_column)
    columns = {
        "text": find_column(table, text_column),
        "id": column_for(table, "id"),
        "marked": _marked_column(table, only_column) if only_column else None,
        **{name: f"tympan_{name}" for name in ("lang", "target", "error")},
    }
    groups = _groups(table, taxonomy)

    def rows() -> Iterator[Revised]:
        for number, row in enumerate((row for row in table.rows() if not row.blank), start=1):
            yield _revised(number, row, columns, groups)

    return table, rows()


def _groups(table: Table, taxonomy: Taxonomy) -> dict[str, str]:
    """Group → its column, of the groups that the file has. TableError if it has none."""
    from serving.errors import TableError
    from serving.tables.names import named

    found = {group.name: named(table.columns, [f"tympan_{group.name}"]) for group in taxonomy.groups}
    there = {name: column for name, column in found.items() if column}
    if not there:
        wanted = ", ".join(f"tympan_{name}" for name in found)
        remedy = "Give a file that `tympan tag` wrote, or its own --taxonomy"
        raise TableError(table.source.name, f"has no column of {taxonomy.id} ({wanted})", remedy)
    return there


def _marked_column(table: Table, asked: str) -> str:
    from serving.errors import TableError
    from serving.tables.names import named

    found = named(table.columns, [asked])
    if found is None:
        legal = ", ".join(column[:40] for column in table.columns)
        where = f"{table.source.name}: --only-column"
        raise TableError(where, f"there is no column {asked!r}", f"There are: {legal}")
    return found


def _revised(number: int, row: Row, columns: Mapping[str, str | None], groups: Mapping[str, str]) -> Revised:
    from labels.revision import Revised
    from serving.reply import replied

    cells = {name: row.cells.get(column, "") if column else "" for name, column in columns.items()}
    marked = cells.pop("marked")
    # A row of JSON may lack a column, of which nobody said anything then; an empty cell says that no tag holds.
    tags = {name: row.cells[column] for name, column in groups.items() if column in row.cells}
    return Revised(
        row=number,
        tags=tags,
        marked=bool(marked.strip()) and replied(marked) is not False,
        fault=row.fault.removeprefix("row: "),
        **cells,
    )


def _tell(found: Learnt, output: Path, limit: int) -> None:
    for problem in found.problems[:limit]:
        typer.echo(str(problem), err=True)
    if len(found.problems) > limit:
        typer.echo(f"… and {len(found.problems) - limit:,} more (see --limit)", err=True)
    typer.echo(
        f"{len(found.records):,} records, {found.unlooked:,} rows not looked at, {found.skipped:,} without text or "
        f"tags, {len(found.problems):,} left out"
    )
    typer.echo(f"Written: {output}")
