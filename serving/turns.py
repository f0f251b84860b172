"""Whose text is computed next: callers take turns, and one caller's turns go by halves to what is oldest and smallest.

So the requests of a caller are answered in the order in which they came, where a turn for each would have all wait for
all; a small one need not wait for the big ones before it; and a big one has half the caller's turns from the time when
it is the oldest, however many small ones come. Size is counted in windows: by tokens, of calls with one text each the
longer ones would wait twice as long as the others, for nothing.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator

from serving.ticket import Ticket


class Turns:
    """The tickets that have windows to be taken, by caller. Not safe to use from several threads at once."""

    def __init__(self) -> None:
        self._order: deque[str] = deque()
        self._callers: dict[str, _Own] = {}

    def __iter__(self) -> Iterator[Ticket]:
        return (ticket for own in self._callers.values() for ticket in own)

    def add(self, caller: str, ticket: Ticket) -> None:
        """Let a ticket take part."""
        if caller not in self._callers:
            self._callers[caller] = _Own()
            self._order.append(caller)
        self._callers[caller].add(ticket)

    def remove(self, caller: str, ticket: Ticket) -> bool:
        """Let a ticket take part no more; whether it did."""
        own = self._callers.get(caller)
        found = own is not None and own.remove(ticket)
        if found and not own:
            del self._callers[caller]
            self._order.remove(caller)
        return found

    def next(self) -> tuple[Ticket, int] | None:
        """The ticket whose turn it is and the position of its window, which is taken; None if there is none."""
        if not self._order:
            return None
        caller = self._order[0]
        ticket = self._callers[caller].next()
        at = ticket.take()
        self._order.rotate(-1)
        if not ticket.left:
            self.remove(caller, ticket)
        return ticket, at

    def before(self, caller: str, tokens: int, windows: int) -> int:
        """Tokens to compute before a request is done that a caller makes now, its own so many `tokens` included.

        They are in so many `windows`. Counted are all tokens of the caller's own requests, and of every other caller
        what its turns meanwhile may come to: as many windows as these, each as long as its longest. It is not certain
        to be the most, since half the caller's turns may go to smaller requests that come later; for a small one it
        is much less.
        """
        own = self._callers.get(caller) or ()
        turns = windows + sum(ticket.left for ticket in own)
        others = (each for name, each in self._callers.items() if name != caller)
        return tokens + sum(ticket.waiting for ticket in own) + sum(_within(turns, each) for each in others)

    def clear(self) -> None:
        """Let nobody take part."""
        self._order.clear()
        self._callers.clear()


class _Own:
    """The tickets of one caller, in the order in which they came."""

    def __init__(self) -> None:
        self._tickets: dict[int, Ticket] = {}
        self._by_size: list[tuple[int, int]] = []  # a heap of sizes and keys, some of them of tickets that are gone
        self._came = 0
        self._oldest_now = True

    def __len__(self) -> int:
        return len(self._tickets)

    def __iter__(self) -> Iterator[Ticket]:
        return iter(self._tickets.values())

    def add(self, ticket: Ticket) -> None:
        self._came += 1
        self._tickets[self._came] = ticket
        heapq.heappush(self._by_size, (len(ticket.windows), self._came))

    def next(self) -> Ticket:
        """The oldest and the smallest by turns."""
        self._oldest_now = not self._oldest_now
        if self._oldest_now:
            return next(iter(self._tickets.values()))
        while self._by_size[0][1] not in self._tickets:
            heapq.heappop(self._by_size)
        return self._tickets[self._by_size[0][1]]

    def remove(self, ticket: Ticket) -> bool:
        """Whether it was there."""
        key = next((key for key, one in self._tickets.items() if one is ticket), None)
        if key is None:
            return False
        del self._tickets[key]
        if len(self._by_size) > 2 * len(self._tickets):  # so that those who hang up leave nothing for long
            self._by_size = sorted(entry for entry in self._by_size if entry[1] in self._tickets)
        return True


def _within(turns: int, tickets: Iterable[Ticket]) -> int:
    """The tokens that so many turns of one caller may come to."""
    found = tuple(tickets)
    return min(sum(ticket.waiting for ticket in found), turns * max(ticket.longest for ticket in found))
