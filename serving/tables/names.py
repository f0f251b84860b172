"""What exports call their columns, in the languages that they come in."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from serving.errors import TableError

if TYPE_CHECKING:
    from serving.tables.table import Table

TEXT_COLUMNS = (
    *("text", "full text", "message", "mention", "mention text", "post text", "tweet text", "comment text"),
    *("review text", "texte", "testo", "contenu", "contenuto", "content", "commentaire", "commento", "comment"),
    *("messaggio", "menzione", "avis", "recensione", "review", "verbatim", "tweet", "post", "snippet", "body"),
    *("extrait", "estratto", "caption", "description"),
)
DATE_COLUMNS = ("created at", "date", "published", "published at", "publication date", "date de publication", "data")
TARGET_COLUMNS = ("target",)
SOURCE_COLUMNS = ("source", "platform", "network", "site", "plateforme", "piattaforma", "fonte", "canal", "canale")
ROLES: Mapping[str, tuple[str, ...]] = {
    "text": TEXT_COLUMNS,
    "date": (*DATE_COLUMNS, "created time", "date et heure", "data di pubblicazione", "posted at", "timestamp"),
    "author": ("author", "author name", "username", "user name", "auteur", "autore", "profile", "profil", "utente"),
    "reach": ("reach", "potential reach", "followers", "audience", "portee", "portata", "copertura", "abonnes"),
    "lang": ("lang", "language", "langue", "lingua"),
    "answered": (
        *("answered", "is answered", "replied", "is replied", "has reply", "responded", "has response"),
        *("repondu", "a repondu", "est repondu", "risposto", "ha risposto", "ha risposta"),
    ),
    "target": TARGET_COLUMNS,
    "id": ("id", "mention id", "message id", "post id", "tweet id", "identifiant", "identificativo"),
    "source": SOURCE_COLUMNS,
}
"""What a column can hold, and the names it goes by, the surest first; without accents, as `plain` has them."""


def text_column(table: Table, asked: str | None) -> str:
    """The column of the text: the one `asked` for, or the one whose name says so, or the only one.

    Case, accents and underscores make no difference. Raises TableError, which names the columns that there are.
    """
    there = _by_plain_name(table.columns)
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


def named(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The column that has the first of `names` that there is, or None; compared as by `text_column`."""
    there = _by_plain_name(columns)
    return next((there[plain(name)] for name in names if plain(name) in there), None)


def plain(name: str) -> str:
    """Lower case, without accents, and with blanks for underscores and dashes."""
    letters = unicodedata.normalize("NFD", name.casefold())
    return " ".join("".join(" " if c in "_-" else c for c in letters if not unicodedata.combining(c)).split())


def _by_plain_name(columns: Sequence[str]) -> dict[str, str]:
    return {plain(column): column for column in reversed(columns)}
