"""The verbs of `tympan labels` that keep labels in order: `migrate` and `audit`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Column, Table

from labels.console import probabilities, progress
from labels.studio_cli import BundleOption, ProjectArgument, UrlOption
from model.bundle import PRETRAINED
from model.taxonomy import Taxonomy

if TYPE_CHECKING:
    from labels.audit import Suspect
    from labels.migrate import Change, Each, Survey

app = typer.Typer()


@app.command()
def migrate(
    project: ProjectArgument,
    taxonomy: Annotated[Path, typer.Option(help="The new tag set, a TOML file.")],
    before: Annotated[
        Path | None, typer.Option("--from", help="The old tag set: a project that has other tags is refused.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help='What becomes of split and removed tags: TOML, [GROUP] and OLD = "NEW" or "".')
    ] = None,
    dataset: Annotated[
        list[Path] | None,
        typer.Option(help="A dataset or a JSONL file of records to change as well; several may be given."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    language: Annotated[str, typer.Option(help="The labellers' language: en, fr or it.")] = "en",
    url: UrlOption = None,
) -> None:
    """Change the tags of a project: its page, what people answered, the suggestions, and datasets made of them.

    What was renamed or merged is said by `former` in the new tag set. People keep their answers. To an answer that was
    given before a tag was added, that tag is missing. Safe to run again: a second run goes on where one broke off.

    Exit code 0: done. 2: refused, or the server failed.

    For example:

    tympan labels migrate "Mentions of spring" --taxonomy new.toml --dataset runs/spring --dry-run
    """
    from labels.interface import LANGUAGES
    from labels.migrate import changes, survey
    from labels.migrate import migrate as carry_out
    from labels.rename import Renaming
    from labels.studio import Studio

    if language not in LANGUAGES:
        raise typer.BadParameter(f"{language!r} is none of {', '.join(LANGUAGES)}")
    renaming, datasets = Renaming.load(Taxonomy.load(taxonomy), mapping), dataset or []
    old = Taxonomy.load(before) if before else None
    with Studio(url=url) as studio:
        found = studio.project(project)
        with progress() as bar:
            told = survey(studio, found, renaming, datasets, each=_steps(bar))
        _changes(changes(found, renaming, told, before=old), f"{found.title} → {renaming.taxonomy.id}")
        if not dry_run:
            with progress() as bar:
                carry_out(studio, found, renaming, told, datasets, language=language, each=_steps(bar))
    typer.echo(_counted(told) + (" would change" if dry_run else " changed"))


@app.command()
def audit(
    data: Annotated[Path, typer.Argument(help="A dataset, a JSONL file, or a folder of *.jsonl.", metavar="DATA")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write what to label again.")] = None,
    bundle: BundleOption = PRETRAINED,
    limit: Annotated[int, typer.Option(help="The most lines to show.", min=1)] = 20,
    show_text: Annotated[bool, typer.Option("--show-text", help="Show the texts as well.")] = False,
) -> None:
    """Find likely label errors, the worst first: tags that a model would not have given, or would have.

    The model must not be trained on these records. OUTPUT is a JSONL file for `tympan labels push`.

    Exit code 0: shown. 2: refused.

    For example:

    tympan labels audit runs/spring --bundle runs/model -o again.jsonl

    tympan labels push "Read again" again.jsonl
    """
    from labels.audit import audit as search
    from labels.audit import gather, queue
    from labels.record import write_lines
    from model.tagger import Tagger

    tagger = Tagger.load(bundle)
    records, fingerprints = gather(data, tagger.taxonomy)
    learnt = {tagger.bundle.provenance.get(name) for name in ("data", "dataset")}  # a part of it, and all
    if learnt & fingerprints:
        typer.echo(f"{bundle} was trained on these records and may have learnt their errors: give another", err=True)
    suspects = search(records, probabilities(tagger, [record.prepared() for record in records]), tagger.taxonomy)
    _suspects(suspects[:limit], show_text=show_text)
    wanted = queue(suspects)
    typer.echo(f"{len(suspects):,} likely errors in {len(wanted):,} of {len(records):,} records")
    if output:
        write_lines(output, wanted)
        typer.echo(f"Written: {output}")


def _steps(bar: Progress) -> Each:
    """A bar for every step of a migration."""
    tasks: dict[str, TaskID] = {}

    def each(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = bar.add_task(step, total=total)
        bar.update(tasks[step], completed=done, total=total)

    return each


def _changes(rows: Sequence[Change], title: str) -> None:
    names = (Column(heading, overflow="fold") for heading in ("tag", "what happens"))
    table = Table(*names, title=title, title_justify="left")
    for heading in ("answers", "suggestions", "records"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(row.label, row.what, f"{row.answers:,}", f"{row.suggestions:,}", f"{row.records:,}")
    Console().print(table)


def _counted(found: Survey) -> str:
    answers, suggestions = len(found.old_answers), len(found.old_suggestions)
    return f"{answers:,} answers, {suggestions:,} suggestions and {found.old_records:,} records"


def _suspects(suspects: Sequence[Suspect], *, show_text: bool) -> None:
    names = (Column(heading, overflow="fold") for heading in ("id", "group", "tag", "label"))
    table = Table(*names, title="Likely label errors", title_justify="left")
    table.add_column("likely", justify="right")
    if show_text:
        table.add_column("text")
    for suspect in suspects:
        cells = (suspect.record.id, suspect.group, suspect.tag, "given" if suspect.given else "missing")
        text = (escape(suspect.record.text),) if show_text else ()
        table.add_row(*map(escape, cells), f"{suspect.likely:.1%}", *text)
    Console().print(table)
