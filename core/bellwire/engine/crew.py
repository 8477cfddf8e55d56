"""Takes jobs that call out, has a few threads run them, writes down how they ended. Write-backs and callbacks are such jobs.

One transaction a step records what has ended and takes what may start. Nobody waits for whoever fails or is slow: see
`domain.standing`. It never touches what the pump does.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.pace import Use
from bellwire.domain.standing import MOST, SLOW_S, STRANGER, Answer, Call, Standing, after
from bellwire.engine.hands import Hands
from bellwire.engine.presence import Presence
from bellwire.engine.runtime import Engine
from bellwire.store import outbox
from bellwire.store.database import reading
from bellwire.store.outbox import End, Queue, Waiting
from bellwire.store.types import AnyRow

log = logging.getLogger(__name__)

THREADS = 8
ROOM = 64  # jobs taken at once: those that run, and the next ones
SHARE = 16  # of them for one system, at least: taking few of each costs more than it is fair
GATHER_S = 0.003  # what ends close together is recorded together
KNOWN_MAX = 5_000  # standings kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Rows that are done together by one call. `target`: the system as it was when they were taken."""

    key: UUID
    tenant_id: UUID
    owner: UUID
    target: Any = field(repr=False)
    rows: Sequence[AnyRow] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a job ended. `answer` None: it says nothing of the other side. `also`: more to write in the same transaction; `use`: what
    its calls took of the other side's limit.
    """

    ends: Sequence[End]
    answer: Answer | None = None
    retry_after_s: float | None = None
    also: Sequence[Callable[[sa.Connection], object]] = ()
    use: Use | None = None


class Work(Protocol):
    """What a crew does."""

    queue: Queue

    def take(self, connection: sa.Connection, waiting: Waiting, owner: UUID, now: datetime, room: int) -> Sequence[Job]:
        """Take up to `room` jobs for one system, in the transaction under way."""
        ...

    def run(self, job: Job) -> Ended:
        """Make the call, in a thread."""
        ...

    def broke(self, job: Job, error: BaseException) -> Ended:
        """What follows when `run` raised: a bug, ours or a connector's."""
        ...


class _Kind(Enum):
    GOOD, BAD, NEW = range(3)


@dataclass(frozen=True, slots=True)
class _Done:
    job: Job
    ended: Ended
    took_s: float


