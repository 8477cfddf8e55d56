"""How many requests a minute one tenant may make, so that one flood leaves the others their share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_HELD_MAX = 10_000


class Quota:
    """A token bucket for each key, in this process. `per_minute` 0: no limit; `clock`: monotonic seconds."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._held: dict[bytes, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, key: bytes) -> bool:
        """Whether one more is allowed now."""
        if not self._per_minute:
            return True
        now = self._clock()
        with self._lock:
            tokens, counted = self._held.get(key, (float(self._per_minute), now))
            tokens = min(self._per_minute, tokens + (now - counted) * self._per_minute / 60)
            if len(self._held) >= _HELD_MAX:
                self._held.clear()
            self._held[key] = (tokens - 1 if tokens >= 1 else tokens, now)
            return tokens >= 1
