"""How fast the network has been of late, by which a line promises when a text is computed."""

from __future__ import annotations

_UNKNOWN = 1_000.0  # tokens a second, before any was computed
_SURE_SECONDS = 1.0  # of computing, after which the pace is known
_LATE_SECONDS = 60.0  # of computing, after which what was before counts half: a machine may become slower, or faster


class Pace:
    """Tokens a second of so many workers together. Not safe to use from several threads at once."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._tokens = self._seconds = 0.0

    def add(self, tokens: int, seconds: float) -> None:
        """One worker computed so many tokens in so many seconds."""
        self._tokens += tokens
        self._seconds += seconds
        if self._seconds > _LATE_SECONDS:
            self._tokens, self._seconds = self._tokens / 2, self._seconds / 2

    @property
    def known(self) -> bool:
        """Whether enough was computed to promise anything by it."""
        return self._seconds > _SURE_SECONDS

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self._workers * self._tokens / self._seconds if self._tokens else _UNKNOWN
