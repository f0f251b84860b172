"""What a tag costs: by hand, and where it costs nothing."""

from __future__ import annotations

import math

import pytest
import torch

from training.losses import Cells, asymmetric, cross_entropy


@pytest.mark.parametrize(
    ("probability", "wanted", "cost"),
    [
        (0.5, 1, math.log(2)),
        (0.9, 1, -math.log(0.9)),
        (0.5, 0, -(0.45**2) * math.log(0.55)),
        (0.9, 0, -(0.85**2) * math.log(0.15)),
        (0.05, 0, 0.0),
        (0.001, 0, 0.0),
    ],
)
def test_the_asymmetric_loss_by_hand(probability: float, wanted: int, cost: float) -> None:
    logits = torch.tensor([[probability]], dtype=torch.float64).logit()
    assert asymmetric(logits, torch.tensor([[float(wanted)]])).item() == pytest.approx(cost, abs=1e-9)


def test_an_absent_tag_that_nobody_believes_in_teaches_nothing_and_one_that_is_believed_in_does() -> None:
    logits = torch.tensor([[-4.0, 0.0, 4.0]], requires_grad=True)
    asymmetric(logits, torch.zeros(1, 3)).sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert logits.grad is not None
    assert logits.grad[0, 0] == 0
    assert 0 < logits.grad[0, 1] < logits.grad[0, 2]


@pytest.mark.parametrize("loss", [asymmetric, cross_entropy])
def test_however_wrong_a_logit_is_costs_are_numbers(loss: Cells) -> None:
    logits = torch.tensor([[-200.0, 200.0]] * 2, requires_grad=True)
    costs = loss(logits, torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    costs.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert costs.isfinite().all()
    assert (costs[0] > 2).all()


def test_cross_entropy_is_the_log_of_what_was_wanted() -> None:
    logits = torch.tensor([[0.3, -1.2]])
    found = cross_entropy(logits, torch.tensor([[1.0, 0.0]]))
    assert found[0].tolist() == pytest.approx([-math.log(1 / (1 + math.exp(-0.3))), math.log(1 + math.exp(-1.2))])
