"""Events in: one event makes one text, whole or not at all, however often and by whomever it is told. Promises A1, A10–A12."""

from __future__ import annotations

import itertools
import random
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire.engine import intake, pending
from bellwire.errors import (
    HookFailed,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
    PlatformUnreachable,
)
from bellwire.model import Event, Person, Status
from bellwire.plugins.guard import Guard
from bellwire.store import schema
from bellwire.store.schema import EVENT_DEAD, EVENT_DECIDED, EVENT_PENDING
from sqlalchemy import event as sql_event
from standins.line import Line
from standins.world import ALICE, BOB, World, number, order, until


@pytest.fixture
def shop(world: World) -> Any:
    """A shop whose shipped orders are texted."""
    world.account("line")
    made = world.installation()
    world.template()
    world.trigger("fulfillment.shipped")
    return made


def refuse(world: World, hook: Callable[..., Any], *, limit_s: float = 2.0) -> None:
    """Let a plugin's `refuse` be asked of every event."""
    guard = Guard("strict", "refuse", lambda values: hook(values["event"]), limit_s=limit_s)
    plugins = replace(world.engine.plugins, _guards={**world.engine.plugins._guards, "refuse": (guard,)})
    world.engine.plugins = plugins


# -- whom it wakes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("delay_s", "wakes"), [(0, True), (3_600, False)])
def test_the_pump_is_woken_only_for_what_is_due(world: World, delay_s: int, wakes: bool) -> None:
    world.account("line")
    shop = world.installation()
    world.template()
    world.trigger("fulfillment.shipped", delay_s=delay_s)
    world.engine.woken.clear()
    world.take(shop, order())
    assert (world.count(schema.messages), world.engine.woken.is_set()) == (1, wakes)


# -- told again -----------------------------------------------------------------------------------------------------


def test_a_delivery_that_is_repeated_makes_one_text(world: World, line: Line, shop: Any) -> None:
    world.pump()
    taken = [world.take(shop, order()) for _ in range(10)]
    assert [(len(one.events), one.duplicate) for one in taken] == [(1, False)] + [(0, True)] * 9
    world.wait_for(sent=1)
    assert (world.count(schema.messages), world.count(schema.events), len(line.sent)) == (1, 1, 1)


