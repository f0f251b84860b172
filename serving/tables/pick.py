"""Which sheet of a workbook holds the mentions, and where in it the header is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from serving.errors import TableError
from serving.tables.names import TEXT_COLUMNS, named
from serving.tables.profile import Profile, found_header
from serving.tables.table import Row, Table

TOP = 32
"""Rows among which a header is looked for."""
LONGEST_NAME = 1000
"""The most letters of its cells that are held: no name of a column is longer."""


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


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is said of the sheet to read: its name, its column of the text, and whose export it may be.

    `asked` says that it must be that of a profile.
    """

    profiles: Sequence[Profile] = ()
    asked: bool = False
    sheet: str | None = None
    text_column: str | None = None


class BookTable(Table):
    """One sheet of a workbook."""

    def _take(self, sheets: Sequence[str], top: Callable[[str], Top], wish: Wish) -> None:
        """Choose the sheet, and with it the header, columns and profile; as `pick`."""
        found = pick(self.source.name, sheets, top, wish)
        self.sheet, self._header, self.profile = found.name, found.place, found.profile
        self._by_place = dict(sorted(found.columns.items()))
        self.columns = tuple(self._by_place.values())
        others = f", of {len(sheets)}" if len(sheets) > 1 else ""
        self.notes = (f"read from sheet {self.sheet!r}{others}",)

    def _row(self, texts: Mapping[int, str], width: int) -> Row:
        """A row below the header, of its texts by column."""
        cells = {name: texts.get(column, "") for column, name in reversed(self._by_place.items())}
        return Row("", cells, width, blank=not texts)


def pick(source: str, sheets: Sequence[str], top: Callable[[str], Top], wish: Wish) -> Pick:
    """The sheet that is wished for, or the first with a column of the text, or else the first that holds anything.

    `sheets` are the names of those that can be seen, `top` reads the first rows of one. Raises TableError in file
    `source` if there is none.
    """
    sheet, text_column, profiles, asked = wish.sheet, wish.text_column, wish.profiles, wish.asked
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
