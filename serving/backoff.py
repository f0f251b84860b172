"""How long to wait before what failed is tried again: twice as long each time, up to a minute, and for ever."""

from __future__ import annotations

_LONGEST = 60.0  # seconds
_MANY = 30  # doublings, beyond which a number would overflow in the end


def pause(failures: int, *, first: float) -> float:
    """Seconds until the next try, after so many failures before this one; `first` after none."""
    return min(_LONGEST, first * 2.0 ** min(failures, _MANY))
