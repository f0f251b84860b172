"""A real server for the tests of this room."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import pytest

ROOT = Path(__file__).parents[2]
TYMPAN = (sys.executable, "-m", "tympan")


@dataclass(frozen=True)
class Running:
    """A `tympan serve` that says it is ready."""

    process: subprocess.Popen[str]
    url: str
    said: str
    log: IO[str]

    def logged(self) -> list[str]:
        """The lines that it has logged so far."""
        self.log.seek(0)
        return self.log.read().splitlines()


def start(bundle: Path, *arguments: str, **environment: str) -> Running:
    """Start `tympan serve` on a free port and wait until it says where."""
    log = tempfile.TemporaryFile("w+")  # noqa: SIM115 — a pipe that nobody reads would stop the server when it is full
    process = subprocess.Popen(
        [*TYMPAN, "serve", "--bundle", str(bundle), "--port", "0", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    assert process.stdout
    said = process.stdout.readline()
    found = re.search(r"http://\S+:\d+", said)
    if not found:
        process.kill()
        log.seek(0)
        raise AssertionError(f"the server did not start: {said}{log.read()}")
    return Running(process, found[0], said, log)


def stop(running: Running) -> int:
    """End it as an operator would; returns its exit code."""
    running.process.terminate()
    return running.process.wait(timeout=30)


@pytest.fixture(scope="session")
def server(bundle: Path) -> Iterator[Running]:
    running = start(bundle, "--threads", "1")
    yield running
    stop(running)


@pytest.fixture
def client(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as found:
        yield found
