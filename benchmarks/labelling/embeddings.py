"""The vectors of texts by an encoder as it comes, before any training: computed once and kept in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from benchmarks.quality.cache import encoder_name
from benchmarks.store import key
from model.decode import Floats
from training import encoder as encoders

_BATCH = 32
_MAX_LENGTH = 128
"""Tokens of a text that are read."""


def embeddings(texts: Sequence[str], *, encoder: str, folder: Path) -> Floats:
    """Prepared texts → the means of their token vectors (texts, width), read from `folder` if they are there.

    TrainingError if the encoder cannot be had.
    """
    file = folder / f"embeddings-{key(encoder=encoder_name(encoder), length=_MAX_LENGTH, texts=list(texts))}.npy"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".part")
        with draft.open("wb") as out:
            np.save(out, _computed(texts, encoder))
        draft.replace(file)
    found: Floats = np.load(file)
    return found


def _computed(texts: Sequence[str], source: str) -> Floats:
    encoder = encoders.load(source)
    encoder.network.eval()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    ids = [encoding.ids[:_MAX_LENGTH] for encoding in encoder.tokenizer.encode_batch_fast(list(texts))]
    order = sorted(range(len(ids)), key=lambda position: len(ids[position]))  # like lengths waste no padding
    found = np.empty((len(ids), encoder.width), dtype=np.float32)
    starts = range(0, len(order), _BATCH)
    with torch.inference_mode():
        for begin in track(starts, "reading with the encoder", console=Console(stderr=True), transient=True):
            batch = order[begin : begin + _BATCH]
            found[batch] = _means(encoder, [ids[position] for position in batch])
    return found


def _means(encoder: encoders.Encoder, ids: Sequence[Sequence[int]]) -> Floats:
    """The mean token vectors (texts, width) of one batch."""
    longest = max(map(len, ids))
    padding = encoder.network.config.pad_token_id or 0
    tokens = torch.tensor([[*row, *[padding] * (longest - len(row))] for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids])
    states = encoder.network(input_ids=tokens, attention_mask=mask).last_hidden_state
    means: Floats = ((states * mask.unsqueeze(-1)).sum(dim=1) / mask.sum(dim=1, keepdim=True)).numpy()
    return means
