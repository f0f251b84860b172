"""What `tympan tag` says on the terminal: how a file is read, how far it is, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as Grid
from rich.text import Text

from serving.exports import Reading, Summary
from serving.priority import LEVELS
from serving.tables import Table
from serving.tables.columns import column_for
from serving.tables.names import ROLES

_WRITTEN = 1000  # rows between two looks of the bar
_TARGETS = 20  # organisations shown


def tell(table: Table, reading: Reading, aloud: Console) -> None:
    """Say how the file is read."""
    name, column = table.source.name, reading.text_column
    aloud.print(f"{name}: {table}; {table.count:,} rows; the text is in column {column!r}", markup=False)
    others = {role: column_for(table, role) for role in ROLES if role != "text"}
    if found := ", ".join(f"{role} in {column!r}" for role, column in others.items() if column):
        aloud.print(f"{name}: {found}", markup=False)
    whose = (f"an export of {table.profile.title}",) if table.profile else ()
    for note in (*whose, *table.notes):
        aloud.print(f"{name}: {note}", markup=False)


class Bars:
    """What is tagged, at which rate, and then what is written."""

    def __init__(self, aloud: Console, rows: int) -> None:
        rate, left = TextColumn("{task.fields[rate]}"), TimeRemainingColumn()
        what, count = TextColumn("{task.description}"), MofNCompleteColumn()
        self._progress = Progress(what, BarColumn(), count, TextColumn("rows"), rate, left, console=aloud)
        self._tagging = self._progress.add_task("Tagging", total=rows, rate="")
        self._writing = self._progress.add_task("Writing", total=rows, rate="", start=False, visible=False)
        self._began: tuple[float, int] | None = None
        self._written = 0

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.update(self._writing, completed=self._written)
        self._progress.stop()

    def tagged(self, done: int, _: int) -> None:
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


def show(summary: Summary, output: Path) -> None:
    """The counts of a file, on standard output."""
    console = Console(highlight=False)
    for group, tags in summary.tags.items():
        console.print(_counted(group, [*tags.most_common(), ("(none)", summary.untagged[group])]))
    if summary.levels:
        console.print(_counted("priority", [(level, summary.levels[level]) for level in LEVELS]))
    if summary.targets:
        named = summary.targets.most_common(_TARGETS)
        console.print(_counted("target", [(f"{name} ({role})", rows) for (role, name), rows in named]))
    languages = ", ".join(f"{language} {rows:,}" for language, rows in summary.languages.most_common())
    console.print(f"{summary.rows:,} rows, {summary.failed:,} not tagged", markup=False)
    console.print(f"Languages: {languages or 'none'}", markup=False)
    console.print(f"Written: {output}", markup=False, soft_wrap=True)


def _counted(title: str, lines: Sequence[tuple[str, int]]) -> Grid:
    grid = Grid(title, title_justify="left")
    grid.add_column("rows", justify="right")
    for name, rows in lines:
        grid.add_row(Text(name), f"{rows:,}")
    return grid
