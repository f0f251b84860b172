"""A bundle in the transformers layout, for the rival that runs the same weights on torch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from benchmarks import weights
from benchmarks.rival import MeanPooledForSequenceClassification, quiet
from model.bundle import LAYOUT, Bundle
from model.tagger import Tagger
from training.export import write_graph

_WORDS = "bert.embeddings.word_embeddings.weight"


def for_transformers(bundle: Bundle, folder: Path) -> MeanPooledForSequenceClassification:
    """Write the bundle's weights, in 32-bit floats, and its tokenizer to `folder`, and return the network."""
    quiet()
    # So that the class goes along with its weights.
    MeanPooledForSequenceClassification.register_for_auto_class(  # type: ignore[no-untyped-call]
        "AutoModelForSequenceClassification"
    )
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
    network = MeanPooledForSequenceClassification(config)
    network.eval()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    network.load_state_dict({**layers, _WORDS: rows})
    network.save_pretrained(folder)
    padding = tokenizer.id_to_token(config.pad_token_id or 0)
    wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token=padding, model_max_length=bundle.max_length
    )
    wrapped.save_pretrained(folder)
    _name_as_before(folder / "tokenizer_config.json")
    return network


def largest_difference(network: MeanPooledForSequenceClassification, tagger: Tagger, prepared: Sequence[str]) -> float:
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


def for_rivals(bundle: Bundle, folder: Path) -> MeanPooledForSequenceClassification:
    """Write the bundle's network to `torch`, `floats` and `shipped` in `folder`, and return it.

    They hold its weights in 32-bit floats for transformers, the same as fused ONNX, and its ONNX file as it is; each
    with the tokenizer and what transformers needs to load it.
    """
    network = for_transformers(bundle, folder / "torch")
    for form in ("floats", "shipped"):
        (folder / form).mkdir()
        shutil.copy(bundle.path / LAYOUT.config, folder / form)
        for file in (folder / "torch").glob("tokenizer*"):
            shutil.copy(file, folder / form)
    shutil.copy(bundle.model_file, folder / "shipped" / LAYOUT.model)
    network.bert.set_attn_implementation("eager")  # the graph that ONNX Runtime's optimiser recognises
    write_graph(_Logits(network), network.bert.config, folder / "floats" / LAYOUT.model, outputs=["logits"])
    return network


def _name_as_before(file: Path) -> None:
    """Call the tokenizer's class what transformers 4 knows, and 5 knows still."""
    config = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**config, "tokenizer_class": "PreTrainedTokenizerFast"}), encoding="utf-8")


class _Logits(nn.Module):
    """The network without the names that transformers gives what it answers."""

    def __init__(self, network: MeanPooledForSequenceClassification) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return cast(Tensor, self.network(input_ids, attention_mask).logits)
