"""What came of reading a project's answers: counts, how far readers agree, and what somebody should look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from labels.consensus import agreement
from labels.pull import Pulled, counts
from model.taxonomy import Taxonomy

FILE = "report.txt"
_WIDTH = 120


def report(pulled: Pulled, taxonomy: Taxonomy, link: Callable[[int], str]) -> Iterator[Table | str]:
    """Its tables and lines, in the order in which a person wants them; `link` leads to a task in the browser."""
    yield _counts(pulled)
    yield from _agreed(pulled, taxonomy)
    for reading in pulled.readings:
        if not reading.found.settled:
            split = ", ".join(f"{group}: {'|'.join(paths)}" for group, paths in reading.found.unsure.items())
            yield f"disagreed on {split}: {link(reading.entry.task)}"
    for reading in pulled.copied:
        links = " ".join(link(entry.task) for entry in reading.entries)
        yield f"{len(reading.entries)} tasks of one mention, read as one: {links}"
    for task, faults in pulled.faults.items():
        yield f"task {task}: {'; '.join(faults)}"


def show(part: Table | str, console: Console) -> None:
    """A table or line on a console, a line whole however long it is."""
    console.print(part, highlight=False, markup=False, soft_wrap=isinstance(part, str))


def write(parts: list[Table | str], folder: Path) -> None:
    """The report as plain text, beside the dataset's versions, in place of the last one."""
    with (folder / FILE).open("w", encoding="utf-8") as file:
        console = Console(file=file, width=_WIDTH)
        for part in parts:
            show(part, console)


def _counts(pulled: Pulled) -> Table:
    table = Table("tasks", "", title=f"{pulled.tasks:,} tasks, {pulled.annotations:,} answers", title_justify="left")
    for state, count in counts(pulled).items():
        table.add_row(state, f"{count:,}")
    table.add_row("changed since the last time", f"{pulled.changed:,}")
    table.add_row("deleted since the last time", f"{pulled.deleted:,}")
    return table


def _agreed(pulled: Pulled, taxonomy: Taxonomy) -> Iterator[Table]:
    """A table of the tags that anybody gave to a text read twice, the least agreed first; nothing if there is none."""
    found = agreement((reading.answers for reading in pulled.readings), taxonomy)
    known = {tag: each for tag, each in found.items() if each.given}
    if not known:
        return
    table = Table("tag", title="Agreement of readers", title_justify="left")
    for heading in ("given", "alpha", "kappa"):
        table.add_column(heading, justify="right")
    for tag, each in sorted(known.items(), key=lambda item: (item[1].alpha is None, item[1].alpha)):
        table.add_row(tag, str(each.given), *("–" if x is None else f"{x:.2f}" for x in (each.alpha, each.kappa)))
    yield table
