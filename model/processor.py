"""How many processors this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def processor_limit(cgroup: Path = _CGROUP) -> int:
    """The processors that the affinity mask and the container's CPU quota allow, at least 1.

    ONNX Runtime counts the host's cores, whatever a container may use of them.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, min(allowed, math.ceil(quota))) if quota else max(1, allowed)


def _quota(cgroup: Path) -> float | None:
    """Processors granted by cgroup v2 (`cpu.max`) or v1 (`cpu.cfs_quota_us`); None if unlimited or unknown."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text()
        except OSError:
            return None
    try:
        return int(quota) / int(period) if int(quota) > 0 else None
    except ValueError:  # cgroup v2 writes "max"
        return None
