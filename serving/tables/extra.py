"""Libraries that only the extra `files` installs: imported when a file first needs them."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from serving.errors import TableError


def library(name: str) -> ModuleType:
    """Import the module `name`; TableError with the command that installs it if it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise TableError(package, "is not installed", "Run: pip install 'tympan[files]'") from error
