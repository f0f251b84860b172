"""A bundle's network read back from its ONNX file into torch, in 32-bit floats.

What was quantised is multiplied out again, so that another engine can be given the very weights that a bundle
ships. The names are those of `training.network.Network`, which the export keeps in its tensors and nodes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor
from transformers import BertConfig

from benchmarks.errors import BenchmarkError
from model.bundle import LAYOUT, Bundle
from training.export import BLOCK

Array = npt.NDArray[np.float32]
Constants = Mapping[str, TensorProto]

OWN = "encoder.embeddings.word_embeddings.own"
NEW = "encoder.embeddings.word_embeddings.new"
"""The word embeddings: the encoder's own rows, and those of the tokens that training added behind them."""
_PRODUCTS = ("MatMul", "MatMulInteger", "Attention", "QAttention")
_PATH = re.compile(r"/(.+)/(?:MatMul|Gemm|Reshape)_")


def state(bundle: Bundle) -> dict[str, Tensor]:
    """Every tensor of the bundle's network, by its name in `Network`."""
    graph = onnx.load(bundle.model_file).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    found = {
        name: numpy_helper.to_array(tensor)
        for name, tensor in constants.items()
        if name in (OWN, NEW) or (name.startswith(("encoder.", "heads.")) and name.endswith((".weight", ".bias")))
    }
    makers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        if node.op_type == "GatherBlockQuantized":
            found[node.input[0].removesuffix(".values")] = _rows(node, constants)
        matrix = _matrix(node.input[1], constants) if node.op_type in _PRODUCTS else None
        if matrix is not None:
            found |= _layer(node, matrix * _smoothing(node.input[0], makers, constants), constants)
    return {name: torch.from_numpy(values.copy()) for name, values in found.items()}


def config(bundle: Bundle, *, vocabulary: int) -> BertConfig:
    """The shape of the bundle's network, with word embeddings of `vocabulary` rows; BenchmarkError if it is no BERT."""
    file = bundle.path / LAYOUT.config
    stated = json.loads(file.read_text(encoding="utf-8"))
    if stated.get("model_type") != "bert":
        raise BenchmarkError(str(file), "describes no BERT", "Give a bundle that `tympan train` made")
    return BertConfig(**{**stated, "vocab_size": vocabulary})


def _layer(node: NodeProto, matrix: Array, constants: Constants) -> dict[str, Array]:
    """The weights of one linear layer, or of the three that a fused attention holds side by side."""
    path = _PATH.match(node.output[0])
    if path is None:
        raise BenchmarkError("model.onnx", f"has a product named {node.output[0]!r}", "Export it with this version")
    name = path[1].replace("/", ".")
    if "Attention" not in node.op_type:
        return {f"{name}.weight": matrix.T}
    parts = {"query": 0, "key": 1, "value": 2}
    matrices, biases = np.split(matrix, 3, axis=1), np.split(numpy_helper.to_array(constants[node.input[2]]), 3)
    weights = {f"{name}.{part}.weight": matrices[position].T for part, position in parts.items()}
    return weights | {f"{name}.{part}.bias": biases[position] for part, position in parts.items()}


def _matrix(name: str, constants: Constants) -> Array | None:
    """A constant of 32-bit floats (in, out), or what `export.quantise` made of one, multiplied out; None if neither."""
    if name not in constants:
        return None
    values: Array = numpy_helper.to_array(constants[name])
    if values.dtype != np.int8:
        return values
    plain = name.removesuffix("_quantized")
    scale, zero = (numpy_helper.to_array(constants[f"{plain}_{part}"]) for part in ("scale", "zero_point"))
    plainly: Array = (values.astype(np.float32) - zero) * scale
    return plainly


def _smoothing(name: str, makers: Mapping[str, NodeProto], constants: Constants) -> Array:
    """What `smooth` multiplies the channels of the input `name` with, (channels, 1); 1 where it was not at work."""
    maker = makers.get(name)
    if maker is not None and maker.op_type == "DynamicQuantizeLinear":
        maker = makers.get(maker.input[0])
    if maker is None or maker.op_type != "Mul" or maker.input[1] not in constants:
        return np.ones((1, 1), dtype=np.float32)
    factors: Array = numpy_helper.to_array(constants[maker.input[1]])
    return factors[:, None]


def _rows(node: NodeProto, constants: Constants) -> Array:
    """The table (tokens, width) that a look-up of few bits reads."""
    bits = next(int(helper.get_attribute_value(entry)) for entry in node.attribute if entry.name == "bits")
    values = numpy_helper.to_array(constants[node.input[0]])
    scales = numpy_helper.to_array(constants[node.input[2]]).astype(np.float32)
    if bits == 4:
        values = np.stack([values & 15, values >> 4], axis=2).reshape(len(values), -1)
    blocks = values.reshape(len(values), -1, BLOCK).astype(np.float32) - 2 ** (bits - 1)
    table: Array = (blocks * scales[:, :, None]).reshape(values.shape)
    return table
