"""Whether somebody has replied to a mention, as the columns of exports say it."""

from __future__ import annotations

COLUMNS = (
    *("answered", "is answered", "replied", "is replied", "has reply", "responded", "has response"),
    *("repondu", "a repondu", "est repondu", "risposto", "ha risposto", "ha risposta"),
)
"""What the column is called, the surest name first, without accents."""
_YES = (
    *("yes", "y", "true", "1", "x", "answered", "replied", "responded"),
    *("oui", "o", "vrai", "répondu", "sì", "si", "vero", "risposto"),
)
_NO = ("no", "n", "false", "0", "unanswered", "unreplied", "non", "faux", "falso")


def replied(cell: str) -> bool | None:
    """What a cell says; None if it is empty, or says something else."""
    said = cell.strip().casefold()
    return True if said in _YES else False if said in _NO else None
