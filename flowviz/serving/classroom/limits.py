"""How often somebody may say something."""

from __future__ import annotations

import time


class Limit:
    """So many at once, and so many a second after that, for each name.

    Args:
        burst: how many may come at once.
        rate: how many more each second.
    """

    def __init__(self, burst: float, rate: float) -> None:
        self._burst, self._rate = burst, rate
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, name: str) -> float:
        """Seconds until ``name`` may speak; 0 counts as having spoken."""
        now = time.monotonic()
        left, at = self._buckets.get(name, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        if left < 1:
            return (1 - left) / self._rate
        if name not in self._buckets and len(self._buckets) >= 5000:
            self._drop_full(now)
        self._buckets[name] = (left - 1, now)
        return 0.0

    def _drop_full(self, now: float) -> None:
        """Forget who has been silent for long: they are as those never heard of."""
        self._buckets = {
            name: (left, at)
            for name, (left, at) in self._buckets.items()
            if left + (now - at) * self._rate < self._burst
        }
