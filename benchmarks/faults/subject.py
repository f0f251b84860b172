"""The service that is put under load and faults: a real `tympan serve`, seen from outside."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import psutil

from benchmarks.errors import BenchmarkError
from benchmarks.faults.finding import Check
from benchmarks.places import ROOT

_MEGABYTE = 1e6


class Subject:
    """A `tympan serve` in a process of its own, on a free port; a context manager that ends it.

    `settings` are variables of the environment without TYMPAN_. BenchmarkError if it does not start.
    """

    def __init__(self, bundle: Path, *arguments: str, **settings: str) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 — a pipe that nobody reads would stop it when full
        self._process = subprocess.Popen(  # noqa: S603 — this very interpreter, and arguments of our own
            [sys.executable, "-m", "tympan", "serve", "--bundle", str(bundle.resolve()), "--port", "0", *arguments],
            cwd=ROOT,
            env={**os.environ, **{f"TYMPAN_{name.upper()}": value for name, value in settings.items()}},
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._process.stdout
        found = re.search(r"http://\S+:\d+", self._process.stdout.readline())
        if not found:
            self._process.kill()
            raise BenchmarkError("tympan serve", "did not start", f"It said: {self._logged()[-300:].strip()}")
        self.url = found[0]
        self.seen = psutil.Process(self._process.pid)

    def __enter__(self) -> Subject:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 80

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def memory(self) -> float:
        """Resident megabytes of the process."""
        return float(self.seen.memory_info().rss / _MEGABYTE)

    @property
    def descriptors(self) -> int:
        return int(self.seen.num_fds())

    def workers(self) -> list[psutil.Process]:
        """Its processes that answer, of several; those that can be called take part in the socket that listens."""
        listening = []
        for child in self.seen.children():
            try:
                if any(one.status == psutil.CONN_LISTEN for one in child.net_connections("tcp")):
                    listening.append(child)
            except psutil.Error:  # it has just ended
                continue
        return listening

    def clean(self) -> Check:
        """Whether it logged nothing as an error or worse."""
        lines = (json.loads(line) for line in self._logged().splitlines() if line.startswith("{"))
        found = Counter(line["message"] for line in lines if line["level"] in ("error", "critical"))
        said = "; ".join(f"{count:,} × {message}" for message, count in found.most_common(3))
        return Check("errors in the service's log", said or "0", "0", not found)

    def _logged(self) -> str:
        self._log.flush()
        self._log.seek(0)
        return self._log.read()


@dataclass
class Samples:
    """What a service held, several times a second: megabytes, threads and descriptors."""

    memory: list[float] = field(default_factory=list)
    threads: list[float] = field(default_factory=list)
    descriptors: list[float] = field(default_factory=list)

    def take(self, subject: Subject) -> None:
        """Look once."""
        self.memory.append(subject.memory)
        self.threads.append(subject.seen.num_threads())
        self.descriptors.append(subject.descriptors)


@asynccontextmanager
async def sampled(subject: Subject, *, every: float = 0.25) -> AsyncIterator[Samples]:
    """Watch a service until the block ends."""
    samples = Samples()
    samples.take(subject)

    async def watch() -> None:
        while True:
            await asyncio.sleep(every)
            samples.take(subject)

    watcher = asyncio.create_task(watch())
    try:
        yield samples
    finally:
        watcher.cancel()
        samples.take(subject)
