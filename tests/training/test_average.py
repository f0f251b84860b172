"""The running mean of the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.average import Average


class Line(nn.Module):
    """A weight that training changes, and one that it leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.moving = nn.Parameter(torch.zeros(2))
        self.fixed = nn.Parameter(torch.zeros(2), requires_grad=False)


def walked(steps: float, values: list[float]) -> tuple[Line, Average]:
    network = Line()
    average = Average(network, steps)
    for value in values:
        with torch.no_grad():
            network.moving.fill_(value)
        average.update()
    return network, average


def test_the_mean_of_a_weight_that_swings_is_near_its_middle() -> None:
    _, average = walked(100, [1.0, -1.0] * 500)
    assert average.values["moving"].abs().max() < 0.2


def test_the_mean_forgets_where_it_started_and_follows() -> None:
    _, average = walked(20, [5.0] * 30)
    assert average.values["moving"] == pytest.approx(5.0, abs=0.3)


def test_no_averaging_keeps_the_last_weights() -> None:
    _, average = walked(0, [1.0, 2.0, 3.0])
    assert average.values["moving"].tolist() == [3.0, 3.0]


def test_the_mean_stands_in_for_the_weights_and_they_come_back() -> None:
    network, average = walked(0, [1.0])
    with torch.no_grad():
        network.moving.fill_(9.0)
    with pytest.raises(RuntimeError), average.in_place():
        assert network.moving.tolist() == [1.0, 1.0]
        raise RuntimeError
    assert network.moving.tolist() == [9.0, 9.0]
    assert average.values["moving"].tolist() == [1.0, 1.0]


def test_weights_that_training_leaves_are_not_kept() -> None:
    _, average = walked(1, [1.0])
    assert list(average.values) == ["moving"]
