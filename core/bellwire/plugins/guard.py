"""Calls a plugin's hook so that its failure stays its own: on a thread of its own, for a limited time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any

from bellwire.errors import HookFailed
from bellwire.masking import where

LIMIT_S = 2.0  # the longest a hook may keep an event waiting
HANGS = 3  # so many in a row switch the hook off
_THREADS = 4
_STUCK = 8  # so many calls that never came back do as well

Wait = Callable[[threading.Event, float], bool]


class _Job:
    __slots__ = ("done", "error", "given_up", "result", "started", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.done = threading.Event()
        self.started = self.given_up = False
        self.result: Any = None
        self.error: BaseException | None = None

    def is_given_up(self) -> bool:
        """Whether whoever asked has stopped waiting."""
        return self.given_up


class Guard:
    """One plugin's implementation of one hook.

    Threads are daemons, made when they are needed (never before a fork, when nothing was called before it). A call that is
    late keeps its thread, which ends with it and no longer counts among the four.
    `wait`: how to wait for a call, for tests; otherwise `threading.Event.wait`.
    """

    def __init__(
        self,
        plugin: str,
        hook: str,
        call: Callable[[Mapping[str, Any]], Any],
        *,
        limit_s: float = LIMIT_S,
        wait: Wait = threading.Event.wait,
    ) -> None:
        self.plugin, self.hook = plugin, hook
        self._call, self._limit_s, self._wait = call, limit_s, wait
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._threads = self._idle = self._hangs = self._stuck = 0

    @property
    def is_off(self) -> bool:
        """Whether it hung so often that it is no longer called."""
        return self._hangs >= HANGS or self._stuck >= _STUCK

    def __call__(self, **values: Any) -> Any:
        """What the hook returned. Raises HookFailed when it raised, is late, or is switched off."""
        if self.is_off:
            raise HookFailed(self.plugin, self.hook, f"switched off: it hung {HANGS} times in a row")
        job = _Job(values)
        self._start(job)
        if not self._wait(job.done, self._limit_s) and not self._is_done_after_all(job):
            raise HookFailed(self.plugin, self.hook, f"no answer within {self._limit_s:g} s")
        if job.error is not None:
            why = f"raised {type(job.error).__name__} at {where(job.error)}"
            raise HookFailed(self.plugin, self.hook, why) from job.error
        return job.result

    def _start(self, job: _Job) -> None:
        self._jobs.put(job)
        with self._lock:
            if self._idle < self._jobs.qsize() and self._threads < _THREADS:
                self._threads += 1
                threading.Thread(target=self._work, name=f"hook-{self.plugin}-{self.hook}", daemon=True).start()

    def _is_done_after_all(self, job: _Job) -> bool:
        """Give the call up, unless it ended between the time-out and now."""
        with self._lock:
            if job.done.is_set():
                return True
            job.given_up = True
            if job.started:  # one that still waited for a thread is late, but did not hang
                self._hangs += 1
                self._stuck += 1
                self._threads -= 1
            return False

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            job = self._jobs.get()
            with self._lock:
                self._idle -= 1
                if job.is_given_up():
                    continue
                job.started = True
            try:
                job.result = self._call(job.values)
            except BaseException as e:  # a plugin may raise anything, SystemExit too
                job.error = e
            with self._lock:
                if job.is_given_up():
                    self._stuck -= 1
                    return
                self._hangs = 0
                job.done.set()


def within(limit_s: float, call: Callable[[], Any], name: str, wait: Wait = threading.Event.wait) -> Any:
    """What `call` returns, or what it raises. Raises TimeoutError when it takes longer; its thread is left to itself."""
    job = _Job({})

    def work() -> None:
        try:
            job.result = call()
        except BaseException as e:
            job.error = e
        job.done.set()

    threading.Thread(target=work, name=name, daemon=True).start()
    if not wait(job.done, limit_s):
        raise TimeoutError(f"took longer than {limit_s:g} s")
    if job.error is not None:
        raise job.error
    return job.result
