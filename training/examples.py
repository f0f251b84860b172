"""Records as the network reads them: token ids, targets and which cells are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from labels.record import Record
from model.taxonomy import Taxonomy

_POOL = 50
"""Batches that are sorted by length together: enough that little is padding, few enough that order stays random."""


@dataclass(frozen=True)
class Examples:
    """Token ids of each text, and `targets` and `known` (texts, labels) of zeros and ones."""

    ids: list[list[int]]
    targets: npt.NDArray[np.float32]
    known: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def encode(cls, records: Sequence[Record], taxonomy: Taxonomy, tokenizer: Tokenizer, max_length: int) -> Examples:
        """Prepare and tokenise records; of a text longer than `max_length` tokens the beginning is learnt from."""
        tokenizer.enable_truncation(max_length)
        ids = [encoding.ids for encoding in tokenizer.encode_batch_fast([record.prepared() for record in records])]
        tokenizer.no_truncation()
        return cls(ids, *truth(records, taxonomy))

    def with_(self, other: Examples) -> Examples:
        """These and others after them."""
        targets, known = (np.concatenate(both) for both in ((self.targets, other.targets), (self.known, other.known)))
        return Examples([*self.ids, *other.ids], targets, known)

    def batches(self, size: int, *, shuffle: np.random.Generator | None = None) -> Iterator[npt.NDArray[np.intp]]:
        """Positions in batches of `size` texts of like length, in random order if `shuffle` is given."""
        order = np.arange(len(self)) if shuffle is None else shuffle.permutation(len(self))
        lengths = np.array([len(ids) for ids in self.ids])
        found = []
        for start in range(0, len(order), size * _POOL):
            pool = order[start : start + size * _POOL]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            found += [pool[at : at + size] for at in range(0, len(pool), size)]
        if shuffle is not None:
            shuffle.shuffle(found)
        yield from found

    def tensors(self, batch: Sequence[int] | npt.NDArray[np.intp]) -> tuple[torch.Tensor, torch.Tensor]:
        """Padded token ids and their mask, both (texts, longest)."""
        longest = max(len(self.ids[position]) for position in batch)
        ids = torch.zeros((len(batch), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, position in enumerate(batch):
            length = len(self.ids[position])
            ids[row, :length] = torch.tensor(self.ids[position])
            mask[row, :length] = 1
        return ids, mask


def truth(records: Sequence[Record], taxonomy: Taxonomy) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """`targets` and `known` (records, labels): parents follow from children; unlabelled and unsure cells are unknown.

    In an exclusive group only the deepest tag is the target, since softmax shares one probability among all.
    """
    targets = np.zeros((len(records), len(taxonomy.labels)), dtype=np.float32)
    known = np.zeros_like(targets)
    for row, record in enumerate(records):
        for group in taxonomy.groups:
            start = taxonomy.slices[group.name].start
            if group.name not in record.tags:
                continue
            known[row, taxonomy.slices[group.name]] = 1
            given = record.tags[group.name]
            for path in group.close(given) if group.kind == "multi-label" else given:
                targets[row, start + group.index[path]] = 1
            for path in group.close(record.unsure.get(group.name, ())):
                if not targets[row, start + group.index[path]]:  # a parent is sure when another child is
                    known[row, start + group.index[path]] = 0
            for path in record.unsure.get(group.name, ()):
                known[row, start + group.index[path]] = 0
    return targets, known
