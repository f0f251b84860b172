"""What a benchmark says: tables and notes, on the terminal and as Markdown."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Drawn

from benchmarks.errors import BenchmarkError
from model.errors import TympanError
from model.processor import processor_limit

START, END = "<!-- figures -->", "<!-- end of figures -->"
"""A page that holds these two lines keeps its own words: only what is between them is replaced."""

MarkdownOption = Annotated[
    Path | None,
    typer.Option(
        "--markdown",
        metavar="FILE",
        help=f"Write the tables here as Markdown; in a page with the lines {START} and {END}, between them.",
    ),
]


@dataclass(frozen=True)
class Table:
    """A titled table of texts. The first column is a name; the others are figures and stand to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def drawn(self) -> Drawn:
        """For the terminal."""
        table = Drawn(title=self.title, title_justify="left")
        for position, column in enumerate(self.columns):
            table.add_column(column, justify="right" if position else "left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """As GitHub reads it."""
        rule = ("---", *("---:" for _ in self.columns[1:]))
        lines = ["| " + " | ".join(row) + " |" for row in (self.columns, rule, *self.rows)]
        return "\n".join([f"**{self.title}**", "", *lines])


@dataclass(frozen=True)
class Report:
    """Tables, and the sentences that a reader needs to trust them."""

    tables: tuple[Table, ...]
    notes: tuple[str, ...]

    def show(self, console: Console) -> None:
        """On the terminal."""
        for table in self.tables:
            console.print(table.drawn())
        for note in self.notes:
            console.print(f"- {note}", highlight=False, markup=False)

    def markdown(self) -> str:
        """The tables, then the notes as a list."""
        blocks = [table.markdown() for table in self.tables]
        return "\n\n".join([*blocks, "\n".join(f"- {note}" for note in self.notes)]) + "\n"

    def give(self, markdown: Path | None) -> None:
        """Show it, and write it if a file was asked for."""
        self.show(Console())
        if markdown:
            write(markdown, self.markdown())


def write(file: Path, markdown: str) -> None:
    """Write `file`, or what stands between START and END in it; BenchmarkError if END is missing."""
    try:
        page = file.read_text(encoding="utf-8") if file.exists() else ""
        before, start, rest = page.partition(START)
        _, end, after = rest.partition(END)
        if start and not end:
            raise BenchmarkError(str(file), f"has {START} without {END}", "Add the second line")
        whole = f"{before}{START}\n\n{markdown}\n{END}{after}" if start else markdown
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(whole, encoding="utf-8")
    except OSError as error:
        raise BenchmarkError(str(file), "cannot be written", "Choose another file") from error


def machine(threads: int, libraries: Sequence[str]) -> str:
    """A sentence on what the figures were taken with: processor, threads and versions."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in libraries)
    return f"Processor: {_processor()}, {processor_limit()} available, {threads} threads. Versions: {versions}."


def percent(share: float, digits: int = 2) -> str:
    """A share of 1 as a figure of 100."""
    return f"{100 * share:.{digits}f}"


def start(app: typer.Typer) -> None:
    """Run a program: what a user can mend is one line and exit code 2."""
    try:
        app()
    except TympanError as error:
        typer.echo(f"benchmark: {error}", err=True)
        raise SystemExit(2) from None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
