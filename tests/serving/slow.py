"""A tagger that computes when a test lets it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from model.decode import Floats
from model.tagger import Tagger


class SlowTagger(Tagger):
    """A tagger that computes a text when the test lets it, and keeps the order in which it did."""

    def prepare_test(self) -> None:
        self.allowed = threading.Semaphore(0)
        self.started = threading.Semaphore(0)
        self.order: list[int] = []
        self.poison = -1
        self.pause = 0.0
        """Seconds that every text takes, without a word of the test."""

    def output(self, ids: Sequence[int]) -> Floats:
        self.started.release()
        time.sleep(self.pause) if self.pause else self.allowed.acquire()
        self.order.append(len(ids))
        if self.poison == -2:
            raise SystemExit
        if len(ids) == self.poison:
            raise RuntimeError("a fault of the network")
        return super().output(ids)

    def allow(self, texts: int) -> None:
        self.allowed.release(texts)


def failing_on(bundle: Path, *, tokens: int) -> SlowTagger:
    """A tagger that is not slow, and fails on a text of so many tokens, special ones included."""
    tagger = SlowTagger.load(bundle, threads=1)
    assert isinstance(tagger, SlowTagger)
    tagger.prepare_test()
    tagger.poison = tokens
    tagger.allow(1_000)
    return tagger
