"""One size of call in `benchmarks.load`: the best setting of each entrant is found, then all take turns under load."""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import onnxruntime
from rich.console import Console

from benchmarks import environment
from benchmarks.errors import BenchmarkError
from benchmarks.load.bare import WAYS, Bare
from benchmarks.load.callers import Load, Reading, put
from benchmarks.load.entrant import Entrant, Form, Place, Scores, Setting
from benchmarks.load.server import Server, free_port
from benchmarks.store import Entry, Store, key
from model.bundle import Bundle

_TOLERANCE: Mapping[Form, float] = {"bundle": 1e-3, "torch": 1e-3, "floats": 1e-3, "shipped": 0.2}
"""How far a probability may be from what the same network gives here. In 8 bits a sum that is fused with the norm after
it, as others do, is rounded otherwise in every layer."""
_OURS = f"tympan {importlib.metadata.version('tympan')}, onnxruntime {onnxruntime.__version__}, revision 1"
"""What serves for Tympan and the bare loop. Raise the revision when a change of `serving/` changes how fast that is."""
_PROBED = 256
"""Mentions under way when a setting is tried: with long calls, fewer callers than later."""


@dataclass(frozen=True)
class Conditions:
    """What is the same for all: the model in its forms, the texts, the processors and the time."""

    bundle: Bundle
    folders: Mapping[Form, Path]
    expected: Mapping[Form, Scores]
    """What each form must answer for the first texts."""
    texts: Sequence[str]
    processors: int
    seconds: float
    batches: Sequence[int]
    environments: Path

    def key(self, **parts: object) -> str:
        """The name of a figure that was measured under these conditions."""
        return key(**parts, model=self.bundle.version, texts=key(texts=list(self.texts)), processors=self.processors)


@dataclass(frozen=True)
class Result:
    """An entrant, the setting that was best for it, and what was read for each number of callers."""

    entrant: Entrant
    setting: Setting
    readings: Mapping[int, Sequence[Reading]]


@dataclass(frozen=True)
class Outcome:
    """All results of calls of one size, and texts a second of the bare loop: callers → way → rates."""

    size: int
    results: Sequence[Result]
    bare: Mapping[int, Mapping[str, Sequence[float]]]


