"""The classifier: an encoder, the mean of its token vectors, and one linear head for each group of tags.

Where a text marks its target, half of what the heads see is the mean of the target's own tokens, so that what is said
of one organisation is told from what is said of another (after Gao et al., "Target-dependent sentiment classification
with BERT", 2019, who pool over the target alone).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from model.taxonomy import Taxonomy
from model.watchlist import TARGET
from training.encoder import Encoder
from training.losses import Cells, asymmetric, cross_entropy

TARGET_SHARE = 0.5
"""How much of the pooled vector is of the target's tokens, in a text that marks one."""
RARE = 0.1
"""The share of texts that a group's tags have in the mean, below which they are rare."""
RARE_WEIGHT = 2.0
"""What the asymmetric loss is multiplied with: it is smaller than cross-entropy, and rare tags would be learnt late."""


class Network(nn.Module):
    """Token ids (texts, length) and their mask → logits (texts, labels), in the order of the taxonomy's labels."""

    def __init__(self, encoder: Encoder, taxonomy: Taxonomy, *, dropout: float = 0.1, train_embeddings: bool) -> None:
        super().__init__()
        self.encoder = encoder.network
        self.encoder.set_input_embeddings(TokenEmbedding(encoder, trained=train_embeddings))
        # Plain attention trains short texts 1.25 times as fast as the fused one, and exports the graph that ONNX
        # Runtime's optimiser recognises.
        self.encoder.set_attn_implementation("eager")
        for module in self.encoder.modules():  # its own dropout would cost a quarter of the speed
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        self.mixed = multiplies_bfloat16()
        """Whether training, and only training, multiplies the encoder's matrices in 16-bit floats."""
        self.target = encoder.tokenizer.token_to_id(TARGET)
        self.taxonomy = taxonomy
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleList(nn.Linear(encoder.width, len(group.tags)) for group in taxonomy.groups)
        self.rare: Tensor
        self.register_buffer("rare", torch.zeros(len(taxonomy.labels), dtype=torch.bool))

    def start_from_shares(self, targets: Tensor, known: Tensor) -> None:
        """Learn in which groups tags are rare, and let the heads' offsets say how frequent each tag is in `targets`."""
        cases, cells = (targets * known).sum(dim=0), known.sum(dim=0)
        shares = (cases + 0.5) / (cells + 1)
        for group, head in zip(self.taxonomy.groups, self.heads, strict=True):
            columns = self.taxonomy.slices[group.name]
            found = shares[columns]
            self.rare[columns] = found.mean() < RARE
            offsets = found.logit() if group.kind == "multi-label" else found.log()
            cast(nn.Linear, head).bias.data.copy_(offsets)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.scores(self.vectors(input_ids, attention_mask))

    def vectors(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """What the heads see of each text: (texts, width)."""
        states = self.states(input_ids, attention_mask)
        mask = attention_mask.to(states.dtype)
        return self.pooled(states, mask, mask * (input_ids == self.target))

    def states(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The encoder's vector of each token: (texts, length, width)."""
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.mixed and self.training):
            states: Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return states.float()

    def pooled(self, states: Tensor, mask: Tensor, marked: Tensor) -> Tensor:
        """One vector a text, (texts, width), of its tokens' `states`; `marked` are those of its target."""
        return weighted_sum(states, shares(mask, marked))

    def scores(self, vectors: Tensor) -> Tensor:
        """The logits (texts, labels) of vectors."""
        seen = self.dropout(vectors)
        return torch.cat([head(seen) for head in self.heads], dim=1)

    def loss(self, logits: Tensor, targets: Tensor, known: Tensor, cells: Cells | None = None) -> Tensor:
        """The mean over texts of the summed losses of their groups.

        `targets` are 0 or 1 and `known` is 0 where a cell is unlabelled or unsure; both (texts, labels). `cells`,
        if not the network's own `costs`, says what each tag of a multi-label group costs.
        """
        costs = known * (cells or self.costs)(logits, targets)
        total = logits.new_zeros(())
        for group in self.taxonomy.groups:
            columns = self.taxonomy.slices[group.name]
            if group.kind == "multi-label":
                total = total + costs[:, columns].sum() / len(logits)
            else:
                total = total + _exclusive(logits[:, columns], targets[:, columns], known[:, columns])
        return total

    def costs(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What each tag costs by itself, (texts, labels): rare ones have the asymmetric loss."""
        return torch.where(self.rare, RARE_WEIGHT * asymmetric(logits, targets), cross_entropy(logits, targets))


def _exclusive(logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy, the mean over texts; all three (texts, tags) of one group."""
    # "None of them" is taught as "all equally likely" (outlier exposure: Hendrycks et al., 2019).
    none = targets.sum(dim=1, keepdim=True) == 0
    wanted = torch.where(none, torch.full_like(targets, 1 / targets.shape[1]), targets)
    losses = -(wanted * logits.log_softmax(dim=1)).sum(dim=1)
    return (losses * known.amin(dim=1)).sum() / len(logits)


def multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for it: with them training is 1.2 to 1.4 times as fast, else slower.

    Weights, gradients and sums stay in 32 bits (Micikevicius et al., "Mixed precision training", 2018); bfloat16 needs
    no scaling of the loss (Kalamkar et al., "A study of BFLOAT16 for deep learning training", 2019).
    """
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


class TokenEmbedding(nn.Module):
    """Word embeddings in two tables: the encoder's own, usually frozen, and the rows of new tokens, always trained."""

    def __init__(self, encoder: Encoder, *, trained: bool) -> None:
        super().__init__()
        rows = cast(nn.Embedding, encoder.network.get_input_embeddings()).weight.detach()
        self.split = rows.shape[0] - encoder.added
        self.own = nn.Parameter(rows[: self.split].clone(), requires_grad=trained)
        self.new = nn.Parameter(rows[self.split :].clone() if encoder.added else rows[:1].clone())

    def forward(self, ids: Tensor) -> Tensor:
        own = nn.functional.embedding(ids.clamp(max=self.split - 1), self.own)
        new = nn.functional.embedding((ids - self.split).clamp(min=0), self.new)
        return torch.where((ids >= self.split).unsqueeze(-1), new, own)


def shares(mask: Tensor, marked: Tensor) -> Tensor:
    """What each token weighs in a text's vector, (texts, length): 1 in all, `TARGET_SHARE` of it for the target's."""
    share = TARGET_SHARE * marked.amax(dim=1, keepdim=True)  # 0 for a text that marks no target
    return (1 - share) * normalised(mask) + share * normalised(marked)


def normalised(mask: Tensor) -> Tensor:
    """Each row (texts, length) divided by its sum, or noughts if that is nought."""
    return mask / mask.sum(dim=1, keepdim=True).clamp(min=1)


def weighted_sum(states: Tensor, weights: Tensor) -> Tensor:
    """The sum of tokens' vectors (texts, length, width) by their weights (texts, length): (texts, width)."""
    found: Tensor = (states * weights.unsqueeze(-1)).sum(dim=1)
    return found
