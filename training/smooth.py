"""Activations made easy to quantise, by moving their outliers into the weights that they are multiplied with.

A few channels of a transformer's activations are many times larger than the rest and leave it few of the 256
levels. Dividing each channel by a factor, and multiplying the weights' row by it, changes no product and evens
them out (SmoothQuant: Xiao et al., 2023).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

PRODUCTS = ("MatMul", "Attention")
"""The operators whose second input is a matrix of weights."""
_SHARE = 0.65
_SHARE_OF_NARROWING = 0.85
"""How much of the difficulty the weights take over; more where a product narrows, which is after the activation
function, whose outputs have the largest outliers (`benchmarks/quantisation` compares shares)."""


def smooth(
    model: onnx.ModelProto,
    texts: Sequence[Sequence[int]],
    *,
    share: float = _SHARE,
    narrowing: float = _SHARE_OF_NARROWING,
) -> None:
    """Even out the inputs of all products of `model` in place, by what they are on `texts` (token ids of each).

    `share` is how much of the difficulty the weights take over, `narrowing` the same where a product narrows.
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in PRODUCTS and node.input[1] in weights]
    peaks = _peaks(model, sorted({node.input[0] for node in products}), texts)
    for number, node in enumerate(products):
        tensor = weights[node.input[1]]
        matrix = numpy_helper.to_array(tensor)
        narrows = matrix.shape[0] > matrix.shape[1]
        factors = _factors(peaks[node.input[0]], matrix, narrowing if narrows else share)
        tensor.CopyFrom(numpy_helper.from_array(matrix * factors[:, None], tensor.name))
        name = f"smooth.{number}"
        model.graph.initializer.append(numpy_helper.from_array(1 / factors, f"{name}.factors"))
        division = helper.make_node("Mul", [node.input[0], f"{name}.factors"], [f"{name}.output"], name)
        model.graph.node.insert(list(model.graph.node).index(node), division)
        node.input[0] = f"{name}.output"


def _factors(peaks: npt.NDArray[np.float32], matrix: npt.NDArray[np.float32], share: float) -> npt.NDArray[np.float32]:
    """What to divide each channel by, from its largest activation and its row of weights (channels, outputs)."""
    heights = np.maximum(np.abs(matrix).max(axis=1), 1e-5)
    factors: npt.NDArray[np.float32] = (np.maximum(peaks, 1e-4) ** share / heights ** (1 - share)).astype(np.float32)
    return factors


def _peaks(
    model: onnx.ModelProto, names: Sequence[str], texts: Sequence[Sequence[int]]
) -> dict[str, npt.NDArray[np.float32]]:
    """The largest absolute value of each channel of the tensors `names`, over `texts`."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    peaks = {name: np.zeros(1, dtype=np.float32) for name in names}
    for ids in texts:
        row = np.array([ids], dtype=np.int64)
        found = session.run(names, {"input_ids": row, "attention_mask": np.ones_like(row)})
        for name, values in zip(names, found, strict=True):
            channels = np.abs(values).reshape(-1, values.shape[-1]).max(axis=0)
            peaks[name] = np.maximum(peaks[name], channels)
    return peaks
