"""What exports call their columns, in the languages that they come in."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

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


def named(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The column that has the first of `names` that there is, or None; compared as by `plain`."""
    there = by_plain_name(columns)
    return next((there[plain(name)] for name in names if plain(name) in there), None)


def plain(name: str) -> str:
    """Lower case, without accents, and with blanks for underscores and dashes."""
    letters = unicodedata.normalize("NFD", name.casefold())
    return " ".join("".join(" " if c in "_-" else c for c in letters if not unicodedata.combining(c)).split())


def by_plain_name(columns: Sequence[str]) -> dict[str, str]:
    """Plain name → the first column that has it."""
    return {plain(column): column for column in reversed(columns)}
