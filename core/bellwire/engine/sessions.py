"""Carriers that take messages without HTTP (`Carrier.send`): one asyncio loop in its own thread, begun with the first of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from uuid import UUID

from bellwire.engine.calls import Job
from bellwire.errors import Unreachable
from bellwire.model import CarrierAccount, Dlr, Outcome, Verdict

#: Gets what a job's call brought, in the loop's thread.
Ended = Callable[[Sequence[Outcome] | Exception], None]


class Sessions:
    """The loop and the calls under way in it. `arrived` gets the receipts that carriers announce; a call may take `limit_s`."""

    def __init__(self, *, arrived: Callable[[CarrierAccount, UUID, Dlr], None], limit_s: float) -> None:
        self._arrived, self._limit_s = arrived, limit_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, job: Job, ended: Ended) -> None:
        """Begin a job's call; `ended` is called once, unless `close` comes first."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._run, args=(self._loop,), name="sessions", daemon=True).start()
        self._loop.call_soon_threadsafe(self._begin, self._loop, job, ended)

    def close(self) -> None:
        """Cut the calls under way and end the thread."""
        if self._loop is None or self._loop.is_closed():
            return
        done = asyncio.run_coroutine_threadsafe(self._down(), self._loop)
        try:
            done.result(5)
        except TimeoutError:  # a carrier that can't be cut goes with the process: the thread is a daemon
            return
        self._loop.call_soon_threadsafe(self._loop.stop)

    # -- inside the loop ----------------------------------------------------------------------------------------

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()
        loop.close()

    def _begin(self, loop: asyncio.AbstractEventLoop, job: Job, ended: Ended) -> None:
        task = loop.create_task(self._do(loop, job, ended))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(self, loop: asyncio.AbstractEventLoop, job: Job, ended: Ended) -> None:
        send, plan = job.carrier.send, job.carrier.plan
        if send is None:
            ended(Unreachable(f"{job.carrier.name} has no send"))
            return
        announced: dict[UUID, list[asyncio.TimerHandle]] = {}
        try:
            for message in job.messages:
                announced[message.message_id] = [
                    loop.call_later(planned.after_s, self._arrived, job.account, message.message_id, planned.dlr)
                    for planned in (plan(message) if plan else ())
                ]
            outcomes = await asyncio.wait_for(send(job.messages, job.account), self._limit_s)
            for outcome in outcomes:
                if outcome.verdict is Verdict.REJECTED:  # what was not taken reaches nobody, and the next try announces again
                    for receipt in announced.get(outcome.message_id, ()):
                        receipt.cancel()
            ended(outcomes)
        except Exception as e:  # the worker's loop: a carrier's bug must not lose its message
            ended(e)

    async def _down(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
