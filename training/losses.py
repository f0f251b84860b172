"""What one tag of one text costs, by its logit and whether it was wanted: both (texts, tags), and so is the answer."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

Cells = Callable[[Tensor, Tensor], Tensor]
"""Logits and targets, 0 or 1, to costs."""

_MARGIN, _FOCUS = 0.05, 2


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The log loss of each tag by itself: with it a linear head is a logistic regression."""
    return nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def asymmetric(logits: Tensor, targets: Tensor) -> Tensor:
    """Log loss where a tag was wanted; where it was not, weighed by how far it was believed, and nothing up to 0.05.

    A rare tag is absent from most texts, and easily told to be: thus they do not drown those that have it. Asymmetric
    loss with gammas 0 and 2 (Ridnik et al., "Asymmetric loss for multi-label classification", 2021). Probabilities come
    out too high, so that they need calibration.
    """
    wrong = (logits.sigmoid() - _MARGIN).clamp(min=0)
    absent = -(wrong**_FOCUS) * (1 - wrong).log()
    return -targets * nn.functional.logsigmoid(logits) + (1 - targets) * absent
