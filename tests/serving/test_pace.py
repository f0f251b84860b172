"""How fast the network has been of late."""

from __future__ import annotations

from serving.pace import Pace


def test_the_pace_is_that_of_all_workers_and_known_after_a_while() -> None:
    pace = Pace(2)
    assert not pace.known
    pace.add(500, 0.5)
    assert not pace.known
    pace.add(1500, 1.5)
    assert pace.known
    assert pace.rate == 2000


def test_a_machine_that_becomes_slower_is_noticed() -> None:
    pace = Pace(1)
    for _ in range(10_000):
        pace.add(1000, 1.0)
    for _ in range(200):
        pace.add(100, 1.0)
    assert 100 <= pace.rate < 200
