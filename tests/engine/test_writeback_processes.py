"""Write-backs of many installations by many processes: nobody starves, no object in two hands, nothing lost with a process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire.engine.crew import Crew
from bellwire.errors import (
    PlatformUnreachable,
)
from bellwire.ids import show
from bellwire.model import Status
from bellwire.store import schema
from bellwire.store.schema import JOB_DONE, JOB_FAILED, JOB_QUEUED, JOB_WORKING
from standins.desk import Desk, Platform, connector
from standins.shift import Shift


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def desk(database_url: str, platform: Platform) -> Iterator[Desk]:
    desk = Desk(database_url, connector(platform))
    yield desk
    desk.close()


@pytest.fixture
def shift(desk: Desk) -> Shift:
    return Shift(desk)


# -- fairness -------------------------------------------------------------------------------------------------------


def test_a_platform_that_hangs_takes_no_more_than_its_share(desk: Desk, platform: Platform) -> None:
    gate, entered = threading.Event(), threading.Semaphore(0)

    def hang(changes: Any, link: Any) -> None:
        entered.release()
        gate.wait(30)

    both = Desk(
        desk.url,
        connector(platform),
        connector(platform, name="slow", write_back=hang),
        clock=desk.clock,
        tenant_id=desk.tenant_id,
    )
    hanging = [both.installation("slow") for _ in range(6)]
    good = both.installation()
    for shop in [*hanging * 10, *[good] * 30]:
        message = both.message()
        both.status(shop, message, Status.DELIVERED, subject=f"order/{message}")
    shift = Shift(both)
    try:
        for _ in range(200):
            both.clock.advance(0.5)
            shift.presence.step()
            shift.crew.bell.clear()
            if not shift.crew.step():
                shift.crew.bell.wait(0.05)
            if len(platform.changes) == 30:
                break
        assert len(platform.changes) == 30, "the good one is served while the others hang"
        assert entered.acquire(timeout=5)
    finally:
        gate.set()
        shift.look()
        both.close()


def test_a_full_store_of_one_installation_does_not_delay_another(desk: Desk, platform: Platform, shift: Shift) -> None:
    busy, small = desk.installation(), desk.installation()
    desk.moved(*(desk.delivered(busy, message) for message in desk.messages(300)))
    last = desk.message()
    desk.status(small, last, Status.DELIVERED, subject="order/last")
    shift.look()
    order = [change.message_id for change in platform.changes]
    assert len(order) == 301
    assert order.index(show("msg", last)) < 60


# -- many processes -------------------------------------------------------------------------------------------------


def test_two_processes_never_have_one_object_in_hand_together(desk: Desk, platform: Platform) -> None:
    shop, lock = desk.installation(write_back="all"), threading.Lock()
    in_hand: set[str] = set()
    together: list[str] = []

    def write_back(changes: Any, link: Any) -> None:
        subject = changes[0].subject
        with lock:
            if subject in in_hand:
                together.append(subject)
            in_hand.add(subject)
        threading.Event().wait(0.003)
        with lock:
            in_hand.discard(subject)
            platform.calls.append(("status", changes))

    slow = connector(platform, write_back=write_back)
    desks = [Desk(desk.url, slow, clock=desk.clock, tenant_id=desk.tenant_id) for _ in range(2)]
    shifts = [Shift(one) for one in desks]
    stop = threading.Event()

    def work(shift: Shift) -> None:
        while not stop.is_set():
            shift.crew.bell.clear()
            if not shift.crew.step():
                shift.crew.bell.wait(0.002)

    for shift in shifts:
        shift.presence.step()
    threads = [threading.Thread(target=work, args=(shift,)) for shift in shifts]
    for thread in threads:
        thread.start()
    messages = desk.messages(60, Status.SENT)
    for message in messages:
        for status in (Status.QUEUED, Status.SENT):
            desk.status(shop, message, status, subject=f"order/{message.int % 4}")
    for _ in range(2_000):
        desk.clock.advance(0.5)  # objects in hand are looked at again after half a second
        for shift in shifts:
            shift.presence.step()
        if desk.states() == {JOB_DONE: 120}:
            break
        threading.Event().wait(0.01)
    stop.set()
    for thread in threads:
        thread.join(20)
    for shift in shifts:
        shift.crew.drain(5)
    for one in desks:
        one.close()
    assert together == []
    assert desk.states() == {JOB_DONE: 120}
    last = {change.message_id: change.status for change in platform.changes}
    assert last == {show("msg", message): Status.SENT for message in messages}


def test_a_job_whose_process_died_is_done_by_another(desk: Desk, platform: Platform, shift: Shift) -> None:
    desk.status(desk.installation(), desk.message(), Status.DELIVERED)
    gone, gate, entered = desk.again(), threading.Event(), threading.Event()

    def die(_: str) -> None:
        entered.set()
        gate.wait(30)
        raise PlatformUnreachable("the process is gone")

    platform.behave = die
    dying = Shift(gone)
    dying.presence.step()
    assert dying.crew.step() == 1
    assert entered.wait(10)
    assert desk.states() == {JOB_WORKING: 1}
    platform.behave = lambda _: None
    for _ in range(4):
        desk.clock.advance(1)
        shift.look()
    assert desk.states() == {JOB_WORKING: 1}, "it may still live"
    for _ in range(3):
        desk.clock.advance(1)
        shift.look()
    assert desk.states() == {JOB_DONE: 1}
    assert len(platform.calls) == 1
    # the dead one wakes: what it did is not recorded over the other's
    gate.set()
    dying.crew.drain(5)
    assert desk.states() == {JOB_DONE: 1}
    gone.close()


def test_a_process_that_stood_still_begins_nothing_it_took_before(desk: Desk, platform: Platform) -> None:
    shift = Shift(desk, threads=1)
    gate, entered = threading.Event(), threading.Event()

    def behave(_: str) -> None:
        entered.set()
        gate.wait(30)

    shop = desk.installation()
    desk.status(shop, desk.message(), Status.DELIVERED, subject="order/0")
    shift.look()  # known as good from now on
    platform.behave = behave
    for place in range(1, 4):
        desk.status(shop, desk.message(), Status.DELIVERED, subject=f"order/{place}")
    shift.presence.step()
    assert shift.crew.step() == 3
    assert entered.wait(10)
    desk.clock.advance(10)  # suspended; others may have taken over
    gate.set()
    shift.look()
    assert len({change.message_id for change in platform.changes}) == len(platform.changes) == 4
    assert desk.states() == {JOB_DONE: 4}


def test_draining_finishes_what_runs_and_gives_back_the_rest(desk: Desk, platform: Platform) -> None:
    shift = Shift(desk, threads=1)
    gate, entered = threading.Event(), threading.Event()
    shop = desk.installation()
    desk.status(shop, desk.message(), Status.DELIVERED, subject="order/0")
    shift.look()

    def behave(_: str) -> None:
        entered.set()
        gate.wait(30)

    platform.behave = behave
    for place in range(1, 6):
        desk.status(shop, desk.message(), Status.DELIVERED, subject=f"order/{place}")
    shift.presence.step()
    shift.crew.step()
    assert entered.wait(10)
    threading.Timer(0.1, gate.set).start()
    assert shift.crew.drain(10)
    assert desk.states() == {JOB_DONE: 2, JOB_QUEUED: 4}
    assert {row.owner for row in desk.write_backs()} == {None}
    shift.presence.leave()
    assert desk.all(sa.select(schema.workers.c.id)) == []


def test_a_commit_that_came_to_nothing_is_made_good(desk: Desk, platform: Platform, shift: Shift) -> None:
    """The claim is stored, but this process was told that it was not."""
    desk.status(desk.installation(), desk.message(), Status.DELIVERED)
    shift.presence.step()
    owner = shift.presence.id
    w = schema.write_backs
    desk.engine.write(lambda c: c.execute(sa.update(w).values(status=JOB_WORKING, owner=owner)))
    shift.crew._doubt = True
    shift.look()
    assert desk.states() == {JOB_DONE: 1}


def test_a_crew_without_a_living_worker_row_takes_nothing(desk: Desk, platform: Platform) -> None:
    desk.status(desk.installation(), desk.message(), Status.DELIVERED)
    shift = Shift(desk)
    crew: Crew = shift.crew
    assert crew.step() == 0
    shift.presence.step()
    desk.clock.advance(4)  # its last beat is too old
    assert crew.step() == 0
    shift.presence.step()
    assert crew.step() == 1
    crew.drain(5)


def test_an_unreadable_value_fails_its_job_only(desk: Desk, platform: Platform, shift: Shift) -> None:
    shop, bad, good = desk.installation(write_back_text=True), desk.message(), desk.message()
    desk.engine.write(lambda c: c.execute(sa.update(schema.messages).where(schema.messages.c.id == bad).values(text=b"\x01" * 40)))
    desk.status(shop, bad, Status.DELIVERED, subject="order/1")
    desk.status(shop, good, Status.DELIVERED, subject="order/2")
    shift.look()
    assert [change.message_id for change in platform.changes] == [show("msg", good)]
    [error] = [row.error for row in desk.write_backs() if row.status == JOB_FAILED]
    assert error.startswith("DecryptionFailed: messages.text")


def test_a_connector_that_is_not_loaded_here_leaves_the_job_waiting(desk: Desk) -> None:
    other = Desk(desk.url, connector(Platform(), name="other"), clock=desk.clock, tenant_id=desk.tenant_id)
    shop = other.installation("other")
    other.status(shop, other.message(), Status.DELIVERED)
    Shift(desk).look()
    [row] = desk.write_backs()
    assert (row.status, row.error) == (JOB_QUEUED, "the connector other is not loaded")
    other.close()
