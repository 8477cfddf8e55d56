"""The loops beside the pump: woken, timed, outliving bugs, drained in order; and all jobs done with nobody looking after them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire.engine.followups import Change
from bellwire.engine.jobs import Jobs, Loop
from bellwire.engine.process import loops
from bellwire.errors import StoreUnavailable
from bellwire.model import Event, Link, Status
from bellwire.store import endpoints, schema
from bellwire.store.schema import JOB_DONE, JOB_WORKING
from standins.desk import Desk, Platform, connector
from standins.dying import die_writing
from standins.receiver import Receiver
from standins.shift import Shift


def until(found: Callable[[], Any], within_s: float = 20.0) -> None:
    ends = time.monotonic() + within_s
    while not found():
        assert time.monotonic() < ends
        threading.Event().wait(0.01)


# -- loops ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    desk = Desk(database_url, connector(Platform()))
    yield desk
    desk.close()


@pytest.fixture
def started(desk: Desk) -> Iterator[Callable[..., Jobs]]:
    made: list[Jobs] = []

    def start(*some: Loop) -> Jobs:
        jobs = Jobs(desk.engine, some)
        jobs.start()
        made.append(jobs)
        return jobs

    yield start
    for jobs in made:
        jobs.drain(5)


class Counted:
    def __init__(self, *answers: int | Exception) -> None:
        self.calls, self._answers = 0, list(answers)

    def __call__(self) -> int:
        self.calls += 1
        answer = self._answers.pop(0) if self._answers else 0
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_step_that_did_something_is_called_again_at_once(started: Callable[..., Jobs]) -> None:
    step = Counted(3, 1, 0)
    started(Loop("busy", 60.0, step))
    until(lambda: step.calls == 3)


def test_a_commit_wakes_the_loops_that_are_not_timed(desk: Desk, started: Callable[..., Jobs]) -> None:
    woken, timed = Counted(), Counted()
    started(Loop("woken", 60.0, woken), Loop("timed", 60.0, timed, timed=True))
    until(lambda: woken.calls == timed.calls == 1)
    desk.engine.wake_jobs()
    until(lambda: woken.calls == 2)
    assert timed.calls == 1


def test_a_loops_own_bell_wakes_it_alone(started: Callable[..., Jobs]) -> None:
    bell, one, other = threading.Event(), Counted(), Counted()
    started(Loop("one", 60.0, one, wake=bell), Loop("other", 60.0, other))
    until(lambda: one.calls == other.calls == 1)
    bell.set()
    until(lambda: one.calls == 2)
    assert other.calls == 1


def test_a_loop_outlives_its_bugs_and_the_database(started: Callable[..., Jobs]) -> None:
    step = Counted(ValueError("a bug"), StoreUnavailable("down"), 0)
    started(Loop("odd", 60.0, step))
    until(lambda: step.calls == 3)


def test_what_steps_began_is_drained_after_the_loops_the_last_first(started: Callable[..., Jobs]) -> None:
    said: list[str] = []

    def drain(name: str, error: Exception | None = None) -> Callable[[float], bool]:
        def run(wait_s: float) -> bool:
            said.append(name)
            if error is not None:
                raise error
            return wait_s > 0

        return run

    jobs = started(
        Loop("presence", 60.0, Counted(), drain=drain("presence")),
        Loop("broken", 60.0, Counted(), drain=drain("broken", ValueError("a bug"))),
        Loop("plain", 60.0, Counted()),
        Loop("crew", 60.0, Counted(), drain=drain("crew")),
    )
    assert not jobs.drain(5), "one could not be drained"
    assert said == ["crew", "broken", "presence"]


# -- all of them ----------------------------------------------------------------------------------------------------


def test_with_the_loops_running_everything_is_done_and_nothing_left(database_url: str) -> None:
    platform, asked = Platform(), threading.Event()

    def look(link: Link, since: Any) -> Sequence[Event]:
        asked.set()
        return []

    desk = Desk(database_url, connector(platform, reconcile=look))
    with Receiver() as receiver:
        shop, now = desk.installation(), desk.clock.now()
        desk.change(
            lambda c: endpoints.create(c, desk.engine.vault, url=receiver.url, types=["message.delivered"], actor="key", now=now)
        )
        jobs = Jobs(desk.engine, loops(desk.engine))
        jobs.start()
        messages = desk.messages(100)
        for message in messages:
            change = Change(
                message_id=message, status=Status.DELIVERED, at=now, installation_id=shop, subject=f"order/{message.hex}"
            )
            desk.moved(change)
            desk.engine.notify([(desk.tenant_id, change)])
        until(lambda: len(platform.changes) == 100 and len(receiver.received) == 100 and asked.is_set())
        until(lambda: {row.status for row in [*desk.write_backs(), *desk.callbacks()]} == {JOB_DONE})
        assert jobs.drain(20)
    assert len({change.message_id for change in platform.changes}) == len(platform.changes)
    assert desk.all(sa.select(schema.workers.c.id)) == []
    desk.close()


# -- kill -9 --------------------------------------------------------------------------------------------------------


def test_a_job_whose_process_was_killed_is_done_by_another(desk: Desk) -> None:
    spawn = multiprocessing.get_context("spawn")
    entered = spawn.Event()
    message = desk.message()
    desk.status(desk.installation(), message, Status.DELIVERED)
    dying = spawn.Process(target=die_writing, args=(desk.url, desk.tenant_id, entered))
    dying.start()
    try:
        assert entered.wait(30)
    finally:
        os.kill(dying.pid or 0, signal.SIGKILL)
        dying.join(10)
        dying.close()
    [row] = desk.write_backs()
    assert row.status == JOB_WORKING
    platform = Platform()
    other = Desk(desk.url, connector(platform), clock=desk.clock, tenant_id=desk.tenant_id)
    shift = Shift(other)
    for _ in range(8):
        other.clock.advance(1)
        shift.look()
    assert len(platform.changes) == 1
    [row] = desk.write_backs()
    assert (row.status, row.owner) == (JOB_DONE, None)
    other.close()
