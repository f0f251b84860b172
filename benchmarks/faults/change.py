"""The service while what it consists of changes: models are swapped, a worker is killed."""

from __future__ import annotations

import asyncio
import itertools
import json
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import copytree

import psutil

from benchmarks.faults.finding import Check, Finding, Setting, grown
from benchmarks.faults.subject import Samples, Subject
from benchmarks.faults.traffic import Answer, Caller, Closed, get, post, tagging, until
from model.bundle import LAYOUT, Bundle
from model.mention import Mention
from model.registry import Registry
from model.tagger import Tagged, Tagger, as_dicts

_SWAPS = 200
_BROKEN = 5
"""Every so many swaps are to a bundle that is broken."""
_TEXTS, _SIZE, _CALLERS = 64, 4, 4
_BACK_SECONDS = 3
_PROBES = 8
_SHARP = 0.5
"""The thresholds of the other model, as a share of the way from the first one's to 1: it gives fewer tags."""

Tags = Mapping[str, object]


@dataclass
class Tally:
    """How answers under swaps compare with what their model says of the texts."""

    expected: Mapping[str, Mapping[str, Tags]]
    """Model → id of the mention → its tags."""
    models: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    mixed: int = 0

    def count(self, answer: Answer) -> None:
        """Look at one answer."""
        if answer.status != 200:
            self.failed += 1
            return
        told = json.loads(answer.body)
        self.models[told["model"]] += 1
        says = self.expected[told["model"]]
        self.mixed += any(_names(result["tags"]) != _names(says[result["id"]]) for result in told["results"])


async def swaps(setting: Setting) -> Finding:
    """Models follow one another under load, and some of them are broken."""
    with tempfile.TemporaryDirectory() as folder:
        registry, models, broken = held(setting.bundle, Path(folder))
        texts = {str(number): text for number, text in enumerate(setting.texts[:_TEXTS])}
        tally = Tally({model: _says(registry.folder(model), texts) for model in models})
        samples, wrong, done = Samples(), [], 0
        with Subject(registry.path) as subject:
            admin, end = Caller(subject.port), time.monotonic() + setting.length(3600)
            async with Closed(subject.port, itertools.cycle(_calls(texts)), _CALLERS, keep=tally.count):
                turns = itertools.cycle(models[::-1])
                for number in range(1, _SWAPS + 1):
                    if time.monotonic() > end:
                        break
                    good = number % _BROKEN != 0
                    body = {"who": "benchmark", "why": "swap"}
                    version = next(turns) if good else broken
                    answer = await admin.ask(post(f"/v1/models/{version}/activate", body))
                    wrong += [] if answer.status == (200 if good else 422) else [answer.status]
                    samples.take(subject)
                    done += 1
            admin.close()
    answered = tally.models.total()
    checks = (
        Check.all("swaps answered as they should be", done - len(wrong), done),
        *(() if setting.seconds else (Check.least("swaps", done, _SWAPS),)),
        Check.none("requests that failed", tally.failed, answered + tally.failed),
        Check.none("answers whose tags are not those of the model they name", tally.mixed, answered),
        Check.all("models that answered", len(tally.models), len(models)),
        grown("resident memory, second fifth of the swaps to the last", samples.memory, percent=10),
    )
    says = (
        f"{done} swaps by POST /v1/models/…/activate while {_CALLERS} callers asked at once again, {answered:,} calls "
        f"answered; every {_BROKEN}th was to a bundle with an altered network, to be refused with 422. The two good "
        "bundles differ in thresholds, so that they give different tags; every answer is compared with its model's own."
    )
    return Finding("swaps", says, checks)


