"""The forms in which one network, exported in 32-bit floats, can be stored and computed in fewer bits."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

from benchmarks.quantisation.batches import Ids, feed
from benchmarks.quantisation.graphs import by_token, columns, typed, without_fused_products
from model.tagger import Window
from training.export import BLOCK, quantise, quantise_dynamically, quantise_embeddings
from training.smooth import PRODUCTS, smooth

Make = Callable[[ModelProto, Path, Ids], None]
"""Writes a form: the 32-bit network, which it may change, the file to write, and token ids to calibrate with."""
_CALIBRATION = 256
"""Texts that scales and smoothing are found on."""
_PERCENTILE = 99.99


@dataclass(frozen=True)
class Form:
    """A way to store and compute the network.

    `smoothing` is the share of `training.smooth` that the weights take over, for all products alike; None for
    activations as they are. `entries` are ONNX Runtime's session settings that the form needs.
    """

    name: str
    make: Make
    smoothing: float | None = None
    entries: Mapping[str, str] = field(default_factory=dict)

    def write(self, whole: Path, path: Path, windows: Sequence[Window]) -> None:
        """Make the form of the 32-bit network in file `whole`; `windows` are of texts that training knew."""
        model = onnx.load(whole)
        texts = [window.ids for window in windows[:: max(1, len(windows) // _CALIBRATION)]]
        if self.smoothing is not None:
            smooth(model, texts, share=self.smoothing, narrowing=self.smoothing)
        self.make(model, path, texts)


def _as_it_is(model: ModelProto, path: Path, _: Ids) -> None:
    onnx.save(model, path)


def _shipped(model: ModelProto, path: Path, texts: Ids) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        onnx.save(model, whole)
        quantise(whole, path, texts)


def _dynamic(model: ModelProto, path: Path, _: Ids) -> None:
    quantise_dynamically(model, path)


def _by_token(model: ModelProto, path: Path, _: Ids) -> None:
    _finish(by_token(without_fused_products(model)), path)


def _static(method: CalibrationMethod) -> Make:
    """Scales of activations fixed beforehand, from the values that the texts give."""

    def make(model: ModelProto, path: Path, texts: Ids) -> None:
        logging.getLogger().setLevel(logging.ERROR)  # the quantiser advises a preparation that the export has done
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            plain = Path(folder) / "plain.onnx"
            onnx.save(typed(without_fused_products(model)), plain)
            quantize_static(
                plain,
                path,
                _Feeds(texts),
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
        _finish(onnx.load(path), path)

    return make


def _blocks(accuracy_level: int) -> Make:
    """Weights in blocks of 32 with a scale each; level 1 computes in 32-bit floats, level 4 in 8-bit integers."""

    def make(model: ModelProto, path: Path, _: Ids) -> None:
        plain = without_fused_products(model)
        quantiser = MatMulNBitsQuantizer(
            plain, bits=8, block_size=BLOCK, is_symmetric=True, accuracy_level=accuracy_level
        )
        quantiser.process()
        _finish(quantiser.model.model, path)

    return make


def _unpacked(model: ModelProto, path: Path, _: Ids) -> None:
    """Weights in 8 bits with a scale a column, which the runtime turns into 32-bit floats when it loads them."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in list(model.graph.node):
        name = node.input[1] if node.op_type in PRODUCTS else ""
        if name not in constants:
            continue
        values, scales = columns(numpy_helper.to_array(constants[name]), 127)
        stored = (numpy_helper.from_array(values, f"{name}.values"), numpy_helper.from_array(scales, f"{name}.scales"))
        model.graph.initializer.remove(constants[name])
        model.graph.initializer.extend(stored)
        unpacking = helper.make_node("DequantizeLinear", [tensor.name for tensor in stored], [name], axis=1)
        model.graph.node.insert(0, unpacking)
    _finish(model, path)


def _finish(model: ModelProto, path: Path) -> None:
    quantise_embeddings(model)
    onnx.save(model, path)


FORMS = (
    Form("32-bit floats", _as_it_is),
    Form("dynamic, smoothed as shipped", _shipped),
    Form("dynamic", _dynamic),
    *(Form(f"dynamic, smoothed by {share}", _dynamic, share) for share in (0.5, 0.65, 0.8)),
    Form("static, extremes", _static(CalibrationMethod.MinMax)),
    Form("static, extremes, smoothed by 0.65", _static(CalibrationMethod.MinMax), 0.65),
    Form("static, percentile, smoothed by 0.65", _static(CalibrationMethod.Percentile), 0.65),
    Form("by token", _by_token),
    Form("by token, smoothed by 0.5", _by_token, 0.5),
    Form("by token and block", _blocks(4)),
    Form("8-bit weights in blocks", _blocks(1)),
    # The setting lets the runtime fold what it would otherwise keep apart, to compute in integers.
    Form("8-bit weights, unpacked when loaded", _unpacked, entries={"session.disable_quant_qdq": "1"}),
)
"""All forms, the reference first, then what ships. `docs/quantisation.md` says what each of them is."""


class _Feeds(CalibrationDataReader):  # type: ignore[misc]  # the library ships no types
    """Texts one by one, as the tagger computes them."""

    def __init__(self, texts: Ids) -> None:
        self._feeds = [feed([ids]) for ids in texts]
        self.set_range(0, len(texts))

    def __len__(self) -> int:
        return len(self._feeds)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._left = iter(self._feeds[start_index:end_index])

    def get_next(self) -> Mapping[str, npt.NDArray[np.int64]] | None:
        return next(self._left, None)
