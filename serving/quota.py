"""How much a caller may ask for in a minute."""

from __future__ import annotations

import time


class Quota:
    """A bucket that holds a minute's worth and fills steadily; for one event loop, without a lock.

    All that it keeps is when it will be full again (the generic cell rate algorithm, ITU-T I.371), so that a quota
    of millions costs as little as one of ten.
    """

    def __init__(self) -> None:
        self._full_at = 0.0

    def take(self, amount: int, per_minute: int) -> float:
        """Take `amount` if there is enough; the seconds until there will be if not, 0 if it was taken."""
        now = time.monotonic()
        full_at = max(self._full_at, now) + 60 * amount / per_minute
        if (wait := full_at - now - 60) > 1e-6:  # a full bucket may be emptied, whatever the rounding
            return wait
        self._full_at = full_at
        return 0.0
