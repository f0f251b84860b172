"""The most frequent of many things, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

Thing = TypeVar("Thing", bound=Hashable)


class Heavy(Counter[Thing]):
    """Counts of the things seen most often: at most twice `room` of them are held.

    When there are more, the count of the first one that has no room is taken off all, and what is left with nothing
    goes (Misra and Gries, "Finding repeated elements", 1982; batches as in Anderson et al., "A high-performance
    algorithm for identifying frequent items in data streams", 2017). A count is too low by at most `error`, which is
    at most the sum of all counts divided by `room`; while nothing had to go it is exact.
    """

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.error = 0

    def see(self, things: Iterable[Thing]) -> None:
        """Count each of `things` once more."""
        self.update(things)
        if len(self) > 2 * self.room:
            self._purge()

    def _purge(self) -> None:
        counts = sorted(self.values(), reverse=True)
        least = counts[self.room]
        self.error += least
        left = {thing: count - least for thing, count in self.items() if count > least}
        self.clear()
        dict.update(self, left)
