"""What a bundle tells of how it was made, so that it can be made again and its successors follow from it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Sequence

from labels.record import Record

_LIBRARIES = ("torch", "transformers", "onnx", "onnxruntime", "tokenizers", "tympan")


def tested_on(records: Sequence[Record]) -> str:
    """64 hexadecimal digits of which records they are, whatever their labels."""
    return hashlib.sha256("\n".join(sorted(record.id for record in records)).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Python and each library that has a part in it → its version, or `unknown` if it is not installed."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}}


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
