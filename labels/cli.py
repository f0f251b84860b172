"""`tympan labels`: look through records, and make datasets of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from labels import feedback_cli, import_cli, queue_cli, studio_cli, upkeep_cli
from model.taxonomy import DEFAULT, Taxonomy

if TYPE_CHECKING:
    from labels.check import Report

app = typer.Typer(
    help="Records of what people labelled: look through them, make datasets of them.\n\n"
    "For example:\n\ntympan labels check labels/corpora",
    no_args_is_help=True,
)
app.add_typer(studio_cli.app)
app.add_typer(queue_cli.app)
app.add_typer(upkeep_cli.app)
app.add_typer(feedback_cli.app)
app.add_typer(import_cli.app)

TaxonomyOption = Annotated[Path, typer.Option(help="The tag set, a TOML file.", show_default="the one that ships")]


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="JSONL files, or folders searched for *.jsonl.", metavar="FILE…")],
    taxonomy: TaxonomyOption = DEFAULT,
    limit: Annotated[int, typer.Option(help="The most lines to show of each kind of finding.", min=1)] = 20,
) -> None:
    """Check records: problems by line, doubles, balance, lengths, templates and languages.

    Exit code 0: every row is a record. 1: some rows are not. 2: refused, nothing was checked.

    For example:

    tympan labels check labels/corpora

    tympan labels check mine.jsonl theirs.jsonl --limit 100
    """
    from labels.check import report
    from labels.errors import RecordError
    from labels.record import scan

    tags = Taxonomy.load(taxonomy)
    reading = scan(files, tags)
    _lines([str(problem) for problem in reading.problems], limit)
    if not reading.records:
        raise RecordError(", ".join(map(str, files)), "holds no record", "Give at least one")
    _show(report(reading.records, tags), limit)
    bad = reading.rows - len(reading.records)
    typer.echo(f"{len(reading.records):,} records, {bad:,} bad rows")
    raise typer.Exit(1 if bad else 0)


@app.command()
def split(
    data: Annotated[Path, typer.Argument(help="A JSONL file, or a folder searched for *.jsonl.", metavar="DATA")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The dataset's folder, replaced if it is one.")],
    taxonomy: TaxonomyOption = DEFAULT,
    seed: Annotated[int, typer.Option(help="Another seed gives other sides.")] = 0,
    validation: Annotated[float, typer.Option(help="Fraction of the records.", min=0, max=1)] = 0.1,
    test: Annotated[float, typer.Option(help="Fraction of the records.", min=0, max=1)] = 0.1,
) -> None:
    """Make a dataset: Parquet files for training, validation and test, with a fingerprint.

    The sides have the same mix of languages and tags, and near duplicates stand on one side.

    Exit code 0: written. 2: refused, nothing was written.

    For example:

    tympan labels split labels/corpora -o runs/dataset

    tympan labels split mine.jsonl -o runs/mine --seed 7 --validation 0.2 --test 0
    """
    from labels.dataset import save
    from labels.dataset import split as sides_of
    from labels.record import read

    tags = Taxonomy.load(taxonomy)
    fractions = {"train": 1 - validation - test, "validation": validation, "test": test}
    manifest = save(output, sides_of(read(data, tags), seed=seed, fractions=fractions), taxonomy=tags)
    _sides(manifest)
    typer.echo(f"{output}: {manifest['taxonomy']}, fingerprint {manifest['fingerprint'][:12]}")


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(help="A dataset, or a folder that keeps versions of one.")],
    after: Annotated[Path, typer.Argument(help="Another.")],
) -> None:
    """Show what changed from one dataset to another: records, sides, and counts by tag and language.

    Exit code 0: shown. 2: refused.

    For example:

    tympan labels diff runs/spring/versions/0001-9f2c51e07a33 runs/spring
    """
    from labels.versions import difference

    found = difference(before, after)
    table = Table("", "before", "after", "change", title=f"{before} → {after}", title_justify="left")
    for name, (old, new) in {**found.languages, **found.tags}.items():
        if old != new:
            table.add_row(name, f"{old:,}", f"{new:,}", f"{new - old:+,}")
    _print(table)
    typer.echo(
        f"{len(found.added):,} records added, {len(found.removed):,} removed, {len(found.relabelled):,} relabelled, "
        f"{len(found.moved):,} on another side"
    )


def _show(report: Report, limit: int) -> None:
    _tags(report)
    _languages(report)
    _lines([f"same text{_verdict(same.agree)}: {', '.join(same.ids)}" for same in report.same], limit)
    alike = [f"{pair.similarity:.0%} alike{_verdict(pair.agree)}: {', '.join(pair.ids)}" for pair in report.alike]
    _lines(alike, limit)
    others = [
        f"labelled {lang}, seems {found}: {name}"
        for lang, identity in report.identity.items()
        for name, found in identity.others.items()
    ]
    _lines(others, limit)
    for lang, templates in report.templates.items():
        _lines([f"{count} texts in {lang} go “{bones}”" for bones, count in templates.commonest], limit)


def _verdict(agree: bool) -> str:
    return "" if agree else ", other tags"


def _tags(report: Report) -> None:
    table = Table("tag", *report.tags, "all", title="Records by tag and language")
    for row in next(iter(report.tags.values())):
        counts = [tags[row] for tags in report.tags.values()]
        style = "" if sum(counts) or ":" in row else "red"  # no unlabelled ones is no fault
        table.add_row(row, *map(str, counts), str(sum(counts)), style=style)
    _print(table)


def _languages(report: Report) -> None:
    table = Table("language", "words (least, median, most)", "short", "templates", "seems another", title="Texts")
    for lang, lengths in report.lengths.items():
        identity = report.identity.get(lang)
        table.add_row(
            lang,
            f"{lengths.shortest}, {lengths.median:g}, {lengths.longest}",
            f"{lengths.short:.0%}",
            f"{report.templates[lang].share:.1%}",
            f"{len(identity.others)} of {identity.told}" if identity else "",
        )
    _print(table)


def _sides(manifest: dict[str, Any]) -> None:
    languages = sorted({lang for side in manifest["sides"].values() for lang in side["languages"]})
    table = Table("side", "records", *languages)
    for name, side in manifest["sides"].items():
        table.add_row(name, str(side["records"]), *(str(side["languages"].get(lang, 0)) for lang in languages))
    _print(table)


def _print(table: Table) -> None:
    for column in table.columns[1:]:
        column.justify = "right"
    Console().print(table)


def _lines(lines: list[str], limit: int) -> None:
    """Print each on a line of its own, whatever the terminal's width, so that other programs can read them."""
    for line in lines[:limit]:
        typer.echo(line)
    if len(lines) > limit:
        typer.echo(f"… and {len(lines) - limit:,} more (see --limit)")
