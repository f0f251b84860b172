"""The weights before and after fine-tuning, mixed so that less of what was known is given up.

Weights on the straight line between a network and itself fine-tuned keep what it knew better than those at the line's
end, and have most of what is new (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022). How far to go is
chosen on the validation side, which has texts of both.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from training.checkpoint import trained
from training.examples import Examples
from training.fit import macro_f1
from training.network import Network

_SHARES = (0.75, 0.5)
"""Of the way from before to after, beside all of it. Less than half would hide from the gate what labels do."""


def blend(
    network: Network, before: Mapping[str, Tensor], validation: Examples, *, score: float, batch_size: int
) -> float:
    """Leave `network` with the best of the weights between `before` and its own; returns how far on the way they are.

    Best is the macro-F1 on `validation`, where its own have `score`; a tie keeps what is further on. `before` are
    weights by name, as `training.checkpoint.trained` gives them.
    """
    after, best = trained(network), 1.0
    for share in _SHARES:
        _mix(network, before, after, share)
        if (found := macro_f1(network, validation, batch_size)) > score:
            best, score = share, found
    _mix(network, before, after, best)
    return best


def _mix(network: Network, before: Mapping[str, Tensor], after: Mapping[str, Tensor], share: float) -> None:
    mixed = {name: torch.lerp(before[name], value, share) for name, value in after.items()}
    network.load_state_dict(mixed, strict=False)
