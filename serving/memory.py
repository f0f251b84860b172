"""Memory that a model has left behind."""

from __future__ import annotations

import ctypes
import gc


def give_back() -> None:
    """Give the system what is free: glibc would keep a model's worth in the arena of each thread that loaded one.

    What refers to itself is freed before, such as the errors of refused requests, with all that they were raised with.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:  # other C libraries have no need of it
        trim(0)
