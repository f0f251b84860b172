"""The forms in which one network, exported in 32-bit floats, can be stored and computed in fewer bits."""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

from model.tagger import Window
from training.export import BLOCK, quantise
from training.export import _quantise_embeddings as shrink_embeddings  # the same table in every form but the first

Make = Callable[[Path, Path, Sequence[Window]], None]
"""Writes a form: the 32-bit network, the file to write, and windows of real texts to calibrate with."""
_CALIBRATION = 256
"""Texts that the static forms are calibrated with."""
_PERCENTILE = 99.99


@dataclass(frozen=True)
class Form:
    """A way to store and compute the network. `entries` are ONNX Runtime's session settings that it needs."""

    name: str
    make: Make
    entries: Mapping[str, str] = field(default_factory=dict)


def _as_it_is(whole: Path, path: Path, _: Sequence[Window]) -> None:
    shutil.copyfile(whole, path)


def _dynamic(whole: Path, path: Path, windows: Sequence[Window]) -> None:
    quantise(whole, path, [window.ids for window in windows[:: max(1, len(windows) // _CALIBRATION)]])


def _static(method: CalibrationMethod) -> Make:
    """Scales of activations fixed beforehand, from the values that texts of the training side give."""

    def make(whole: Path, path: Path, windows: Sequence[Window]) -> None:
        logging.getLogger().setLevel(logging.ERROR)  # the quantiser advises a preparation that the export has done
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            plain = Path(folder) / "plain.onnx"
            onnx.save(_typed(without_fused_products(onnx.load(whole))), plain)
            quantize_static(
                plain,
                path,
                _Feeds(windows[:: max(1, len(windows) // _CALIBRATION)]),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["MatMul"],
                per_channel=True,
                reduce_range=True,  # as in the dynamic form
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=method,
                extra_options={
                    "OpTypesToExcludeOutputQuantization": ["MatMul"],  # products go on in 32 bits, which costs nothing
                    "CalibStridedMinMax": 1,  # text by text, whatever the method: all at once need one length
                    "CalibTensorRangeSymmetric": False,
                    "CalibPercentile": _PERCENTILE,
                },
            )
        _shrink(path)

    return make


def _blocks(accuracy_level: int) -> Make:
    """Weights in blocks of 32 with a scale each; level 1 computes in 32-bit floats, level 4 in 8-bit integers."""

    def make(whole: Path, path: Path, _: Sequence[Window]) -> None:
        quantiser = MatMulNBitsQuantizer(
            without_fused_products(onnx.load(whole)),
            bits=8,
            block_size=BLOCK,
            is_symmetric=True,
            accuracy_level=accuracy_level,
        )
        quantiser.process()
        quantiser.model.save_model_to_file(str(path))
        _shrink(path)

    return make


def _unpacked(whole: Path, path: Path, _: Sequence[Window]) -> None:
    """Weights in 8 bits with a scale a column, which the runtime turns into 32-bit floats when it loads them."""
    model = onnx.load(whole)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in list(model.graph.node):
        name = node.input[1] if node.op_type in ("MatMul", "Attention") else ""
        if name not in constants:
            continue
        weights: npt.NDArray[np.float32] = numpy_helper.to_array(constants[name])
        scales = np.maximum(np.abs(weights).max(axis=0), 1e-12).astype(np.float32) / 127
        values = np.rint(weights / scales).astype(np.int8)
        stored = (numpy_helper.from_array(values, f"{name}.values"), numpy_helper.from_array(scales, f"{name}.scales"))
        model.graph.initializer.remove(constants[name])
        model.graph.initializer.extend(stored)
        unpacking = helper.make_node("DequantizeLinear", [tensor.name for tensor in stored], [name], axis=1)
        model.graph.node.insert(0, unpacking)
    onnx.save(model, path)
    _shrink(path)


FORMS = (
    Form("32-bit floats", _as_it_is),
    Form("8 bits, activations scaled by call (dynamic)", _dynamic),
    Form("8 bits, activations scaled beforehand (static, extremes)", _static(CalibrationMethod.MinMax)),
    Form("8 bits, activations scaled beforehand (static, percentile)", _static(CalibrationMethod.Percentile)),
    Form("8 bits, activations scaled by token and block (MatMulNBits, level 4)", _blocks(4)),
    Form("8-bit weights in blocks, 32-bit arithmetic (MatMulNBits, level 1)", _blocks(1)),
    Form("8-bit weights, unpacked when loaded, 32-bit arithmetic", _unpacked, {"session.disable_quant_qdq": "1"}),
)
"""All forms, the reference first. A session setting of the last lets the runtime fold what it would keep apart."""


def without_fused_products(model: ModelProto) -> ModelProto:
    """Take the products of queries, keys and values out of every fused attention, in place: quantisers see them then.

    Attention(x, W, b, mask) becomes MatMul(x, W), a Split in three, and MultiHeadAttention with b and mask.
    """
    graph = model.graph
    for node in [node for node in graph.node if node.op_type == "Attention"]:
        position = list(graph.node).index(node)
        graph.node.remove(node)
        for offset, part in enumerate(_parts(node)):
            graph.node.insert(position + offset, part)
    return model


def _parts(attention: NodeProto) -> Iterator[NodeProto]:
    states, weights, bias, mask = attention.input[:4]
    name = attention.output[0]
    heads = next(helper.get_attribute_value(entry) for entry in attention.attribute if entry.name == "num_heads")
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


def _shrink(path: Path) -> None:
    model = onnx.load(path)
    shrink_embeddings(model)
    onnx.save(model, path)


def _typed(model: ModelProto) -> ModelProto:
    """Say that every product takes floats, in place: what comes out of a fused operator is not inferred."""
    names = {node.input[0] for node in model.graph.node if node.op_type == "MatMul"}
    shape = ("texts", "length", None)
    model.graph.value_info.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names)
    return model


class _Feeds(CalibrationDataReader):  # type: ignore[misc]  # the library ships no types
    """Windows one by one, as the tagger computes them."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self._feeds = [feed([window.ids]) for window in windows]
        self.set_range(0, len(windows))

    def __len__(self) -> int:
        return len(self._feeds)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._left = iter(self._feeds[start_index:end_index])

    def get_next(self) -> Mapping[str, npt.NDArray[np.int64]] | None:
        return next(self._left, None)


def feed(rows: Sequence[Sequence[int]]) -> dict[str, npt.NDArray[np.int64]]:
    """Token ids of several texts as the network's inputs, padded to the longest."""
    longest = max(map(len, rows))
    mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows], dtype=np.int64)
    ids = np.array([[*row, *[0] * (longest - len(row))] for row in rows], dtype=np.int64)
    return {"input_ids": ids, "attention_mask": mask}
