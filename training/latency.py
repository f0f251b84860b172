"""How much longer one model takes than another for the same texts."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from model.tagger import Tagger

_ROUNDS = 5
_TEXTS = 60


def ratio(before: Tagger, after: Tagger, texts: Sequence[str]) -> float:
    """Processor time of `after` for prepared texts as a multiple of that of `before`; the median of turns."""
    some = texts[:: max(1, len(texts) // _TEXTS)][:_TEXTS]
    ratios = []
    for turn in range(_ROUNDS + 1):
        spent = [_seconds(tagger, some) for tagger in (before, after)]
        if turn:  # the first calls of a session are slower than those that follow
            ratios.append(spent[1] / spent[0])
    return float(np.median(ratios))


def _seconds(tagger: Tagger, texts: Sequence[str]) -> float:
    started = time.process_time()
    for text in texts:
        tagger.probabilities([text])
    return time.process_time() - started
