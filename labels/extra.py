"""Libraries that only an extra installs: imported when first needed, since the service does without them."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from labels.errors import ExtraError


def library(name: str, *, extra: str = "label") -> ModuleType:
    """Import the module `name` of an extra; ExtraError with the command that installs it if it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ExtraError(package, "is not installed", f"Run: pip install 'tympan[{extra}]'") from error
