"""The service with more to do than it can, and with all that it can for long."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence

import psutil

from benchmarks.errors import BenchmarkError
from benchmarks.faults.finding import Check, Finding, Setting, flat, grown, share
from benchmarks.faults.subject import Subject, sampled
from benchmarks.faults.traffic import Answer, Closed, Open, counted, tagging

_SIZE = 32
_CALLERS = 8
_TIMES = 10
_PLANNED = 1.05
"""Of what is to be offered: a capacity that was measured a little low must not make the load too light."""
_REFUSAL_MS = 50
_RECOVERY_SECONDS = 2
_COMPUTED = "tympan_tokens_total"


async def overload(setting: Setting) -> Finding:
    """Ten times what the service can do, from callers who do not wait for one another."""
    seconds = setting.length(60)
    requests = itertools.cycle(tagging(setting.texts, _SIZE))
    with Subject(setting.bundle, cached_texts="1") as subject:
        probe = max(3.0, seconds / 6)
        before, full = await _speed(subject, requests, probe)
        offered = Open(subject.port, requests, per_second=_TIMES * _PLANNED * before / _SIZE)
        usual = [subject.memory]
        async with sampled(subject) as held:
            spent = _processor_seconds()
            await offered.run(seconds)
            spent = _processor_seconds() - spent
            await asyncio.sleep(_RECOVERY_SECONDS)
            _, after = await _speed(subject, requests, probe)
            await offered.settle()
    accepted = [answer for answer in offered.answers if answer.status == 200]
    refused = [answer for answer in offered.answers if answer.status == 429]
    statuses = ", ".join(f"{status}: {n:,}" for status, n in sorted(Counter(a.status for a in offered.answers).items()))
    done = (
        f"{len(offered.answers):,} calls of {_SIZE} mentions in {seconds:g} s, at a steady pace whatever was answered, "
        f"after {_CALLERS} callers who waited for their answers got {before:.0f} mentions/s; statuses {statuses}. "
        f"Accepted calls took {share(_seconds(accepted), 50) / 1000:.1f} s (p50), at most "
        f"{share(_seconds(accepted), 100) / 1000:.1f} s. The callers' process took {100 * spent / seconds:.0f} % of "
        f"one processor and sent 99 % of its calls at most {share(offered.late, 99):.0f} ms late. Speed is counted in "
        "tokens computed; texts are not remembered."
    )
    checks = (
        Check.least("offered, times the capacity", len(offered.answers) * _SIZE / seconds / before, _TIMES),
        Check.none(
            "calls neither answered nor refused with 429",
            len(offered.answers) - len(accepted) - len(refused),
            len(offered.answers),
        ),
        Check.all(
            "accepted calls answered whole", sum(len(answer.results()) == _SIZE for answer in accepted), len(accepted)
        ),
        Check.most("p99 of a refusal", share(_seconds(refused), 99), _REFUSAL_MS, " ms"),
        flat("resident memory, against that at full speed", usual, held.memory, percent=10),
        Check.least(f"speed {_RECOVERY_SECONDS} s after the last call, of that before", 100 * after / full, 90, " %"),
    )
    return Finding("overload", done, checks)


async def soak(setting: Setting) -> Finding:
    """Full load for long, from large and small callers."""
    seconds = setting.length(300)
    kinds = [(itertools.cycle(tagging(setting.texts, size)), callers) for size, callers in ((_SIZE, 4), (1, 16))]
    statuses: Counter[int] = Counter()

    def count(answer: Answer) -> None:
        statuses[answer.status] += 1

    with Subject(setting.bundle, cached_texts="1000") as subject:
        (large, few), (small, many) = kinds
        async with (
            Closed(subject.port, large, few, keep=count),
            Closed(subject.port, small, many, keep=count),
            sampled(subject) as held,
        ):
            await asyncio.sleep(seconds)
    done = (
        f"{statuses.total():,} calls in {seconds:g} s from {few} callers with {_SIZE} mentions a call and {many} with "
        "one, each of whom asks again at once; 1,000 texts are remembered, which are soon full. Growth is that of the "
        "median of the last fifth of the time over that of the second."
    )
    checks = (
        Check.none("calls not answered with 200", statuses.total() - statuses[200], statuses.total()),
        grown("resident memory", held.memory, percent=5),
        grown("threads", held.threads, percent=0),
        grown("file descriptors", held.descriptors, percent=0),
    )
    return Finding("soak", done, checks)


async def _speed(subject: Subject, requests: itertools.cycle[bytes], seconds: float) -> tuple[float, float]:
    """Mentions and tokens a second that are computed for callers who wait for their answers."""
    before = await counted(subject.port, _COMPUTED)
    async with Closed(subject.port, requests, _CALLERS) as closed:
        await asyncio.sleep(seconds)
        rate = (await counted(subject.port, _COMPUTED) - before) / seconds
    tokens = await counted(subject.port, _COMPUTED) - before
    mentions = sum(_SIZE for answer in closed.answers if answer.status == 200)
    if not mentions:
        raise BenchmarkError("overload", f"no call was answered in {seconds:g} s", "Leave the machine to it")
    return rate * mentions / tokens, rate


def _seconds(answers: Sequence[Answer]) -> list[float]:
    return [answer.seconds for answer in answers]


def _processor_seconds() -> float:
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)
