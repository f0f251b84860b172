"""Memory that a model has left behind."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Give the system what is free: glibc would keep a model's worth in the arena of each thread that loaded one."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:  # other C libraries have no need of it
        trim(0)
