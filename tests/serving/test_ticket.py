"""Answers that are ready wait a moment for others, unless their time is nearly up."""

from __future__ import annotations

import anyio
import pytest

from model.tagger import Window
from serving.ticket import Answers, Ticket

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ticket() -> Ticket:
    return Ticket([Window(0, range(3))], labels=1)


async def test_an_answer_that_is_ready_waits_for_the_next_one_and_both_are_given_together() -> None:
    answers, first, second = Answers(), ticket(), ticket()
    timers = [one.expire(30, began=one.made) for one in (first, second)]  # as every request has a time
    answers.add(first, seconds=30)
    await anyio.sleep(0)
    assert not first.done.done()
    answers.add(second, seconds=0)
    await anyio.sleep(0)
    assert first.done.done()
    assert second.done.done()
    for timer in timers:
        timer.cancel()


async def test_none_waits_long() -> None:
    answers, only = Answers(), ticket()
    answers.add(only, seconds=30)
    with anyio.fail_after(1):
        await only.done


async def test_one_whose_time_is_nearly_up_does_not_wait_and_takes_the_others_along() -> None:
    answers, patient, urgent = Answers(), ticket(), ticket()
    timer = urgent.expire(0.06, began=urgent.made)
    answers.add(patient, seconds=30)
    answers.add(urgent, seconds=30)
    await anyio.sleep(0)
    assert urgent.done.done()
    assert patient.done.done()
    timer.cancel()
