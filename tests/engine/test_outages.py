"""The database is full, gone, or cut in the middle of a commit: nothing half-written, nothing lost or doubled, no restart needed.
Promises C1 and C2.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.engine import sweep
from bellwire.engine.sending import SendRequest, send
from bellwire.errors import Conflict, StoreUnavailable
from bellwire.ids import new_id
from bellwire.model import Status
from bellwire.store import schema, workers
from bellwire.store.database import sqlite_path
from bellwire.store.idempotency import idempotency_key
from sqlalchemy import event
from standins.line import Line, accepted, when
from standins.world import ALICE, BOB, World, number, until


class Disk:
    """The SQLite file of a world may grow to `pages`; None: as far as it likes."""

    def __init__(self, world: World) -> None:
        self.pages: int | None = None
        self._engine = world.engine.store.engine
        event.listen(self._engine, "checkout", self._limit)

    def _limit(self, raw: sqlite3.Connection, _record: Any, _proxy: Any) -> None:
        raw.execute(f"PRAGMA max_page_count = {self.pages or 1_073_741_823}")

    def fill(self) -> None:
        """No page more."""
        with self._engine.connect() as connection:
            self.pages = int(connection.exec_driver_sql("PRAGMA page_count").scalar() or 0)


@pytest.fixture
def full_world(sqlite_url: str, loaded: Any, line: Line) -> Iterator[World]:
    world = World(sqlite_url, plugins=loaded, carriers=[line.carrier])
    yield world
    world.close()


def test_a_full_disk_refuses_what_is_new_and_keeps_what_it_took(full_world: World, line: Line) -> None:
    """C1: who got an id finds the text sent, exactly once; who got 503 finds nothing."""
    world = full_world
    disk = Disk(world)
    world.account("line")
    world.pump()
    taken: list[UUID] = []
    refused = 0
    for place in range(300):
        if place == 100:
            disk.fill()
        if place == 200:
            assert refused > 50, "the disk was full"
            disk.pages = None
        try:
            taken += world.send_many(1, first=place)
        except StoreUnavailable:
            refused += 1
    assert len(taken) + refused == 300
    assert len(taken) >= 195, "and it goes on by itself"
    world.wait_for(sent=len(taken))
    assert {row.id for row in world.messages()} == set(taken)
    assert line.times == dict.fromkeys(taken, 1)
    assert world.count(schema.attempts) == len(taken)
    with sqlite3.connect(str(sqlite_path(world.url))) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()


def test_answers_that_come_while_the_disk_is_full_are_kept(full_world: World, line: Line) -> None:
    world = full_world
    disk = Disk(world)
    gate = threading.Event()
    line.answer = when(gate)
    world.account("line")
    world.pump()
    ids = world.send_many(40)
    line.wait(40)
    disk.fill()
    gate.set()
    places = itertools.count(1_000)
    until(lambda: _refused(world, next(places)), "the disk is full")
    extra = world.statuses().total() - 40
    disk.pages = None
    world.wait_for(sent=40 + extra)
    assert all(line.times[made] == 1 for made in ids)
    assert world.statuses()["unknown"] == 0


@contextmanager
def cutting(world: World, every_s: float) -> Iterator[list[int]]:
    """Somebody ends all of our connections, again and again."""
    stop, cut = threading.Event(), [0]
    engine = sa.create_engine(sa.make_url(world.url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")

    def ended() -> None:
        statement = sa.text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'bellwire'"
        )
        while not stop.wait(every_s):
            with engine.connect() as connection:
                cut[0] += int(connection.execute(statement).scalar() or 0)

    thread = threading.Thread(target=ended)
    thread.start()
    try:
        yield cut
    finally:
        stop.set()
        thread.join()
        engine.dispose()


@pytest.fixture
def cut_world(postgres_url: str, loaded: Any, line: Line) -> Iterator[World]:
    world = World(postgres_url, plugins=loaded, carriers=[line.carrier])
    yield world
    world.close()


@pytest.mark.postgres
def test_cut_connections_lose_and_double_nothing(cut_world: World, line: Line) -> None:
    """C2 in small: every 70 ms all connections are ended, two workers, callers that repeat with their key."""
    world = cut_world
    world.account("line", prices={"default": "0.001"})
    world.credit("10")
    line.answer = _slowly
    world.pump()
    world.pump(engine=world.worker())
    taken: list[UUID] = []
    with cutting(world, 0.07) as cut:
        while len(taken) < 200 or cut[0] < 20:
            taken.append(_persistent(world, len(taken)))
    world.wait_for(sent=len(taken), within_s=30)
    assert {row.id for row in world.messages()} == set(taken)
    assert line.times == dict.fromkeys(taken, 1)
    left = 10_000_000 - 1_000 * len(taken)
    assert world.balance() == (left, left)


async def _slowly(message: Any, account: Any) -> Any:
    await asyncio.sleep(0.01)
    return accepted(message, account)


def _persistent(world: World, place: int) -> UUID:
    """What a caller does: the same request with the same key until it is answered."""
    key, ends = idempotency_key(f"key-{place}", "send", b"{}"), time.monotonic() + 10
    while True:
        try:
            [made] = send(world.engine, world.tenant_id, [SendRequest(to=number(place), body="Hello")], idempotency=key)
            assert isinstance(made, UUID)
            return made
        except (StoreUnavailable, Conflict):
            assert time.monotonic() < ends, "it never came back"


@pytest.mark.postgres
def test_a_stopped_process_that_holds_locks_stops_nobody(cut_world: World, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stood still in the middle of its cycle: its beat, a message and the balance are locked for as long as it sleeps."""
    monkeypatch.setattr(sweep, "DEAD_S", 1.2)
    world = cut_world
    other = world.tenant("other")
    world.account("line", prices={"default": "0.01"})
    world.account("line", of=other)
    world.credit("5")
    asleep = new_id()
    world.engine.write(lambda c: workers.register(c, asleep, "work", 1, "there", world.clock()))
    stuck = world.send(ALICE)
    m, b = schema.messages, schema.balances
    with world.engine.store.engine.connect() as frozen, frozen.begin():
        workers.beat(frozen, asleep, world.clock())
        frozen.execute(sa.select(m.c.id).where(m.c.id == stuck).with_for_update())
        frozen.execute(sa.select(b).where(b.c.tenant_id == world.tenant_id).with_for_update())
        world.pump()
        theirs = world.send(BOB, of=other)
        world.wait(theirs, Status.SENT)
        until(lambda: world.count(schema.workers) == 2)
        began = time.monotonic()
        places = itertools.count()
        while time.monotonic() - began < 3.0:
            made = world.send_many(1, first=next(places), of=other)[0]
            world.wait(made, Status.SENT, within_s=1.0)
        assert world.status(stuck) is Status.QUEUED
    world.wait(stuck, Status.SENT)
    until(lambda: world.count(schema.workers) == 1)


def test_the_pump_waits_for_a_database_that_is_gone(make_world: Callable[..., World], line: Line) -> None:
    """Not a single connection can be had for a while."""
    world = make_world()
    world.account("line")
    world.pump()
    world.wait(world.send(), Status.SENT)
    refusing = threading.Event()
    refused: Counter[str] = Counter()

    def no(*_: Any) -> None:
        if refusing.is_set():
            refused[threading.current_thread().name] += 1
            raise sa.exc.TimeoutError("no connection to be had")

    event.listen(world.engine.store.engine.pool, "checkout", no)
    refusing.set()
    with pytest.raises(StoreUnavailable):
        world.send(BOB)
    until(lambda: refused.total() - refused["MainThread"] >= 3, "the pump asks again and again")
    refusing.clear()
    made = until(lambda: _tried(world))
    world.wait(made, Status.SENT)
    assert set(line.times.values()) == {1}


def _refused(world: World, place: int) -> bool:
    try:
        world.send_many(1, first=place)
    except StoreUnavailable:
        return True
    return False


def _tried(world: World) -> UUID | None:
    try:
        return world.send(BOB)
    except StoreUnavailable:
        return None
