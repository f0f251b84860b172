"""The running mean of the weights that training changes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_EVERY = 5
"""The most steps between two updates: the mean changes slowly, and an update takes a twentieth of a step's time."""
_WARM = 3.0
"""While few steps are done, the mean looks back over that part of them, so that it forgets where it started."""


class Average:
    """An exponential mean over `steps`: what lies as many steps back counts for e times less; 0 keeps the last weights.

    `values` and `taken`, the steps so far, are what a checkpoint keeps.
    """

    def __init__(self, network: nn.Module, steps: float) -> None:
        self._weights = {name: value for name, value in network.named_parameters() if value.requires_grad}
        self._steps = steps
        self._every = max(1, min(_EVERY, round(steps / 10)))
        self.values: dict[str, Tensor] = {name: value.detach().clone() for name, value in self._weights.items()}
        self.taken = 0

    def update(self) -> None:
        """Call after every step."""
        self.taken += 1
        if self.taken % self._every:
            return
        span = min(self._steps, self.taken / _WARM)
        share = 1 - math.exp(-self._every / span) if span else 1.0
        with torch.no_grad():
            for name, mean in self.values.items():
                mean.lerp_(self._weights[name], share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network with the mean for its weights; the weights come back afterwards."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        with torch.no_grad():
            for name, mean in self.values.items():
                weight = self._weights[name]
                kept = weight.detach().clone()
                weight.copy_(mean)
                mean.copy_(kept)
