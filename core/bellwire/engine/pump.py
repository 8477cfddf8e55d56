"""The pump: one thread, one transaction a cycle. It records what has finished and claims what may start at once.

Nothing waits in memory: a message is either waiting in the store, or its call is under way here.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import socket
import sys
import threading
import time
from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.health import is_failure
from bellwire.engine import dlrs
from bellwire.engine.accounts import Accounts
from bellwire.engine.calls import Finished
from bellwire.engine.claiming import PER_ACCOUNT
from bellwire.engine.cycle import Cycle, Cycled
from bellwire.engine.dlrs import Receipt
from bellwire.engine.marks import Marks
from bellwire.engine.recording import effective_class
from bellwire.engine.runtime import Engine
from bellwire.engine.sender import STARTING, Sender
from bellwire.engine.sweep import DEAD_S, Sweep, Watch
from bellwire.errors import StoreError
from bellwire.ids import new_id
from bellwire.store import dispatch, workers
from bellwire.store.database import reading
from bellwire.store.dispatch import Place
from bellwire.store.writer import Work, Writer

log = logging.getLogger(__name__)

# The sender's loop gives the interpreter up with each of its many small system calls; with Python's 5 ms it would wait that long
# for every one of them while a transaction computes beside it.
SWITCH_S = 0.0005
GC_AFTER = (20_000, 20, 50)  # a cycle's rows are hundreds of thousands of objects without one ring
ROOM = 1_024  # calls under way in one process
FIRST = 2  # calls that a process begins with
BEAT_S = 0.5
LEASE_S = DEAD_S - 1.5  # after its last beat a worker starts no more calls, well before others may call it dead
SWEEP_S = 1.0
JUMP_S = 5.0  # a wall clock that goes back by more was set, not corrected
JUMPED_S = 30.0  # for so long after that a transaction may still commit times from before
POLL_S = {"sqlite": 0.25, "postgresql": 0.02}  # others write too: the command line, other processes
REST_S = 0.1  # between two looks where nothing has been due for a while
GATHER_S = 0.002  # completions that come close together are recorded together

_MONOTONIC_BEGAN = datetime(1970, 1, 1, tzinfo=UTC)  # any fixed point: only the difference to the wall clock counts


def look_after_s(dialect: str, quiet_s: float) -> float:
    """Seconds until the pump looks again where nothing is due. `quiet_s`: since it started calls last; a look is not free."""
    return max(POLL_S[dialect], min(REST_S, quiet_s / 10))


class Pump:
    """Claims, sends, records. `start` begins the thread; `drain` ends it with nothing in doubt."""

    def __init__(self, engine: Engine, *, kind: str = "serve", room: int = ROOM) -> None:
        self._engine = engine
        self._kind, self._room = kind, room
        self._sqlite = engine.store.engine.dialect.name == "sqlite"
        # on PostgreSQL the pump has a connection of its own, so that intake never waits for a claim
        self._writer = engine.store.writer if self._sqlite else Writer(engine.store.engine, name="pump-writer")
        self.worker_id = new_id()
        self._registered = False
        self._lease_until = 0.0
        self._beat_at = self._sweep_at = 0.0
        self._watch = Watch()
        self._places: dict[UUID, Place] = {}
        self._ahead: timedelta | None = None  # the wall clock over the monotonic one, when last seen
        self._jumped_until = 0.0
        self._accounts = Accounts(engine.configs, engine.plugins.carriers.keys())
        self._rand = random.Random()  # noqa: S311  # jitter, not secrets
        self._flying: dict[UUID, UUID] = {}  # message → account
        self._busy_at = time.monotonic()  # when calls were started last
        self._may_start = FIRST  # doubled with each cycle whose calls began at once: a process that just came up is slow
        self._unrecorded: list[Finished] = []
        self._receipts: deque[Receipt] = deque()
        self._doubt = False  # a cycle's commit is uncertain: look for claims of ours that were never started
        self._stopping = threading.Event()
        self._drained = threading.Event()
        self._given_up = False
        self._sender = Sender(
            allow_private=engine.config.allow_private_addresses,
            now=engine.now,
            wake=engine.woken.set,
            lease=lambda owner: self._lease_until if owner == self.worker_id else 0.0,
            receipt=self._receipt,
        )
        self._marks = Marks(self.worker_id, 0)  # none before it starts
        self._thread = threading.Thread(target=self._run, name="pump", daemon=True)

    def start(self) -> None:
        """Begin pumping. What the process holds by now stays: it is not looked through again and again for garbage."""
        sys.setswitchinterval(SWITCH_S)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_AFTER)
        self._mark()
        self._thread.start()

    def _mark(self) -> None:
        """Keep marks in the name the worker has now. Those in an earlier one say nothing: what it held is unknown already."""
        self._marks.close()
        self._marks = self._sender.marks = Marks(self.worker_id, self._room)

    def drain(self, wait_s: float = 30.0) -> bool:
        """Stop claiming, give back what no call was started for, wait for the calls under way, record, end.

        True when nothing was left in doubt within `wait_s` seconds.
        """
        if self._given_up:
            return self._drained.is_set() or self._thread.ident is None
        self._sender.stop_starting()
        self._stopping.set()
        self._engine.woken.set()
        clean = self._drained.wait(wait_s) if self._thread.is_alive() else True
        self._given_up = True
        self._engine.woken.set()
        self._sender.close()
        if not self._sqlite:
            self._writer.close(5)
        if self._thread.is_alive():
            self._thread.join(1)
        return clean

    # -- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._given_up:
            try:
                if self._turn():
                    break
            except StoreError as e:
                log.warning("the pump waits for the database", extra={"error": str(e)})
                self._doubt = True
                time.sleep(0.2)
            except Exception:  # the worker's loop: it must outlive any bug in one cycle
                log.exception("a pump cycle failed")
                self._doubt = True
                time.sleep(0.5)
        self._drained.set()

    def _turn(self) -> bool:
        """One look and, when there is something to do, one cycle. True: drained."""
        engine = self._engine
        engine.woken.clear()
        self._unrecorded.extend(self._collected())
        stopping = self._stopping.is_set()
        if stopping and not self._unrecorded and not self._flying and not self._receipts and not self._doubt:
            self._leave()
            return True
        clock = time.monotonic()
        housekeeping = clock - self._beat_at >= BEAT_S
        if not self._unrecorded and not self._receipts and not housekeeping and not self._doubt:
            with reading(engine.store.engine) as connection:
                next_due = self._next_due(connection, engine.now())
            if stopping or next_due is None or next_due > engine.now():
                wait_s = look_after_s(engine.store.engine.dialect.name, clock - self._busy_at)
                if next_due is not None:
                    wait_s = min(wait_s, max(0.0, (next_due - engine.now()).total_seconds()))
                engine.woken.wait(max(0.001, min(wait_s, BEAT_S - (clock - self._beat_at))))
                return False
        started = self._cycle(claim=not stopping)
        if not started:
            engine.woken.wait(GATHER_S if self._unrecorded or self._flying else 0.005)
            return False
        self._busy_at = clock
        if self._flying and self._sender.ended < started // 2:
            time.sleep(GATHER_S)
        return False

    def _collected(self) -> list[Finished]:
        """Calls that ended since the last look. What they say of their carrier is counted here, once."""
        finished = self._sender.collect()
        for one in finished:
            for outcome in one.outcomes:
                self._accounts.ended(one.job.account.id, failed=is_failure(effective_class(outcome)), began=one.began)
        return finished

    def _next_due(self, connection: sa.Connection, now: datetime) -> datetime | None:
        """When the next claim could grant something, over all accounts that may be asked and have room."""
        if len(self._flying) >= self._room or self._sender.waiting >= self._may_start:
            return None
        under_way = Counter(self._flying.values())
        looks = (
            self._accounts.ask_at(account_id, due, now)
            for (account_id, _), due in dispatch.due_by_lane(connection).items()
            if under_way[account_id] < PER_ACCOUNT
        )
        return min((at for at in looks if at is not None), default=None)

    def _cycle(self, *, claim: bool) -> int:
        """One transaction; then the calls it started. The number of calls started."""
        clock = time.monotonic()
        beat = clock - self._beat_at >= BEAT_S
        sweep = clock - self._sweep_at >= SWEEP_S
        finished, self._unrecorded = self._unrecorded, []
        found = [self._receipts.popleft() for _ in range(len(self._receipts))]
        held = {message.message_id for one in finished for message in one.job.messages}
        ahead = self._engine.now() - _MONOTONIC_BEGAN - timedelta(seconds=clock)
        jumped_back = self._ahead is not None and self._ahead - ahead > timedelta(seconds=JUMP_S)
        if jumped_back:
            self._jumped_until = clock + JUMPED_S
        cycle = Cycle(
            engine=self._engine,
            accounts=self._accounts,
            worker_id=self.worker_id,
            finished=finished,
            flying={message: account for message, account in self._flying.items() if message not in held},
            room=min(self._room - len(self._flying) + len(held), self._may_start - self._sender.waiting) if claim else 0,
            rand=self._rand,
            beat=beat,
            reclaim=self._doubt or sweep,
        )
        sweeping = Sweep(self._engine, self._accounts, self._watch, self._places)

        def run(connection: sa.Connection) -> Cycled:
            if not self._registered:
                workers.register(connection, self.worker_id, self._kind, os.getpid(), socket.gethostname(), self._engine.now())
            if jumped_back or (sweep and clock < self._jumped_until):
                dispatch.set_back(connection, self._engine.now())
            cycled = cycle.run(connection)
            if found:
                cycled.changes.extend(dlrs.take(self._engine, connection, found))
            if sweep:
                cycled.changes.extend(sweeping.run(connection, clock, self.worker_id))
                cycled.changes.extend(dlrs.match_parked(self._engine, connection))
            return cycled

        try:
            cycled = self._writer.submit(Work(run)).result()
        except BaseException:
            self._unrecorded = finished + self._unrecorded
            self._receipts.extendleft(reversed(found))
            raise
        self._ahead = ahead
        if sweep and not sweeping.more:
            self._sweep_at = clock
        self._committed(cycled, finished, clock, beat=beat)
        self._sender.start(cycled.jobs)
        self._engine.notify(cycled.changes)
        return len(cycled.jobs)

    def _committed(self, cycled: Cycled, finished: list[Finished], clock: float, *, beat: bool) -> None:
        """Note what the commit made true."""
        self._doubt = False
        if beat or not self._registered:
            self._beat_at = clock
            self._lease_until = clock + LEASE_S
            self._registered = True
            self._marks.beat()
        if not cycled.alive:  # somebody called us dead: what we held is unknown now; come back under a new name
            log.warning("this worker was called dead; it goes on under a new id", extra={"worker": self.worker_id.hex})
            self.worker_id, self._registered = new_id(), False
            self._mark()
        for one in finished:
            for message in one.job.messages:
                self._flying.pop(message.message_id, None)
            self._marks.forget(one.job)
        if cycled.jobs:
            self._may_start = min(STARTING, 2 * self._may_start)
        for job in cycled.jobs:
            for message in job.messages:
                self._flying[message.message_id] = job.account.id

    def _receipt(self, receipt: Receipt) -> None:
        """A receipt that a carrier without a network announces."""
        self._receipts.append(receipt)
        self._engine.woken.set()

    def _leave(self) -> None:
        """Forget the worker: it holds nothing."""
        if self._registered:
            self._writer.submit(Work(lambda connection: workers.remove(connection, self.worker_id))).result(5)
        self._marks.close()


__all__ = ["Pump"]
