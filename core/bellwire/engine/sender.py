"""Makes the carrier calls: one thread that starts them when their rate allows and collects what they brought.

It decides nothing. Jobs go in by `start`, finished ones come out by `collect`; a call that could not connect is told apart
from one that was written and not answered.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count
from uuid import UUID

from bellwire.engine.calls import Begun, Finished, Job
from bellwire.engine.dlrs import Receipt
from bellwire.engine.marks import Marks
from bellwire.engine.sessions import Sessions
from bellwire.engine.wire import TOTAL_S, Wire
from bellwire.errors import Unanswered, Unreachable
from bellwire.model import CarrierAccount, Dlr, HttpAnswer, HttpCall, Outcome

log = logging.getLogger(__name__)

STARTING = 256  # jobs that wait for their call to begin; more are not claimed
EVEN_S = 0.002  # starts of one slice this close together are not spread: to wait for each costs more than it evens out
_SECOND_S = 1.03  # a carrier's second: calls that a busy machine delays unevenly come closer together there than they began here
IDLE_S = 1.0  # the longest the thread rests with nothing to do


class Sender:
    """The thread and its connections. `lease` says on the monotonic clock until when a worker's jobs may still be started."""

    def __init__(
        self,
        *,
        allow_private: bool,
        now: Callable[[], datetime],
        wake: Callable[[], None],
        lease: Callable[[UUID], float],
        receipt: Callable[[Receipt], None],
    ) -> None:
        self._now, self._wake, self._lease, self._receipt = now, wake, lease, receipt
        self.marks: Marks | None = None  # of the worker in whose name calls are begun now
        self._wire: Wire[Begun] = Wire(allow_private=allow_private, leaves=self._leaves)
        self._sessions = Sessions(arrived=self._arrived, limit_s=TOTAL_S)
        self._handed_over: deque[Sequence[Job]] = deque()
        self._waiting: list[tuple[float, int, Job]] = []  # a heap by the time they may start
        self._turn = count()
        self._finished: deque[Finished] = deque()
        self._stopping = self._closing = False
        self._handed = self._begun = 0  # each counted by one thread
        self._starts: dict[tuple[UUID, str], deque[float]] = {}
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    def start(self, jobs: Sequence[Job]) -> None:
        """Begin jobs. Each ends in `collect` whatever happens."""
        if jobs:
            self._handed += len(jobs)
            self._handed_over.append(jobs)
            self._wire.wake()

    @property
    def waiting(self) -> int:
        """How many jobs were handed over whose call has not begun: should this process die now, nobody knew that of them."""
        return self._handed - self._begun

    @property
    def ended(self) -> int:
        """How many have finished since the last `collect`."""
        return len(self._finished)

    def collect(self) -> list[Finished]:
        """What has finished since the last call."""
        return [self._finished.popleft() for _ in range(len(self._finished))]

    def stop_starting(self) -> None:
        """Jobs that have not begun their call come back as `never_started`."""
        self._stopping = True
        self._wire.wake()

    def close(self) -> None:
        """Close the connections and end the thread. Calls under way are cut: wait for them first."""
        self._closing = True
        self._wire.wake()
        self._thread.join(5)
        self._sessions.close()

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing:
            try:
                self._step()
            except Exception:  # the thread must outlive any bug in one step
                log.exception("the sender stumbled")
                time.sleep(0.05)
        self._wire.close()

    def _step(self) -> None:
        """Start what may start, then collect what ended, or rest until something does."""
        while self._handed_over:
            for job in self._handed_over.popleft():
                heapq.heappush(self._waiting, (job.start_at, next(self._turn), job))
        rest_s = self._start_due()
        ended = self._wire.turn(rest_s)
        if ended:
            at = self._now()
            for begun, answer in ended:
                self._end(self._read(begun, at, answer), wake=False)
            self._wake()

    def _start_due(self) -> float:
        """Start the jobs whose time has come; seconds until the next one's comes."""
        while self._waiting:
            now = time.monotonic()
            at, turn, job = self._waiting[0]
            if at - now > EVEN_S and not self._stopping:
                return at - now
            heapq.heappop(self._waiting)
            free_at = now if job.most is None or self._stopping else self._pace(job, job.most, now)
            if free_at > now:
                heapq.heappush(self._waiting, (free_at, turn, job))
            else:
                self._begin(job, now)
        return IDLE_S

    def _pace(self, job: Job, most: int, now: float) -> float:
        """When this job may start: later where starts that were spread out have run together, because the machine was busy."""
        starts = self._starts.setdefault((job.account.id, job.messages[0].sender_id), deque())
        while starts and now - starts[0] >= _SECOND_S:
            starts.popleft()
        if len(starts) < most:
            starts.append(now)
            return now
        return max(starts[0] + _SECOND_S, now + EVEN_S)

    def _begin(self, job: Job, now: float) -> None:
        begun = Begun(job, now, self._now())
        self._begun += 1
        if self.waiting == STARTING // 2:
            self._wake()
        if self._stopping or now >= self._lease(job.owner):
            self._end(begun.never_started())
        elif job.carrier.by_session(job.account):
            self._leaves(begun)
            self._sessions.start(job, lambda outcomes: self._end(begun.ended(self._now(), outcomes)))
        else:
            try:
                self._wire.begin(_built(job), begun)
            except Exception as e:  # a carrier's bug must not lose its message
                self._end(begun.ended(self._now(), e))

    def _leaves(self, begun: Begun) -> None:
        if self.marks is not None:
            self.marks.begun(begun.job, begun.started_at)

    def _end(self, finished: Finished, *, wake: bool = True) -> None:
        if self.marks is not None and not finished.never_started:
            self.marks.ended(finished)
        self._finished.append(finished)
        if wake:
            self._wake()

    @staticmethod
    def _read(begun: Begun, at: datetime, answer: HttpAnswer | Exception) -> Finished:
        if not isinstance(answer, HttpAnswer):
            return begun.ended(at, answer)
        try:
            outcomes: Sequence[Outcome] | Exception = _interpreted(begun.job, answer)
        except Exception as e:  # a carrier's bug must not lose its message
            outcomes = e
        return begun.ended(at, outcomes, answer.status)

    def _arrived(self, account: CarrierAccount, message_id: UUID, dlr: Dlr) -> None:
        """A receipt that a carrier without a network announces."""
        self._receipt(Receipt(account=account, dlr=dlr, message_id=message_id, received_at=self._now()))


def _built(job: Job) -> HttpCall:
    if job.carrier.build is None:
        raise Unreachable(f"{job.carrier.name} has no build")
    try:
        return job.carrier.build(job.messages, job.account)
    except Exception as e:
        raise Unreachable(f"{job.carrier.name} could not build the call: {type(e).__name__}") from e


def _interpreted(job: Job, answer: HttpAnswer) -> Sequence[Outcome]:
    if job.carrier.interpret is None:
        raise Unanswered(f"{job.carrier.name} has no interpret")
    return job.carrier.interpret(answer, job.messages, job.account)
