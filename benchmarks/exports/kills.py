"""Taggings that are killed at random moments and resumed, on the command line and as jobs of a service."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import urllib3
from rich.console import Console
from rich.progress import track

from benchmarks.errors import BenchmarkError
from benchmarks.exports.files import WRITERS
from benchmarks.faults.subject import Subject
from benchmarks.places import ROOT
from benchmarks.report import Table

_WRITING = 0.25
_PATIENCE = 600
"""Seconds in which a job must have ended."""


def command(file: Path, bundle: Path) -> list[str]:
    """`tympan tag` on a file, into `tagged(file)`."""
    return [sys.executable, "-m", "tympan", "tag", str(file), "-o", str(tagged(file)), "--bundle", str(bundle)]


def tagged(file: Path) -> Path:
    return file.with_stem(f"{file.stem}.tagged")


def tag(file: Path, bundle: Path, *options: str) -> None:
    """Tag a file to the end; BenchmarkError if it is refused."""
    done = subprocess.run([*command(file, bundle), *options], cwd=ROOT, capture_output=True, text=True)  # noqa: S603
    if done.returncode not in (0, 1):
        raise BenchmarkError(file.name, f"exit code {done.returncode}: {done.stderr[-300:]}", "Mend that first")


@dataclass(frozen=True)
class Kills:
    """Files of `texts` in a folder, whose taggings by a bundle are killed."""

    bundle: Path
    folder: Path
    texts: Iterable[str]

    def table(self, kills: int) -> Table:
        """How many of `kills` runs, over three formats and both ways, had the output of an uninterrupted run."""
        ways = [(suffix, way) for suffix in WRITERS for way in ("command", "job")]
        lines = []
        for place, (suffix, way) in enumerate(ways):
            file, count = self.folder / f"killed{suffix}", len(range(place, kills, len(ways)))
            if not file.exists():
                WRITERS[suffix](file, self.texts)
            began = time.perf_counter()
            tag(file, self.bundle)
            took, whole = time.perf_counter() - began, tagged(file).read_bytes()
            run = partial(self._command if way == "command" else self._job, file, took)
            bar = track(range(count), f"killing {suffix}, {way}", console=Console(stderr=True))
            lines.append((f"{suffix[1:].upper()}, {way}", str(count), str(sum(run() == whole for _ in bar))))
        killed, same = (str(sum(int(line[column]) for line in lines)) for column in (1, 2))
        lines.append(("together", killed, same))
        return Table("Kills", ("", "runs killed by SIGKILL", "the same output once resumed"), tuple(lines))

    def _command(self, file: Path, took: float) -> bytes:
        killed = False
        while not killed:  # one that was done before does not count
            tagged(file).unlink(missing_ok=True)
            running = subprocess.Popen(  # noqa: S603 — our own program
                command(file, self.bundle), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            self._wait(file, running, took)
            running.kill()
            killed = running.wait() == -signal.SIGKILL
        tag(file, self.bundle, "--resume")
        return tagged(file).read_bytes()

    def _wait(self, file: Path, running: subprocess.Popen[bytes], took: float) -> None:
        """Until a random moment; one time in four until the output is written, which is soon over."""
        if random.random() > _WRITING:  # noqa: S311 — no secret
            time.sleep(_moment(took))
            return
        output = tagged(file)
        while running.poll() is None and not output.with_name(f".{output.name}.tagging").joinpath("draft").exists():
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.05))  # noqa: S311 — no secret

    def _job(self, file: Path, took: float) -> bytes:
        with tempfile.TemporaryDirectory(dir=self.folder) as state, urllib3.PoolManager() as pool:
            done = True
            while done:  # one that was done before does not count
                with Subject(self.bundle, state=state) as service:
                    fields = {"file": (file.name, file.read_bytes())}
                    job = pool.request("POST", f"{service.url}/v1/jobs", fields=fields).json()["links"]["self"]
                    time.sleep(_moment(took))
                    done = pool.request("GET", f"{service.url}{job}").json()["ended"]
                    service.seen.kill()
            with Subject(self.bundle, state=state) as service:
                until = time.monotonic() + _PATIENCE
                while not (found := pool.request("GET", f"{service.url}{job}").json())["ended"]:
                    if time.monotonic() > until:
                        raise BenchmarkError(file.name, "is not tagged after ten minutes", "Take fewer rows")
                    time.sleep(0.2)
                if found["state"] != "done":
                    raise BenchmarkError(file.name, f"the job {found['state']}: {found['error']}", "Mend that first")
                return pool.request("GET", f"{service.url}{job}/result").data


def _moment(took: float) -> float:
    """Seconds, at random, at which a run that takes so long is killed."""
    return random.uniform(0.1, 1.0) * took  # noqa: S311 — no secret
