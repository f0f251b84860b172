"""Callers take turns, and of one caller's requests the one that is due first goes on."""

from __future__ import annotations

import pytest

from model.tagger import Window
from serving.ticket import Ticket
from serving.turns import Turns

pytestmark = pytest.mark.anyio
RATE = 100.0


@pytest.fixture(params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ticket(made: float, *lengths: int) -> Ticket:
    """One made at that second, with windows of so many tokens."""
    found = Ticket([Window(0, range(length)) for length in lengths], labels=1)
    found.made = made
    return found


def order(turns: Turns) -> list[Ticket]:
    found = []
    while piece := turns.next():
        found.append(piece[0])
    return found


async def test_equal_requests_of_a_caller_are_finished_in_the_order_in_which_they_came() -> None:
    turns, first, second = Turns(), ticket(1.0, 10, 10), ticket(1.1, 10, 10)
    turns.add("a", first, rate=RATE)
    turns.add("a", second, rate=RATE)
    assert order(turns) == [first, first, second, second]


async def test_a_small_request_overtakes_a_big_one_that_has_not_waited_long_and_no_other() -> None:
    for made, overtakes in ((10.0, True), (100.0, False)):  # the big one, 2,000 tokens of 20 s, is due at 80
        turns, big, small = Turns(), ticket(0.0, 1000, 1000), ticket(made, 10)
        turns.add("a", big, rate=RATE)
        turns.add("a", small, rate=RATE)
        assert order(turns) == ([small, big, big] if overtakes else [big, big, small])


async def test_callers_take_turns_whatever_they_ask_for() -> None:
    turns, big, small = Turns(), ticket(0.0, 50, 50, 50), ticket(1000.0, 10, 10)
    turns.add("many", big, rate=RATE)
    turns.add("few", small, rate=RATE)
    assert order(turns) == [big, small, big, small, big]
    assert not turns


async def test_one_that_was_dropped_has_no_turn() -> None:
    turns, gone, kept = Turns(), ticket(0.0, 10), ticket(1.0, 10)
    turns.add("a", gone, rate=RATE)
    turns.add("a", kept, rate=RATE)
    gone.dropped = True
    assert order(turns) == [kept]


async def test_what_comes_before_a_request_is_what_is_due_before_it_and_the_turns_of_others() -> None:
    turns = Turns()
    assert turns.before("a", 0.0, 10, rate=RATE) == 10
    turns.add("a", ticket(0.0, 20), rate=RATE)  # due at 0.8
    turns.add("a", ticket(0.0, 1000), rate=RATE)  # due at 40
    assert turns.before("a", 1.0, 10, rate=RATE) == 30
    assert turns.before("b", 1.0, 10, rate=RATE) == 20
    turns.add("b", ticket(0.0, 500), rate=RATE)
    assert turns.before("a", 1.0, 10, rate=RATE) == 60
    assert turns.before("a", 50.0, 10, rate=RATE) == 2 * 1030
