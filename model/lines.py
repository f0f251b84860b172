"""Files of lines that only grow."""

from __future__ import annotations

import os
from typing import BinaryIO


def append(file: BinaryIO, line: bytes) -> None:
    """Write a line, without its end, to a file that is open as `a+b`: one that was cut short takes it not along."""
    if file.tell():
        file.seek(-1, os.SEEK_END)
        if file.read() != b"\n":
            line = b"\n" + line
    file.write(line + b"\n")
