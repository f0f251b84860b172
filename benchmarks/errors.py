"""The errors of this package."""

from __future__ import annotations

from model.errors import TympanError


class BenchmarkError(TympanError):
    """Data, a bundle or a setting that a measurement cannot be made with."""
