"""Reconciles and checks: what webhooks did not tell is fetched, lost subscriptions come back, and errors are shown (A14)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import requests
import sqlalchemy as sa
from bellwire.engine import reconcile
from bellwire.engine.checks import check
from bellwire.engine.reconcile import AGAIN_S, EVERY_S, OVERLAP, Reconciles
from bellwire.errors import FieldInvalid, NotFound, PlatformThrottled, PlatformUnauthorized, PlatformUnavailable
from bellwire.model import CheckResult, Connector, Event, Link
from bellwire.store import installations, links, schema
from standins.desk import Desk, Platform, connector
from standins.receiver import Receiver


class Shop:
    """A platform with orders and a subscription that it may drop."""

    def __init__(self) -> None:
        self.orders: list[Event] = []
        self.subscribed = 0
        self.asked: list[datetime] = []
        self.fail: Callable[[], None] = lambda: None
        self.checks: Callable[[Link], Sequence[CheckResult]] = lambda _: [CheckResult(name="access", ok=True)]

    def connector(self, **more: Any) -> Connector:
        def subscribe(link: Link) -> None:
            self.fail()
            self.subscribed += 1

        def look(link: Link, since: datetime) -> Sequence[Event]:
            self.fail()
            self.asked.append(since)
            link.remember(seen=len(self.orders))
            return [order for order in self.orders if order.occurred_at >= since]

        return connector(Platform(), **{"subscribe": subscribe, "reconcile": look, "check": lambda link: self.checks(link), **more})


def order(desk: Desk, number: int) -> Event:
    return Event(id=f"order-{number}", type="order.created", occurred_at=desk.clock.now(), subject=f"order/{number}")


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def desk(database_url: str, shop: Shop) -> Iterator[Desk]:
    desk = Desk(database_url, shop.connector())
    yield desk
    desk.close()


@pytest.fixture
def looks(desk: Desk) -> Iterator[Callable[[], int]]:
    """Have the due looks made, and wait for them."""
    made = Reconciles(desk.engine, rand=lambda: 0.0)

    def look() -> int:
        begun = made.step()
        finish(made)
        return begun

    yield look
    assert made.drain(10)


def finish(made: Reconciles) -> None:
    """Wait for the looks under way."""
    ends = time.monotonic() + 10
    while made._hands.busy:
        assert time.monotonic() < ends
        threading.Event().wait(0.002)


def events(desk: Desk) -> list[str]:
    return [row.subject for row in desk.all(sa.select(schema.events.c.subject).order_by(schema.events.c.occurred_at))]


# -- looking --------------------------------------------------------------------------------------------------------


def test_the_first_look_comes_with_the_installation_and_subscribes(desk: Desk, shop: Shop, looks: Callable[[], int]) -> None:
    made = desk.installation()
    began = desk.clock.now()
    assert looks() == 1
    assert (shop.subscribed, shop.asked) == (1, [began])
    row = desk.row(made)
    assert row.reconcile_due == began + timedelta(seconds=EVERY_S)
    assert row.cursor["seen"] == 0
    assert looks() == 0


def test_the_next_look_asks_from_the_last_good_one_on(desk: Desk, shop: Shop, looks: Callable[[], int]) -> None:
    desk.installation(reconcile_every_s=900)
    looks()
    first = desk.clock.now()
    desk.clock.advance(899)
    assert looks() == 0
    desk.clock.advance(1)
    assert looks() == 1
    assert shop.asked[1] == max(first - OVERLAP, shop.asked[0])
    assert shop.subscribed == 1
    second = desk.clock.now()
    desk.clock.advance(900)
    looks()
    assert shop.asked[2] == second - OVERLAP


def test_what_was_before_the_installation_is_never_asked_for(desk: Desk, shop: Shop, looks: Callable[[], int]) -> None:
    shop.orders.append(order(desk, 1))
    desk.clock.advance(60)
    desk.installation()
    looks()
    desk.clock.advance(EVERY_S)
    looks()
    assert events(desk) == []


def test_what_webhooks_missed_is_stored_once(desk: Desk, shop: Shop, looks: Callable[[], int]) -> None:
    desk.installation(reconcile_every_s=900)
    looks()
    for number in range(500):
        desk.clock.advance(1.7)
        shop.orders.append(order(desk, number))
    desk.clock.advance(60)
    looks()
    assert events(desk) == [f"order/{number}" for number in range(500)]
    for _ in range(3):
        desk.clock.advance(900)
        looks()
    assert len(events(desk)) == 500


def test_two_processes_do_not_look_at_the_same_time(desk: Desk, shop: Shop) -> None:
    desk.installation()
    other = desk.again()
    both = [Reconciles(one.engine) for one in (desk, other)]
    assert sum(one.step() for one in both) == 1
    for one in both:
        finish(one)
        assert one.drain(1)
    assert len(shop.asked) == 1
    other.close()


def test_a_look_whose_process_died_is_made_again(desk: Desk, shop: Shop, looks: Callable[[], int]) -> None:
    made = desk.installation()
    now = desk.clock.now()
    assert desk.engine.write(lambda c: links.take_reconcile(c, made, now, now + timedelta(minutes=30))) is not None
    assert looks() == 0
    desk.clock.advance(1_800)
    assert looks() == 1


def test_what_was_not_begun_at_the_end_is_given_back(desk: Desk, shop: Shop) -> None:
    made = desk.installation()
    ending = Reconciles(desk.engine)
    ending._hands.end(0)  # its threads begin nothing any more
    assert ending.step() == 1
    assert desk.row(made).reconcile_due > desk.clock.now()
    assert ending.drain(10)
    assert desk.row(made).reconcile_due == desk.clock.now()
    assert shop.asked == []


def test_a_look_that_is_asked_for_is_made_at_once(desk: Desk, shop: Shop, looks: Callable[[], int]) -> None:
    made = desk.installation()
    looks()
    reconcile.ask(desk.engine, desk.tenant_id, made)
    assert looks() == 1
    with pytest.raises(NotFound):
        reconcile.ask(desk.engine, desk.tenant("other"), made)


def test_a_look_that_is_asked_for_during_one_is_made_after_it(desk: Desk, shop: Shop) -> None:
    made, gate, entered = desk.installation(), threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        gate.wait(10)

    shop.fail = hold
    running = Reconciles(desk.engine)
    running.step()
    assert entered.wait(10)
    reconcile.ask(desk.engine, desk.tenant_id, made)
    gate.set()
    assert running.drain(10)
    assert desk.row(made).reconcile_due == desk.clock.now()


def test_one_platform_that_hangs_does_not_hold_up_the_others(desk: Desk, shop: Shop) -> None:
    gate, first = threading.Event(), threading.Lock()

    def hold() -> None:
        if first.acquire(blocking=False):
            gate.wait(20)

    shop.fail = hold
    for _ in range(4):
        desk.installation()
    running = Reconciles(desk.engine)
    for _ in range(1_000):
        running.step()
        if len(shop.asked) == 3:
            break
        threading.Event().wait(0.005)
    assert len(shop.asked) == 3
    gate.set()
    assert running.drain(10)


@pytest.mark.parametrize(("status", "begun"), [("disabled", 0), ("active", 1)])
def test_only_active_installations_are_looked_at(status: str, begun: int, desk: Desk, looks: Callable[[], int]) -> None:
    made = desk.installation()
    desk.change(
        lambda c: installations.change(
            c,
            desk.engine.vault,
            desk.engine.plugins.connectors["till"],
            made,
            allow_private=True,
            actor="key",
            now=desk.clock.now(),
            status=status,
        )
    )
    assert looks() == begun


# -- failing --------------------------------------------------------------------------------------------------------

ERRORS = [
    (PlatformUnavailable("till: down", http_status=503), "reconcile: till: down", AGAIN_S),
    (PlatformThrottled("till: slow down", retry_after_s=3_600), "reconcile: till: slow down", 3_600),
    (PlatformUnauthorized("till: the token is refused"), "reconcile: till: the token is refused", AGAIN_S),
    (requests.ConnectionError("https://secret.example/"), "reconcile: no answer (ConnectionError)", AGAIN_S),
    (KeyError("+998901234567"), "reconcile: the connector broke (KeyError)", AGAIN_S),
]


@pytest.mark.parametrize(("error", "detail", "wait_s"), ERRORS, ids=[type(row[0]).__name__ for row in ERRORS])
def test_a_failure_is_shown_and_the_look_made_again(
    error: Exception, detail: str, wait_s: float, desk: Desk, shop: Shop, looks: Callable[[], int]
) -> None:
    def fail() -> None:
        raise error

    made = desk.installation()
    shop.fail = fail
    for _ in range(3):
        looks()
        row = desk.row(made)
        assert (row.status_detail, row.reconcile_due) == (detail, desk.clock.now() + timedelta(seconds=wait_s))
        desk.clock.advance(wait_s)
    assert desk.audit().count("installation.refused") == isinstance(error, PlatformUnauthorized)
    shop.fail = lambda: None
    looks()
    assert desk.row(made).status_detail == ""
    assert shop.subscribed == 1


def test_a_failed_look_loses_nothing(desk: Desk, shop: Shop, looks: Callable[[], int]) -> None:
    desk.installation()
    looks()
    began = shop.asked[0]
    desk.clock.advance(EVERY_S)
    shop.orders.append(order(desk, 1))

    def down() -> None:
        raise PlatformUnavailable("down")

    shop.fail = down
    for _ in range(5):
        looks()
        desk.clock.advance(AGAIN_S)
    shop.fail = lambda: None
    looks()
    assert shop.asked[-1] == began, "from the last good look on"
    assert events(desk) == ["order/1"]


def test_what_write_backs_said_of_the_installation_stays(desk: Desk, looks: Callable[[], int]) -> None:
    made = desk.installation()
    desk.engine.write(lambda c: links.describe(c, made, "write-back of consent: a scope is missing"))
    looks()
    assert desk.row(made).status_detail == "write-back of consent: a scope is missing"


def test_without_a_public_url_nothing_is_subscribed_and_it_is_said(desk: Desk, shop: Shop, looks: Callable[[], int]) -> None:
    made = desk.installation()
    desk.engine.public_url = ""
    reader = desk.engine.configs.reader
    desk.engine.configs.reader = type(reader)(reader.vault, "", reader.connector_secret, reader.carrier_secret)
    looks()
    assert shop.subscribed == 0
    assert desk.row(made).status_detail.startswith("reconcile: PUBLIC_URL is not set")


@pytest.mark.parametrize("value", [59, 604_801, "900", True, 1.5])
def test_an_interval_out_of_range_is_refused(value: Any, desk: Desk) -> None:
    with pytest.raises(FieldInvalid) as caught:
        desk.installation(reconcile_every_s=value)
    assert caught.value.field == "settings.reconcile_every_s"


# -- checking -------------------------------------------------------------------------------------------------------


def found(desk: Desk, made: UUID, **more: Any) -> dict[str, tuple[bool, str]]:
    return {one.name: (one.ok, one.detail) for one in check(desk.engine, desk.tenant_id, made, **more)}


def test_a_check_that_is_well_takes_back_what_was_said(desk: Desk) -> None:
    made = desk.installation()
    desk.engine.write(lambda c: links.describe(c, made, "write-back of status: refused"))
    before = desk.row(made).updated_at
    desk.clock.advance(5)
    assert found(desk, made) == {"status": (True, ""), "public_url": (True, ""), "access": (True, "")}
    row = desk.row(made)
    assert (row.status_detail, row.updated_at > before) == ("", True)


def no_answer(link: Link) -> Sequence[CheckResult]:
    with Receiver() as gone:
        url = gone.url
    link.http.get(url)
    return []


def refused(link: Link) -> Sequence[CheckResult]:
    raise PlatformUnauthorized("till: the token of +998901234567 is refused")


def broken(link: Link) -> Sequence[CheckResult]:
    raise ZeroDivisionError


FAILING = [
    (no_answer, "no answer (ConnectionError); is base_url right?"),
    (refused, "till: the token of … is refused"),
    (broken, "the connector broke (ZeroDivisionError)"),
]


@pytest.mark.parametrize(("checks", "detail"), FAILING, ids=[row[0].__name__ for row in FAILING])
def test_a_check_never_fails_because_of_the_other_side(checks: Any, detail: str, desk: Desk, shop: Shop) -> None:
    made = desk.installation()
    desk.engine.write(lambda c: links.describe(c, made, "reconcile: till: down"))
    shop.checks = checks
    told = found(desk, made)
    assert told["platform"] == (False, detail)
    assert told["last_error"] == (False, "reconcile: till: down")


def test_a_check_that_hangs_is_answered_in_time(desk: Desk, shop: Shop) -> None:
    gate = threading.Event()

    def hang(link: Link) -> Sequence[CheckResult]:
        gate.wait(30)
        return []

    shop.checks = hang
    assert found(desk, desk.installation(), wait_s=0.1)["platform"] == (False, "no answer within 0.1 s")
    gate.set()


def test_what_is_not_there_is_not_checked(desk: Desk) -> None:
    made = desk.installation()
    with pytest.raises(NotFound):
        check(desk.engine, desk.tenant("other"), made)
    desk.change(lambda c: installations.remove(c, desk.engine.vault, made, actor="key", now=desk.clock.now()))
    with pytest.raises(NotFound):
        check(desk.engine, desk.tenant_id, made)
