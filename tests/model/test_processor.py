"""How many processors this process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from model.processor import processor_limit

ALLOWED = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "limit"),
    [
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("150000 100000", min(ALLOWED, 2)),
        ("1000000000 100000", ALLOWED),
        ("max 100000", ALLOWED),
        ("", ALLOWED),
        ("nonsense", ALLOWED),
    ],
)
def test_the_quota_of_cgroup_v2_is_rounded_up(tmp_path: Path, quota: str, limit: int) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert processor_limit(tmp_path) == limit


@pytest.mark.parametrize(("quota", "limit"), [("50000", 1), ("-1", ALLOWED), ("nonsense", ALLOWED)])
def test_the_quota_of_cgroup_v1_is_read_too(tmp_path: Path, quota: str, limit: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert processor_limit(tmp_path) == limit


def test_without_a_cgroup_the_affinity_mask_decides(tmp_path: Path) -> None:
    assert processor_limit(tmp_path) == ALLOWED


@pytest.mark.parametrize("line", ["0::/system.slice/tympan.service", "0::/system.slice/tympan.service/threads"])
def test_a_service_of_the_system_has_the_quota_of_its_group_or_of_one_around_it(tmp_path: Path, line: str) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "own"
    (root / "system.slice" / "tympan.service").mkdir(parents=True)
    (root / "system.slice" / "tympan.service" / "cpu.max").write_text("50000 100000\n")
    own.write_text(f"{line}\n")
    assert processor_limit(root, own) == 1


def test_a_group_of_cgroup_v1_is_found_by_its_controller(tmp_path: Path) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "own"
    (root / "cpu" / "docker" / "1f").mkdir(parents=True)
    (root / "cpu" / "docker" / "1f" / "cpu.cfs_quota_us").write_text("100000\n")
    (root / "cpu" / "docker" / "1f" / "cpu.cfs_period_us").write_text("100000\n")
    own.write_text("5:memory:/docker/1f\n4:cpu,cpuacct:/docker/1f\nnonsense\n")
    assert processor_limit(root, own) == 1
