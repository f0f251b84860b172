"""Padded batches of texts of like length: how a network is usually called."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnxruntime

from model.decode import Floats
from model.tagger import Window

BATCH = 32
"""Texts in a padded batch."""

Ids = Sequence[Sequence[int]]


def batched(session: onnxruntime.InferenceSession, windows: Sequence[Window]) -> Floats:
    """Logits of windows in padded batches, sorted by length so that little is padding."""
    order = sorted(range(len(windows)), key=lambda position: len(windows[position].ids))
    parts = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
    found = [session.run(["logits"], feed([windows[position].ids for position in part]))[0] for part in parts]
    logits: Floats = np.concatenate(found)[np.argsort(order)]
    return logits


def feed(rows: Ids) -> dict[str, npt.NDArray[np.int64]]:
    """Token ids of several texts as the network's inputs, padded to the longest."""
    longest = max(map(len, rows))
    mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows], dtype=np.int64)
    ids = np.array([[*row, *[0] * (longest - len(row))] for row in rows], dtype=np.int64)
    return {"input_ids": ids, "attention_mask": mask}
