"""An event takes back what waits. What may have left already becomes `unknown`: sent no more, settled by its receipt."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.domain.status import CANCELABLE
from bellwire.engine import settling
from bellwire.engine.settling import Settlement
from bellwire.errors import Conflict, ErrorClass
from bellwire.model import Capability, ConsentState, Dlr, Event, Person, Status
from bellwire.plugins import Plugins
from bellwire.store import intake, schema
from bellwire.store.schema import STATUS_CODES, STATUS_OF
from standins.line import Answer, Line, accepted, says
from standins.world import ALICE, World, order, until

LATER_S = 3_600.0
ASKED_AGAIN: list[Answer] = [says(ErrorClass.AMBIGUOUS, retry_after_s=LATER_S)]

#: What its tries were told, the last of them so that it waits for another; what the cancel makes of it.
TRIED: list[tuple[str, list[Answer], Status]] = [
    ("never tried", [], Status.CANCELED),
    ("certainly not taken", [says(ErrorClass.THROTTLED, retry_after_s=LATER_S)], Status.CANCELED),
    ("asked for again by its reference", ASKED_AGAIN, Status.UNKNOWN),
    (
        "asked for again, and not taken that time",
        [says(ErrorClass.AMBIGUOUS, retry_after_s=0.0), says(ErrorClass.THROTTLED, retry_after_s=LATER_S)],
        Status.UNKNOWN,
    ),
]


@pytest.fixture
def sure() -> Line:
    """A carrier that knows our references: it is asked again after an attempt without an answer."""
    return Line("sure", Capability.IDEMPOTENT_BY_REFERENCE, Capability.DLR_URL)


@pytest.fixture
def shop(make_world: Callable[..., World], sure: Line) -> tuple[World, Any]:
    """A world whose shop texts about orders that were shipped."""
    world = make_world(sure)
    world.account("sure")
    made = world.installation()
    world.template()
    world.trigger("fulfillment.shipped")
    return world, made


def tried(world: World, sure: Line, answers: list[Answer], make: Callable[[], UUID]) -> UUID:
    """A message that waits after so many tries; nobody sends any more."""
    script = iter(answers)
    sure.answer = lambda message, account: next(script, accepted)(message, account)
    pump = world.pump() if answers else None
    made = make()
    if pump is not None:
        until(lambda: world.message(made).attempts == len(answers) and world.status(made) is Status.QUEUED)
        pump.drain(5.0)
    assert len(sure.sent) == len(answers)
    return made


def shipped(world: World, shop: Any) -> UUID:
    world.take(shop, order())
    [row] = world.messages()
    return row.id


def called_off() -> Event:
    return order(id="off", type="order.cancelled", cancels=["order/1"])


@pytest.mark.parametrize(("label", "answers", "becomes"), TRIED, ids=[row[0] for row in TRIED])
def test_an_event_takes_back_what_never_left(
    shop: tuple[World, Any], sure: Line, label: str, answers: list[Answer], becomes: Status
) -> None:
    world, installation = shop
    made = tried(world, sure, answers, lambda: shipped(world, installation))
    world.take(installation, called_off())
    row = world.message(made)
    assert world.status(made) is becomes
    assert row.notes[-1]["step"] == "canceled by order.cancelled"
    assert row.notes[-1]["outcome"] == str(becomes)
    assert ("detail" in row.notes[-1]) is (becomes is Status.UNKNOWN)
    w = schema.write_backs.c
    told = [one.value for one in world.all(sa.select(w.value).where(w.message_id == made).order_by(w.id))]
    assert told[-1] == str(becomes), "what the shop is told"
    world.clock.forward(seconds=2 * LATER_S)
    world.pump()
    until(lambda: world.count(schema.workers) > 0)
    assert len(sure.sent) == len(answers), "sent no more"


WAYS: list[tuple[str, Callable[[World, Any], Any]]] = [
    ("of an event", lambda world, _: of_events(world)),
    ("the app was taken out", lambda world, shop: run(world, intake.cancel_of_installation, shop)),
    ("the person was erased", lambda world, _: run(world, intake.cancel_of_contacts, [world.contact_id(ALICE)], None)),
    ("about the object", lambda world, shop: about(world, shop)),
]


def run(world: World, cancel: Callable[..., Any], *more: Any) -> Any:
    return world.engine.write(lambda c: cancel(c, world.tenant_id, *more, world.clock()))


def of_events(world: World) -> Any:
    [row] = world.messages()
    return world.engine.write(lambda c: intake.cancel_of_events(c, world.tenant_id, [row.event_id], "ended", world.clock()))


def about(world: World, shop: Any) -> Any:
    event = order(type="shift.cancelled", people={"customer": Person(ref="customer/1")})
    return run(world, intake.cancel_about, shop, event, world.tenant_id, ["fulfillment.shipped"])


@pytest.mark.parametrize(("label", "cancel"), WAYS, ids=[row[0] for row in WAYS])
def test_every_way_of_canceling_knows_what_may_have_left(
    shop: tuple[World, Any], sure: Line, label: str, cancel: Callable[[World, Any], Any]
) -> None:
    world, installation = shop
    made = tried(world, sure, ASKED_AGAIN, lambda: shipped(world, installation))
    [row] = cancel(world, installation)
    assert (row.id, schema.STATUS_OF[row.status]) == (made, Status.UNKNOWN)
    assert world.status(made) is Status.UNKNOWN


def test_a_receipt_settles_what_was_taken_back_too_late(shop: tuple[World, Any], sure: Line) -> None:
    world, installation = shop
    made = tried(world, sure, ASKED_AGAIN, lambda: shipped(world, installation))
    world.take(installation, called_off())
    account = world.message(made).account_id
    world.receipt(account, Dlr(carrier_ref="x", status=Status.DELIVERED, raw_status="delivered"), message_id=made)
    assert world.status(made) is Status.DELIVERED


def test_what_a_person_sends_again_knowingly_may_have_left(shop: tuple[World, Any], line: Line) -> None:
    world, installation = shop
    world.policy(primary=[world.account("line")])
    line.answer = says(ErrorClass.AMBIGUOUS)
    pump = world.pump()
    made = shipped(world, installation)
    world.wait(made, Status.UNKNOWN)
    pump.drain(5.0)
    settling.resolve(world.engine, world.tenant_id, made, Settlement.RESEND, actor="cli")
    assert world.status(made) is Status.QUEUED
    world.take(installation, called_off())
    assert world.status(made) is Status.UNKNOWN


def test_what_a_person_sends_again_has_its_time_once_more_and_the_new_try_s_id(world: World, line: Line) -> None:
    line.answer = says(ErrorClass.AMBIGUOUS)
    account = world.account("line")
    world.pump()
    made = world.send(purpose="otp")
    world.wait(made, Status.UNKNOWN)
    m = schema.messages
    world.engine.write(lambda c: c.execute(sa.update(m).where(m.c.id == made).values(carrier_ref="the first try's")))
    world.clock.forward(minutes=11)  # a code lives ten
    line.answer = accepted
    settling.resolve(world.engine, world.tenant_id, made, Settlement.RESEND, actor="cli")
    assert world.wait(made, Status.SENT).carrier_ref == f"line-{made.hex}"
    world.receipt(account, Dlr(carrier_ref="the first try's", status=Status.UNDELIVERED, raw_status="late"), message_id=made)
    assert world.status(made) is Status.SENT


def test_what_does_not_wait_stays_as_it_is(shop: tuple[World, Any]) -> None:
    world, installation = shop
    made = shipped(world, installation)
    for place, status in enumerate(one for one in Status if one not in CANCELABLE):
        put = sa.update(schema.messages).where(schema.messages.c.id == made).values(status=schema.STATUS_CODES[status])
        world.engine.write(lambda c, put=put: c.execute(put))
        world.take(installation, order(id=f"off-{place}", type="order.cancelled", cancels=["order/1"]))
        assert world.status(made) is status


def too_late(world: World, made: UUID) -> None:
    world.clock.forward(days=30)
    world.pump()


def nobody_sends(world: World, made: UUID) -> None:
    world.set_account(world.message(made).account_id, status="paused")
    too_late(world, made)


def said_stop(world: World, made: UUID) -> None:
    world.say(ALICE, ConsentState.OPTED_OUT)
    world.clock.forward(seconds=LATER_S + 1)
    world.pump()


#: What keeps it from its next try, and what it is then if none of them can have reached the person.
ENDS: list[tuple[Callable[[World, UUID], None], Status]] = [
    (too_late, Status.EXPIRED),
    (nobody_sends, Status.EXPIRED),
    (said_stop, Status.REFUSED),
]


@pytest.mark.parametrize(("end", "is_called"), ENDS, ids=[row[0].__name__ for row in ENDS])
@pytest.mark.parametrize(("label", "answers", "becomes"), TRIED[1:], ids=[row[0] for row in TRIED[1:]])
def test_what_may_have_left_is_not_called_never_sent_by_a_claim_either(
    shop: tuple[World, Any],
    sure: Line,
    label: str,
    answers: list[Answer],
    becomes: Status,
    end: Callable[[World, UUID], None],
    is_called: Status,
) -> None:
    world, installation = shop
    made = tried(world, sure, answers, lambda: shipped(world, installation))
    end(world, made)
    row = world.wait(made, Status.UNKNOWN if becomes is Status.UNKNOWN else is_called)
    assert len(sure.sent) == len(answers), "sent no more"
    assert ("an earlier try may have reached the person" in row.notes[-1]["detail"]) is (becomes is Status.UNKNOWN)
    assert (row.reason is None) is (becomes is Status.UNKNOWN)


def test_what_goes_at_once_is_not_over_because_its_object_is(shop: tuple[World, Any]) -> None:
    """Only what waits for its delay is: a refund is told after the order was called off."""
    world, made = shop
    world.take(made, called_off())
    assert world.status(shipped(world, made)) in CANCELABLE


def test_a_newer_event_takes_back_what_its_own_trigger_has_waiting_for_the_same_object(world: World) -> None:
    credentials = {"shop": "other.myshopify.com", "client_secret": "s" * 32, "access_token": "t" * 32}
    here, there = world.installation(), world.install("shopify", credentials, {})
    world.account()
    world.template()
    newest = world.trigger("fulfillment.shipped", delay_s=3_600, collapse=True)
    each = world.trigger("fulfillment.shipped", delay_s=3_600)
    world.take(here, order(1), order(2))
    world.take(there, order(1))
    before = {row.id for row in world.messages()}
    world.take(here, order(1, id="again"))
    taken_back = [row for row in world.messages() if row.status == STATUS_CODES[Status.CANCELED]]
    assert len(before) == 6
    assert [(row.trigger_id, row.subject, row.installation_id, row.id in before) for row in taken_back] == [
        (newest, "order/1", here, True)
    ]
    world.take(here, called_off())
    left = {(row.trigger_id, row.subject, row.installation_id) for row in world.messages() if STATUS_OF[row.status] in CANCELABLE}
    assert left == {(one, *where) for one in (newest, each) for where in (("order/2", here), ("order/1", there))}


@pytest.mark.postgres
def test_what_is_claimed_at_this_moment_is_not_taken_back(postgres_url: str, loaded: Plugins) -> None:
    """The cancel waits for the claim that holds the message, and sees what it left."""
    world = World(postgres_url, plugins=loaded)
    try:
        world.account()
        made = world.send()
        m, waits = schema.messages, sa.text("SELECT 1 FROM pg_locks WHERE NOT granted")
        with ThreadPoolExecutor(1) as pool, world.engine.store.engine.begin() as claim:
            claim.execute(sa.update(m).where(m.c.id == made).values(status=STATUS_CODES[Status.SENDING]))
            asked = pool.submit(settling.cancel, world.engine, world.tenant_id, made, actor="cli")
            until(lambda: world.all(waits), "the cancel waits")
        with pytest.raises(Conflict, match="sending"):
            asked.result(10)
        assert world.status(made) is Status.SENDING
    finally:
        world.close()
