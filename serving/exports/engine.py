"""What computes the tags of rows: blocks of them in, what was found of each out, in order."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from hashlib import blake2b
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
from cachetools import LRUCache

from model.decode import Floats
from model.mention import Mention
from model.processor import processor_limit
from model.tagger import Failed, Tagger
from serving.errors import TableError
from serving.exports.reading import Found, Reading
from serving.tables import Row

Cell = tuple[str, str]
"""A row as it is sent to be tagged: its text, and why it cannot be trusted (empty if it can)."""
_REMEMBERED = 65_536
"""Distinct texts that are remembered, some 150 MB at most: shared texts and duplicates come close together."""


class Engine:
    """One tagger and what it found lately, so that what was said before costs next to nothing.

    What was found is remembered by the text as it stands, and probabilities by the prepared text, which is the same
    for two who share a text with links or handles of their own.
    """

    def __init__(self, tagger: Tagger, reading: Reading) -> None:
        self._tagger, self._reading = tagger, reading
        self._found: LRUCache[bytes, Found] = LRUCache(_REMEMBERED)
        self._computed: LRUCache[bytes, Floats] = LRUCache(_REMEMBERED)

    @property
    def remembered(self) -> tuple[int, int]:
        """How many texts are, as they stand and prepared."""
        return len(self._found), len(self._computed)

    def found(self, block: Sequence[Cell]) -> list[Found]:
        """For every row its tags, or why it has none."""
        faults = [Found(fault) if fault else None for _, fault in block]
        keys = [_key(text) for text, _ in block]
        known = [fault or self._found.get(key) for fault, key in zip(faults, keys, strict=True)]
        new = {key: text for key, (text, _), found in zip(keys, block, known, strict=True) if found is None}
        fresh = dict(zip(new, self._tagged(list(new.values())), strict=True))
        self._found.update(fresh)
        return [found or fresh[key] for found, key in zip(known, keys, strict=True)]

    def _tagged(self, texts: Sequence[str]) -> list[Found]:
        """What is found of texts that were not met lately."""
        reading = self._reading
        target = reading.target.name if reading.target else None
        plans = self._tagger.plan([Mention("", text, target=target) for text in texts], reading.watchlist)
        rows = self._probabilities(plans.texts)
        matrix = np.array(list(rows.values())).reshape(len(rows), len(self._tagger.taxonomy.labels))
        return [
            Found(str(result.error))
            if isinstance(result, Failed)
            else Found(result, tuple(map(float, rows[main])) if reading.scores and main is not None else ())
            for main, result in zip(plans.mains, self._tagger.results(plans, matrix, reading.min_score), strict=True)
        ]

    def _probabilities(self, texts: Sequence[str]) -> dict[str, Floats]:
        """Prepared text → its row of probabilities, computed if it is not remembered."""
        keys = {text: _key(text) for text in texts}
        rows = {text: self._computed.get(key) for text, key in keys.items()}
        missing = [text for text, row in rows.items() if row is None]
        computed = dict(zip(missing, self._tagger.probabilities(missing), strict=True))
        for text, row in computed.items():
            self._computed[keys[text]] = row.copy()  # not a view, which would keep its whole block
        return {text: computed[text] if row is None else row for text, row in rows.items()}


def _key(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def run(tagger: Tagger, reading: Reading, blocks: Iterable[Sequence[Row]], *, jobs: int = 1) -> Iterator[list[Found]]:
    """What was found of every block, in order, by `jobs` processes of their own, or beside the reading if it is one.

    At most two blocks a process are read ahead. Raises TableError if a process is killed.
    """
    ahead: deque[Future[list[Found]]] = deque()
    with _executor(tagger, reading, jobs) as executor:
        try:
            for block in blocks:
                ahead.append(executor.submit(_found, cells(block, reading)))
                if len(ahead) > 2 * jobs:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        except BrokenExecutor as error:
            problem = "a process that tagged was killed, by want of memory perhaps"
            raise TableError("--jobs", problem, "Go on with --resume and fewer of them") from error
        finally:
            executor.shutdown(cancel_futures=True)


def cells(block: Sequence[Row], reading: Reading) -> list[Cell]:
    """What of rows is sent to be tagged."""
    return [(row.cells.get(reading.text_column, ""), row.fault) for row in block]


def _executor(tagger: Tagger, reading: Reading, jobs: int) -> Executor:
    if jobs == 1:
        return ThreadPoolExecutor(1, initializer=_use, initargs=(tagger, reading))
    threads = max(1, processor_limit() // jobs)
    context = get_context("spawn")  # a fork would copy threads that hold locks
    return ProcessPoolExecutor(jobs, context, initializer=_load, initargs=(tagger.bundle.path, threads, reading))


_own = threading.local()
"""The engine of this thread or process."""


def _use(tagger: Tagger, reading: Reading) -> None:
    _own.engine = Engine(tagger, reading)


def _load(bundle: Path, threads: int, reading: Reading) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _use(Tagger.load(bundle, threads=threads), reading)


def _end_with_parent() -> None:
    """A killed parent cannot stop its processes, and they would wait for work for ever."""
    parent = parent_process()
    if parent:
        wait([parent.sentinel])
        os._exit(1)


def _found(block: Sequence[Cell]) -> list[Found]:
    engine: Engine = _own.engine
    return engine.found(block)
