"""One account's trouble stays its own: a carrier that hangs, a queue that nobody empties, a plugin that is gone."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.engine.claiming import PER_ACCOUNT
from bellwire.engine.sweep import WALK
from bellwire.model import Status
from bellwire.store import dispatch, schema
from bellwire.store.database import reading
from sqlalchemy import event
from standins.line import Line, silence
from standins.world import World, order, until


def _pass(seconds: float) -> None:
    ends = time.monotonic() + seconds
    until(lambda: time.monotonic() > ends)


def multiply(world: World, message_ids: Sequence[UUID], count: int, **changes: Any) -> None:
    """So many more rows like each of these, straight in the database, with older ids. What they say can't be read: they are not
    to be sent. PostgreSQL's planner learns of them as it does of itself in real life; SQLite's goes by what it was told.
    """
    names = [column.name for column in schema.messages.columns if column.name != "id" and column.name not in changes]
    sqlite = world.engine.store.engine.dialect.name == "sqlite"
    ids, series = (
        (
            "CAST(X'0190' || randomblob(14) AS BLOB)",
            "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :count)",
        )
        if sqlite
        else ("('0190' || substr(gen_random_uuid()::text, 5))::uuid", "WITH s AS (SELECT generate_series(1, :count) AS n)")
    )
    into = ", ".join(["id", *changes, *names])
    values = ", ".join([ids, *(f":{name}" for name in changes), *names])
    statement = f"INSERT INTO messages ({into}) {series} SELECT {values} FROM messages, s WHERE id IN :ids"  # noqa: S608
    binds = [sa.bindparam(name, type_=schema.messages.c[name].type) for name in changes]
    text = sa.text(statement).bindparams(sa.bindparam("ids", type_=schema.messages.c.id.type, expanding=True), *binds)
    world.engine.write(lambda c: c.execute(text, {"ids": message_ids, "count": count, **changes}), wait_s=60)
    if not sqlite:
        world.engine.write(lambda c: c.execute(sa.text("ANALYZE")), wait_s=60)


@contextmanager
def statements(world: World) -> Iterator[list[tuple[str, Any, bool]]]:
    """What is executed meanwhile: statement, parameters, many."""
    seen: list[tuple[str, Any, bool]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        seen.append((statement, parameters, many))

    engine = world.engine.store.engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


@contextmanager
def commits(world: World) -> Iterator[Counter[str]]:
    """How many transactions are committed meanwhile."""
    seen: Counter[str] = Counter()

    def note(connection: Any) -> None:
        seen["commits"] += 1

    engine = world.engine.store.engine
    event.listen(engine, "commit", note)
    yield seen
    event.remove(engine, "commit", note)


def whole_tables(world: World, seen: list[tuple[str, Any, bool]]) -> set[str]:
    """The statements that read all of `messages`, or all of a tenant's."""
    guilty = set()
    with reading(world.engine.store.engine) as connection:
        for statement, parameters, many in {one[0]: one for one in seen}.values():
            words = statement.split(None, 1)[0].upper()
            if words not in ("SELECT", "UPDATE", "DELETE", "WITH") or "messages" not in statement:
                continue
            if many:
                parameters = parameters[0]
            if connection.dialect.name == "sqlite":
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                whole = ("SCAN messages", "SEARCH messages USING INDEX ix_messages_tenant (tenant_id=?)")
                if any(row.detail.startswith(whole) and "SCAN messages USING" not in row.detail for row in rows):
                    guilty.add(f"{statement}\n{[row.detail for row in rows]}")
            else:
                plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar()
                if any(node == ("Seq Scan", "messages") for node in _nodes(plan if isinstance(plan, list) else json.loads(plan))):
                    guilty.add(f"{statement}\n{plan}")
    return guilty


def _nodes(plan: Any) -> Iterator[tuple[str, str]]:
    if isinstance(plan, list):
        for one in plan:
            yield from _nodes(one)
    elif isinstance(plan, dict):
        if "Node Type" in plan:
            yield plan["Node Type"], plan.get("Relation Name", "")
        for value in plan.values():
            yield from _nodes(value)


def test_an_event_that_ends_something_reads_what_is_about_its_object(world: World) -> None:
    """20,000 texts of the tenant wait: deciding about one order, and ending it, reads none of them."""
    world.account("line")
    shop = world.installation()
    world.template()
    world.trigger("fulfillment.shipped", delay_s=3_600)
    multiply(world, world.send_many(200, first=5_000), 100)
    with statements(world) as seen:
        world.take(shop, order(1))
        world.take(shop, order(id="off", type="order.cancelled", cancels=["order/1"]))
    assert world.statuses()[Status.CANCELED] == 1
    assert len([one for one, *_ in seen if "subject" in one and "messages" in one]) >= 3
    assert whole_tables(world, seen) == set()


