"""The errors of this package."""

from __future__ import annotations

from serving.errors import ServingError


class ReportError(ServingError):
    """A report that cannot be read or written, or a file beside it that cannot be used."""
