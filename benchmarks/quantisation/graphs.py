"""Changes to the graph of an exported network, for forms that the quantisers do not make by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

_WEIGHT_LEVELS = 63
"""Of the 127 of 8 bits with a sign, as `reduce_range` has it: two products then fit into 16 bits anywhere."""
_LEVELS, _MIDDLE = 127, 128
_LEAST = 1e-12


def replace(model: ModelProto, node: NodeProto, by: Iterable[NodeProto]) -> None:
    """Put other nodes where `node` is."""
    position = list(model.graph.node).index(node)
    model.graph.node.remove(node)
    for offset, part in enumerate(by):
        model.graph.node.insert(position + offset, part)


def without_fused_products(model: ModelProto) -> ModelProto:
    """Take the products of queries, keys and values out of every fused attention, in place: quantisers see them then.

    Attention(x, W, b, mask) becomes MatMul(x, W), a Split in three, and MultiHeadAttention with b and mask.
    """
    for node in [node for node in model.graph.node if node.op_type == "Attention"]:
        replace(model, node, _attention(node))
    return model


def typed(model: ModelProto) -> ModelProto:
    """Say that every product takes floats, in place: what comes out of a fused operator is not inferred."""
    names = {node.input[0] for node in model.graph.node if node.op_type == "MatMul"}
    shape = ("texts", "length", None)
    model.graph.value_info.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names)
    return model


def by_token(model: ModelProto) -> ModelProto:
    """Multiply in integers with a scale for every token and for every column of weights, in place."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    _add(model, "token.levels", np.array(1 / _LEVELS, dtype=np.float32))
    _add(model, "token.least", np.array(_LEAST, dtype=np.float32))
    _add(model, "token.shift", np.array(_MIDDLE, dtype=np.float32))
    _add(model, "token.middle", np.array(_MIDDLE, dtype=np.uint8))
    _add(model, "token.one", np.array(1, dtype=np.float32))
    for node in [node for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in constants]:
        tensor = constants[node.input[1]]
        values, scales = columns(numpy_helper.to_array(tensor), _WEIGHT_LEVELS)
        model.graph.initializer.remove(tensor)
        _add(model, f"{tensor.name}.values", values)
        _add(model, f"{tensor.name}.scales", scales)
        replace(model, node, _product(node))
    return model


def columns(weights: npt.NDArray[np.float32], levels: int) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Weights (in, out) as integers of at most ±levels, and the scale of each column (out)."""
    scales = np.maximum(np.abs(weights).max(axis=0), _LEAST).astype(np.float32) / levels
    return np.rint(weights / scales).astype(np.int8), scales


def _attention(node: NodeProto) -> Iterator[NodeProto]:
    states, weights, bias, mask = node.input[:4]
    name = node.output[0]
    heads = next(helper.get_attribute_value(entry) for entry in node.attribute if entry.name == "num_heads")
    thirds = [f"{name}.{part}" for part in ("query", "key", "value")]
    yield helper.make_node("MatMul", [states, weights], [f"{name}.all"], name=f"{name}.product")
    yield helper.make_node("Split", [f"{name}.all"], thirds, axis=2, name=f"{name}.split")
    yield helper.make_node(
        "MultiHeadAttention",
        [*thirds, bias, mask],
        [name],
        domain="com.microsoft",
        num_heads=heads,
        name=f"{name}.attention",
    )


def _product(node: NodeProto) -> Iterator[NodeProto]:
    """x (texts, length, in) → x / scale + 128 in 8 bits, times the weights, times both scales."""
    states, weights = node.input
    name = node.output[0]
    integers = [f"{name}.values", f"{weights}.values", "token.one", f"{weights}.scales", "token.middle"]
    yield helper.make_node("Abs", [states], [f"{name}.sizes"])
    yield helper.make_node("ReduceMax", [f"{name}.sizes"], [f"{name}.peaks"], axes=[-1], keepdims=1)
    yield helper.make_node("Mul", [f"{name}.peaks", "token.levels"], [f"{name}.steps"])
    yield helper.make_node("Max", [f"{name}.steps", "token.least"], [f"{name}.scales"])
    yield helper.make_node("Div", [states, f"{name}.scales"], [f"{name}.divided"])
    yield helper.make_node("Round", [f"{name}.divided"], [f"{name}.rounded"])
    yield helper.make_node("Add", [f"{name}.rounded", "token.shift"], [f"{name}.shifted"])
    yield helper.make_node("Cast", [f"{name}.shifted"], [f"{name}.values"], to=TensorProto.UINT8)
    yield helper.make_node("MatMulIntegerToFloat", integers, [f"{name}.summed"], domain="com.microsoft")
    yield helper.make_node("Mul", [f"{name}.summed", f"{name}.scales"], [name])


def _add(model: ModelProto, name: str, values: npt.NDArray[np.generic]) -> None:
    model.graph.initializer.append(numpy_helper.from_array(values, name))
