"""Callers take turns, and one caller's turns go by halves to its oldest request and to its smallest."""

from __future__ import annotations

import pytest

from model.tagger import Window
from serving.ticket import Ticket
from serving.turns import Turns

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ticket(*lengths: int) -> Ticket:
    """With windows of so many tokens."""
    return Ticket([Window(0, range(length)) for length in lengths], labels=1)


def entered(**tickets: list[Ticket]) -> Turns:
    """The tickets of each caller, in their order."""
    turns = Turns()
    for caller, own in tickets.items():
        for one in own:
            turns.add(caller, one)
    return turns


def order(turns: Turns) -> list[Ticket]:
    found = []
    while piece := turns.next():
        found.append(piece[0])
    return found


async def test_equal_requests_of_a_caller_are_finished_in_the_order_in_which_they_came() -> None:
    first, second, third = (ticket(10, 10) for _ in range(3))
    assert order(entered(a=[first, second, third])) == [first, first, second, second, third, third]


async def test_a_long_text_is_not_overtaken_by_shorter_ones_that_come_later() -> None:
    calls = [ticket(length) for length in (10, 120, 30, 5, 20)]
    assert order(entered(a=calls)) == calls


async def test_a_small_request_does_not_wait_for_the_big_ones_before_it() -> None:
    big, bigger, small = ticket(*[50] * 4), ticket(*[60] * 4), ticket(10)
    assert small in order(entered(a=[big, bigger, small]))[:2]


async def test_the_oldest_request_has_half_the_turns_however_many_small_ones_come() -> None:
    turns, big = Turns(), ticket(*[50] * 10)
    turns.add("a", big)
    taken = []
    for _ in range(20):
        turns.add("a", ticket(1))
        piece = turns.next()
        assert piece
        taken.append(piece[0])
    assert taken.count(big) == 10


async def test_callers_take_turns_whatever_they_ask_for() -> None:
    big, small = ticket(50, 50, 50), ticket(10, 10)
    assert order(entered(many=[big], few=[small])) == [big, small, big, small, big]


async def test_who_gives_up_has_no_turn_and_leaves_nothing_behind() -> None:
    kept, gone = ticket(10), [ticket(20) for _ in range(10)]
    turns = entered(a=[gone[0], kept, *gone[1:]], b=[ticket(5)])
    for one in gone:
        assert turns.remove("a", one)
        assert not turns.remove("a", one)
    assert not turns.remove("nobody", kept)
    assert [piece for piece in order(turns) if piece is kept or piece in gone] == [kept]
    assert not list(turns)


async def test_what_comes_before_a_request_is_its_callers_and_the_turns_of_others() -> None:
    turns = Turns()
    assert turns.before("a", 10, 1) == 10
    turns = entered(a=[ticket(20), ticket(1000)])
    assert turns.before("a", 10, 1) == 1030
    assert turns.before("a", 2000, 2) == 3020
    assert turns.before("b", 10, 1) == 10 + 1000
    turns = entered(a=[ticket(20), ticket(1000)], b=[ticket(500)], c=[ticket(3)])
    assert turns.before("a", 20, 1) == 1040 + 500 + 3


async def test_others_have_as_many_turns_as_a_request_has_texts_however_long_theirs_are() -> None:
    turns = entered(b=[ticket(*[50] * 10), ticket(60)])
    assert turns.before("a", 100, 1) == 100 + 60
    assert turns.before("a", 20, 4) == 20 + 4 * 60
    assert turns.before("a", 100, 20) == 100 + 560
    turns.next()
    assert turns.before("a", 100, 20) == 100 + 500
