"""The verbs of `tympan labels` that work on a Label Studio: `init`, `push`, `pull` and `settle`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from labels.console import progress
from model.bundle import PRETRAINED
from model.taxonomy import DEFAULT, Taxonomy

if TYPE_CHECKING:
    from labels.pull import Pulled
    from labels.push import Given
    from labels.studio import Project, Studio
    from serving.tables import Row

app = typer.Typer()

ProjectArgument = Annotated[str, typer.Argument(help="The project's title or number.", metavar="PROJECT")]
UrlOption = Annotated[
    str | None,
    typer.Option(help="The server's address.", envvar="LABEL_STUDIO_URL", show_default="http://127.0.0.1:8080"),
]
TaxonomyOption = Annotated[Path, typer.Option(help="The tag set, a TOML file.", show_default="the one that ships")]
BundleOption = Annotated[
    Path, typer.Option("--bundle", "-b", help="The model that suggests.", show_default="the one that ships")
]


@app.command()
def init(
    project: ProjectArgument,
    taxonomy: TaxonomyOption = DEFAULT,
    language: Annotated[str, typer.Option(help="The labellers' language: en, fr or it.")] = "en",
    bundle: BundleOption = PRETRAINED,
    url: UrlOption = None,
) -> None:
    """Make a project with the labelling page of a tag set, filled in with the model's suggestions.

    The access token of your account is read from LABEL_STUDIO_API_KEY. Exit code 0: made. 2: refused.

    For example:

    tympan labels init "Mentions of spring" --language fr
    """
    from labels.interface import LANGUAGES, configuration
    from labels.studio import Studio
    from model.bundle import Bundle
    from model.registry import resolve

    if language not in LANGUAGES:
        raise typer.BadParameter(f"{language!r} is none of {', '.join(LANGUAGES)}")
    tags = Taxonomy.load(taxonomy)
    version = Bundle.read(resolve(bundle)).version
    with Studio(url=url) as studio:
        made = studio.create(
            project, configuration(tags, language=language), description=f"Tag set {tags.id}", version=version
        )
        typer.echo(f"{made.title}: project {made.id}, {studio.url}/projects/{made.id}/data")


@app.command()
def push(
    project: ProjectArgument,
    file: Annotated[Path, typer.Argument(help="Mentions, in any format that `tympan tag` reads.", metavar="FILE")],
    bundle: BundleOption = PRETRAINED,
    text_column: Annotated[
        str | None, typer.Option(help="The column of the text; found by its name if absent.")
    ] = None,
    watchlist: Annotated[Path | None, typer.Option(help="A TOML file of the organisations to tell apart.")] = None,
    target: Annotated[
        str | None, typer.Option(help="The organisation that labels are towards.", show_default="its column, or none")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="What labellers see as the source.", show_default="its column, or the file")
    ] = None,
    suggestions: Annotated[
        bool, typer.Option(help="Without: mentions alone, as long as there is no model of your tags.")
    ] = True,
    url: UrlOption = None,
) -> None:
    """Send mentions to be labelled, with the model's suggestions. Safe to run again: each mention is there once.

    Exit code 0: all are there. 1: some rows were refused, the others are there. 2: refused, or the server failed.

    For example:

    tympan labels push "Mentions of spring" export.csv --target Free
    """
    from labels.interface import shows
    from labels.push import push as send
    from labels.studio import Studio
    from model.tagger import Tagger
    from model.watchlist import Watchlist

    total, rows = _rows(file, text_column, target, source)
    organisations = Watchlist.load(watchlist) if watchlist else None
    tagger = Tagger.load(bundle) if suggestions else None
    with Studio(url=url) as studio:
        found = _fitting(studio, project, tagger.taxonomy, shows) if tagger else studio.project(project)
        with progress() as bar:
            task = bar.add_task("Sending", total=total)
            each = partial(bar.update, task)
            sent = send(studio, found, rows, tagger, watchlist=organisations, each=lambda done: each(completed=done))
        if tagger:
            studio.configure(found, model_version=tagger.bundle.version)
    typer.echo(f"{sent.new:,} sent, {sent.present:,} already there, {sent.refused:,} refused")
    for reason, count in sent.reasons.most_common():
        typer.echo(f"{count:,} refused: {reason}", err=True)
    raise typer.Exit(1 if sent.refused else 0)


@app.command()
def pull(
    project: ProjectArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder that keeps the dataset's versions.")],
    taxonomy: TaxonomyOption = DEFAULT,
    url: UrlOption = None,
) -> None:
    """Fetch what was labelled since the last time and add a version to a dataset, which `tympan train` takes as it is.

    Where readers are evenly split, a tag is left out of training until it is settled. Illegal answers are listed, and
    neither kept nor dropped in silence. What is shown is kept as report.txt in the dataset's folder. Exit code 0: all
    is whole. 1: some answers are illegal. 2: refused.

    For example:

    tympan labels pull "Mentions of spring" -o runs/spring

    tympan train --data runs/spring -o runs/model
    """
    from labels.interface import fits
    from labels.report import report, show, write
    from labels.studio import Studio
    from labels.versions import add

    tags = Taxonomy.load(taxonomy)
    with Studio(url=url) as studio:
        found = _fitting(studio, project, tags, fits)
        pulled = _pulled(studio, found, output, tags)
        parts = list(report(pulled, tags, partial(studio.link, found)))
    for part in parts:
        show(part, Console())
    manifest = add(output, pulled.records(), taxonomy=tags)
    write(parts, output)
    if manifest is None:
        typer.echo(f"{output}: nothing new since the last version")
    else:
        sides = ", ".join(f"{side['records']:,} for {name}" for name, side in manifest["sides"].items())
        typer.echo(f"{output}: a new version, fingerprint {manifest['fingerprint'][:12]}: {sides}")
    raise typer.Exit(1 if pulled.faults else 0)


@app.command()
def settle(
    project: ProjectArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of `tympan labels pull`.")],
    taxonomy: TaxonomyOption = DEFAULT,
    url: UrlOption = None,
) -> None:
    """Send mentions on which readers are evenly split back for another reading, in a saved view of the project.

    Exit code 0: done. 2: refused.

    For example:

    tympan labels settle "Mentions of spring" -o runs/spring
    """
    from labels.interface import fits
    from labels.settle import VIEW
    from labels.settle import settle as send_back
    from labels.studio import Studio

    tags = Taxonomy.load(taxonomy)
    with Studio(url=url) as studio:
        found = _fitting(studio, project, tags, fits)
        done = send_back(studio, found, _pulled(studio, found, output, tags))
    typer.echo(f"{done.settled:,} settled, {done.sent:,} sent back, {done.waiting:,} waiting since before")
    if done.sent or done.waiting:
        typer.echo(f"Labellers find them in the view “{VIEW}”")


def _fitting(studio: Studio, name: str, taxonomy: Taxonomy, check: Callable[[str, Taxonomy], list[str]]) -> Project:
    """The project of that name, if `check` finds no problem with `taxonomy` in its configuration."""
    from labels.errors import StudioError

    project = studio.project(name)
    if problems := check(project.schema, taxonomy):
        raise StudioError(
            f"project {project.title!r}",
            f"does not fit {taxonomy.id}: {'; '.join(problems)}",
            "Give its own --taxonomy",
        )
    return project


def _rows(file: Path, text_column: str | None, target: str | None, source: str | None) -> tuple[int, Iterator[Given]]:
    """How many rows a file has, and each as a mention or the reason why it is none."""
    from labels.push import Given
    from model.language import detect
    from model.mention import Mention, prepare, wording
    from serving.tables import open_table
    from serving.tables.columns import text_column as find_column
    from serving.tables.names import DATE_COLUMNS, SOURCE_COLUMNS, TARGET_COLUMNS, named

    table = open_table(file)
    column = find_column(table, text_column)
    dates, sources, targets = (named(table.columns, names) for names in (DATE_COLUMNS, SOURCE_COLUMNS, TARGET_COLUMNS))

    def cell(row: Row, name: str | None) -> str | None:
        return (row.cells.get(name) if name else None) or None

    def rows() -> Iterator[Given]:
        for number, row in enumerate((row for row in table.rows() if not row.blank), start=1):
            if row.fault:
                yield Given(None, fault=row.fault)
                continue
            text = row.cells.get(column, "")
            lang = detect(wording(prepare(text)))
            towards, listed = target or cell(row, targets), row.cells.get("watchlist", "")
            mention = Mention(str(number), text, lang=lang, created_at=cell(row, dates), target=towards)
            own = listed if listed.startswith("[{") else ""  # a column of the same name may say anything
            yield Given(mention, source=source or cell(row, sources) or file.name, watchlist=own)

    return table.count, rows()


def _pulled(studio: Studio, project: Project, folder: Path, taxonomy: Taxonomy) -> Pulled:
    from labels.pull import pull as fetch

    with progress() as bar:
        task = bar.add_task("Reading", total=None)
        return fetch(
            studio,
            project,
            folder,
            taxonomy,
            each=lambda done, total: bar.update(task, completed=done, total=total),
        )
