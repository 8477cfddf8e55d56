"""PostgreSQL's plans when its statistics are of another time: what an order's way executes goes through nothing that grows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.errors import ErrorClass
from bellwire.model import Dlr, Status
from bellwire.plugins import Plugins
from bellwire.store import deadlines, events, messages, pending, schema
from bellwire.store.schema import STATUS_CODES
from plans import gone_through, watched
from standins.line import Answer, Line, accepted, says
from standins.world import World, number, order

pytestmark = pytest.mark.postgres

ROWS = 8_000  # of each table, that no statistics know of
MOST = 1_000  # rows that a statement may look at: a batch's, and what is about them


@pytest.fixture
def world(postgres_url: str, loaded: Plugins, line: Line) -> Iterator[World]:
    world = World(postgres_url, plugins=loaded, carriers=[line.carrier])
    yield world
    world.close()


@pytest.mark.parametrize("analyzed", [False, True], ids=["never counted", "counted while nothing waited"])
def test_no_statement_of_an_orders_way_reads_what_grows(world: World, line: Line, analyzed: bool) -> None:
    account, shop = world.account("line"), world.installation()
    world.template()
    world.trigger("fulfillment.shipped", delay_s=3_600, cap={"count": 5, "window_s": 3_600})
    world.credit("1000")
    with watched(world.engine.store.engine) as seen:
        _sends(world, account)
        if analyzed:
            with world.engine.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(sa.text("ANALYZE"))
        for some in (range(40), range(40, 41)):
            world.take(shop, *(order(place, phone=number(place)) for place in some))
        world.take(shop, order(1, id="again"), order(id="off", type="order.cancelled", cancels=["order/1"]))
        world.clock.forward(hours=2)
        line.answer = _once(says(ErrorClass.THROTTLED))
        pump = world.pump()
        world.wait_for(sent=59 + 40, delivered=1, canceled=2)
        _expires(world)
        pump.drain(5)
        for take in (pending.take, deadlines.take):
            world.engine.write(lambda c, take=take: take(c, world.clock(), world.clock(), 10))
        with world.engine.store.for_tenant(world.tenant_id).reading() as connection:
            messages.listed(connection, world.engine.vault, limit=20)
            events.listed(connection, limit=20)
    world.send_many(20, first=500)
    _are_being_sent(world, 10, pump.worker_id)
    names = {one.name.removeprefix("store.") for one in seen}
    of_pump = {"dispatch.due", "dispatch.start", "dispatch.record", "dispatch.give_back", "dispatch.settle", "texted._counted"}
    assert of_pump | {"receipts.parked_matches", "intake._canceled", "pending.take", "workers.orphans"} <= names
    most = gone_through(world.engine.store.engine, seen, ROWS)
    # receipts for nobody's messages are few in life, and are all looked at
    found = {text: rows for text, rows in most.items() if rows > MOST and "receipts.parked_matches" not in text}
    assert found == {}


def _once(answer: Answer) -> Answer:
    """So once, and then accepted."""
    left = [answer]
    return lambda message, account: (left.pop() if left else accepted)(message, account)


def _expires(world: World) -> None:
    """A text whose time is over before it is claimed."""
    late = world.send(expires_in_s=60, send_at=world.clock() + timedelta(seconds=50))
    world.clock.forward(seconds=200)
    world.wait(late, Status.EXPIRED)


def _are_being_sent(world: World, count: int, owner: UUID) -> None:
    """Some that wait are in a worker's hands: of these, too, there are many."""
    m = schema.messages
    some = sa.select(m.c.id).where(m.c.status == STATUS_CODES[Status.QUEUED]).limit(count)
    sending = sa.update(m).where(m.c.id.in_(some)).values(status=STATUS_CODES[Status.SENDING], owner=owner)
    assert world.engine.write(lambda c: c.execute(sending).rowcount) == count


def _sends(world: World, account: UUID) -> None:
    """Sixty texts go out; receipts come early, late, and for nobody."""
    pump = world.pump()
    [first, *_] = world.send_many(60, first=100)
    world.wait_for(sent=60)
    for ref in ("nobody's", world.message(first).carrier_ref):
        world.receipt(account, Dlr(carrier_ref=ref, status=Status.DELIVERED, raw_status="ok"))
    world.wait(first, Status.DELIVERED)
    pump.drain(5)
