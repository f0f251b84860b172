"""Whose text is computed next: callers take turns, and of one caller's requests the one that is due first goes on.

A request is due at its entry plus a multiple of its own work (after the virtual finishing times of fair queueing:
Demers et al., "Analysis and simulation of a fair queueing algorithm", 1989). So equal ones are answered in the order in
which they came, where taking turns would have each wait for all; and a small one overtakes a big one that has not
waited long.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator

from serving.ticket import Ticket

_PATIENCE = 4
"""Times its own work that a request may be overtaken for."""


class Turns:
    """The tickets that have windows left to take, by caller. Not safe to use from several threads at once."""

    def __init__(self) -> None:
        self._order: deque[str] = deque()
        self._tickets: dict[str, list[tuple[float, int, Ticket]]] = {}  # heaps
        self._entered = 0

    def __iter__(self) -> Iterator[Ticket]:
        return (ticket for tickets in self._tickets.values() for _, _, ticket in tickets)

    def __len__(self) -> int:
        """How many callers there are."""
        return len(self._tickets)

    def add(self, caller: str, ticket: Ticket, *, rate: float) -> None:
        """Let a ticket take part, which `rate` tokens a second will be computed of."""
        if caller not in self._tickets:
            self._tickets[caller] = []
            self._order.append(caller)
        self._entered += 1
        heapq.heappush(self._tickets[caller], (_due(ticket.made, ticket.waiting, rate), self._entered, ticket))

    def before(self, caller: str, now: float, tokens: int, *, rate: float) -> int:
        """Tokens that would be computed before the end of a request of so many `tokens` that a caller made now.

        What the others' requests have is only counted up to what their turns in the meantime come to.
        """
        due, own = _due(now, tokens, rate), self._tickets.get(caller, ())
        ahead = sum(ticket.waiting for at, _, ticket in own if at <= due)
        return (len(self._tickets) + (caller not in self._tickets)) * (ahead + tokens)

    def next(self) -> tuple[Ticket, int] | None:
        """The ticket whose turn it is and the position of its window, which is taken; None if there is none."""
        while self._order:
            caller = self._order.popleft()
            tickets = self._tickets[caller]
            ticket = tickets[0][2]
            at = None if ticket.dropped else ticket.take()
            if ticket.dropped or ticket.empty:
                heapq.heappop(tickets)
            if tickets:
                self._order.append(caller)
            else:
                del self._tickets[caller]
            if at is not None:
                return ticket, at
        return None

    def clear(self) -> None:
        """Let nobody take part."""
        self._order.clear()
        self._tickets.clear()


def _due(made: float, tokens: int, rate: float) -> float:
    return made + _PATIENCE * tokens / rate
