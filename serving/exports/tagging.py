"""The tagging of a file in two passes: what is found of its rows is kept on disk, then the file is written with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from model.tagger import Tagged, Tagger
from serving.errors import TableError
from serving.exports import cluster, engine
from serving.exports.checkpoint import Checkpoint
from serving.exports.columns import Columns, priority_of
from serving.exports.reading import Found, Reading
from serving.exports.summary import Summary
from serving.priority import Priority
from serving.tables import Row, Table
from serving.tables.source import compressed

OnError = Literal["keep", "stop"]
By = Literal["local", "ray"]
Seen = Callable[[Row, Tagged | str, Priority | None], None]
_RUN = {"local": engine.run, "ray": cluster.run}
BLOCK = 512
"""Rows tagged together and kept together: some seconds' work of one processor."""


def tag_table(
    tagger: Tagger,
    table: Table,
    output: Path,
    reading: Reading,
    *,
    resume: bool = False,
    on_error: OnError = "keep",
    jobs: int = 1,
    by: By = "local",
    each: Callable[[int, int], None] = lambda *_: None,
    seen: Seen = lambda *_: None,
    done: Callable[[Summary], None] = lambda _: None,
) -> Summary:
    """Tag every row of `table` into `output`, which is written aside and renamed: whole, or not there.

    What was found stays beside `output` if anything stops it, and `resume` goes on from there. After every block `each`
    is called with the rows done and those of them that failed; what it raises stops the tagging. Once all are tagged,
    `seen` is called with every row, and `done` before the output appears, so that what either raises can be gone on
    from too. `jobs` processes tag, of this program or, `by` "ray", of Ray.

    Raises TableError if the table has our columns already, if `output` cannot be written, if what is to be resumed
    was begun otherwise, or, with `on_error` "stop", at the first row that cannot be tagged.
    """
    columns = Columns(tagger.taxonomy, reading, tagger.bundle.version)
    columns.check(table)
    output = output.resolve()  # what a link points at is written, not the link
    plan = _plan(tagger, table, reading)
    checkpoint = Checkpoint(output, plan, resume=resume)
    try:
        each(checkpoint.rows, checkpoint.failed)
        if on_error == "stop":
            _check(checkpoint.found(), 0, table.source.name)
        left = islice(_records(table), checkpoint.rows, None)
        for block in _RUN[by](tagger, reading, _blocks(left), jobs=jobs):
            if on_error == "stop":
                _check(block, checkpoint.rows, table.source.name)
            checkpoint.add(block)
            each(checkpoint.rows, checkpoint.failed)
        summary = _write(table, columns, reading, checkpoint, output, seen)
        if summary.rows != checkpoint.rows or table.source.fingerprint() != plan["input"]:
            raise TableError(table.source.name, "was changed while it was read", "Start again")
        done(summary)
        checkpoint.publish()
    except BaseException:
        checkpoint.close()
        raise
    checkpoint.remove()
    return summary


def _write(
    table: Table, columns: Columns, reading: Reading, checkpoint: Checkpoint, output: Path, seen: Seen
) -> Summary:
    """The second pass: the table with the new cells, into the draft of `output`."""
    summary = Summary()

    def cells() -> Iterator[list[str]]:
        for row, found in zip(_records(table), checkpoint.found(), strict=False):  # the caller compares the counts
            priority = priority_of(row, found.result, reading)
            summary.count(found.result, priority)
            seen(row, found.result, priority)
            yield columns.cells(found, priority)

    with checkpoint.drafted() as file, compressed(file, output) as stream:
        table.write(stream, columns.names, cells())
    return summary


def _plan(tagger: Tagger, table: Table, reading: Reading) -> dict[str, Any]:
    """What must be the same for a run to go on from another's blocks."""
    return {
        "input": table.source.fingerprint(),
        "reading": {**reading.to_dict(), "read_as": [str(table), *table.columns, *table.notes]},
        "model": tagger.bundle.version,
        "form": 1,
    }


def _check(block: Iterable[Found], before: int, name: str) -> None:
    for place, found in enumerate(block, start=before + 1):
        if isinstance(found.result, str):
            raise TableError(f"{name}, row {place:,}", found.result, "Mend it, or go on with --on-error keep")


def _records(table: Table) -> Iterator[Row]:
    return (row for row in table.rows() if not row.blank)


def _blocks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while block := list(islice(rows, BLOCK)):
        yield block
