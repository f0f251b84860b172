"""What came of a case of `benchmarks.faults`: what was done, what was measured, and whether the bounds hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.report import Report, Table


@dataclass(frozen=True)
class Setting:
    """What every case is measured with: the bundle, and how long each is to take if not as long as it should."""

    bundle: Path
    texts: Sequence[str]
    seconds: float | None = None

    def length(self, full: float) -> float:
        """Seconds of a case that takes `full` of them when nothing else was asked for."""
        return self.seconds or full


@dataclass(frozen=True)
class Check:
    """One thing measured, in words, against its bound."""

    what: str
    measured: str
    bound: str
    holds: bool

    @classmethod
    def most(cls, what: str, measured: float, bound: float, unit: str = "") -> Check:
        """A number that may be as large as `bound`."""
        return cls(what, f"{_number(measured)}{unit}", f"≤ {_number(bound)}{unit}", measured <= bound)

    @classmethod
    def least(cls, what: str, measured: float, bound: float, unit: str = "") -> Check:
        """A number that may be as small as `bound`."""
        return cls(what, f"{_number(measured)}{unit}", f"≥ {_number(bound)}{unit}", measured >= bound)

    @classmethod
    def none(cls, what: str, found: int, of: int) -> Check:
        """A count of which there may be none; that there was nothing to count proves nothing."""
        return cls(what, f"{found:,} of {of:,}", "0", not found and of > 0)

    @classmethod
    def all(cls, what: str, found: int, of: int) -> Check:
        """A count that must be that of all there are, and there must be some."""
        return cls(what, f"{found:,} of {of:,}", "all", found == of > 0)


@dataclass(frozen=True)
class Finding:
    """A case: its name, what was done in a sentence, and its checks."""

    name: str
    done: str
    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        """Whether every bound does."""
        return all(check.holds for check in self.checks)

    def table(self) -> Table:
        """A row for each check."""
        rows = ((one.what, one.measured, one.bound, "yes" if one.holds else "NO") for one in self.checks)
        return Table(self.name, ("what", "measured", "bound", "holds"), tuple(rows))


def report(findings: Sequence[Finding], *notes: str) -> Report:
    """A table for each case, and a sentence on what was done."""
    return Report(
        tuple(finding.table() for finding in findings),
        (*(f"{finding.name}: {finding.done}" for finding in findings), *notes),
    )


def flat(what: str, before: Sequence[float], after: Sequence[float], *, percent: float) -> Check:
    """Whether every one of `after` is within `percent` of the median of `before`."""
    start = median(before)
    low, high = (100 * (bound / start - 1) for bound in (min(after), max(after)))
    holds = max(-low, high) <= percent
    return Check(what, f"{low:+.1f} to {high:+.1f} %", f"± {percent:g} %", holds)


def grown(what: str, samples: Sequence[float], *, percent: float) -> Check:
    """Whether the last fifth of the samples is larger than the second fifth; the first is for warming up."""
    if not samples:
        return Check(what, "nothing", f"≤ +{percent:g} %", False)
    fifth = max(1, len(samples) // 5)
    growth = 100 * (median(samples[-fifth:]) / median(samples[fifth : 2 * fifth] or samples) - 1)
    return Check(what, f"{growth:+.1f} %", f"≤ +{percent:g} %", growth <= percent)


def share(seconds: Sequence[float], part: float) -> float:
    """The percentile `part` of seconds in milliseconds; 0 if there are none."""
    return 1000 * float(np.percentile(seconds, part)) if seconds else 0.0


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.1f}"