def test_a_hanging_carrier_leaves_the_others_their_room(make_world: Callable[..., World], line: Line) -> None:
    other = Line("other")
    line.answer = silence
    world = make_world(other)
    world.account("line")
    world.account("other")
    for n in range(2):
        world.send_many(PER_ACCOUNT, first=n * 1_000, carrier="line")
    world.pump(room=2 * PER_ACCOUNT)
    line.wait(PER_ACCOUNT)
    world.send_many(200, first=9_000, carrier="other")
    other.wait(200, within_s=10)
    world.wait_for(sent=200)
    assert len(line.sent) == PER_ACCOUNT, "one account never takes all of the room"


def test_a_pump_that_can_do_nothing_rests(make_world: Callable[..., World], line: Line) -> None:
    """More is due at a hanging account than it may have under way: that is no reason to turn in circles."""
    line.answer = silence
    world = make_world()
    world.account("line")
    world.send_many(PER_ACCOUNT + 50)
    world.pump(room=2 * PER_ACCOUNT)
    line.wait(PER_ACCOUNT)
    _pass(0.3)
    with commits(world) as seen:
        _pass(1.0)
    assert seen["commits"] <= 12, "beats and sweeps only"


def test_a_carrier_whose_plugin_is_gone_waits_quietly(make_world: Callable[..., World], line: Line) -> None:
    gone = Line("gone")
    world = make_world(gone)
    world.account("gone")
    made = world.send()
    world.plugins = replace(world.plugins, carriers={name: one for name, one in world.plugins.carriers.items() if name != "gone"})
    engine = world.worker()
    world.pump(engine=engine)
    _pass(0.3)
    with commits(replace_engine(world, engine)) as seen:
        _pass(1.0)
    assert seen["commits"] <= 12
    assert world.status(made) is Status.QUEUED
    world.clock.forward(hours=25)
    world.wait(made, Status.EXPIRED)


def replace_engine(world: World, engine: Any) -> Any:
    class _Of:
        pass

    of = _Of()
    of.engine = engine  # type: ignore[attr-defined]
    return of


@pytest.mark.parametrize("backup", [False, True], ids=["nowhere to go", "with a backup"])
def test_a_long_queue_of_a_blocked_account_costs_the_others_nothing(
    make_world: Callable[..., World], line: Line, backup: bool
) -> None:
    """20,000 wait for a paused account, as many are done: no statement of the pump reads them all."""
    other = Line("other")
    world = make_world(other)
    blocked, open_ = world.account("line"), world.account("other")
    if backup:
        world.policy(primary=[blocked], backup=[open_])
    made = world.send_many(200, first=5_000, carrier="" if backup else "line")
    multiply(world, made, 100)
    multiply(world, made, 100, status=schema.STATUS_CODES[Status.SENT])
    world.set_account(blocked, status="paused")
    with statements(world) as seen:
        pump = world.pump()
        world.send_many(100, first=50, carrier="other")
        if backup:
            m = schema.messages.c
            moved = sa.select(sa.func.count().label("n")).where(m.account_id == open_, sa.text("status < 2"))
            until(lambda: world.one(moved).n > 3 * WALK, "batch after batch moves on, without waiting a second for each")
        else:
            other.wait(100)
            _pass(2.5)
    pump.drain(2)
    assert whole_tables(world, seen) == set()
    if not backup:
        looked = [
            parameters for statement, parameters, _ in seen if "ORDER BY messages.lane, messages.due, messages.id" in statement
        ]
        assert 1 <= len(looked) <= 4, "once a second, WALK rows each"


def test_walking_a_blocked_queue_comes_round(world: World) -> None:
    account = world.account("line")
    ids = set(world.send_many(25))
    now = world.clock()
    seen: list[UUID] = []
    place = None
    while True:
        with reading(world.engine.store.engine) as connection:
            rows = dispatch.stranded(connection, account, now, place, 10)
        seen += [row.id for row in rows]
        if len(rows) < 10:
            break
        place = (rows[-1].lane, rows[-1].due, rows[-1].id)
    assert len(seen) == 25
    assert set(seen) == ids


def test_tenants_take_turns(make_world: Callable[..., World], line: Line) -> None:
    """A13: who asks for little does not wait behind who asks for much."""
    world = make_world()
    other = world.tenant("other")
    big, small = world.account("line"), world.account("line", of=other)
    world.send_many(600)
    world.pump(room=8)
    line.wait(20)
    world.send_many(10, of=other)
    before = len(line.sent)
    until(lambda: Counter(one.account_id for one in line.sent)[small] == 10, within_s=10)
    counts = Counter(one.account_id for one in line.sent[before:])
    assert counts[big] <= 120, "not after all 600"
    world.wait_for(sent=610)