def test_a_delivery_that_comes_ten_times_at_once_makes_one_text(world: World, line: Line, shop: Any) -> None:
    """Eight threads, two processes."""
    engines = [world.engine, world.worker()]
    ready = threading.Barrier(8)
    taken: list[intake.Taken] = []

    def report(thread: int) -> None:
        for place in range(10):
            ready.wait(10)
            taken.append(world.take(shop, order(place), engine=engines[thread % 2]))

    threads = [threading.Thread(target=report, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(one.events) for one in taken) == 10
    assert (world.count(schema.messages), world.count(schema.events), world.count(schema.decisions)) == (10, 10, 10)
    world.pump()
    world.wait_for(sent=10)
    assert set(line.times.values()) == {1}


def test_another_delivery_of_the_same_fact_makes_no_second_text(world: World, shop: Any) -> None:
    first = order(1, id="delivery-a", fact="order/1 shipped")
    assert not world.take(shop, first).duplicate
    assert world.take(shop, replace(first, id="delivery-b")).duplicate
    assert not world.take(shop, replace(first, id="delivery-c", fact="order/1 delivered")).duplicate
    assert world.count(schema.messages) == 2


def test_the_same_delivery_id_at_another_installation_is_another_event(world: World, shop: Any) -> None:
    other = world.installation()
    assert not world.take(shop, order()).duplicate
    assert not world.take(other, order()).duplicate
    assert world.count(schema.messages) == 2


def test_two_tellings_in_one_request_are_one_event(world: World, shop: Any) -> None:
    taken = world.take(shop, order(1), order(1), order(2))
    assert (len(taken.events), taken.duplicate) == (2, False)
    assert world.count(schema.messages) == 2


def test_what_is_known_of_people_is_asked_once_for_all_events_of_a_request(world: World, shop: Any) -> None:
    """However many there are, and each gets its own count for the caps."""
    world.trigger("fulfillment.shipped", cap={"count": 1, "window_s": 3600})
    world.take(shop, order("first", phone=number(0)))
    asked = []
    sql_event.listen(
        world.engine.store.engine, "before_cursor_execute", lambda *call: asked.append(call[2]) if "contact" in call[2] else None
    )
    taken = world.take(shop, *(order(place, phone=number(place)) for place in range(20)))
    asked = [one for one in asked if "INSERT" not in one]
    assert (len(taken.events), len(asked)) == (20, 3), "who they are, and how often they were texted: by all, and by that trigger"
    m = schema.messages.c
    [capped] = world.all(sa.select(m.subject).where(m.reason == "cap"))
    assert capped.subject == "order/0"


# -- whole or not at all --------------------------------------------------------------------------------------------


def test_a_request_with_many_events_is_one_transaction(world: World, shop: Any) -> None:
    commits = itertools.count()
    engine = world.engine.store.engine
    sql_event.listen(engine, "commit", lambda _: next(commits))
    taken = world.take(shop, *(order(place, phone=number(place)) for place in range(20)))
    assert (len(taken.events), next(commits)) == (20, 1)
    assert world.count(schema.messages) == 20


def test_an_event_the_database_refuses_leaves_nothing_and_stops_no_other(world: World, shop: Any) -> None:
    """Its message can't be stored: nor are its event, its decisions, its mark; who came at the same time goes through."""
    bad = order(1, subject="order/\0")
    if world.engine.store.engine.dialect.name == "sqlite":
        bad = order(1)
        trigger = "CREATE TRIGGER no BEFORE INSERT ON messages WHEN NEW.subject = 'order/1' BEGIN SELECT RAISE(ABORT, 'no'); END"
        world.engine.write(lambda c: c.exec_driver_sql(trigger))
    results: dict[str, Any] = {}

    def report(name: str, event: Event) -> None:
        try:
            results[name] = world.take(shop, event)
        except Exception as e:
            results[name] = e

    threads = [threading.Thread(target=report, args=("bad", bad))]
    threads += [threading.Thread(target=report, args=(f"good {n}", order(n, phone=number(n)))) for n in range(2, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert isinstance(results.pop("bad"), Exception)
    assert all(len(one.events) == 1 for one in results.values())
    counts = (world.count(schema.events), world.count(schema.messages), world.count(schema.decisions))
    assert counts == (6, 6, 6)
    marks = world.all(sa.select(schema.seen.c.kind).where(schema.seen.c.kind == schema.SEEN_EVENT))
    assert len(marks) == 6, "it may be told again"


# -- plugins --------------------------------------------------------------------------------------------------------


def test_a_plugins_veto_is_a_refusal_with_its_reason(world: World, line: Line, shop: Any) -> None:
    refuse(world, lambda event: "on the fraud list" if event.subject == "order/1" else None)
    vetoed, passed = world.take(shop, order(1)), world.take(shop, order(2, phone=BOB))
    [entry] = world.decisions(vetoed.events[0])
    assert (entry["outcome"], entry["reason"], entry["line"]) == ("refused", "plugin", "on the fraud list")
    assert world.decisions(passed.events[0])[0]["outcome"] == "sent"
    world.pump()
    world.wait_for(sent=1, refused=1)


HOOKS = [
    ("raises", lambda _: 1 / 0, "HookFailed"),
    ("answers nonsense", lambda _: 42, "HookFailed"),
    ("wants to end the process", lambda _: sys.exit(1), "HookFailed"),
    ("hangs", lambda _: threading.Event().wait(60), "HookFailed"),
]


@pytest.mark.parametrize(("label", "hook", "error"), HOOKS, ids=[row[0] for row in HOOKS])
def test_an_event_whose_deciding_fails_is_kept_and_decided_later(
    world: World, line: Line, shop: Any, label: str, hook: Callable[..., Any], error: str
) -> None:
    good = world.engine.plugins
    refuse(world, hook, limit_s=0.2)
    taken = world.take(shop, order())
    assert (len(taken.events), taken.duplicate) == (1, False), "the platform need not repeat it"
    e = schema.events.c
    row = world.one(sa.select(e.status, e.error, e.attempts))
    assert (row.status, row.error) == (EVENT_PENDING, error)
    assert (world.count(schema.messages), world.count(schema.decisions)) == (0, 0), "nothing half-decided"
    assert world.take(shop, order()).duplicate
    world.engine.plugins = good
    pending.step(world.engine, _no_link)
    assert world.one(sa.select(e.status)).status == EVENT_DECIDED
    world.pump()
    world.wait_for(sent=1)
    assert len(line.sent) == 1


def test_a_poisonous_event_is_a_dead_letter_after_five_tries_and_stops_no_other(world: World, line: Line, shop: Any) -> None:
    """A11."""
    tries = itertools.count()

    def poison(event: Event) -> None:
        if event.subject == "order/13":
            next(tries)
            raise ValueError("no digestion")

    refuse(world, poison)
    world.pump()
    world.take(shop, *(order(place, phone=number(place)) for place in range(30)))
    world.wait_for(sent=29)
    for _ in range(8):
        world.clock.forward(hours=1)
        pending.step(world.engine, _no_link)
    e = schema.events.c
    [dead] = world.all(sa.select(e.subject, e.attempts, e.error).where(e.status == EVENT_DEAD))
    assert (dead.subject, dead.attempts) == ("order/13", 5)
    assert "HookFailed" in dead.error
    assert next(tries) == 1 + 5, "at intake, and five times after"
    assert len(line.sent) == 29


AWAY = [
    ("is not reached", PlatformUnreachable("no answer"), True),
    ("answers 503", PlatformUnavailable("down", http_status=503), True),
    ("answers 429", PlatformThrottled("slow down", http_status=429, retry_after_s=20), True),
    ("wants a person", PlatformUnauthorized("sign in again"), True),
    ("says no for good", PlatformRejected("no such order"), False),
]


@pytest.mark.parametrize(("label", "error", "waits"), AWAY, ids=[row[0] for row in AWAY])
def test_an_event_whose_platform_is_away_waits_for_it_for_a_day(
    world: World, shop: Any, label: str, error: Exception, waits: bool
) -> None:
    """Half a day later it is back, and the event is decided; what it refuses for good is a dead letter soon."""
    back: list[bool] = []
    tries = itertools.count()

    def fetch(event: Event, _link: Any) -> Event:
        next(tries)
        if not back:
            raise error
        return replace(event, fetch={}, people=order(phone=number(1)).people)

    away = replace(world.engine.plugins.connectors["shopify"], enrich=fetch, enrich_many=None)
    world.engine.plugins = replace(world.engine.plugins, connectors={**world.engine.plugins.connectors, "shopify": away})
    world.take(shop, order(1, people={}, fetch={"order": "1"}))

    def hours(count: int) -> None:
        for _ in range(count * 4):
            world.clock.forward(minutes=15)
            pending.step(world.engine, lambda _: None)  # type: ignore[arg-type,return-value]  # nobody is called

    hours(12)
    e = schema.events.c
    (found,) = world.all(sa.select(e.status, e.attempts, e.due))
    assert (found.status == EVENT_PENDING) is waits
    assert next(tries) < 25, "it is asked now and then, not all the time"
    if waits:
        back.append(True)
        hours(2)
        assert world.count(schema.decisions) == 1
    else:
        assert (found.status, found.attempts) == (EVENT_DEAD, 5)


@pytest.mark.parametrize("breaks", [1, 4, 5])
def test_an_event_that_waited_for_its_platform_has_five_tries_of_its_own(world: World, shop: Any, breaks: int) -> None:
    """Between its own failures the platform is away again: those tries are not the event's."""
    away, broken = PlatformUnreachable("no answer"), RuntimeError("ours")
    script = iter([away] * 8 + [broken, away, away] * breaks)
    tried: list[type[Exception]] = []

    def fetch(event: Event, _link: Any) -> Event:
        error = next(script, None)
        if error is not None:
            tried.append(type(error))
            raise error
        return replace(event, fetch={}, people=order().people)

    plain = replace(world.engine.plugins.connectors["shopify"], enrich=fetch, enrich_many=None)
    world.engine.plugins = replace(world.engine.plugins, connectors={**world.engine.plugins.connectors, "shopify": plain})
    world.take(shop, order(1, people={}, fetch={"order": "1"}))
    for _ in range(8 + 3 * breaks + 1):
        world.clock.forward(hours=1, minutes=1)
        pending.step(world.engine, lambda _: None)  # type: ignore[arg-type,return-value]  # nobody is called
    (found,) = world.all(sa.select(schema.events.c.status))
    assert found.status == (EVENT_DECIDED if breaks < 5 else EVENT_DEAD)
    assert tried.count(RuntimeError) == breaks


def test_a_platform_that_stays_away_leaves_a_dead_letter(world: World, shop: Any) -> None:
    def fetch(event: Event, _link: Any) -> Event:
        raise PlatformUnreachable("no answer")

    away = replace(world.engine.plugins.connectors["shopify"], enrich=fetch, enrich_many=None)
    world.engine.plugins = replace(world.engine.plugins, connectors={**world.engine.plugins.connectors, "shopify": away})
    world.take(shop, order(1, people={}, fetch={"order": "1"}))
    for _ in range(30):
        world.clock.forward(hours=1, minutes=1)
        pending.step(world.engine, lambda _: None)  # type: ignore[arg-type,return-value]  # nobody is called
    e = schema.events.c
    (found,) = world.all(sa.select(e.status, e.error))
    assert (found.status, found.error) == (EVENT_DEAD, "PlatformUnreachable: no answer")


def test_events_that_are_fetched_together_are_stored_together_and_one_that_is_lost_stops_no_other(world: World, shop: Any) -> None:
    """Another process has taken one of them meanwhile: its texts are not made twice, the others' are made."""
    e = schema.events.c

    def fetch(events: Any, _link: Any) -> Any:
        taken = sa.update(schema.events).where(e.subject == "order/3").values(attempts=e.attempts + 1)
        world.engine.write(lambda c: c.execute(taken) and None)
        return [replace(one, fetch={}, people=order(phone=number(int(one.fetch["order"]))).people) for one in events]

    shopify = replace(
        world.engine.plugins.connectors["shopify"], enrich=lambda event, link: fetch([event], link)[0], enrich_many=fetch
    )
    world.engine.plugins = replace(world.engine.plugins, connectors={**world.engine.plugins.connectors, "shopify": shopify})
    world.take(shop, *(order(place, people={}, fetch={"order": str(place)}) for place in range(6)))
    assert {one.status for one in world.all(sa.select(e.status))} == {EVENT_PENDING}
    assert pending.step(world.engine, lambda _: None) == 6  # type: ignore[arg-type,return-value]  # nobody is called
    m = schema.messages.c
    assert {one.subject for one in world.all(sa.select(m.subject))} == {f"order/{place}" for place in range(6)} - {"order/3"}
    waiting = world.all(sa.select(e.subject, e.attempts).where(e.status == EVENT_PENDING))
    assert [(one.subject, one.attempts) for one in waiting] == [("order/3", 2)]
    assert world.count(schema.decisions) == 5


def _no_link(installation: Any) -> Any:
    raise AssertionError("nothing has to be fetched")


def test_hook_failures_name_no_payload(world: World, shop: Any) -> None:
    guard = Guard("strict", "refuse", lambda _: 1 / 0)
    with pytest.raises(HookFailed) as raised:
        guard(tenant_id=world.tenant_id, event=order())
    assert ALICE not in str(raised.value)


# -- cancels --------------------------------------------------------------------------------------------------------


def cart(place: int = 1, **more: Any) -> Event:
    """A checkout was left."""
    return order(place, id=f"cart-{place}-{more.pop('n', 1)}", type="checkout.abandoned", subject=f"checkout/{place}", **more)


def bought(place: int = 1) -> Event:
    """It became an order after all."""
    return order(place, id=f"order-{place}", type="order.created", cancels=[f"checkout/{place}"])


@pytest.fixture
def carts(world: World) -> Any:
    """A shop that reminds of carts after an hour."""
    world.account("line")
    made = world.installation()
    world.template()
    world.trigger("checkout.abandoned", delay_s=3_600)
    return made


def test_an_order_cancels_the_reminder_of_its_cart(world: World, line: Line, carts: Any) -> None:
    world.take(carts, cart())
    [made] = world.messages()
    assert world.status(made.id) is Status.SCHEDULED
    world.take(carts, bought())
    assert world.status(made.id) is Status.CANCELED
    w = schema.write_backs.c
    assert [row.value for row in world.all(sa.select(w.value).where(w.message_id == made.id).order_by(w.id))] == [
        "scheduled",
        "canceled",
    ]
    world.clock.forward(hours=2)
    world.pump()
    until(lambda: world.count(schema.workers) == 1)
    assert line.sent == []


def test_an_order_that_came_before_its_cart_cancels_it_too(world: World, carts: Any) -> None:
    world.take(carts, bought())
    taken = world.take(carts, cart())
    [entry] = world.decisions(taken.events[0])
    assert (entry["outcome"], entry["reason"]) == ("refused", "stale")


@pytest.mark.parametrize("order_first", [True, False])
def test_an_order_told_in_the_same_request_as_its_cart_cancels_it(world: World, carts: Any, order_first: bool) -> None:
    world.take(carts, *([bought(), cart()] if order_first else [cart(), bought()]))
    assert world.statuses() == {"canceled": 1}


def test_an_order_and_its_cart_told_at_the_same_moment_never_leave_a_reminder(world: World, carts: Any) -> None:
    """Both were decided before either was stored: 40 pairs, in two processes."""
    engines = [world.engine, world.worker()]
    for place in range(40):
        ready = threading.Barrier(2)

        def report(event: Event, engine: Any, ready: threading.Barrier = ready) -> None:
            ready.wait(10)
            world.take(carts, event, engine=engine)

        pair = [cart(place, phone=number(place)), bought(place)]
        threads = [threading.Thread(target=report, args=(one, engine)) for one, engine in zip(pair, engines, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert world.statuses()["scheduled"] == 0
    assert world.statuses().total() == 40


def test_another_cart_of_the_same_checkout_takes_the_first_ones_place(world: World, carts: Any) -> None:
    world.take(carts, cart(n=1))
    world.take(carts, cart(n=2))
    rows = world.messages()
    assert [world.status(row.id) for row in rows] == [Status.CANCELED, Status.SCHEDULED]


def test_carts_that_come_together_leave_the_last(world: World, carts: Any) -> None:
    taken = world.take(carts, cart(n=1), cart(n=2), cart(n=3))
    by_event = {row.event_id: world.status(row.id) for row in world.messages()}
    last = [status for event, status in by_event.items() if event.hex == taken.events[-1][4:]]
    assert last == [Status.SCHEDULED]
    assert sorted(by_event.values()) == sorted([Status.CANCELED, Status.CANCELED, Status.SCHEDULED])


def test_a_cancel_leaves_what_is_about_something_else(world: World, carts: Any) -> None:
    world.take(carts, cart(1), cart(2, phone=BOB))
    world.take(carts, bought(1))
    assert world.statuses() == {"canceled": 1, "scheduled": 1}


def test_a_cancel_leaves_another_shops_object_of_the_same_name(world: World, carts: Any) -> None:
    other = world.installation()
    world.take(carts, cart())
    world.take(other, bought())
    assert world.statuses() == {"scheduled": 1}


def test_an_orders_life_in_any_order_makes_the_same_texts(make_world: Callable[..., World], line: Line) -> None:
    """A10: created, paid, shipped, cancelled, in 60 random orders with repeats: at most one text of each trigger."""
    dice = random.Random(10)
    world = make_world()
    world.account("line")
    shop = world.installation()
    world.template()
    kinds = ("order.created", "order.paid", "fulfillment.shipped", "order.cancelled")
    for kind in kinds:
        world.trigger(kind)
    for place in range(60):
        life = [
            order(place, id=f"{kind}-{place}-{n}", type=kind, fact=f"{kind} {place}", phone=number(place))
            for kind in kinds
            for n in range(dice.choice([1, 1, 2]))
        ]
        dice.shuffle(life)
        for event in life:
            world.take(shop, event)
    m = schema.messages.c
    counted = world.all(sa.select(m.subject, m.trigger_id, sa.func.count().label("n")).group_by(m.subject, m.trigger_id))
    assert {row.n for row in counted} == {1}
    assert len(counted) == 60 * len(kinds)


# -- switched on ----------------------------------------------------------------------------------------------------


def test_a_trigger_counts_from_when_it_was_switched_on(world: World, shop: Any) -> None:
    """A webhook is told now; what a reconcile finds is as old as it is."""
    world.clock.forward(days=-3)
    old = order(1, occurred_at=world.clock())
    world.clock.forward(days=3)
    found = world.take(shop, old, reported="reconcile")
    assert world.decisions(found.events[0])[0]["outcome"] == "no_trigger"
    told = world.take(shop, replace(old, id="delivery-2"))
    assert world.decisions(told.events[0])[0]["outcome"] == "sent"


def test_one_person_in_two_events_is_one_contact(world: World, shop: Any) -> None:
    world.take(shop, order(1), order(2), order(3, phone="998 90 123-45-67"))
    world.take(shop, order(4))
    assert world.count(schema.contacts) == 1
    assert world.count(schema.messages) == 4


def test_a_person_without_a_phone_is_found_by_a_plugin(world: World, shop: Any) -> None:
    def find(values: Any) -> Person | None:
        return Person(ref=values["ref"], phones=[BOB]) if values["ref"] == "customer/1" else None

    guard = Guard("directory", "resolve_recipient", find)
    world.engine.plugins = replace(world.engine.plugins, _guards={**world.engine.plugins._guards, "resolve_recipient": (guard,)})
    taken = world.take(shop, order(1, people={"customer": Person(ref="customer/1")}))
    assert world.decisions(taken.events[0])[0]["outcome"] == "sent"
    assert world.contact_id(BOB)
    assert world.clock() - timedelta(minutes=1) < world.messages()[0].created_at
