"""Whether somebody has replied to a mention, as the cells of exports say it."""

from __future__ import annotations

_YES = (
    *("yes", "y", "true", "1", "x", "answered", "replied", "responded"),
    *("oui", "o", "vrai", "répondu", "sì", "si", "vero", "risposto"),
)
_NO = ("no", "n", "false", "0", "unanswered", "unreplied", "non", "faux", "falso")


def replied(cell: str) -> bool | None:
    """What a cell says; None if it is empty, or says something else."""
    said = cell.strip().casefold()
    return True if said in _YES else False if said in _NO else None
