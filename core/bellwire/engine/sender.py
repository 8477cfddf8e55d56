"""Makes the carrier calls: one asyncio loop in its own thread, one connection pool, and the knowledge whether bytes left.

It decides nothing. Jobs go in by `start`, finished ones come out by `collect`; a call that could not connect is told apart
from one that was written and not answered.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import aiohttp
from yarl import URL

from bellwire.domain.addresses import is_private
from bellwire.engine.dlrs import Receipt
from bellwire.errors import CarrierError, ErrorClass, Unanswered, Unreachable
from bellwire.model import Carrier, CarrierAccount, Dlr, HttpAnswer, HttpCall, Outcome, Outgoing, Verdict
from bellwire.store.charges import Charge
from bellwire.store.types import AnyRow

CONNECT_S = 3.05
TOTAL_S = 15.0
BODY_MAX = 64 * 1024
STARTING = 32  # jobs that wait for their call to begin; more are not claimed
EVEN_S = 0.002  # starts of one slice this close together are not spread: a timer each would cost more than it evens out
USER_AGENT = "Bellwire"


@dataclass(frozen=True, slots=True)
class Claim:
    """One claimed message: its row as it was locked, the epoch that fences it, and what is given back if it was not sent."""

    row: AnyRow
    epoch: int
    attempt_id: UUID
    charge: Charge | None


@dataclass(frozen=True, slots=True)
class Job:
    """One call: the messages in it and who takes them.

    `start_at`: when its rate lets it start, monotonic seconds; `most`: how many of its account and sender may start in any second.
    """

    carrier: Carrier
    account: CarrierAccount
    messages: Sequence[Outgoing]
    claims: Sequence[Claim]
    owner: UUID
    start_at: float = 0.0
    most: int | None = None


@dataclass(slots=True)
class Finished:
    """A job and what came of it: one outcome per message, or that the call was never started. `began`: monotonic seconds."""

    job: Job
    outcomes: Sequence[Outcome]
    began: float
    started_at: datetime
    ended_at: datetime
    http_status: int | None = None
    never_started: bool = False


class AddressForbidden(OSError):
    """The carrier's name leads to a private address."""


