"""Callers who ask a server all the time: the load of `benchmarks.load`, in a process of its own.

All of them are one thread that waits for libcurl (by `pycurl`), which takes a fifth of the processor time of a client
that is written in Python, on processors that the server needs. Every caller has a connection that is kept, and asks
again as soon as it is answered. As a program it reads one `Load` from standard input, and writes a `Reading`.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import pycurl

from benchmarks.errors import BenchmarkError
from benchmarks.places import ROOT

_HEADERS = ["Content-Type: application/json", "Expect:", "X-Request-Timeout-Ms: 600000"]
"""No caller waits for permission to send; and nothing is given up, however long it waits (the others ignore that)."""
_PATIENCE = 600
"""Seconds after which a caller takes a server for dead."""
_WARM_CALLERS = 4


@dataclass(frozen=True)
class Load:
    """Where to send `bodies`, each of `mentions` mentions, round and round, for `seconds`, after having warmed up."""

    url: str
    bodies: Sequence[str]
    mentions: int
    callers: int
    seconds: float
    warm_up: float


@dataclass(frozen=True)
class Reading:
    """What came of a load: calls until the last one was answered, and percentiles of a call in milliseconds."""

    calls: int
    mentions: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Mentions a second."""
        return self.mentions / self.seconds

    @classmethod
    def of(cls, latencies: Sequence[float], *, mentions: int, seconds: float) -> Reading:
        """From the seconds of every call, each of `mentions` mentions."""
        p50, p99 = (round(1000 * float(np.percentile(latencies, share)), 2) for share in (50, 99))
        return cls(len(latencies), mentions * len(latencies), round(seconds, 4), p50, p99)


def put(load: Load) -> Reading:
    """Put a load on a server from another process; BenchmarkError if any call is not answered with 200."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load.callers"],
        input=json.dumps(asdict(load)),
        capture_output=True,
        cwd=ROOT,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise BenchmarkError(load.url, f"failed under load: {done.stderr.strip()[-300:]}", "See the server's own log")
    return Reading(**json.loads(done.stdout))


@dataclass
class _Crowd:
    """The callers of one load."""

    load: Load
    latencies: list[float] = field(default_factory=list)
    begun: dict[pycurl.Curl, float] = field(default_factory=dict)
    multi: pycurl.CurlMulti = field(default_factory=pycurl.CurlMulti)

    def __post_init__(self) -> None:
        self.bodies = itertools.cycle([body.encode() for body in self.load.bodies])

    def run(self, callers: int, seconds: float) -> float:
        """Call until `seconds` have passed, wait for what was asked, and return the seconds that it took in all."""
        self.latencies.clear()
        began = time.perf_counter()
        for _ in range(callers):
            self._ask(_caller(self.load.url))
        while self.begun:
            self.multi.perform()
            answered = self._answered()
            for caller in answered:
                if time.perf_counter() - began < seconds:
                    self._ask(caller)
            if not answered:
                self.multi.select(1.0)
        return time.perf_counter() - began

    def _ask(self, caller: pycurl.Curl) -> None:
        caller.setopt(pycurl.POSTFIELDS, next(self.bodies))
        self.begun[caller] = time.perf_counter()
        self.multi.add_handle(caller)

    def _answered(self) -> list[pycurl.Curl]:
        """Callers who have their answer."""
        found: list[pycurl.Curl] = []
        left = 1
        while left:
            left, good, failed = self.multi.info_read()
            if failed:
                raise SystemExit(f"no answer: {failed[0][2]}")
            found += good
        for caller in found:
            self.multi.remove_handle(caller)
            self.latencies.append(time.perf_counter() - self.begun.pop(caller))
            if (status := caller.getinfo(pycurl.RESPONSE_CODE)) != 200:
                raise SystemExit(f"answered with status {status}")
        return found


def _caller(url: str) -> pycurl.Curl:
    caller = pycurl.Curl()
    for option, value in ((pycurl.URL, url), (pycurl.HTTPHEADER, _HEADERS), (pycurl.TIMEOUT, _PATIENCE)):
        caller.setopt(option, value)
    caller.setopt(pycurl.WRITEFUNCTION, lambda _: None)
    return caller


def main() -> None:
    """Put the load that standard input describes on its server."""
    load = Load(**json.load(sys.stdin))
    crowd = _Crowd(load)
    if load.warm_up:
        crowd.run(min(_WARM_CALLERS, load.callers), load.warm_up)
    seconds = crowd.run(load.callers, load.seconds)
    json.dump(asdict(Reading.of(crowd.latencies, mentions=load.mentions, seconds=seconds)), sys.stdout)


if __name__ == "__main__":
    main()
