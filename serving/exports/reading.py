"""How the rows of a file are read, and what is found of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model.tagger import Tagged
from model.watchlist import Organisation, Watchlist
from serving.priority import Priorities


@dataclass(frozen=True)
class Reading:
    """How the rows of a file are to be read: towards whom, and how sure a tag must be."""

    text_column: str
    watchlist: Watchlist | None = None
    target: Organisation | None = None
    """The organisation that the tags are towards: one of `watchlist`."""
    min_score: float = 0.0
    priorities: Priorities | None = None
    answered_column: str | None = None
    """The column that says whether somebody has replied; None if there is none."""
    scores: bool = False
    """Whether every tag has a column of its probability."""

    def to_dict(self) -> dict[str, Any]:
        """What the tags of a row depend on, as plain JSON types: priorities are worked out from tags."""
        watched = self.watchlist.organisations if self.watchlist else ()
        return {
            "text_column": self.text_column,
            "watchlist": [organisation.to_dict() for organisation in watched],
            "target": self.target.name if self.target else None,
            "min_score": self.min_score,
            "scores": self.scores,
        }


@dataclass(frozen=True)
class Found:
    """What came of a row: its tags, or why it has none; `scores` are the probabilities of all labels, if asked for."""

    result: Tagged | str
    scores: tuple[float, ...] = ()