class Sender:
    """The loop, its thread and the pool. `lease` says on the monotonic clock until when a worker's jobs may still be started."""

    def __init__(
        self,
        *,
        allow_private: bool,
        now: Callable[[], datetime],
        wake: Callable[[], None],
        lease: Callable[[UUID], float],
        receipt: Callable[[Receipt], None],
    ) -> None:
        self._allow_private, self._now = allow_private, now
        self._receipt = receipt
        self._wake = wake
        self._lease = lease
        self._finished: deque[Finished] = deque()
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._handed = self._begun = 0  # each counted by one thread
        self._starts: dict[tuple[UUID, str], deque[float]] = {}
        self._loop = asyncio.new_event_loop()
        self._session: aiohttp.ClientSession | None = None
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    def start(self, jobs: Sequence[Job]) -> None:
        """Begin jobs. Each ends in `collect` whatever happens."""
        self._handed += len(jobs)
        self._loop.call_soon_threadsafe(self._begin, jobs)

    @property
    def waiting(self) -> int:
        """How many jobs were handed over whose call has not begun: should this process die now, nobody knew that of them."""
        return self._handed - self._begun

    def collect(self) -> list[Finished]:
        """What has finished since the last call."""
        done: list[Finished] = []
        while self._finished:
            done.append(self._finished.popleft())
        return done

    def stop_starting(self) -> None:
        """Jobs that have not begun their call come back as `never_started`."""
        self._stopping = True

    def close(self) -> None:
        """Close the pool and end the thread. Calls under way are cut: wait for them first."""

        async def down() -> None:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._session is not None:
                await self._session.close()
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(down(), self._loop)
        self._thread.join(5)

    # -- inside the loop ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _begin(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            task = self._loop.create_task(self._do(job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _do(self, job: Job) -> None:
        early_s = job.start_at - time.monotonic()
        if early_s > EVEN_S:
            await asyncio.sleep(early_s)
        if job.most is not None:
            await self._keep_pace(job, job.most)
        started, began = self._now(), time.monotonic()
        self._begun += 1
        if self.waiting == STARTING // 2:
            self._wake()
        if self._stopping or began >= self._lease(job.owner):
            self._finish(Finished(job, (), began, started, started, never_started=True))
            return
        http_status: int | None = None
        try:
            if job.carrier.send is not None and job.carrier.by_session(job.account):
                self._announce(job)
                outcomes = await asyncio.wait_for(job.carrier.send(job.messages, job.account), TOTAL_S)
            else:
                answer = await self._call(self._build(job))
                http_status = answer.status
                outcomes = self._interpret(job, answer)
        except Exception as e:  # the worker's loop: a carrier's bug must not lose its message
            outcomes = [_failed(message, e) for message in job.messages]
        self._finish(Finished(job, _complete(job.messages, outcomes), began, started, self._now(), http_status))

    async def _keep_pace(self, job: Job, most: int) -> None:
        """Wait where starts that were spread out have run together, because the machine was busy."""
        key = (job.account.id, job.messages[0].sender_id)
        starts = self._starts.setdefault(key, deque())
        while True:
            now = time.monotonic()
            while starts and now - starts[0] >= 1.0:
                starts.popleft()
            if len(starts) < most or self._stopping:
                starts.append(now)
                return
            await asyncio.sleep(starts[0] + 1.0 - now)

    def _finish(self, finished: Finished) -> None:
        self._finished.append(finished)
        self._wake()

    def _announce(self, job: Job) -> None:
        """Set the clock for the receipts that a carrier without a network announces."""
        for message in job.messages:
            for planned in job.carrier.plan(message) if job.carrier.plan else ():
                self._loop.call_later(planned.after_s, self._arrived, job.account, message.message_id, planned.dlr)

    def _arrived(self, account: CarrierAccount, message_id: UUID, dlr: Dlr) -> None:
        self._receipt(Receipt(account=account, dlr=dlr, message_id=message_id, received_at=self._now()))

    @staticmethod
    def _build(job: Job) -> HttpCall:
        if job.carrier.build is None:
            raise Unreachable(f"{job.carrier.name} has no build")
        try:
            return job.carrier.build(job.messages, job.account)
        except Exception as e:
            raise Unreachable(f"{job.carrier.name} could not build the call: {type(e).__name__}") from e

    @staticmethod
    def _interpret(job: Job, answer: HttpAnswer) -> Sequence[Outcome]:
        if job.carrier.interpret is None:
            raise Unanswered(f"{job.carrier.name} has no interpret")
        return job.carrier.interpret(answer, job.messages, job.account)

    async def _call(self, call: HttpCall) -> HttpAnswer:
        """Make one call. Raises Unreachable when nothing left this machine, Unanswered when something may have."""
        session = self._session or self._open()
        url = _url(call.url)
        if not self._allow_private and url.scheme != "https":
            raise Unreachable("carriers are called over https")
        try:
            async with session.request(
                call.method, url, data=call.body or None, headers=call.headers, allow_redirects=False
            ) as response:
                body = await _read(response)
                return HttpAnswer(status=response.status, headers=_lower(response.headers), body=body)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL, AddressForbidden) as e:
            raise Unreachable(type(e).__name__) from e
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as e:
            raise Unanswered(type(e).__name__) from e

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=20, socket_factory=self._socket),
            timeout=aiohttp.ClientTimeout(total=TOTAL_S, connect=CONNECT_S, sock_connect=CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT},
            auto_decompress=True,
            trust_env=False,
        )
        return self._session

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        """The address that is really connected to is the one that is checked: a name cannot change its mind in between."""
        family, kind, protocol, _, target = address
        if not self._allow_private and is_private(ipaddress.ip_address(target[0])):
            raise AddressForbidden("a private address")
        return socket.socket(family, kind, protocol)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, cut at BODY_MAX: an answer without end must not fill the memory."""
    if response.content_length is not None and response.content_length <= BODY_MAX and "Content-Encoding" not in response.headers:
        return await response.read()
    parts: list[bytes] = []
    left = BODY_MAX
    async for chunk in response.content.iter_any():
        parts.append(chunk[:left])
        left -= len(chunk)
        if left <= 0:
            response.close()
            break
    return b"".join(parts)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@lru_cache(maxsize=4096)
def _url(url: str) -> URL:
    return URL(url, encoded=True)


def _failed(message: Outgoing, error: Exception) -> Outcome:
    """What an exception means for one message: what is not certain not to have been sent is ambiguous."""
    error_class = error.error_class if isinstance(error, CarrierError) else ErrorClass.AMBIGUOUS
    verdict = Verdict.AMBIGUOUS if error_class is ErrorClass.AMBIGUOUS else Verdict.REJECTED
    return Outcome(
        message_id=message.message_id, verdict=verdict, error_class=error_class, detail=f"{type(error).__name__}: {error}"[:200]
    )


def _complete(messages: Sequence[Outgoing], outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """One outcome per message, in order; one that the answer does not name is ambiguous."""
    if len(messages) == 1 and len(outcomes) == 1 and outcomes[0].message_id == messages[0].message_id:
        return outcomes
    named = {outcome.message_id: outcome for outcome in outcomes}
    return [
        named.get(message.message_id)
        or Outcome(
            message_id=message.message_id,
            verdict=Verdict.AMBIGUOUS,
            error_class=ErrorClass.AMBIGUOUS,
            detail="the answer does not name this message",
        )
        for message in messages
    ]
