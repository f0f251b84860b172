"""Which sheet of a workbook holds the mentions, and where in it the header is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serving.errors import TableError
from serving.tables.names import TEXT_COLUMNS, named
from serving.tables.profile import Profile, found_header

TOP = 32
"""Rows among which a header is looked for."""


@dataclass(frozen=True)
class Top:
    """The first rows of a sheet that hold something: each row's place and its cells (column, from 0 → text)."""

    name: str
    rows: Sequence[tuple[int, dict[int, str]]]


@dataclass(frozen=True)
class Pick:
    """The sheet, the place of its header, its columns by their place from 0, and whose export it is."""

    name: str
    place: int
    columns: dict[int, str]
    profile: Profile | None


def pick(
    source: str,
    sheets: Sequence[str],
    top: Callable[[str], Top],
    profiles: Sequence[Profile],
    *,
    asked: bool,
    sheet: str | None,
    text_column: str | None,
) -> Pick:
    """The `sheet` that was asked for, or the first with a column of the text, or else the first that holds anything.

    `sheets` are the names of those that can be seen, `top` reads the first rows of one; `asked` says that the profile
    must be there. Raises TableError in file `source` if there is none.
    """
    legal = ", ".join(name[:40] for name in sheets)
    if sheet is not None and sheet not in sheets:
        raise TableError(f"{source}: --sheet", f"there is no sheet {sheet!r}", f"There are: {legal}")
    wanted = (text_column,) if text_column else TEXT_COLUMNS
    first: Pick | None = None
    for name in sheets if sheet is None else (sheet,):
        found = _pick(source, top(name), profiles, asked=asked and sheet is not None)
        if found is None:
            continue
        by_profile = found.profile.columns["text"] if found.profile and not text_column else ()
        if named(list(found.columns.values()), (*by_profile, *wanted)) and (found.profile or not asked):
            return found
        first = first or found
    if first is None:
        raise TableError(source, "is empty", "Give a file with a header and one mention a row")
    if asked and first.profile is None:
        raise TableError(source, f"has no header of profile {profiles[0].name!r}", f"Its sheets are: {legal}")
    return first


def _pick(source: str, top: Top, profiles: Sequence[Profile], *, asked: bool) -> Pick | None:
    if not top.rows:
        return None
    records = [list(cells.values()) for _, cells in top.rows]
    found, profile = found_header(f"{source}: sheet {top.name!r}", records, profiles, asked=asked)
    place, cells = top.rows[found]
    return Pick(top.name, place, cells, profile)
