"""The service among clients that are slow, many, huge or broken."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import psutil

from benchmarks.faults.change import held
from benchmarks.faults.clients import Slow, ask_each, at_once, huge, ordinary, raise_limit, raw
from benchmarks.faults.finding import Check, Finding, Setting, flat, share
from benchmarks.faults.malformed import HARMLESS, HEAD, MALFORMED
from benchmarks.faults.subject import Subject, sampled
from benchmarks.faults.traffic import Caller, get, until

_SLOW = 400
_MANY = 10_000
_FEW = 1_024
"""Descriptors of a service that runs out of them, as many systems allow by default."""
_ORDINARY_MS = 250
_CONNECTION_KB = 64
_BODY = 2**30
_BODY_MB = 64
_PATIENCE = 20
"""The service's own, by default, in seconds."""
_MARGIN = 5


async def fuzz(setting: Setting) -> Finding:
    """Whatever fits the published description of any route, and what does not."""
    seconds = setting.length(600)
    with tempfile.TemporaryDirectory() as folder:
        registry, _, _ = held(setting.bundle, Path(folder))
        settings = '[checks.not_a_server_error]\nexpected-statuses = ["2xx", "3xx", "4xx", 503, 504]\n'
        (Path(folder) / "schemathesis.toml").write_text(settings, encoding="utf-8")
        with Subject(registry.path, state=str(Path(folder) / "state")) as subject:
            command = [sys.executable, "-m", "schemathesis.cli", "run", f"{subject.url}/openapi.json", "--no-color"]
            command += ["--max-time", f"{seconds:.0f}", "--continue-on-failure", "--generation-database", "none"]
            command += ["--checks", "not_a_server_error,status_code_conformance,response_schema_conformance"]
            async with sampled(subject) as samples:
                run = await asyncio.to_thread(
                    subprocess.run, command, cwd=folder, capture_output=True, text=True, check=False
                )
            alive, clean = subject.alive, subject.clean()
    counts = re.search(r"Selected: \d+/(\d+)\s+Tested: (\d+)", run.stdout)
    cases = re.search(r"([\d,]+) generated", run.stdout)
    routes, tested = map(int, counts.groups()) if counts else (0, 0)
    checks = (
        Check.all("routes called", tested, routes),
        Check(
            "no 5xx but 503 and 504, and no answer that is not documented", _verdict(run), "none", run.returncode == 0
        ),
        clean,
        Check.all("services alive after", int(alive), 1),
        Check.most("most memory held", max(samples.memory), 1_000, " MB"),
    )
    done = (
        f"schemathesis for {seconds:g} s on every route of a service with a registry of models, jobs and corrections: "
        f"{cases[1] if cases else 'no'} calls made from the OpenAPI document, valid and invalid."
    )
    return Finding("fuzz", done, checks)


async def loris(setting: Setting) -> Finding:
    """Clients that send a byte a second, while others call as usual."""
    seconds = setting.length(3 * _PATIENCE)
    patience = max(1, min(_PATIENCE, int(seconds / 3)))
    with Subject(setting.bundle, cached_texts="1", receive_seconds=str(patience)) as subject:
        quiet = await ordinary(subject.port, setting.texts, 3)
        async with sampled(subject) as samples, Slow(subject.port, _SLOW) as slow:
            busy = await ordinary(subject.port, setting.texts, seconds)
    checks = (
        Check.none("ordinary calls not answered", sum(a.status != 200 for a in busy), len(busy)),
        Check.most("p99 of an ordinary call", share([a.seconds for a in busy], 99), _ORDINARY_MS, " ms"),
        Check.least("slow clients cut off", len(slow.lasted), _SLOW),
        Check.most("longest that one was borne", max(slow.lasted, default=0), patience + _MARGIN, " s"),
        flat("resident memory", samples.memory[:1], samples.memory, percent=10),
    )
    done = (
        f"{_SLOW} clients send a byte a second, half of them of a header and half of a body, and come again when they "
        f"are cut off ({len(slow.lasted):,} times), while one caller sends mentions one by one for {seconds:g} s; p99 "
        f"without them {share([a.seconds for a in quiet], 99):.0f} ms."
    )
    return Finding("slow-loris", done, checks)


