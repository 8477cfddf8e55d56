"""Workers that die, stand still, are called dead, see the clock jump, or are asked to stop. Promises B8, B9, B10."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.engine import sweep
from bellwire.engine.calls import Job
from bellwire.engine.pump import look_after_s
from bellwire.engine.runtime import LOOKS_AGAIN
from bellwire.engine.sender import Sender
from bellwire.engine.sweep import DEAD_S, Watch
from bellwire.errors import ErrorClass
from bellwire.ids import new_id
from bellwire.model import CarrierAccount, Dlr, Encoding, Msisdn, Outgoing, Purpose, Status
from bellwire.store import schema, workers
from bellwire.store.schema import STATUS_CODES
from standins.line import Line, accepted, says, when
from standins.world import ALICE, BOB, World, until

A, B = UUID(int=1), UUID(int=2)


# -- how often one looks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "quiet_s", "wait_s"),
    [
        ("postgresql", 0.0, 0.02),
        ("postgresql", 0.5, 0.05),
        ("postgresql", 3_600.0, 0.1),
        ("sqlite", 0.0, 0.25),
        ("sqlite", 60.0, 0.25),
    ],
)
def test_who_has_nothing_to_do_looks_less_often(dialect: str, quiet_s: float, wait_s: float) -> None:
    assert look_after_s(dialect, quiet_s) == wait_s
    assert wait_s <= LOOKS_AGAIN.total_seconds(), "what is due later than that wakes nobody"


# -- who is dead ----------------------------------------------------------------------------------------------------


def test_a_worker_is_dead_when_its_beat_stood_still_for_five_seconds() -> None:
    watch = Watch()
    assert watch.dead({A: 1, B: 1}, 100.0) == []
    for second in range(1, 5):
        assert watch.dead({A: 1, B: 1 + second}, 100.0 + second) == []
    assert watch.dead({A: 1, B: 6}, 100.0 + DEAD_S) == [A]
    assert watch.dead({A: 1, B: 7}, 101.0 + DEAD_S) == [A], "again and again, until it is gone"
    assert watch.dead({B: 8}, 102.0 + DEAD_S) == []


def test_who_stood_still_itself_judges_nobody_by_that_time() -> None:
    watch = Watch()
    watch.dead({A: 1}, 100.0)
    assert watch.dead({A: 1}, 160.0) == [], "a minute in which nobody here looked"
    for second in range(1, 5):
        assert watch.dead({A: 1}, 160.0 + second) == []
    assert watch.dead({A: 1}, 160.0 + DEAD_S) == [A]


def test_what_a_dead_worker_was_sending_is_unknown_and_never_sent_again(
    world: World, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "DEAD_S", 1.2)
    account, dead = world.account("line"), new_id()
    lost, waiting = world.send(ALICE), world.send(BOB)
    m = schema.messages.c

    def claim(connection: sa.Connection) -> None:
        workers.register(connection, dead, "serve", 1, "here", world.clock())
        values = {"status": 2, "owner": dead, "epoch": 1, "attempts": 1}
        connection.execute(sa.update(schema.messages).where(m.id == lost).values(**values))

    world.engine.write(claim)
    world.pump()
    world.wait(waiting, Status.SENT)
    assert world.status(lost) is Status.SENDING, "it may be alive still"
    world.wait(lost, Status.UNKNOWN)
    assert [(one.outcome, one.number) for one in world.attempts(lost)] == [("lost", 1)]
    assert line.times == {waiting: 1}
    world.send(body="one more", to="+998901234569")
    line.wait(2)
    assert (world.status(lost), line.times[lost]) == (Status.UNKNOWN, 0)
    world.receipt(account, Dlr(carrier_ref="theirs", status=Status.DELIVERED, raw_status="delivered"), message_id=lost)
    world.wait(lost, Status.DELIVERED)


def test_a_claim_that_commits_after_its_worker_was_called_dead_is_found(world: World) -> None:
    world.account("line")
    world.pump()
    world.wait(world.send(BOB), Status.SENT)
    m = schema.messages.c
    late = world.send(ALICE, send_at=world.clock() + timedelta(hours=1))
    values = {"status": 2, "owner": new_id(), "epoch": 1, "attempts": 1}
    world.engine.write(lambda c: c.execute(sa.update(schema.messages).where(m.id == late).values(**values)))
    world.wait(late, Status.UNKNOWN)


def test_only_what_is_still_under_way_waits_again_or_is_in_doubt(world: World) -> None:
    """A receipt may have settled it, or somebody else may have it: neither is sent a second time."""
    world.account("line")
    ids, m, mine, other = world.send_many(5), schema.messages, new_id(), new_id()

    def put(place: int, status: Status, owner: UUID | None) -> None:
        values = {"status": STATUS_CODES[status], "owner": owner, "attempts": 1}
        world.engine.write(lambda c: c.execute(sa.update(m).where(m.c.id == ids[place]).values(**values)))

    def found() -> list[Status]:
        return [world.status(one) for one in ids]

    put(0, Status.SENDING, mine)
    put(1, Status.SENDING, mine)
    put(2, Status.SENDING, other)
    put(3, Status.DELIVERED, mine)
    put(4, Status.SENT, mine)
    settled = [Status.DELIVERED, Status.SENT]
    waits = world.engine.write(lambda c: workers.reclaim(c, mine, {ids[1]}, world.clock()))
    assert [row.id for row in waits] == [ids[0]]
    assert found() == [Status.QUEUED, Status.SENDING, Status.SENDING, *settled]
    waits = world.engine.write(lambda c: workers.let_wait(c, ids, world.clock(), owner=mine))
    assert [row.id for row in waits] == [ids[1]]
    assert found() == [Status.QUEUED, Status.QUEUED, Status.SENDING, *settled]
    row = world.message(ids[1])
    assert (row.owner, row.attempts) == (None, 0)
    world.engine.write(lambda c: workers.doubt(c, ids, world.clock()))
    assert found() == [Status.QUEUED, Status.QUEUED, Status.UNKNOWN, *settled]


ENDS = [
    ("accepted: it is sent", accepted, Status.SENT),
    ("refused for good: it failed", says(ErrorClass.INVALID_NUMBER), Status.FAILED),
    ("try later: it goes nowhere by itself any more", says(ErrorClass.THROTTLED), Status.FAILED),
    ("nobody knows: unknown", says(ErrorClass.AMBIGUOUS), Status.UNKNOWN),
]


@pytest.mark.parametrize(("label", "answer", "becomes"), ENDS, ids=[row[0] for row in ENDS])
def test_one_called_dead_comes_back_under_a_new_id_and_its_answers_count(
    world: World, line: Line, label: str, answer: Any, becomes: Status
) -> None:
    gate = threading.Event()
    line.answer = when(gate, answer)
    world.account("line")
    pump = world.pump()
    made = world.send()
    line.wait(1)
    before = pump.worker_id
    assert world.engine.write(lambda c: workers.remove(c, before))
    world.wait(made, Status.UNKNOWN)
    until(lambda: pump.worker_id != before)
    gate.set()
    until(lambda: any(one.outcome != "lost" for one in world.attempts(made)), "its answer is recorded")
    until(lambda: world.status(made) is becomes)
    line.answer = accepted
    other = world.send(BOB)
    assert world.wait(other, Status.SENT).owner == pump.worker_id
    assert line.times == {made: 1, other: 1}


def test_the_jobs_of_one_called_dead_are_not_begun(line: Line) -> None:
    """Its lease is that of its id: a call that had not begun comes back."""
    lives = new_id()
    sender = Sender(
        allow_private=True,
        now=lambda: datetime.now(UTC),
        wake=lambda: None,
        lease=lambda owner: time.monotonic() + 60 if owner == lives else 0.0,
        receipt=lambda _: None,
    )
    try:
        sender.start([_job(line, owner=new_id()), _job(line, owner=lives)])
        ended = []
        until(lambda: ended.extend(sender.collect()) or len(ended) == 2)
        assert sorted((one.job.owner == lives, one.never_started) for one in ended) == [(False, True), (True, False)]
        assert len(line.sent) == 1
    finally:
        sender.close()


# -- asked to stop --------------------------------------------------------------------------------------------------


def _job(line: Line, *, owner: UUID, in_s: float = 0.0) -> Job:
    message = Outgoing(
        message_id=new_id(),
        ref="msg_x",
        msisdn=Msisdn(ALICE),
        text="Hello",
        encoding=Encoding.GSM7,
        segments=1,
        sender_id="",
        purpose=Purpose.TRANSACTIONAL,
        validity_s=60,
    )
    account = CarrierAccount(id=new_id(), tenant_id=new_id(), carrier="line")
    return Job(carrier=line.carrier, account=account, messages=(message,), claims=(), owner=owner, start_at=time.monotonic() + in_s)


def test_calls_that_were_not_begun_come_back_at_the_stop(line: Line) -> None:
    sender = Sender(
        allow_private=True,
        now=lambda: datetime.now(UTC),
        wake=lambda: None,
        lease=lambda _: time.monotonic() + 60,
        receipt=lambda _: None,
    )
    try:
        sender.start([_job(line, owner=A), _job(line, owner=A, in_s=0.2)])
        line.wait(1)
        sender.stop_starting()
        ended = []
        until(lambda: ended.extend(sender.collect()) or len(ended) == 2)
        assert sorted(one.never_started for one in ended) == [False, True]
        assert len(line.sent) == 1
    finally:
        sender.close()


def test_restarts_under_load_leave_nothing_in_doubt(world: World, line: Line) -> None:
    """B10: ten stops in the middle of 300 texts: each goes once, nothing is unknown, nothing waits for a worker that is gone."""
    world.account("line", rate=400, burst=50, prices={"default": "0.001"})
    world.credit("1")

    async def answer(message: Any, account: Any) -> Any:
        await asyncio.sleep(0.02)
        return accepted(message, account)

    line.answer = answer
    ids = world.send_many(300)
    for restart in range(10):
        pump = world.pump()
        line.wait(min(300, (restart + 1) * 25))
        assert pump.drain(5), "everything under way was recorded"
        counts = world.statuses()
        assert counts["sending"] == counts["unknown"] == 0
        assert counts["sent"] == len(line.sent)
        assert world.count(schema.workers) == 0
    world.pump()
    world.wait_for(sent=300)
    assert set(line.times) == set(ids)
    assert set(line.times.values()) == {1}
    assert world.balance() == (700_000, 700_000)


def test_a_stop_waits_for_the_calls_under_way(world: World, line: Line) -> None:
    gate = threading.Event()
    line.answer = when(gate)
    world.account("line")
    pump = world.pump()
    made = world.send()
    line.wait(1)
    later = world.send(BOB, send_at=world.clock() + timedelta(hours=1))
    threading.Timer(0.4, gate.set).start()
    assert pump.drain(10)
    assert (world.status(made), world.status(later)) == (Status.SENT, Status.SCHEDULED)


def test_a_stop_that_takes_too_long_says_so_and_the_next_worker_finds_it(
    world: World, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "DEAD_S", 1.2)
    line.answer = when(threading.Event())
    world.account("line")
    first = world.pump()
    made = world.send()
    line.wait(1)
    assert not first.drain(0.3)
    world.pump(engine=world.worker())
    world.wait(made, Status.UNKNOWN)
    assert line.times == {made: 1}


# -- clocks ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def busy(world: World, line: Line) -> Iterator[tuple[World, list[UUID]]]:
    """Texts that keep coming while the clock is moved."""
    world.account("line")
    ids: list[UUID] = []
    stop = threading.Event()
    broken: list[BaseException] = []

    def ask() -> None:
        place = 0
        while not stop.wait(0.01):
            try:
                ids.append(world.send_many(1, first=place)[0])
            except BaseException as e:  # told below
                broken.append(e)
            place += 1

    thread = threading.Thread(target=ask)
    thread.start()
    yield world, ids
    stop.set()
    thread.join()
    assert broken == []


JUMPS = [
    ("an hour forward", timedelta(hours=1)),
    ("an hour back", timedelta(hours=-1)),
    ("a day forward", timedelta(days=1)),
    ("a day back", timedelta(days=-1)),
]


@pytest.mark.parametrize(("label", "jump"), JUMPS, ids=[row[0] for row in JUMPS])
def test_a_clock_that_jumps_stops_nothing_and_doubles_nothing(
    busy: tuple[World, list[UUID]], line: Line, label: str, jump: timedelta
) -> None:
    world, ids = busy
    pump = world.pump(room=4)
    name = pump.worker_id
    line.wait(10)
    world.clock.shift += jump
    seen = len(line.sent)
    line.wait(seen + 40, within_s=10)

    def settled() -> bool:
        waiting = set(ids[: seen + 20]) - set(line.times)
        # what was made just before a day went by is worth nothing any more
        return all(jump > timedelta(hours=12) and world.status(one) is Status.EXPIRED for one in waiting)

    until(settled, "those from before the jump do not wait for the old time", within_s=20)
    assert max(line.times.values()) == 1
    assert pump.worker_id == name, "nobody was called dead"
    assert world.statuses()["unknown"] == 0


def test_what_is_planned_goes_at_the_right_wall_time(world: World, line: Line) -> None:
    world.account("line")
    world.pump()
    at = world.clock() + timedelta(hours=3)
    made = world.send(send_at=at)
    world.clock.forward(hours=-2)
    until(lambda: world.one(sa.select(sa.func.count().label("n")).select_from(schema.workers)).n == 1)
    assert world.status(made) is Status.SCHEDULED
    assert world.message(made).due == at, "a planned time is a wall time"
    world.clock.forward(hours=4, minutes=59)
    assert world.status(made) is Status.SCHEDULED
    world.clock.forward(minutes=2)
    world.wait(made, Status.SENT)
    assert line.times == {made: 1}


def test_a_worker_without_work_beats(world: World) -> None:
    pump = world.pump()
    w = schema.workers.c
    until(lambda: [row.beat for row in world.all(sa.select(w.beat).where(w.id == pump.worker_id))] > [1])
