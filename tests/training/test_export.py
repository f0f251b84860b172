"""What is exported answers as what was trained, in 32 bits and in 8."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.training.toys import toy_network, toy_settings
from training import encoder as encoders
from training.export import BLOCK, export, pack, quantise
from training.network import Network

TEXTS = [[0, *range(5 + 7 * number, 25 + 7 * number), 2] for number in range(10)]
"""Token ids that show the quantiser how large activations become."""


def fresh(source: Path, *, on_grid: bool = False) -> Network:
    """An untrained network; with `on_grid` its embeddings are such as four bits hold."""
    encoder = encoders.load(str(source))
    if on_grid:
        table = encoder.network.get_input_embeddings().weight
        table.data = torch.from_numpy(four_bit_table(len(table), table.shape[1], number=1))
    return toy_network(encoder, toy_settings()).eval()


def four_bit_table(rows: int, width: int, *, number: int) -> npt.NDArray[np.float32]:
    """Values of 4 bits times a scale for each block, of which the largest is -8 times the scale."""
    chance = np.random.default_rng(number)
    values = chance.integers(0, 16, (rows, width // BLOCK, BLOCK)).astype(np.float32) - 8
    values[:, :, chance.integers(0, BLOCK)] = -8
    scales = chance.normal(0, 0.01, (rows, width // BLOCK, 1)).astype(np.float16).astype(np.float32)
    return (values * scales).reshape(rows, width)


@pytest.fixture(scope="session")
def network(source: Path) -> Network:
    return fresh(source)


@pytest.fixture(scope="session")
def whole(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exports") / "whole.onnx"
    export(network, path)
    return path


@pytest.fixture(scope="session")
def small(whole: Path) -> Path:
    path = whole.with_name("small.onnx")
    quantise(whole, path, TEXTS)
    return path


def inputs(texts: int, length: int, *, number: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Random tokens; every text but the first ends somewhere before the last one."""
    chance = np.random.default_rng(number)
    ids = torch.from_numpy(chance.integers(3, 500, (texts, length)))
    mask = torch.ones_like(ids)
    for row in range(1, texts):
        mask[row, chance.integers(1, length + 1) :] = 0
    return ids, mask


def run(path: Path, ids: torch.Tensor, mask: torch.Tensor, output: str = "logits") -> npt.NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    given = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
    found: npt.NDArray[np.float32] = session.run([output], given)[0]
    return found


@pytest.mark.parametrize(("texts", "length"), [(1, 1), (1, 7), (5, 9), (3, 64), (2, 128)])
def test_the_export_answers_as_torch_does_at_any_shape(network: Network, whole: Path, texts: int, length: int) -> None:
    ids, mask = inputs(texts, length)
    ids[0, length // 2] = network.target
    with torch.inference_mode():
        expected, vectors = network(ids, mask).numpy(), network.vectors(ids, mask).numpy()
    np.testing.assert_allclose(run(whole, ids, mask), expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(run(whole, ids, mask, "vectors"), vectors, rtol=0, atol=1e-4)


def test_attention_is_fused_and_sums_are_kept_apart_from_normalisations(whole: Path) -> None:
    operators = Counter(node.op_type for node in onnx.load(whole).graph.node)
    assert operators["Attention"] == 2
    assert operators["LayerNormalization"] == 5
    assert operators["SkipLayerNormalization"] == 0
    assert operators["Softmax"] == 0


def test_eight_bits_are_smaller_and_answer_nearly_the_same(whole: Path, small: Path) -> None:
    ids, mask = inputs(1, 20)
    before, after = run(whole, ids, mask), run(small, ids, mask)
    assert small.stat().st_size < 0.6 * whole.stat().st_size  # so small a graph is half names
    assert np.abs(before - after).max() < 0.1 * np.abs(before).max()


def test_weights_have_seven_of_the_eight_bits(small: Path) -> None:
    tensors = [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(small).graph.initializer]
    weights = [values for values in tensors if values.dtype == np.int8 and values.ndim == 2]
    assert len(weights) == 2 * 4 + 3  # of each layer attention in and out, feed-forward in and out; and the heads
    assert max(int(np.abs(values.astype(int)).max()) for values in weights) <= 64  # or x86 without VNNI overflows


def look_up(path: Path) -> int:
    """The bits of a model's embeddings."""
    (node,) = (node for node in onnx.load(path).graph.node if node.op_type == "GatherBlockQuantized")
    (bits,) = (attribute.i for attribute in node.attribute if attribute.name == "bits")
    return int(bits)


def test_embeddings_that_came_in_four_bits_are_kept_in_four(source: Path, tmp_path: Path) -> None:
    network = fresh(source, on_grid=True)
    export(network, tmp_path / "whole.onnx")
    quantise(tmp_path / "whole.onnx", tmp_path / "small.onnx", TEXTS)
    assert look_up(tmp_path / "small.onnx") == 4
    ids, mask = inputs(1, 30)
    before, after = run(tmp_path / "whole.onnx", ids, mask), run(tmp_path / "small.onnx", ids, mask)
    assert np.abs(before - after).max() < 0.1 * np.abs(before).max()


def test_other_embeddings_are_kept_in_eight(small: Path) -> None:
    assert look_up(small) == 8


def unpacked(bits: int, values: npt.NDArray[np.uint8], scales: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """As ONNX Runtime reads them: of two values in a byte the lower four bits come first."""
    if bits == 4:
        values = np.stack([values & 15, values >> 4], axis=2).reshape(len(values), -1)
    centred = values.astype(np.float32) - 2 ** (bits - 1)
    return centred * np.repeat(scales.astype(np.float32), BLOCK, axis=1)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 4))
@settings(max_examples=50)
def test_rows_on_a_grid_of_four_bits_come_back_exactly(number: int, rows: int, blocks: int) -> None:
    table = four_bit_table(rows, blocks * BLOCK, number=number)
    bits, values, scales = pack(table)
    assert bits == 4
    assert values.shape == (rows, blocks * BLOCK // 2)
    np.testing.assert_allclose(unpacked(bits, values, scales), table, rtol=0, atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([1e-3, 0.05, 3.0]))
@settings(max_examples=50)
@example(number=11487, rows=15, scale=1e-3)  # scales so small that 16 bits hold few of their digits
def test_other_rows_come_back_to_within_half_a_step_of_eight_bits(number: int, rows: int, scale: float) -> None:
    table = np.random.default_rng(number).normal(0, scale, (rows, 2 * BLOCK)).astype(np.float32)
    bits, values, scales = pack(table)
    assert bits == 8
    step = np.abs(table.reshape(rows, 2, BLOCK)).max(axis=2) / 128
    error = np.abs(unpacked(bits, values, scales) - table).reshape(rows, 2, BLOCK).max(axis=2)
    assert (error <= 1.1 * step).all()  # a step, not half of one, at the end of the scale that has no +128


def test_rows_of_nought_stay_nought() -> None:
    table = np.zeros((3, BLOCK), dtype=np.float32)
    assert not unpacked(*pack(table)).any()