async def flood(setting: Setting) -> Finding:
    """Ten thousand connections at once, and more than there are descriptors for."""
    raise_limit(_MANY + _FEW)
    with Subject(setting.bundle, receive_seconds="120") as subject:
        before = subject.memory
        async with at_once(subject.port, _MANY) as callers:
            answers = await ask_each(callers, get("/health"))
            descriptors, memory = subject.descriptors, subject.memory  # now that it has taken all from the queue
            busy = await ordinary(subject.port, setting.texts, 3)
        gone = await until(lambda: subject.descriptors < _MANY / 10, seconds=10)
    with Subject(setting.bundle) as poor:
        poor.seen.rlimit(psutil.RLIMIT_NOFILE, (_FEW, _FEW))
        known = Caller(poor.port)
        await known.ask(get("/health"))
        async with at_once(poor.port, 3 * _FEW) as beyond:
            refused = Counter(answer.status for answer in await ask_each(beyond, get("/health")))
            kept = await known.ask(get("/health"))
        recovered = await until(lambda: poor.descriptors < _FEW / 2, seconds=10)
        last, clean = await Caller(poor.port).ask(get("/ready")), poor.clean()
    checks = (
        Check.least("descriptors that the service held", descriptors, _MANY),
        Check.all("connections answered, each open all the while", sum(a.status == 200 for a in answers), _MANY),
        Check.none("ordinary calls beside them not answered", sum(a.status != 200 for a in busy), len(busy)),
        Check.most("p99 of an ordinary call beside them", share([a.seconds for a in busy], 99), _ORDINARY_MS, " ms"),
        Check.most("memory for each connection", 1e3 * (memory - before) / _MANY, _CONNECTION_KB, " kB"),
        Check.all("service that lets go of them when they hang up", int(gone is not None), 1),
        Check.none(
            f"of {3 * _FEW:,} connections, neither answered nor refused with 503", _others(refused), refused.total()
        ),
        Check.all("earlier connections that went on", int(kept.status == 200), 1),
        Check.all("ready as soon as they hung up", int(recovered is not None and last.status == 200), 1),
        clean,
    )
    done = (
        f"{_MANY:,} connections opened, all of them held, then each asked GET /health, then mentions sent one by one "
        f"for 3 s; and {3 * _FEW:,} connections to a service that may have {_FEW:,} descriptors: {refused[200]:,} were "
        f"answered, {refused[503]:,} refused with 503."
    )
    return Finding("connections", done, checks)


async def hostile(setting: Setting) -> Finding:
    """Bodies of a gigabyte, and what is no JSON, no Unicode or no HTTP."""
    with Subject(setting.bundle, receive_seconds="2") as subject:
        before = subject.memory
        async with sampled(subject, every=0.05) as samples:
            bodies = [await huge(subject.port, _BODY, chunked=chunked) for chunked in (False, True)]
            stopped = await raw(subject.port, HEAD + b'Content-Length: 100\r\n\r\n{"mentions')
            found = await asyncio.gather(*(raw(subject.port, sent) for sent in (MALFORMED | HARMLESS).values()))
        last = await Caller(subject.port).ask(get("/ready"))
        clean = subject.clean()
    answers = dict(zip(MALFORMED | HARMLESS, found, strict=True))
    wrong = [name for name in MALFORMED if not any(400 <= status < 500 for status in answers[name])]
    wrong += [name for name in HARMLESS if set(answers[name]) != {200}]
    wrong += [name for name, statuses in answers.items() if max(statuses, default=0) >= 500]
    checks = (
        Check.all("bodies of 1 GiB refused with 413", sum(413 in body for body in bodies), len(bodies)),
        Check.most("memory taken by them and all else", max(samples.memory) - before, _BODY_MB, " MB"),
        Check.all("body that stops half-way refused with 408", int(stopped == [408]), 1),
        Check.none("malformed calls not refused with a 4xx, and odd ones not answered", len(wrong), len(answers)),
        Check.all("services ready after", int(last.status == 200), 1),
        clean,
    )
    amiss = f" Not as they should be: {', '.join(wrong)}." if wrong else ""
    done = f"A body of 1 GiB with Content-Length, and one in chunks; {', '.join(answers)}.{amiss}"
    return Finding("malformed", done, checks)


def _verdict(run: subprocess.CompletedProcess[str]) -> str:
    """What schemathesis found, in a few words."""
    if not run.returncode:
        return "none"
    found = re.findall(r"(?m)^ *❌ (.+)$", run.stdout)
    return "; ".join(found) or f"exit code {run.returncode}: {(run.stderr or run.stdout)[-200:].strip()}"


def _others(statuses: Counter[int]) -> int:
    return statuses.total() - statuses[200] - statuses[503]
