"""Libraries that only the extra `label` installs: imported when first needed, since serving imports this room."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from labels.errors import ExtraError


def library(name: str) -> ModuleType:
    """Import the module `name`; ExtraError with the command that installs it if it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ExtraError(package, "is not installed", "Run: pip install 'tympan[label]'") from error
