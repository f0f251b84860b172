"""From a trained network to ONNX: in 32-bit floats with fused operators, and from that in 8 bits.

In 8 bits the weights of every layer are quantised per column with seven of the eight bits (without VNNI, x86
adds pairs of products in 16 bits, which full weights overflow on such machines only), and activations when the
model runs, with one scale for each call. The tagger makes one call for each text, so that no answer depends on
its neighbours. Activations are smoothed first. `docs/quantisation.md` has the figures of the other ways.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from torch import Tensor, nn
from transformers import PretrainedConfig

from training.network import Network
from training.smooth import PRODUCTS, smooth

BLOCK = 32
"""Weights of an embedding that share one scale."""
_OPSET = 17
_EXACT = 1e-6


def export(network: Network, path: Path) -> None:
    """Write `network` to `path` in 32-bit floats: `input_ids`, `attention_mask` (texts, length) → `logits`, `vectors`.

    The logits (texts, labels) are what is served; the vectors (texts, width) tell whether texts have become others.
    """
    network.eval()
    write_graph(_Both(network), network.encoder.config, path, outputs=("logits", "vectors"))


def write_graph(module: nn.Module, config: PretrainedConfig, path: Path, *, outputs: Sequence[str]) -> None:
    """Write a module over a BERT of `config` to `path`, with the operators fused that make it faster."""
    ids, mask = torch.full((2, 9), 5), torch.ones((2, 9), dtype=torch.long)
    axes = {0: "texts", 1: "length"}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing, which the parity gate stands surety for
        plain = Path(folder) / "plain.onnx"
        torch.onnx.export(
            module.eval(),
            (ids, mask),
            str(plain),
            input_names=["input_ids", "attention_mask"],
            output_names=list(outputs),
            dynamic_axes={"input_ids": axes, "attention_mask": axes, **{name: {0: "texts"} for name in outputs}},
            opset_version=_OPSET,
            dynamo=False,  # the newer exporter's graph leaves attention unfused: 96 products instead of 36
        )
        fused = optimize_model(
            str(plain),
            model_type="bert",
            num_heads=config.num_attention_heads,
            hidden_size=config.hidden_size,
            optimization_options=_fusions(),
            opt_level=0,
        )
        fused.save_model_to_file(str(path))


class _Both(nn.Module):
    """A network with both its outputs; its parts are children of this one, so that tensors are named as in training."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.encoder, self.heads = network.encoder, network.heads
        self._vectors, self._scores = network.vectors, network.scores

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        vectors = self._vectors(input_ids, attention_mask)
        return self._scores(vectors), vectors


def _fusions() -> FusionOptions:
    """All that make the graph faster: ONNX Runtime's fused sum and layer norm takes three times as long as the two."""
    options = FusionOptions("bert")
    options.enable_skip_layer_norm = options.enable_bias_skip_layer_norm = False
    return options


def quantise(source: Path, path: Path, texts: Sequence[Sequence[int]]) -> None:
    """Write the 32-bit model `source` to `path` in 8 bits, its embeddings in 4 where that loses nothing.

    `texts` are the token ids of some hundred real texts, which show how large activations become.
    """
    model = onnx.load(source)
    smooth(model, texts)
    quantise_dynamically(model, path)


def quantise_dynamically(model: onnx.ModelProto, path: Path) -> None:
    """Write `model` in 8 bits as it is, without smoothing."""
    logging.getLogger().setLevel(logging.ERROR)  # the quantiser advises a preparation that export() has done
    quantize_dynamic(
        model,
        path,
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=list(PRODUCTS),
        extra_options={"DefaultTensorType": TensorProto.FLOAT},  # the fused operators' shapes are not inferred
    )
    small = onnx.load(path)
    quantise_embeddings(small)
    onnx.save(small, path)


def quantise_embeddings(model: onnx.ModelProto) -> None:
    """Replace the look-up of word embeddings by one that reads blocks of few bits, in place."""
    graph = model.graph
    table = max((tensor for tensor in graph.initializer if len(tensor.dims) == 2), key=lambda tensor: tensor.dims[0])
    (look_up,) = (node for node in graph.node if node.op_type == "Gather" and node.input[0] == table.name)
    bits, values, scales = pack(numpy_helper.to_array(table))
    names = [f"{table.name}.values", f"{table.name}.scales"]
    graph.initializer.extend([numpy_helper.from_array(values, names[0]), numpy_helper.from_array(scales, names[1])])
    half = f"{look_up.output[0]}.half"
    replacement = [
        helper.make_node(
            "GatherBlockQuantized",
            [names[0], look_up.input[1], names[1]],
            [half],
            domain="com.microsoft",
            gather_axis=0,
            quantize_axis=1,
            block_size=BLOCK,
            bits=bits,
        ),
        helper.make_node("Cast", [half], [look_up.output[0]], to=TensorProto.FLOAT),
    ]
    position = list(graph.node).index(look_up)
    graph.initializer.remove(table)
    graph.node.remove(look_up)
    for offset, node in enumerate(replacement):
        graph.node.insert(position + offset, node)
    if not any(opset.domain == "com.microsoft" for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def pack(table: npt.NDArray[np.float32]) -> tuple[int, npt.NDArray[np.uint8], npt.NDArray[np.float16]]:
    """Rows (tokens, width) → bits, packed values and scales (tokens, width / BLOCK).

    Four bits if they hold the rows exactly, as those of an encoder that came in four bits; eight otherwise. The
    width must be a multiple of BLOCK.
    """
    blocks = table.reshape(len(table), -1, BLOCK)
    for bits in (4, 8):
        middle = 2 ** (bits - 1)
        peak = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=2, keepdims=True), axis=2)
        wanted = peak / -middle  # the largest of a block is then the lowest value, exactly
        scales = wanted.astype(np.float16)
        if bits == 8:  # rounded outwards: as large a value of the other sign is then cut by one step at most
            outer = np.nextafter(scales, np.copysign(np.float16(np.inf), wanted).astype(np.float16))
            scales = np.where(np.abs(scales.astype(np.float32)) < np.abs(wanted), outer, scales)
        wide = np.where(scales == 0, 1, scales).astype(np.float32)
        values = np.clip(np.rint(blocks / wide) + middle, 0, 2**bits - 1).astype(np.uint8)
        if bits == 8 or np.abs((values.astype(np.float32) - middle) * wide - blocks).max() <= _EXACT:
            break
    values = values.reshape(table.shape)
    if bits == 4:
        values = values[:, 0::2] | (values[:, 1::2] << 4)
    return bits, values, scales[:, :, 0]
