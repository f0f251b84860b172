"""Requests share one tagger: they take turns, have deadlines, and one bad text fails alone."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio
import pytest

from model.mention import Mention
from model.tagger import Failed, Plans, Tagged, Tagger
from model.watchlist import Organisation, Watchlist
from serving.batching import Line
from serving.errors import BusyError, DeadlineError, NotReadyError, RequestTooLargeError
from tests.serving.slow import SlowTagger

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def slow(bundle: Path) -> Iterator[SlowTagger]:
    tagger = SlowTagger.load(bundle, threads=1)
    assert isinstance(tagger, SlowTagger)
    tagger.prepare_test()
    yield tagger
    tagger.allow(10_000)


def mentions(*texts: str) -> list[Mention]:
    return [Mention(str(n), text, lang="fr") for n, text in enumerate(texts)]


def of_length(words: int) -> str:
    """A text of that many tokens, and so of `words` + 2 with the special ones."""
    return " ".join(["panne", "merci", "cher", "bravo"][n % 4] for n in range(words))


def intents(results: Sequence[Tagged | Failed]) -> list[list[str]]:
    return [
        [score.tag for score in result.tags["intent"]] if isinstance(result, Tagged) else ["failed"]
        for result in results
    ]


async def waiting_for(line: Line, tokens: int) -> None:
    with anyio.fail_after(10):
        while line.waiting < tokens:
            await anyio.sleep(0.005)


async def under_way(slow: SlowTagger) -> None:
    """Until a worker has taken the next text."""
    with anyio.fail_after(10):
        await anyio.to_thread.run_sync(slow.started.acquire, abandon_on_cancel=True)


async def test_answers_are_those_of_the_tagger(tagger: Tagger) -> None:
    line = Line(tagger)
    asked = mentions("une panne", "merci", "une panne", "", "x " * 300)
    assert [str(found) for found in await line.tag(asked)] == [str(found) for found in tagger.tag(asked)]
    assert await line.tag([]) == []
    line.close()


async def test_mentions_that_name_more_than_can_be_read_are_refused_before_they_are(tagger: Tagger) -> None:
    line = Line(tagger)
    names = [f"Firm{n}" for n in range(50)]
    watchlist = Watchlist(map(Organisation, names))
    text = f"{' '.join(names)} {'panne ' * 120}"
    with pytest.raises(RequestTooLargeError, match="organisations"):
        await line.tag(mentions(*(f"{n} {text}" for n in range(100))), watchlist=watchlist)
    assert line.waiting == 0
    assert len(await line.tag(mentions(text), watchlist=watchlist)) == 1
    line.close()


async def test_callers_take_turns_so_that_a_small_call_is_not_stuck_behind_a_big_one(slow: SlowTagger) -> None:
    line = Line(slow)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: line.tag(mentions(*(f"merci {of_length(5 + n)}" for n in range(20))), caller="big"))
        await under_way(slow)
        done = anyio.Event()

        async def small() -> None:
            assert intents(await line.tag(mentions("panne"), caller="small")) == [["friction"]]
            done.set()

        before = line.waiting
        group.start_soon(small)
        await waiting_for(line, before + 1)
        slow.allow(3)  # the one that was under way, one of the big call's, and the small one
        with anyio.fail_after(10):
            await done.wait()
        assert len(slow.order) <= 3
        slow.allow(100)
    line.close()


async def test_a_small_call_does_not_wait_for_a_big_one_of_the_same_caller(slow: SlowTagger) -> None:
    line = Line(slow)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: line.tag(mentions(*(f"merci {of_length(5 + n)}" for n in range(20)))))
        await under_way(slow)
        before, done = line.waiting, anyio.Event()

        async def small() -> None:
            await line.tag(mentions("panne"))
            done.set()

        group.start_soon(small)
        await waiting_for(line, before + 1)
        slow.allow(3)  # the one that was under way, one as the oldest, and the small one
        with anyio.fail_after(10):
            await done.wait()
        assert len(slow.order) <= 3
        slow.allow(100)
    line.close()


async def test_equal_calls_of_one_caller_are_answered_in_the_order_in_which_they_came(slow: SlowTagger) -> None:
    line, answered = Line(slow), []
    async with anyio.create_task_group() as group:

        async def call(number: int) -> None:
            await line.tag(mentions(*(f"{text} {number}" for text in ("panne", "merci", "cher"))))
            answered.append(number)

        for number in range(3):
            before = line.waiting
            group.start_soon(call, number)
            await waiting_for(line, before + 1)
        slow.allow(100)
    assert answered == [0, 1, 2]
    line.close()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own elsewhere")
async def test_workers_give_way_to_the_event_loop(tagger: Tagger) -> None:
    line = Line(tagger)
    await line.tag(mentions("panne"))
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("line-")]
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert own < max(os.getpriority(os.PRIO_PROCESS, thread.native_id or 0) for thread in threads)
    line.close()


async def test_a_call_beyond_the_room_is_refused_at_once_and_says_when_to_come_back(slow: SlowTagger) -> None:
    line = Line(slow, room=60)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: line.tag(mentions(of_length(20), of_length(30))))
        await under_way(slow)
        with pytest.raises(BusyError) as refused:
            await line.tag(mentions(of_length(50)))
        assert refused.value.seconds >= 1
        slow.allow(10)
    assert intents(await line.tag(mentions("panne"))) == [["friction"]]
    line.close()


async def test_a_call_that_cannot_be_computed_in_its_time_is_refused_at_once_and_a_short_one_is_not(
    slow: SlowTagger,
) -> None:
    line = Line(slow)
    slow.pause = 0.15
    await line.tag(mentions(*(f"cher {of_length(20 + n)}" for n in range(8))), seconds=60)  # 1.2 s: the speed is known
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: line.tag(mentions(*(of_length(20 + n) for n in range(8))), caller="big", seconds=60))
        await under_way(slow)
        await waiting_for(line, 100)
        long = mentions(*(f"merci {of_length(20 + n)}" for n in range(8)))
        with pytest.raises(BusyError) as refused:
            await line.tag(long, caller="other", seconds=3)
        assert refused.value.seconds >= 1
        assert intents(await line.tag(mentions("panne"), caller="other", seconds=30)) == [["friction"]]
    line.close()


async def test_a_call_larger_than_the_room_is_taken_when_nothing_waits(tagger: Tagger) -> None:
    line = Line(tagger, room=1)
    assert len(await line.tag(mentions("panne", "merci"))) == 2
    line.close()


async def test_the_time_of_a_call_runs_from_before_its_texts_are_prepared(bundle: Path) -> None:
    class Hesitant(Tagger):
        def plan(
            self, mentions: Sequence[Mention], watchlist: Watchlist | None = None, *, most: float = math.inf
        ) -> Plans:
            time.sleep(0.2)
            return super().plan(mentions, watchlist, most=most)

    line = Line(Hesitant.load(bundle, threads=1))
    with pytest.raises(DeadlineError, match=r"within 0\.1 s"):
        await line.tag(mentions("panne"), seconds=0.1)
    assert len(await line.tag(mentions("panne"), seconds=30)) == 1
    line.close()


async def test_work_is_dropped_at_its_deadline_before_it_is_computed(slow: SlowTagger) -> None:
    line = Line(slow)
    with pytest.raises(DeadlineError, match=r"within 0\.1 s"):
        await line.tag(mentions(*(of_length(5 + n) for n in range(10))), seconds=0.1)
    assert line.waiting == 0
    slow.allow(100)
    assert intents(await line.tag(mentions("merci"))) == [["praise"]]
    assert len(slow.order) == 2  # the one that was under way, and the new one
    line.close()


async def test_a_caller_who_hangs_up_frees_the_place(slow: SlowTagger) -> None:
    line = Line(slow)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: line.tag(mentions(*(of_length(5 + n) for n in range(10)))))
        await under_way(slow)
        group.cancel_scope.cancel()
    assert line.waiting == 0
    slow.allow(100)
    line.close()
    assert len(slow.order) == 1


async def test_what_the_network_fails_on_is_logged_and_not_every_time(
    slow: SlowTagger, caplog: pytest.LogCaptureFixture
) -> None:
    line = Line(slow)
    slow.poison = 7 + 2
    slow.allow(100)
    for _ in range(3):
        await line.tag(mentions(of_length(7)))
    line.close()
    (record,) = caplog.records
    assert record.getMessage() == "the network failed on a text"
    assert record.exc_info and record.exc_info[0] is RuntimeError


async def test_a_text_that_the_network_fails_on_fails_alone_and_is_not_remembered(slow: SlowTagger) -> None:
    line = Line(slow)
    slow.poison = 7 + 2
    slow.allow(100)
    asked = mentions("panne", of_length(7), "merci")
    assert intents(await line.tag(asked)) == [["friction"], ["failed"], ["praise"]]
    slow.poison = -1
    assert "failed" not in intents(await line.tag(asked))[1]
    line.close()


async def test_texts_are_computed_once_for_all_who_ask(slow: SlowTagger) -> None:
    line = Line(slow)
    slow.allow(100)
    first = await line.tag(mentions("panne", "merci", "panne"))
    again = await line.tag(mentions("panne", "merci", "panne"), caller="another")
    assert first == again
    assert len(slow.order) == 2
    line.close()


async def test_what_is_remembered_is_bounded(slow: SlowTagger) -> None:
    line = Line(slow, remembered=1)
    slow.allow(100)
    for text in ("panne", "merci", "panne"):
        await line.tag(mentions(text))
    assert len(slow.order) == 3
    line.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_when_a_worker_dies_every_caller_is_told_and_the_line_says_that_it_is_dead(slow: SlowTagger) -> None:
    line = Line(slow)
    told = []

    async def call(text: str) -> None:
        try:
            await line.tag(mentions(text), caller=text)
        except NotReadyError as error:
            told.append(str(error))

    async with anyio.create_task_group() as group:
        for text in ("panne", "merci"):
            group.start_soon(call, text)
        await waiting_for(line, 1)
        slow.poison = -2
        slow.allow(1)
    assert len(told) == 2
    assert not line.alive
    with pytest.raises(NotReadyError):
        await line.tag(mentions("bravo"))
    await anyio.to_thread.run_sync(line.close)


async def test_a_closed_line_finishes_what_it_took_and_takes_no_more(slow: SlowTagger) -> None:
    line = Line(slow)
    results: list[list[str]] = []

    async def call() -> None:
        results.extend(intents(await line.tag(mentions("panne", "merci"))))

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        await waiting_for(line, 1)
        slow.allow(10)
        await anyio.to_thread.run_sync(line.close)
    assert results == [["friction"], ["praise"]]
    with pytest.raises(NotReadyError):
        await line.tag(mentions("bravo"))
