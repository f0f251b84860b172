"""Writing that outlives the machine: what was answered for is on the disk, and its name too."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import Timeout

from serving.errors import StoreError


def settle(path: Path) -> None:
    """Have a file's bytes, or a folder's names, on the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, text: str) -> None:
    """Write a file aside, on the disk before it is renamed."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        settle(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def size(folder: Path) -> int:
    """Bytes of all files in a folder, from which others may take some meanwhile."""
    found = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                found += (Path(place) / name).stat().st_size
    return found


def why(error: OSError) -> str:
    """What the system says, or at least the kind of error."""
    return error.strerror or type(error).__name__


@contextmanager
def writing() -> Iterator[None]:
    """What the system refuses to write, in plain words: StoreError."""
    try:
        yield
    except Timeout as error:
        raise StoreError("job", "cannot be kept or changed: others are just now", "Try again soon") from error
    except OSError as error:
        raise StoreError("job", f"cannot be kept: {why(error)}", "The operator can mend it") from error
