"""The trained network in 32 bits, kept in `checkpoint/` of a bundle: what the next training goes on from.

checkpoint/
  config.json          the encoder's, as transformers reads it
  tokenizer.json
  model.safetensors    every weight of the network
  weights.json         the encoder's name, the labels of the heads, and the SHA-256 of the other files
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoConfig, AutoModel

from training.encoder import Encoder
from training.errors import TrainingError
from training.network import Network

FOLDER = "checkpoint"
_CONFIG, _TOKENIZER, _MODEL, _MANIFEST = "config.json", "tokenizer.json", "model.safetensors", "weights.json"
_HEADS, _RARE = "heads.", "rare"
_OWN, _NEW = (f"encoder.embeddings.word_embeddings.{part}" for part in ("own", "new"))


@dataclass(frozen=True)
class Weights:
    """A network's encoder, all its weights by name, and `group/path` of every output of its heads."""

    encoder: Encoder
    tensors: Mapping[str, Tensor]
    labels: tuple[str, ...]
    identity: str
    """64 hexadecimal digits of the weights."""

    def give(self, network: Network) -> None:
        """Put the weights into a network of this encoder; a tag that is new keeps what the network has for it.

        A tag keeps its loss too, whatever its share of what is learnt now: another would move its probabilities.
        """
        inner = {name: value for name, value in self.tensors.items() if not name.startswith((_HEADS, _RARE))}
        network.load_state_dict(inner, strict=False)
        rows = {label: row for row, label in enumerate(self.labels)}
        before, rare = _outputs(self.tensors), self.tensors.get(_RARE)
        for group, head in zip(network.taxonomy.groups, network.heads, strict=True):
            columns = network.taxonomy.slices[group.name]
            for position, path in enumerate(group.paths):
                if (row := rows.get(f"{group.name}/{path}")) is None:
                    continue
                for name, values in before.items():
                    getattr(head, name).data[position] = values[row]
                if rare is not None:  # weights of earlier releases have none
                    network.rare[columns.start + position] = rare[row]


def save(network: Network, tokenizer: Tokenizer, folder: Path, *, encoder: str) -> None:
    """Write a network into `folder`, a new one; `encoder` is the name of what it was first made from."""
    folder.mkdir(parents=True)
    (folder / _CONFIG).write_text(json.dumps(network.encoder.config.to_diff_dict(), indent=1) + "\n", encoding="utf-8")
    tokenizer.save(str(folder / _TOKENIZER), pretty=False)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / _MODEL)
    manifest = {
        "encoder": encoder,
        "labels": list(network.taxonomy.labels),
        "files": {name: _sha256(folder / name) for name in (_CONFIG, _TOKENIZER, _MODEL)},
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def load(folder: Path) -> Weights:
    """Read what `save` wrote; TrainingError if it is missing or altered."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        whole = all(_sha256(folder / name) == digest for name, digest in manifest["files"].items())
        if not whole:
            raise ValueError("altered")
        config = AutoConfig.for_model(**json.loads((folder / _CONFIG).read_text(encoding="utf-8")))
        tensors = load_file(folder / _MODEL)
        tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise TrainingError(str(folder), "is missing or altered", "Retrain from the encoder: --anew") from error
    network = AutoModel.from_config(config, add_pooling_layer=False)  # type: ignore[no-untyped-call]  # as below, theirs
    rows = torch.cat([tensors[_OWN], tensors[_NEW]])[: config.vocab_size]
    network.set_input_embeddings(torch.nn.Embedding(rows.shape[0], rows.shape[1], _weight=rows))
    encoder = Encoder(network, tokenizer, manifest["encoder"], added=config.vocab_size - len(tensors[_OWN]))
    return Weights(encoder, tensors, tuple(manifest["labels"]), manifest["files"][_MODEL])


def _outputs(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`weight` and `bias` of all heads, in the order of the labels."""
    heads = sum(name.startswith(_HEADS) and name.endswith(".bias") for name in tensors)
    return {
        part: torch.cat([tensors[f"{_HEADS}{head}.{part}"] for head in range(heads)]) for part in ("weight", "bias")
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