async def worker(setting: Setting) -> Finding:
    """One of two workers dies as it works."""
    seconds = setting.length(20)
    with Subject(setting.bundle, "--workers", "2", cached_texts="1") as subject:
        await until(lambda: len(subject.workers()) == 2, seconds=60)
        first = subject.workers()
        async with Closed(subject.port, itertools.cycle(tagging(setting.texts, _SIZE)), 4 * _CALLERS) as closed:
            await asyncio.sleep(seconds / 2)
            victim = max(first, key=lambda one: len(_peers(one)))
            theirs = _peers(victim)
            at_work = {caller.port for caller in closed.callers if caller.asking} & theirs
            victim.kill()
            killed = time.monotonic()
            back = await _taken_over(subject, {one.pid for one in first})
            await asyncio.sleep(seconds / 2)
    failed = [answer for answer in closed.answers if answer.status != 200]
    others = [answer for answer in closed.answers if answer.port not in theirs]
    later = [answer for answer in others if answer.sent > killed]
    checks = (
        Check.most("requests that failed, against those in flight at the worker killed", len(failed), len(at_work)),
        Check.none("requests on other connections that failed", sum(a.status != 200 for a in others), len(others)),
        Check.all("of those sent after it died, answered", sum(a.status == 200 for a in later), len(later)),
        Check.most("another worker answers in its place after", back, _BACK_SECONDS, " s"),
    )
    done = (
        f"kill -9 of one of two workers while {4 * _CALLERS} callers asked again as soon as they were answered, "
        f"{len(closed.answers):,} calls of {_SIZE} mentions in all. A caller whose connection broke opens another."
    )
    return Finding("worker", done, checks)


def held(bundle: Path, folder: Path) -> tuple[Registry, list[str], str]:
    """A registry of two good models, the first of them its champion, and a broken one; all three by version."""
    registry = Registry(folder / "registry")
    models = [registry.add(bundle), registry.add(_other(bundle, folder / "other", _SHARP))]
    broken = registry.add(_other(bundle, folder / "broken", _SHARP / 2))
    network = registry.folder(broken) / LAYOUT.model
    whole = network.read_bytes()
    network.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    registry.promote(models[0], who="benchmark", why="first")
    return registry, models, broken


def _other(bundle: Path, folder: Path, share: float) -> Path:
    """A copy of the bundle with higher thresholds, which is another model."""
    copytree(bundle, folder)
    read = Bundle.described(folder)
    higher = [threshold + share * (1 - threshold) for threshold in read.calibration.thresholds]
    replace(read, calibration=replace(read.calibration, thresholds=higher)).seal()
    return folder


def _says(folder: Path, texts: Mapping[str, str]) -> dict[str, Tags]:
    found = Tagger.load(folder).tag([Mention(name, text) for name, text in texts.items()])
    return {one.id: as_dicts(one.tags) for one in found if isinstance(one, Tagged)}


def _calls(texts: Mapping[str, str]) -> list[bytes]:
    items = [{"id": name, "text": text} for name, text in texts.items()]
    return [post("/v1/tag", {"mentions": items[first : first + _SIZE]}) for first in range(0, len(items), _SIZE)]


def _names(tags: Mapping[str, object]) -> object:
    """Tags without scores: those of two calls may differ in a last digit."""
    return {group: [score["tag"] for score in scores] for group, scores in tags.items()}  # type: ignore[attr-defined]


async def _taken_over(subject: Subject, before: set[int]) -> float:
    """Seconds until a worker that was not there `before` has answered a call; 60 if none has by then."""
    began = time.monotonic()
    while time.monotonic() - began < 60:
        callers = [Caller(subject.port) for _ in range(_PROBES)]  # some of which fall to the worker that is new
        answers = await asyncio.gather(*(caller.ask(get("/ready")) for caller in callers))
        found = {answer.port for answer in answers if answer.status == 200} & _ports(subject, before)
        for caller in callers:
            caller.close()
        if found:
            return time.monotonic() - began
        await asyncio.sleep(0.02)
    return 60.0


def _ports(subject: Subject, before: set[int]) -> set[int]:
    """The callers' ends of the connections of workers that were not there before."""
    return {port for worker in subject.workers() if worker.pid not in before for port in _peers(worker)}


def _peers(worker: psutil.Process) -> set[int]:
    """The callers' ends of the connections of a worker."""
    return {one.raddr.port for one in worker.net_connections("tcp") if one.raddr}
