"""How many processors this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_CGROUP, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def processor_limit(cgroup: Path = _CGROUP, own: Path = _OWN) -> int:
    """The processors that the affinity mask and the quotas of this process's control groups allow, at least 1.

    ONNX Runtime counts the host's cores, whatever a container or service may use of them. `own` says which groups of
    those in `cgroup` the process is in; a container mostly sees its own at the root.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota for group in _groups(cgroup, own) if (quota := _quota(group))]
    return max(1, min([allowed, *map(math.ceil, quotas)]))


def _groups(root: Path, own: Path) -> Iterator[Path]:
    """The folders of this process's groups, of cgroup v2 and of v1's controller `cpu`, with those around them."""
    yield from (root, root / "cpu")
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return
    for _, controllers, path in (line for line in lines if len(line) == 3):
        base = root if not controllers else root / "cpu" if "cpu" in controllers.split(",") else None
        steps = PurePosixPath(path).parts[1:]
        if base:
            yield from (base.joinpath(*steps[:depth]) for depth in range(1, len(steps) + 1))


def _quota(group: Path) -> float | None:
    """Processors granted by cgroup v2 (`cpu.max`) or v1 (`cpu.cfs_quota_us`); None if unlimited or unknown."""
    try:
        quota, period = (group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (group / "cpu.cfs_quota_us").read_text()
            period = (group / "cpu.cfs_period_us").read_text()
        except OSError:
            return None
    try:
        return int(quota) / int(period) if int(quota) > 0 else None
    except ValueError:  # cgroup v2 writes "max"
        return None
