"""This process among the others, for jobs: its row and beat, and the jobs of processes that are gone.

Lives are told by beat counters on one's own monotonic clock, never by the time of day.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from uuid import UUID

import sqlalchemy as sa

from bellwire.engine.runtime import Engine
from bellwire.engine.sweep import DEAD_S, Watch
from bellwire.ids import new_id
from bellwire.store import outbox, workers

log = logging.getLogger(__name__)

BEAT_S = 1.0
LEASE_S = DEAD_S - 1.5  # after its last beat a process begins no job it took, well before others may take it


class Presence:
    """One process's worker row for its jobs. `step` is a loop's; the other methods are for any thread."""

    def __init__(self, engine: Engine, tables: Sequence[sa.Table], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._tables, self._clock = engine, tables, clock
        self._watch = Watch()
        self._id = new_id()
        self._registered = False
        self._until = 0.0

    @property
    def id(self) -> UUID | None:
        """In whose name jobs are taken; None while that is not known to the others."""
        return self._id if self._registered and self._clock() < self._until else None

    def holds(self, owner: UUID) -> bool:
        """Whether jobs taken in this name are certainly still ours."""
        return owner == self.id

    def step(self) -> int:
        """Beat, and queue again what dead processes held; how many jobs those were."""
        clock = self._clock()
        alive, found = self._engine.write(lambda connection: self._look(connection, clock))
        if not alive:
            log.warning("this process was called dead; its jobs go on under a new id", extra={"worker": self._id.hex})
            self._id, self._registered = new_id(), False
            return 1  # at once
        self._registered, self._until = True, clock + LEASE_S
        if found:
            self._engine.wake_jobs()
        return 0

    def leave(self, wait_s: float = 2.0) -> bool:
        """Go: what is still in our hands is free for others. Raises StoreUnavailable."""
        self._registered = False
        return self._engine.write(lambda connection: workers.remove(connection, self._id), wait_s=wait_s)

    def _look(self, connection: sa.Connection, clock: float) -> tuple[bool, int]:
        now = self._engine.now()
        if not self._registered:
            workers.register(connection, self._id, workers.JOBS, os.getpid(), socket.gethostname(), now)
        elif not workers.beat(connection, self._id, now):
            return False, 0
        for worker in self._watch.dead(workers.beats(connection), clock):
            if worker != self._id:
                workers.remove(connection, worker)
        return True, sum(outbox.orphans(connection, table) for table in self._tables)
