"""The choices that `benchmarks.ablations` compares: each differs from the first in one thing."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from labels.record import Record
from model.taxonomy import Taxonomy
from model.watchlist import OTHER, TARGET
from training import network as networks
from training.encoder import Encoder
from training.examples import Examples
from training.losses import asymmetric, cross_entropy
from training.network import Network

_NOISES = 4
"""Noisy forms of each text, of which training draws."""


@dataclass(frozen=True)
class Noisy(Examples):
    """A third of the texts with noise, others in every epoch; `others` are noisy forms of all, as token ids."""

    others: Sequence[list[list[int]]] = ()

    @classmethod
    def encode(cls, records: Sequence[Record], taxonomy: Taxonomy, tokenizer: Tokenizer, max_length: int) -> Noisy:
        """As for `Examples`; the noise is the same for the same records."""
        chance, found = random.Random(0), Examples.encode(records, taxonomy, tokenizer, max_length)  # noqa: S311 — no secret
        tokenizer.enable_truncation(max_length)
        texts = [record.prepared() for record in records]
        drawn = [tokenizer.encode_batch_fast([noisy(text, chance) for text in texts]) for _ in range(_NOISES)]
        tokenizer.no_truncation()
        return cls(found.ids, found.targets, found.known, [[each.ids for each in form] for form in drawn])

    def tensors(self, batch: Sequence[int] | npt.NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        forms = [random.choice(self.others if random.random() < 1 / 3 else [self.ids]) for _ in batch]  # noqa: S311
        ids = [form[position] for form, position in zip(forms, batch, strict=True)]
        return Examples(ids, self.targets, self.known).tensors(range(len(ids)))


def noisy(text: str, chance: random.Random) -> str:
    """A text with one kind of noise or two; what stands for an organisation stays."""
    kinds: tuple[Callable[[str], str], ...] = (_plain, str.lower, str.upper, lambda word: _mistyped(word, chance))
    words = text.split(" ")
    for kind in chance.sample(kinds, chance.choice((1, 1, 2))):
        words = [word if TARGET in word or OTHER in word else kind(word) for word in words]
    return " ".join(words)


def _plain(word: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))


def _mistyped(word: str, chance: random.Random) -> str:
    """A long word in eight with two letters swapped, or one left out or doubled."""
    if len(word) < 4 or chance.random() > 1 / 8:
        return word
    at = chance.randrange(1, len(word) - 1)
    here, after = word[at], word[at + 1]
    return word[:at] + chance.choice((after + here, after, here + here + after)) + word[at + 2 :]


class Plain(Network):
    """Each tag by its log loss."""

    def costs(self, logits: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(logits, targets)


class Smoothed(Network):
    """Label smoothing (Szegedy et al., 2016): a tag is wanted at 0.95 or 0.05."""

    def costs(self, logits: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(logits, 0.9 * targets + 0.05)


class Focal(Network):
    """Focal loss with gamma 2 (Lin et al., "Focal loss for dense object detection", 2017)."""

    def costs(self, logits: Tensor, targets: Tensor) -> Tensor:
        found = cross_entropy(logits, targets)
        return (1 - (-found).exp()) ** 2 * found


class Asymmetric(Network):
    """The asymmetric loss for all tags, frequent ones too."""

    def costs(self, logits: Tensor, targets: Tensor) -> Tensor:
        return asymmetric(logits, targets)


class RareTagsTwice(Network):
    """The asymmetric loss, weighed twice, for every tag that is rare by itself, whatever its group."""

    def start_from_shares(self, targets: Tensor, known: Tensor) -> None:
        super().start_from_shares(targets, known)
        self.rare = ((targets * known).sum(dim=0) + 0.5) / (known.sum(dim=0) + 1) < networks.RARE


class RareTags(RareTagsTwice):
    """The same, weighed once."""

    def costs(self, logits: Tensor, targets: Tensor) -> Tensor:
        return torch.where(self.rare, asymmetric(logits, targets), cross_entropy(logits, targets))


class Even(Plain):
    """The mean of all tokens, whatever the target."""

    def pooled(self, states: Tensor, mask: Tensor, marked: Tensor) -> Tensor:
        return networks.weighted_sum(states, networks.normalised(mask))


class Beside(Plain):
    """The mean of all tokens, and beside it that of the target's."""

    def __init__(self, encoder: Encoder, taxonomy: Taxonomy, *, dropout: float = 0.1, train_embeddings: bool) -> None:
        super().__init__(encoder, taxonomy, dropout=dropout, train_embeddings=train_embeddings)
        self.heads = nn.ModuleList(nn.Linear(2 * encoder.width, len(group.tags)) for group in taxonomy.groups)

    def pooled(self, states: Tensor, mask: Tensor, marked: Tensor) -> Tensor:
        return torch.cat([networks.weighted_sum(states, networks.normalised(each)) for each in (mask, marked)], dim=1)


class Attentive(Plain):
    """Each tag weighs the tokens itself, and starts with the halves.

    Attention for each label: Mullenbach et al., "Explainable prediction of medical codes from clinical text", 2018.
    """

    def __init__(self, encoder: Encoder, taxonomy: Taxonomy, *, dropout: float = 0.1, train_embeddings: bool) -> None:
        super().__init__(encoder, taxonomy, dropout=dropout, train_embeddings=train_embeddings)
        self.queries = nn.Linear(encoder.width, len(taxonomy.labels), bias=False)
        nn.init.zeros_(self.queries.weight)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = self.states(input_ids, attention_mask)
        mask = attention_mask.to(states.dtype)
        start = networks.shares(mask, mask * (input_ids == self.target)).log().unsqueeze(-1)
        weights = (start + self.queries(states) / states.shape[-1] ** 0.5).softmax(dim=1)
        scores: Tensor = (weights * self.scores(states.flatten(0, 1)).view_as(weights)).sum(dim=1)
        return scores


@dataclass(frozen=True)
class Choice:
    """One choice: what differs from the first."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    network: type[Network] = Plain
    examples: type[Examples] = Examples


BASE = "cross-entropy"
"""What every other choice is compared with: the usual settings, with the loss that networks had before."""
CHOICES: Mapping[str, Choice] = {
    BASE: Choice(),
    "the last weights": Choice({"averaging": 0.0}),
    "one rate for all layers": Choice({"layer_decay": 1.0}),
    "label smoothing": Choice(network=Smoothed),
    "focal loss": Choice(network=Focal),
    "asymmetric loss": Choice(network=Asymmetric),
    "asymmetric loss of rare tags": Choice(network=RareTags),
    "asymmetric loss of rare tags, twice": Choice(network=RareTagsTwice),
    "asymmetric loss of topics, twice": Choice(network=Network),  # the loss that ships
    "batches of 24": Choice({"batch_size": 24, "learning_rate": 2.4e-4}),
    "noise in the texts": Choice(examples=Noisy),
    "word embeddings learn too": Choice({"train_embeddings": True}),
    "fewer epochs": Choice({"epochs": 2}),
    "more epochs": Choice({"epochs": 5}),
    "no share of the target": Choice(network=Even),
    "the target's mean beside that of all": Choice(network=Beside),
    "each tag weighs the tokens": Choice(network=Attentive),
}
