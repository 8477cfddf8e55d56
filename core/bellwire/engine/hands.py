"""A few threads that call out, and how many of them one system may occupy.

They begin when first needed, and are left behind when a call won't end.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Hands(Generic[T]):
    """Threads that run what they are given, in order; of one key at most `most` at once. `run` must not raise."""

    def __init__(self, name: str, run: Callable[[T], None], *, many: int, most: int) -> None:
        self.many = many
        self._name, self._run, self._most = name, run, most
        self._todo: list[tuple[Hashable, T]] = []
        self._running: Counter[Hashable] = Counter()
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._ending = False

    def give(self, key: Hashable, item: T) -> None:
        """Have one of the threads run this."""
        with self._changed:
            self._todo.append((key, item))
            if len(self._threads) < min(self.many, len(self._todo) + self._running.total()):
                thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads) + 1}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()

    def take_back(self, key: Hashable | None = None) -> list[T]:
        """What was given (for this key) and not begun; it will not be run."""
        with self._changed:
            taken = [item for one, item in self._todo if key is None or one == key]
            self._todo = [(one, item) for one, item in self._todo if key is not None and one != key]
        return taken

    @property
    def busy(self) -> int:
        """How many calls were given and have not ended."""
        with self._changed:
            return len(self._todo) + self._running.total()

    def end(self, wait_s: float) -> bool:
        """Run nothing more that was not begun, let calls under way end; whether all did within `wait_s` seconds."""
        ends = time.monotonic() + wait_s
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while True:
            with self._changed:
                place = self._next()
                while place is None and not self._ending:
                    self._changed.wait()
                    place = self._next()
                if place is None or self._ending:
                    return
                key, item = self._todo.pop(place)
                self._running[key] += 1
            self._run(item)
            with self._changed:
                self._running[key] -= 1
                if not self._running[key]:
                    del self._running[key]
                self._changed.notify()

    def _next(self) -> int | None:
        """The first that may begin."""
        return next((place for place, (key, _) in enumerate(self._todo) if self._running[key] < self._most), None)
