"""A mention that was tagged lately, as the store keeps it for a while: enough to correct it by its id alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from model.watchlist import Organisation


@dataclass(frozen=True, kw_only=True)
class TaggedMention:
    """A mention under its caller's own id, what it was read with, and the version of the model that tagged it."""

    id: str
    text: str
    lang: str | None = None
    target: str | None = None
    watchlist: tuple[Organisation, ...] = ()
    model: str | None = None


def plain_language(given: str | None) -> str | None:
    """`fr` of `fr-CA`; None for what no record can have, which then has the language that is detected."""
    found = re.fullmatch(r"([a-z]{2,3})(?:[-_].*)?", (given or "").lower())
    return found[1] if found else None
