"""One writer thread: whatever waits goes into one transaction, and each caller is told after the commit.

On SQLite it is the only writer of its process, so that no thread waits for the file's lock; on PostgreSQL it makes group
commits. Work that fails is taken out and retried alone, so that one bad batch does not take its neighbours with it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Generic, TypeVar

import sqlalchemy as sa

from bellwire.errors import BellwireError, StoreUnavailable
from bellwire.store.database import is_outage, writing

T = TypeVar("T")

WAIT_S = 2.0
QUEUE_MAX = 1_000
GROUP_MAX = 256


class Work(Generic[T]):
    """Something to do inside the writer's transaction. `together`, when given, does many of the same kind at once."""

    __slots__ = ("future", "run", "started")

    def __init__(self, run: Callable[[sa.Connection], T]) -> None:
        self.run = run
        self.future: Future[T] = Future()
        self.started = False


class Group(Generic[T]):
    """A kind of work that many callers submit and one call does: `apply(connection, items) -> one result per item`."""

    def __init__(self, apply: Callable[[sa.Connection, list[object]], list[T]]) -> None:
        self.apply = apply


class GroupWork(Work[T]):
    """One item of a Group."""

    __slots__ = ("group", "item")

    def __init__(self, group: Group[T], item: object) -> None:
        super().__init__(lambda connection: group.apply(connection, [item])[0])
        self.group, self.item = group, item


class Writer:
    """The thread and its queue. `close` finishes what was taken and refuses what comes later."""

    def __init__(self, engine: sa.Engine, *, name: str = "writer") -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[Work[object] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Work[T]) -> Future[T]:
        """Queue work. Raises StoreUnavailable when too much waits already or the writer is closed."""
        if self._closed or self._queue.qsize() >= QUEUE_MAX:
            raise StoreUnavailable("too many writes are waiting")
        self._queue.put(work)  # type: ignore[arg-type]  # the queue does not look at results
        return work.future

    def run(self, run: Callable[[sa.Connection], T], *, wait_s: float = WAIT_S) -> T:
        """Run a closure in the next transaction and give its result after the commit.

        Raises what the closure raises, or StoreUnavailable after `wait_s` (the write may still happen: senders repeat, and
        `seen` and idempotency keys make the repeat harmless).
        """
        return self.wait(self.submit(Work(run)), wait_s)

    def run_in(self, group: Group[T], item: object, *, wait_s: float = WAIT_S) -> T:
        """Hand one item to a group and give its result after the commit. Raises as `run` does."""
        return self.wait(self.submit(GroupWork(group, item)), wait_s)

    @staticmethod
    def wait(future: Future[T], wait_s: float = WAIT_S) -> T:
        """A future's result within `wait_s` seconds. Raises StoreUnavailable."""
        try:
            return future.result(wait_s)
        except FutureTimeout as e:
            if not future.done():
                raise StoreUnavailable(f"the database did not commit within {wait_s:g} s") from e
            raise

    def close(self, wait_s: float = 30.0) -> None:
        """Commit what waits, then end the thread."""
        self._closed = True
        self._queue.put(None)
        self._thread.join(wait_s)

    # -- the thread ---------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        ending = False
        while not ending:
            first = self._queue.get()
            taken: list[Work[object]] = []
            while True:
                if first is None:
                    ending = True
                else:
                    taken.append(first)
                if len(taken) >= GROUP_MAX:
                    break
                try:
                    first = self._queue.get_nowait()
                except queue.Empty:
                    break
            if taken:
                self._commit(taken)

    def _commit(self, taken: list[Work[object]]) -> None:
        """Do all in one transaction; when that fails, each alone."""
        try:
            results = self._transaction(taken)
        except Exception as e:
            if len(taken) == 1 or is_outage(e):
                for work in taken:
                    work.future.set_exception(_told(e))
                return
            for work in taken:
                self._commit([work])
            return
        except BaseException as e:  # the process is ending: nobody may wait for ever
            for work in taken:
                work.future.set_exception(StoreUnavailable("the writer was stopped"))
            raise e from None
        for work, result in zip(taken, results, strict=True):
            work.future.set_result(result)

    def _transaction(self, taken: list[Work[object]]) -> list[object]:
        results: list[object] = [None] * len(taken)
        with writing(self._engine) as connection:
            together: dict[Group[object], list[int]] = {}
            for place, work in enumerate(taken):
                if isinstance(work, GroupWork):
                    together.setdefault(work.group, []).append(place)
            for group, places in together.items():
                done = group.apply(connection, [taken[place].item for place in places])  # type: ignore[attr-defined]  # GroupWork
                for place, result in zip(places, done, strict=True):
                    results[place] = result
            for place, work in enumerate(taken):
                if not isinstance(work, GroupWork):
                    results[place] = work.run(connection)
        return results


def _told(error: Exception) -> Exception:
    if isinstance(error, BellwireError) or not is_outage(error):
        return error
    return StoreUnavailable("the database can't write this now")