class Crew:
    """One kind of jobs in one process. `step` is its loop's; `bell` is set when there is something to record."""

    def __init__(
        self,
        name: str,
        engine: Engine,
        work: Work,
        presence: Presence,
        *,
        threads: int = THREADS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._work, self._presence, self._clock = engine, work, presence, clock
        self._name = name
        self._hands: Hands[Job] = Hands(name, self._run, many=threads, most=max(min(MOST, threads // 2), 1))
        self.bell = threading.Event()
        self._back: deque[_Done] = deque()  # filled by the threads
        self._unrecorded: list[_Done] = []
        self._held: dict[UUID, Job] = {}  # by row
        self._under_way: Counter[UUID] = Counter()  # jobs taken, by system
        self._heard: dict[UUID, float] = {}  # of each of these: when a call began or ended last
        self._standings: dict[UUID, Standing] = {}
        self._stamps: dict[UUID, object] = {}
        self._doubt = False  # a commit's end is not known: look for jobs of ours that we do not hold
        self._last = UUID(int=0)
        self._rand = random.Random()  # noqa: S311  # jitter, not secrets
        self._closing = False

    def step(self) -> int:
        """Record what has ended, take what is due and may start; how many jobs those were. Raises StoreUnavailable."""
        if self._back and self._hands.busy:
            time.sleep(GATHER_S)
        self._collect()
        owner = None if self._closing else self._presence.id
        now = self._engine.now()
        plan = self._plan(now) if owner is not None and self._under_way.total() < ROOM else []
        ended, doubt = list(self._unrecorded), self._doubt
        if not ended and not plan and not doubt:
            return 0

        def run(connection: sa.Connection) -> tuple[list[Job], int]:
            self._record(connection, ended, now)
            if owner is None:
                return [], 0
            found = outbox.give_back(connection, self._work.queue.table, owner, held=self._held) if doubt else 0
            return [job for waiting, room in plan for job in self._work.take(connection, waiting, owner, now, room)], found

        try:
            jobs, found = self._engine.write(run)
        except BaseException:
            self._doubt = True
            raise
        self._doubt = False
        self._forget(ended)
        for job in jobs:
            if not self._under_way[job.key]:
                self._heard[job.key] = self._clock()
            self._under_way[job.key] += 1
            self._held.update((row.id, job) for row in job.rows)
            self._hands.give(job.key, job)
        return len(ended) + len(jobs) + found

    def settle(self, wait_s: float = 30.0) -> bool:
        """Do all that is due now and wait for it; False when that took longer. For a process without loops."""
        ends = time.monotonic() + wait_s
        while time.monotonic() < ends:
            self.bell.clear()
            if self.step():
                continue
            if not self._held:
                return True
            self.bell.wait(max(0.0, min(0.5, ends - time.monotonic())))
        return False

    def drain(self, wait_s: float = 30.0) -> bool:
        """Take nothing more, give back what no call was begun for, wait for the others, record them.

        True when all ended within `wait_s` seconds. The loop must have ended.
        """
        self._closing = True
        clean = self._hands.end(wait_s)
        self._collect()
        ended, table = list(self._unrecorded), self._work.queue.table
        now = self._engine.now()

        def run(connection: sa.Connection) -> None:
            self._record(connection, ended, now)
            for owner in {job.owner for job in self._held.values()}:
                outbox.give_back(connection, table, owner, held=())

        self._engine.write(run)
        return clean

    # -- the threads --------------------------------------------------------------------------------------------

    def _run(self, job: Job) -> None:
        began = self._clock()
        if not self._presence.holds(job.owner):
            ended = Ended(ends=())  # somebody may have taken it over while we stood still
        else:
            try:
                ended = self._work.run(job)
            except BaseException as e:  # whatever a connector does, SystemExit too, stays its own
                log.exception("a job broke", extra={"job": self._name})
                ended = self._work.broke(job, e)
        self._back.append(_Done(job, ended, self._clock() - began))
        self.bell.set()

    # -- the loop -----------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        """Take in what the threads have done, and what it says of those they called."""
        while self._back:
            done = self._back.popleft()
            self._unrecorded.append(done)
            key, ended = done.job.key, done.ended
            self._under_way[key] -= 1
            self._heard[key] = self._clock()
            if not self._under_way[key]:
                del self._under_way[key], self._heard[key]
            if ended.answer is not None:
                call = Call(
                    answer=ended.answer, took_s=done.took_s, now=self._clock(), retry_after_s=ended.retry_after_s, use=ended.use
                )
                self._standings[key] = after(self._standings.get(key, STRANGER), call, self._rand.random())
            if not self._standings.get(key, STRANGER).is_good:
                for job in self._hands.take_back(key):
                    self._back.append(_Done(job, Ended(ends=()), 0.0))

    def _plan(self, now: datetime) -> list[tuple[Waiting, int]]:
        """For whom how many jobs are taken: everybody in turn, the well-behaved by several.

        Who fails or is slow gets half of the threads at most, all together; strangers half of those that are left then, so that
        one always remains for who is known to be well.
        """
        with reading(self._engine.store.engine) as connection:
            due = [one for one in outbox.waiting(connection, self._work.queue) if one.due <= now]
        due = [one for one in due if one.key > self._last] + [one for one in due if one.key <= self._last]
        clock, room = self._clock(), ROOM - self._under_way.total()
        busy = {kind: sum(many for key, many in self._under_way.items() if self._kind(key, clock) is kind) for kind in _Kind}
        spare = {
            _Kind.GOOD: room,
            _Kind.BAD: max(self._hands.many // 2, 1) - busy[_Kind.BAD],
            _Kind.NEW: max((self._hands.many - busy[_Kind.BAD]) // 2, 1) - busy[_Kind.NEW],
        }
        share = max(SHARE, room // max(len(due), 1))
        plan: list[tuple[Waiting, int]] = []
        for one in due:
            self._mended(one)
            kind = self._kind(one.key, clock)
            may = self._standings.get(one.key, STRANGER).room(self._under_way[one.key], clock)
            many = min(may, share, room, spare[kind])
            if many > 0:
                plan.append((one, many))
                room -= many
                spare[kind] -= many
                self._last = one.key
        return plan

    def _kind(self, key: UUID, clock: float) -> _Kind:
        standing = self._standings.get(key, STRANGER)
        if standing.fails or standing.slow or clock - self._heard.get(key, clock) >= SLOW_S:
            return _Kind.BAD
        return _Kind.GOOD if standing.known else _Kind.NEW

    def _mended(self, one: Waiting) -> None:
        """Somebody changed the system's row since we looked: it is called as if we did not know it, but for its limit."""
        if self._stamps.get(one.key, one.stamp) != one.stamp:
            self._standings[one.key] = replace(STRANGER, pace=self._standings.get(one.key, STRANGER).pace)
        self._stamps[one.key] = one.stamp

    def _record(self, connection: sa.Connection, ended: Sequence[_Done], now: datetime) -> None:
        outbox.finish(connection, self._work.queue.table, [(done.job.owner, end) for done in ended for end in done.ended.ends], now)
        for done in ended:
            for also in done.ended.also:
                also(connection)

    def _forget(self, recorded: Sequence[_Done]) -> None:
        """After the commit."""
        del self._unrecorded[: len(recorded)]
        for done in recorded:
            self._doubt |= not done.ended.ends  # it was not begun: still ours in the store unless somebody took over
            for row in done.job.rows:
                self._held.pop(row.id, None)
        if len(self._stamps) > KNOWN_MAX:
            self._stamps.clear()
            self._standings = {key: one for key, one in self._standings.items() if not one.is_good}
