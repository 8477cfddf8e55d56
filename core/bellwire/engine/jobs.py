"""The loops beside the pump: each a named step, run when it is woken or when its interval is over."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bellwire.engine.runtime import Engine
from bellwire.errors import StoreUnavailable

log = logging.getLogger(__name__)

_AFTER_FAILURE_S = 1.0


@dataclass(frozen=True, slots=True)
class Loop:
    """One kind of job. `step` does what is due and says how much it did: after some it is called again at once.

    `wake`: set when there may be something to do; every commit that may have brought jobs does, but for a `timed` loop.
    `drain`: ends within some seconds what the step began elsewhere. It is called after the loop, the last loop's first.
    """

    name: str
    interval_s: float
    step: Callable[[], int]
    wake: threading.Event = field(default_factory=threading.Event)
    timed: bool = False
    drain: Callable[[float], bool] | None = None


class Jobs:
    """Runs loops, each in a thread of its own."""

    def __init__(self, engine: Engine, loops: Sequence[Loop]) -> None:
        self._stop = threading.Event()
        self._loops = loops
        engine.on_jobs(self._wake)
        self._threads = [threading.Thread(target=self._run, args=(loop,), name=f"job-{loop.name}", daemon=True) for loop in loops]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def drain(self, wait_s: float = 30.0) -> bool:
        """Finish the steps under way and end; whether all ended within `wait_s` seconds."""
        self._stop.set()
        for loop in self._loops:
            loop.wake.set()
        ends = time.monotonic() + wait_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, ends - time.monotonic()))
        clean = not any(thread.is_alive() for thread in self._threads)
        for loop in reversed(self._loops):
            if loop.drain is not None:
                clean &= self._drained(loop.name, loop.drain, max(1.0, ends - time.monotonic()))
        return clean

    def _drained(self, name: str, drain: Callable[[float], bool], wait_s: float) -> bool:
        try:
            return drain(wait_s)
        except Exception:  # at the end: the others must be drained too
            log.exception("a job could not be drained", extra={"job": name})
            return False

    def _wake(self) -> None:
        for loop in self._loops:
            if not loop.timed:
                loop.wake.set()

    def _run(self, loop: Loop) -> None:
        while not self._stop.is_set():
            loop.wake.clear()
            try:
                done = loop.step()
            except StoreUnavailable as e:
                log.warning("a job waits for the database", extra={"job": loop.name, "error": str(e)})
                self._stop.wait(_AFTER_FAILURE_S)
                continue
            except Exception:  # the worker's loop: it must outlive any bug in one step
                log.exception("a job failed", extra={"job": loop.name})
                self._stop.wait(_AFTER_FAILURE_S)
                continue
            if not done and not self._stop.is_set():
                loop.wake.wait(loop.interval_s)
