"""A bundle in the transformers layout, for the rival that runs the same weights on torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from benchmarks import weights
from benchmarks.rival import MeanPooledClassifier, quiet
from model.bundle import Bundle
from model.tagger import Tagger

_WORDS = "bert.embeddings.word_embeddings.weight"


def for_transformers(bundle: Bundle, folder: Path) -> MeanPooledClassifier:
    """Write the bundle's weights, in 32-bit floats, and its tokenizer to `folder`, and return the network."""
    quiet()
    found = weights.state(bundle)
    own, new = found.pop(weights.OWN), found.pop(weights.NEW)
    tokenizer = Tokenizer.from_file(str(bundle.tokenizer_file))
    rows = torch.cat([own, new])[: tokenizer.get_vocab_size()]  # with no token added, NEW is a row that nothing reads
    heads = range(sum(name.startswith("heads.") for name in found) // 2)
    layers = {
        name.replace("encoder.", "bert.", 1): values for name, values in found.items() if not name.startswith("heads.")
    }
    for part in ("weight", "bias"):
        layers[f"classifier.{part}"] = torch.cat([found[f"heads.{head}.{part}"] for head in heads])
    config = weights.config(bundle, vocabulary=len(rows))
    network = MeanPooledClassifier(config)
    network.eval()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    network.load_state_dict({**layers, _WORDS: rows})
    network.save_pretrained(folder)
    padding = tokenizer.id_to_token(config.pad_token_id or 0)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=padding)  # type: ignore[no-untyped-call]
    wrapped.save_pretrained(folder)
    return network


def largest_difference(network: MeanPooledClassifier, tagger: Tagger, prepared: Sequence[str]) -> float:
    """Of any probability, uncalibrated, between the two on the same tokens: the proof that they are one network."""
    windows = tagger.encode(prepared)
    ours = 1 / (1 + np.exp(-tagger.outputs(windows)))
    largest = 0.0
    with torch.inference_mode():
        for window, row in zip(windows, ours, strict=True):
            ids = torch.tensor([window.ids])
            theirs = network(ids, torch.ones_like(ids)).logits.sigmoid()[0].numpy()
            largest = max(largest, float(np.abs(theirs - row).max()))
    return largest
