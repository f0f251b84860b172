"""A tiny real bundle: a network of words and weights, made by hand, that runs on ONNX Runtime like any other.

The logit of a tag is its bias plus the weights of the text's words, so that a test can say which text raises
which tag, and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from model.bundle import LAYOUT, Bundle, written_whole
from model.decode import Calibration
from model.mention import OTHER, TARGET
from model.taxonomy import Taxonomy

SPECIAL = ("<s>", "</s>", "<unk>", TARGET, OTHER)

WORDS: Mapping[str, Sequence[str]] = {
    "intent/purchase": ("acheter", "abonner", "comprare", "abbonarmi", "buy", "subscribe"),
    "intent/friction": ("panne", "bug", "guasto", "broken", "outage", "merde"),
    "intent/churn": ("résilie", "quitte", "annulla", "disdico", "cancel", "leaving"),
    "intent/help": ("comment", "aidez", "aiuto", "how", "help"),
    "intent/praise": ("merci", "bravo", "grazie", "thanks", "great"),
    "topic/service/outage": ("panne", "guasto", "outage"),
    "topic/price/level": ("cher", "caro", "expensive"),
    "sentiment/positive": ("merci", "bravo", "grazie", "thanks", "great"),
    "sentiment/negative": ("panne", "guasto", "outage", "cher", "caro", "expensive"),
    "sentiment/negative/angry": ("merde", "vergogna", "furious"),
}
"""Label → the words that raise it. Labels that a bundle's taxonomy does not have are left out."""

_HIGH, _LOW = 8.0, -4.0  # a word alone lifts a tag from logit -4 to 4: from a probability of 0.018 to 0.982
_ELSEWHERE = -8.0  # [OTHER] takes such a word back: the trouble is somebody else's

TINY = """
name = "tiny"
version = "1.0"
[groups.intent]
title = { en = "Intents", fr = "Intentions", it = "Intenzioni" }
[groups.intent.tags.purchase]
[groups.intent.tags.friction]
description = { en = "Something stands in the way.", fr = "Quelque chose fait obstacle." }
[groups.intent.tags.churn]
[groups.intent.tags.help]
[groups.intent.tags.praise]
[groups.topic]
title = { en = "Topics" }
[groups.topic.tags.service]
[groups.topic.tags."service/outage"]
[groups.topic.tags.price]
[groups.topic.tags."price/level"]
"""

_EXCLUSIVE = """
[groups.sentiment]
kind = "exclusive"
[groups.sentiment.tags.neutral]
[groups.sentiment.tags.positive]
[groups.sentiment.tags.negative]
[groups.sentiment.tags."negative/angry"]
[groups.sentiment.tags."negative/sad"]
"""


def tiny_taxonomy(*, exclusive: bool = False) -> Taxonomy:
    """Intents and nested topics; with `exclusive` also a nested group of which each text gets one branch."""
    return Taxonomy.parse(TINY + (_EXCLUSIVE if exclusive else ""))


def keyword_bundle(
    path: Path,
    *,
    taxonomy: Taxonomy | None = None,
    words: Mapping[str, Sequence[str]] = WORDS,
    calibration: Calibration | None = None,
    max_length: int = 32,
) -> Path:
    """Write a bundle to `path` that gives the tags of `words`; returns `path`."""
    taxonomy = taxonomy or tiny_taxonomy()
    words = {label: chosen for label, chosen in words.items() if label in taxonomy.labels}
    vocabulary = {word: i for i, word in enumerate((*SPECIAL, *dict.fromkeys(w for ws in words.values() for w in ws)))}
    with written_whole(path) as draft:
        _tokenizer(vocabulary).save(str(draft / LAYOUT.tokenizer))
        onnx.save(_network(_weights(vocabulary, words, taxonomy), _biases(taxonomy)), draft / LAYOUT.model)
        (draft / LAYOUT.config).write_text('{"problem_type": "multi_label_classification"}\n', encoding="utf-8")
        (draft / LAYOUT.card).write_text("# A model of words and weights, for tests\n", encoding="utf-8")
        Bundle(
            path=draft,
            taxonomy=taxonomy,
            calibration=calibration or Calibration.neutral(taxonomy),
            max_length=max_length,
            languages=("fr", "it", "en"),
        ).seal()
    return path


def _tokenizer(vocabulary: Mapping[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(dict(vocabulary), unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", vocabulary["<s>"]), ("</s>", vocabulary["</s>"])]
    )
    return tokenizer


def _weights(vocabulary: Mapping[str, int], words: Mapping[str, Sequence[str]], taxonomy: Taxonomy) -> np.ndarray:
    weights = np.zeros((len(vocabulary), len(taxonomy.labels)), dtype=np.float32)
    for label, chosen in words.items():
        column = taxonomy.labels.index(label)
        weights[vocabulary[OTHER], column] = _ELSEWHERE
        for word in chosen:
            weights[vocabulary[word], column] = _HIGH
    return weights


def _biases(taxonomy: Taxonomy) -> np.ndarray:
    """Low everywhere, but for the first tag of an exclusive group: it is given when no word speaks."""
    biases = np.full(len(taxonomy.labels), _LOW, dtype=np.float32)
    for group in taxonomy.groups:
        if group.kind == "exclusive":
            biases[taxonomy.slices[group.name].start] = 0.0
    return biases


def _network(weights: np.ndarray, biases: np.ndarray) -> onnx.ModelProto:
    """`input_ids`, `attention_mask` int64 (batch, length) → `logits` float (batch, labels)."""
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["gathered"]),
        helper.make_node("Cast", ["attention_mask"], ["flat"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["flat", "last"], ["mask"]),
        helper.make_node("Mul", ["gathered", "mask"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "middle"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "biases"], ["logits"]),
    ]
    constants = {"weights": weights, "biases": biases, "last": np.array([2]), "middle": np.array([1])}
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(biases)])
    graph = helper.make_graph(
        nodes, "words", inputs, [output], [numpy_helper.from_array(value, name) for name, value in constants.items()]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
