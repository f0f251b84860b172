"""A bundle's weights read back: the rival is the same network."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from benchmarks.conversion import for_rivals, for_transformers, largest_difference
from benchmarks.quantisation.batches import feed
from benchmarks.rival import MeanPooledForSequenceClassification
from model.bundle import Bundle
from model.tagger import Tagger
from tests.benchmarks import trained


def test_the_weights_of_a_32_bit_bundle_come_back_exactly(whole: Path, tmp_path: Path) -> None:
    network = for_transformers(Bundle.read(whole), tmp_path)
    assert largest_difference(network, Tagger.load(whole, threads=1), trained.texts()) < 1e-5


def test_the_weights_of_an_8_bit_bundle_come_back_but_for_the_rounding_of_activations(
    small: Path, tmp_path: Path
) -> None:
    network = for_transformers(Bundle.read(small), tmp_path)
    assert largest_difference(network, Tagger.load(small, threads=1), trained.texts()) < 0.02


def test_a_network_with_other_weights_is_told_apart(whole: Path, tmp_path: Path) -> None:
    network = for_transformers(Bundle.read(whole), tmp_path)
    network.classifier.bias.data += 0.5
    assert largest_difference(network, Tagger.load(whole, threads=1), trained.texts()) > 0.02


def test_what_is_written_is_loaded_by_transformers_as_it_was(small: Path, tmp_path: Path) -> None:
    network = for_transformers(Bundle.read(small), tmp_path)
    loaded = MeanPooledForSequenceClassification.from_pretrained(tmp_path)
    assert all((loaded.state_dict()[name] == values).all() for name, values in network.state_dict().items())


def test_rivals_get_one_network_in_three_forms_that_they_load_without_our_code(small: Path, tmp_path: Path) -> None:
    network = for_rivals(Bundle.read(small), tmp_path)
    (window,) = Tagger.load(small, threads=1).encode([trained.texts()[0]])
    ids = torch.tensor([window.ids])
    with torch.inference_mode():
        wanted = network(ids, torch.ones_like(ids)).logits.numpy()
    session = onnxruntime.InferenceSession(tmp_path / "floats" / "model.onnx", providers=["CPUExecutionProvider"])
    assert session.run(["logits"], feed([window.ids]))[0] == pytest.approx(wanted, abs=1e-4)
    assert (tmp_path / "shipped" / "model.onnx").read_bytes() == (small / "model.onnx").read_bytes()
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path / "torch", trust_remote_code=True)
    with torch.inference_mode():
        assert loaded(ids, torch.ones_like(ids)).logits.numpy() == pytest.approx(wanted, abs=1e-4)
    for form in ("torch", "floats", "shipped"):
        assert AutoTokenizer.from_pretrained(tmp_path / form)(trained.texts()[0])["input_ids"] == list(window.ids)
