"""A mention that was tagged lately, as the store keeps it for a while: enough to correct it by its id alone."""

from __future__ import annotations

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
