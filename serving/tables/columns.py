"""Which column of a table holds what."""

from __future__ import annotations

from serving.errors import TableError
from serving.tables.names import ROLES, by_plain_name, named, plain
from serving.tables.table import Table


def text_column(table: Table, asked: str | None) -> str:
    """The column of the text: the one `asked` for, or the one whose name says so, or the only one.

    Case, accents and underscores make no difference. Raises TableError, which names the columns that there are.
    """
    there = by_plain_name(table.columns)
    legal = ", ".join(column[:40] for column in table.columns)
    if asked is not None:
        if asked in table.columns:
            return asked
        if plain(asked) in there:
            return there[plain(asked)]
        raise TableError(f"{table.source.name}: --text-column", f"there is no column {asked!r}", f"There are: {legal}")
    found = column_for(table, "text")
    if found is None and len(table.columns) == 1:
        found = table.columns[0]
    if found is None:
        problem = "no column is known to hold the text"
        raise TableError(table.source.name, problem, f"Name it with --text-column. There are: {legal}")
    return found


def column_for(table: Table, role: str) -> str | None:
    """The column of `table` for a role: by its profile, or else by the names in `ROLES`; None if there is none."""
    by_profile = table.profile.columns.get(role, ()) if table.profile else ()
    return named(table.columns, by_profile) or named(table.columns, ROLES[role])
