"""What several verbs of this room show while they work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from model.decode import Floats
    from model.tagger import Tagger

_BLOCK = 256
"""Texts tagged between two steps of the bar."""


def progress() -> Progress:
    """A bar with a count, on standard error."""
    bar = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*bar, console=Console(stderr=True))


def probabilities(tagger: Tagger, texts: Sequence[str]) -> Floats:
    """Those of prepared `texts` (texts, labels), under a bar."""
    import numpy as np  # noqa: PLC0415  `--help` needs no numpy

    found = [tagger.probabilities([])]
    with progress() as bar:
        for start in bar.track(range(0, len(texts), _BLOCK), description="Tagging"):
            found.append(tagger.probabilities(texts[start : start + _BLOCK]))
    return np.concatenate(found)
