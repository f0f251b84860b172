"""The texts of public data that labels are counted on, each with its vector by a frozen encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.errors import BenchmarkError
from benchmarks.labelling.embeddings import embeddings
from benchmarks.labelling.simulation import FIRST, Pool
from benchmarks.tasks import Material, Source, Task
from labels.record import Record

GOAL = 0.95
"""Share of the macro-F1 with all labels that is to be reached."""
SIDES = ("train", "test")


def pools(task: Task, source: Source, seeds: Sequence[int], *, encoder: str, work: Path) -> list[tuple[Material, Pool]]:
    """For every seed the material of a task, and the pool whose texts are those of its training side, in order."""
    materials = [task.read(source, seed) for seed in seeds]
    records = [record for material in materials for side in SIDES for record in material.sides[side]]
    vectors = _vectors(records, encoder, work)
    found = []
    for seed, material in zip(seeds, materials, strict=True):
        learnt, test = (material.sides[side] for side in SIDES)
        if len(learnt) < FIRST or not test:
            raise BenchmarkError(f"{task.name}, seed {seed}", f"has {len(learnt)} texts to label", "Raise --limit")
        found.append((material, Pool.of(learnt, test, vectors.__getitem__, material.taxonomy)))
    return found


def _vectors(records: Sequence[Record], encoder: str, work: Path) -> dict[str, np.ndarray]:
    """Prepared text → its vector."""
    texts = list(dict.fromkeys(record.prepared() for record in records))
    return dict(zip(texts, embeddings(texts, encoder=encoder, folder=work), strict=True))
