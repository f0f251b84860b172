"""The tagging of blocks by Ray, on this machine or on a cluster: the rows are read and written here, tagged there.

What keeps a file whole (its dialect, the order of its rows, what an interrupted run goes on from) stays with the one
process that reads and writes it, which keeps up with hundreds of processors that tag.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from labels.extra import library
from model.bundle import LAYOUT, Bundle, written_whole
from model.errors import BundleError
from model.tagger import Tagger
from serving.errors import TableError
from serving.exports.engine import Cell, Engine, cells
from serving.exports.reading import Found, Reading
from serving.tables import Row

_AHEAD = 2
"""Blocks for every process that are on their way: one that is tagged, one that waits."""
_RESTARTS, _RETRIES = 5, 3
"""Of a process, and of a block: what kills every process that takes it must not hang the run."""
_PATIENCE = 10
"""Seconds for a cluster to answer."""


def run(tagger: Tagger, reading: Reading, blocks: Iterable[Sequence[Row]], *, jobs: int = 1) -> Iterator[list[Found]]:
    """What was found of every block, in order, as `serving.exports.engine.run` finds it.

    By the cluster that RAY_ADDRESS names, with as many processes as it has processors; without one by a Ray of this
    machine with `jobs` processes. A process or machine that dies is replaced, and its block is tagged again.

    Raises ExtraError if Ray is not installed, and TableError if there is no such cluster.
    """
    ray = library("ray", extra="ray")
    pool_of = library("ray.util", extra="ray").ActorPool
    processes = _join(ray, jobs)
    try:
        worker = ray.remote(num_cpus=1, max_restarts=_RESTARTS, max_task_retries=_RETRIES)(_Worker)
        files = ray.put(_packed(tagger.bundle))  # which comes to every node once
        version = tagger.bundle.version
        pool = pool_of([worker.remote(files, version, reading) for _ in range(processes)])
        under_way = 0
        for block in blocks:
            pool.submit(lambda actor, block: actor.found.remote(block), cells(block, reading))
            under_way += 1
            if under_way > _AHEAD * processes:
                yield pool.get_next()
                under_way -= 1
        while pool.has_next():
            yield pool.get_next()
    except ray.exceptions.RayError as error:
        raise TableError("--engine ray", f"failed: {type(error).__name__}", "Go on with --resume") from error
    finally:
        ray.shutdown()


def _join(ray: Any, jobs: int) -> int:  # noqa: ANN401 — a module
    """Join the cluster, or start one here; returns how many processes are to tag."""
    address = os.environ.get("RAY_ADDRESS", "")
    if not address:
        ray.init(num_cpus=jobs, include_dashboard=False, log_to_driver=False)
        return jobs
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    try:
        if colon:  # Ray itself tries for minutes, and then ends the process
            socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
        ray.init(log_to_driver=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise TableError("RAY_ADDRESS", f"no cluster answers at {address}", "Check the address") from error
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


class _Worker:
    """An engine in a process of Ray, on the files of the bundle."""

    def __init__(self, files: Mapping[str, bytes], version: str, reading: Reading) -> None:
        tagger = Tagger.load(_unpacked(files, version), threads=1)
        if tagger.bundle.version != version:
            raise BundleError(str(tagger.bundle.path), f"is not {version}", "Remove it on that node")
        self._engine = Engine(tagger, reading)

    def found(self, block: Sequence[Cell]) -> list[Found]:
        return self._engine.found(block)


def _packed(bundle: Bundle) -> dict[str, bytes]:
    return {name: (bundle.path / name).read_bytes() for name in (*LAYOUT.hashed, LAYOUT.manifest)}


def _unpacked(files: Mapping[str, bytes], version: str) -> Path:
    """The bundle's folder on this node, made by the first process that needs it. BundleError if it was altered."""
    parent = Path(tempfile.gettempdir()) / f"tympan-{os.getuid()}"
    parent.mkdir(mode=0o700, exist_ok=True)
    if parent.stat().st_uid != os.getuid():
        raise BundleError(str(parent), "belongs to somebody else", "Remove it on that node")
    folder = parent / version
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            with written_whole(folder) as draft:
                for name, content in files.items():
                    (draft / name).write_bytes(content)
    return folder
