"""Outliers go from activations into weights, and no answer changes by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from onnxruntime.quantization import quantize_dynamic

from tests.training.toys import toy_examples, toy_network, toy_records, toy_settings
from training import encoder as encoders
from training.export import export
from training.smooth import PRODUCTS, smooth

Texts = list[list[int]]


@pytest.fixture(scope="session")
def texts(source: Path) -> Texts:
    return toy_examples(encoders.load(str(source)), toy_records(40)).ids


@pytest.fixture(scope="session")
def uneven(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported network with a channel of activations that is a thousand times as large as the others."""
    network = toy_network(encoders.load(str(source)), toy_settings()).eval()
    with torch.no_grad():
        for layer in network.encoder.encoder.layer:
            layer.intermediate.dense.weight[0] = 0
            layer.intermediate.dense.bias[0] = 1000
            layer.output.dense.weight.normal_(0, 0.5)
            layer.output.dense.weight[:, 0] = 1e-4
    path = tmp_path_factory.mktemp("exports") / "uneven.onnx"
    export(network, path)
    return path


def answers(model: onnx.ModelProto, texts: Texts) -> npt.NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    rows = [np.array([ids], dtype=np.int64) for ids in texts]
    return np.concatenate(
        [session.run(["logits"], {"input_ids": row, "attention_mask": np.ones_like(row)})[0] for row in rows]
    )


def test_smoothing_changes_no_answer(uneven: Path, texts: Texts) -> None:
    model = onnx.load(uneven)
    before = answers(model, texts)
    smooth(model, texts[:20])
    np.testing.assert_allclose(answers(model, texts), before, rtol=0, atol=2e-4)


def test_every_product_of_the_layers_is_smoothed(uneven: Path, texts: Texts) -> None:
    model = onnx.load(uneven)
    smooth(model, texts[:20])
    held = {tensor.name for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in PRODUCTS and node.input[1] in held]
    divided = {node.output[0] for node in model.graph.node if node.name.startswith("smooth.")}
    assert len(products) == len(divided) == 2 * 4  # attention in and out, feed-forward in and out
    assert all(node.input[0] in divided for node in products)


def eight_bits(model: onnx.ModelProto, path: Path, texts: Texts) -> npt.NDArray[np.float32]:
    """The answers of `model` in 8 bits, as the library makes them."""
    quantize_dynamic(
        model,
        path,
        per_channel=True,
        reduce_range=True,
        op_types_to_quantize=list(PRODUCTS),
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    return answers(onnx.load(path), texts)


def test_with_an_outlier_8_bits_err_less_when_it_is_smoothed(uneven: Path, texts: Texts, tmp_path: Path) -> None:
    whole = answers(onnx.load(uneven), texts)
    smoothed = onnx.load(uneven)
    smooth(smoothed, texts[:20])
    before = np.abs(eight_bits(onnx.load(uneven), tmp_path / "rough.onnx", texts) - whole).mean()
    after = np.abs(eight_bits(smoothed, tmp_path / "smoothed.onnx", texts) - whole).mean()
    assert after < before / 3