class Heat:
    """Calls of `size` mentions. What is in `store` is not measured again."""

    def __init__(self, size: int, conditions: Conditions, store: Store, console: Console) -> None:
        self._size = size
        self._conditions = conditions
        self._store = store
        self._console = console
        self._bodies: dict[str, list[str]] = {}

    def run(self, entrants: Sequence[Entrant], callers: Sequence[int], rounds: int) -> Outcome:
        """Measure every entrant with each number of `callers`, in turns, `rounds` times."""
        best = {entrant.key: self._best(entrant, max(callers)) for entrant in entrants}
        kept = {entrant.key: {many: list[Reading]() for many in callers} for entrant in entrants}
        loops = {many: {way: list[float]() for way in WAYS} for many in callers}
        with ExitStack() as stack:
            running: dict[str, Server] = {}
            bare: list[Bare] = []
            for turn, many in itertools.product(range(rounds), callers):
                for entrant in entrants if turn % 2 else entrants[::-1]:
                    name = self._name(entrant, best[entrant.key], many, self._conditions.seconds, turn)
                    if not self._store.get("readings", name) and entrant.key not in running:
                        running[entrant.key] = stack.enter_context(self._started(entrant, best[entrant.key]))
                    server = running.get(entrant.key)
                    kept[entrant.key][many].append(self._reading(name, entrant, server, many, self._conditions.seconds))
                for way in WAYS:
                    loops[many][way].append(self._loop(way, many, turn, bare, stack))
        results = [Result(entrant, best[entrant.key], kept[entrant.key]) for entrant in entrants]
        return Outcome(self._size, results, loops)

    def _best(self, entrant: Entrant, most: int) -> Setting:
        """The setting with which an entrant is fastest; each is tried on a server of its own."""
        settings = entrant.settings(self._conditions.batches, self._conditions.processors)
        if len(settings) == 1:
            return settings[0]
        many, seconds = max(1, min(most, _PROBED // self._size)), self._conditions.seconds / 4
        rates = {}
        for setting in settings:
            name = self._name(entrant, setting, many, seconds, -1)
            with ExitStack() as stack:
                known = self._store.get("readings", name)
                server = None if known else stack.enter_context(self._started(entrant, setting))
                rates[setting] = self._reading(name, entrant, server, many, seconds).rate
        return max(rates, key=lambda setting: rates[setting])

    def _started(self, entrant: Entrant, setting: Setting) -> Server:
        """A server that answers, and answers what it should; paused."""
        found, port = self._conditions, free_port()
        place = Place(found.folders[entrant.form], port, found.processors, found.bundle.max_length)
        home = Path(sys.executable)
        if entrant.environment:
            home = environment.python(entrant.environment, found.environments, console=self._console)
        command = entrant.command(home, place, setting)
        server = Server(entrant.title, command, port=port, path=entrant.path, variables=entrant.variables)
        with ExitStack() as stack:  # ends it if it is not as it should be
            stack.enter_context(server)
            server.wait(entrant.ask(found.texts[:1]))
            agree(entrant, server, found)
            server.pause()
            stack.pop_all()
        return server

    def _reading(self, name: str, entrant: Entrant, server: Server | None, callers: int, seconds: float) -> Reading:
        """What is known by `name`, or else is read from a running server."""
        known = self._store.get("readings", name)
        if known is None:
            assert server
            load = Load(server.url, self._asked(entrant), self._size, callers, seconds, warm_up=seconds / 5)
            server.resume()
            known = asdict(put(load))
            server.pause()
            self._store.add("readings", name, known)
        reading = Reading(**known)
        told = f"{callers} × {self._size}, {entrant.title}: {reading.rate:.1f} mentions/s, p99 {reading.p99:.0f} ms"
        self._console.print(told, markup=False, highlight=False)
        return reading

    def _loop(self, way: str, callers: int, turn: int, bare: list[Bare], stack: ExitStack) -> float:
        """Texts a second of the bare loop, which is started when it is first needed."""
        found = self._conditions
        name = found.key(way=way, made=_OURS, callers=callers, size=self._size, seconds=found.seconds, turn=turn)
        known: Entry | None = self._store.get("bare", name)
        if known is None:
            if not bare:
                bare.append(stack.enter_context(Bare(found.bundle.path, found.texts, threads=found.processors)))
            known = {"rate": round(bare[0].rate(way, found.seconds / len(WAYS)), 3)}
            self._store.add("bare", name, known)
        return float(known["rate"])

    def _name(self, entrant: Entrant, setting: Setting, callers: int, seconds: float, turn: int) -> str:
        made = environment.pinned(entrant.environment) if entrant.environment else _OURS
        where = {"entrant": entrant.key, "environment": made, "setting": asdict(setting)}
        return self._conditions.key(**where, callers=callers, size=self._size, seconds=seconds, turn=turn)

    def _asked(self, entrant: Entrant) -> list[str]:
        """The bodies of calls of distinct texts."""
        if entrant.key not in self._bodies:
            texts, size = self._conditions.texts, self._size
            calls = [texts[at : at + size] for at in range(0, len(texts) - size + 1, size)]
            self._bodies[entrant.key] = [json.dumps(entrant.ask(call)) for call in calls]
        return self._bodies[entrant.key]


def agree(entrant: Entrant, server: Server, conditions: Conditions) -> None:
    """Ask for the first texts one by one; BenchmarkError if an answer is not that of the network which is served."""
    for number, wanted in enumerate(conditions.expected[entrant.form]):
        (given,) = entrant.scores(server.ask(entrant.ask([conditions.texts[number]])))
        apart = max((abs(given.get(label, 0.0) - wanted.get(label, 0.0)) for label in given | wanted), default=0.0)
        if apart > _TOLERANCE[entrant.form]:
            problem = f"answers text {number} otherwise than the same network here, by {apart:.3f}"
            raise BenchmarkError(entrant.title, problem, "No figure of it would be worth anything")
