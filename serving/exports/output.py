"""Where the tagged file goes: beside its input, complete or not there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from serving.errors import TableError
from serving.tables import Table
from serving.tables.source import ENDINGS, plain_suffix

_FORMATS = {
    **dict.fromkeys((".csv", ".tsv", ".tab"), ("CSV",)),
    **dict.fromkeys((".jsonl", ".ndjson"), ("JSONL",)),
    ".json": ("JSON", "JSONL"),
    ".xlsx": ("XLSX",),
    ".xlsm": ("XLSM",),
    ".ods": ("ODS",),
    ".parquet": ("Parquet",),
}
"""What the ending of an output asks for."""
_TITLES = {"XLSX": "a workbook (XLSX)", "XLSM": "a workbook with macros (XLSM)", "ODS": "a workbook (ODS)"}


def check_output(table: Table, output: Path, *, whole: bool = False) -> None:
    """Raise TableError if `output` is the input, has no folder, or is of another format.

    Unless the `whole` table is to be written, its rows must be such that can be taken apart.
    """
    if not whole and not table.apart:
        raise TableError(table.source.name, f"is {table.format}, of which no rows are taken", "Save it as CSV or JSONL")
    if output.resolve() == table.path.resolve() or (output.exists() and output.samefile(table.path)):
        raise TableError(str(output), "is the input", "Choose another name for the output")
    if not output.parent.is_dir():
        raise TableError(str(output.parent), "is no folder", "Make it first, or choose another")
    if output.exists() and not output.is_file():
        raise TableError(str(output), "is no file", "Give a file's name")
    wanted = _FORMATS.get(plain_suffix(output), (table.written,))
    if table.written not in wanted:
        problem = f"asks for {_TITLES.get(wanted[0], wanted[0])}"
        as_is = "as the input is" if table.written == table.format else f"since the input is {table.format}"
        raise TableError(str(output), problem, f"The output is {table.written}, {as_is}")


def output_for(table: Table) -> Path:
    """Where to write if nobody says: beside the input, with .tagged before its ending.

    Raises TableError if the input comes from elsewhere.
    """
    given = table.source.given
    if given is None:
        raise TableError(table.source.name, "has no folder to write into", "Say where with --output")
    name = Path(table.source.file_name)
    suffix = name.suffix if table.written == table.format else f".{table.written.lower()}"
    return given.with_name(f"{name.stem}.tagged{suffix}{ENDINGS.get(table.source.compression, '')}")


@contextmanager
def written_aside(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which becomes `path` if the block succeeds and is removed if not."""
    path = path.resolve()  # what a link points at is written, not the link
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")  # process ids repeat in containers
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # a rename must not overtake the bytes when the machine dies
        draft.replace(path)
    except OSError as error:
        raise TableError(str(path), f"cannot be written: {error.strerror}", "Choose another place") from error
    finally:
        draft.unlink(missing_ok=True)
