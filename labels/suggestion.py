"""What the model suggests for a task of Label Studio: its tags as a page shows them, and how sure it is of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labels.interface import to_result
from model.decode import Floats
from model.errors import WatchlistError
from model.mention import MAX_CHARACTERS, prepare
from model.tagger import Tagger
from model.watchlist import Watchlist, considered


def suggest(tasks: Sequence[Mapping[str, Any]], tagger: Tagger) -> list[dict[str, Any]]:
    """One prediction (`model_version`, `score`, `result`) for the data of each task, in order.

    The data is what `task.to_data` wrote, or anybody's with a `text`. The score is the model's `certainty`. A task
    that cannot be read (no text, one that is too long, a target that is not in its watchlist) has an empty result
    and the score 0.
    """
    texts = readable(tasks)
    return suggestions(texts, tagger.probabilities([text for text in texts if text]), tagger)


def readable(tasks: Sequence[Mapping[str, Any]]) -> list[str]:
    """The text of each task as the model reads it; empty if it cannot be read."""
    return [_text(data) for data in tasks]


def suggestions(texts: Sequence[str], probabilities: Floats, tagger: Tagger) -> list[dict[str, Any]]:
    """As `suggest`, from the probabilities (texts, labels) of those of `texts` that are not empty."""
    found = zip(tagger.decoder.tags(probabilities), certainty(probabilities), strict=True)
    predictions = []
    for text in texts:
        scores, sure = next(found) if text else ({}, 0.0)
        tags = {group: tuple(score.tag for score in given) for group, given in scores.items()}
        predictions.append(
            {
                "model_version": tagger.bundle.version,
                "score": round(float(sure), 4),
                "result": to_result(tags, tagger.taxonomy),
            }
        )
    return predictions


def certainty(probabilities: Floats) -> Floats:
    """How sure a model is of each text (texts): 0 if any of its probabilities is a half, 1 if all are 0 or 1."""
    sure: Floats = np.abs(2 * probabilities - 1).min(axis=1)
    return sure


def _text(data: Mapping[str, Any]) -> str:
    text, target, watched = data.get("text"), data.get("target") or None, data.get("watchlist") or []
    if not isinstance(text, str) or len(text) > MAX_CHARACTERS or not isinstance(target, str | None):
        return ""
    if not isinstance(watched, list) or not all(isinstance(entry, Mapping) for entry in watched):
        return ""
    try:
        watchlist, target = considered(Watchlist.from_dicts(watched), target)
    except WatchlistError:
        return ""
    return prepare(text, watchlist=watchlist, target=target)
