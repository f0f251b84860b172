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
"""Distinct texts whose probabilities are remembered, some 30 MB: retweets and duplicates come close together."""


class Engine:
    """One tagger and what it found lately, so that what was said before costs next to nothing."""

    def __init__(self, tagger: Tagger, reading: Reading) -> None:
        self._tagger, self._reading = tagger, reading
        self._recent: LRUCache[bytes, Floats] = LRUCache(_REMEMBERED)

    @property
    def remembered(self) -> int:
        """How many texts are."""
        return len(self._recent)

    def found(self, block: Sequence[Cell]) -> list[Found]:
        """For every row its tags, or why it has none."""
        reading, found = self._reading, [Found(fault) for _, fault in block]
        target = reading.target.name if reading.target else None
        mentions = [Mention(str(at), text, target=target) for at, (text, fault) in enumerate(block) if not fault]
        plans = self._tagger.plan(mentions, reading.watchlist)
        rows = self._probabilities(plans.texts)
        matrix = np.array(list(rows.values())).reshape(len(rows), len(self._tagger.taxonomy.labels))
        results = self._tagger.results(plans, matrix, reading.min_score)
        for main, result in zip(plans.mains, results, strict=True):
            if isinstance(result, Failed):
                found[int(result.id)] = Found(str(result.error))
            else:
                scores = tuple(map(float, rows[main])) if reading.scores and main is not None else ()
                found[int(result.id)] = Found(result, scores)
        return found

    def _probabilities(self, texts: Sequence[str]) -> dict[str, Floats]:
        """Prepared text → its row of probabilities, computed if it is not remembered."""
        keys = {text: blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts}
        rows = {text: self._recent.get(key) for text, key in keys.items()}
        missing = [text for text, row in rows.items() if row is None]
        computed = dict(zip(missing, self._tagger.probabilities(missing), strict=True))
        for text, row in computed.items():
            self._recent[keys[text]] = row.copy()  # not a view, which would keep its whole block
        return {text: computed[text] if row is None else row for text, row in rows.items()}


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
