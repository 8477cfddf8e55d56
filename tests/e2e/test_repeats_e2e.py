"""A sender that repeats itself: one event, one message (promise A1). Each recorded body several times in turn, and at once.

The proof tells each, and each sample, ten times, on both databases; here SQLite is told one recorded body of each topic a few
times, and PostgreSQL one of each platform.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
import requests
from bellwire import Event, Installation, PayloadInvalid, WebhookRequest
from bellwire.ids import show
from bellwire.testing import StandIn
from standins.recorded import FOLDER, PLATFORMS, Delivery, Platform
from standins.served import Server, Tenant, until
from standins.shopify import Shop

FEW, MANY, THREADS = (2, 3), (10, 10), 8
FINAL = {"delivered", "undelivered", "failed", "expired", "canceled", "refused"}
BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
TEXT = "Something happened."


def deliveries() -> Iterator[Any]:
    """Database, delivery, how often it is told in turn and at once."""
    for database in ("sqlite", "postgresql"):
        marks = [pytest.mark.postgres] if database == "postgresql" else []
        for platform in PLATFORMS:
            recorded, documented = platform.recorded(), platform.documented()
            topics = {one.source.parent: one for one in recorded if isinstance(one.source, Path)}
            for one in [*topics.values(), *documented[:1]] if database == "sqlite" else [*topics.values()][:1]:
                yield pytest.param(database, one, FEW, id=f"{database}-{one.label}", marks=marks)
            for one in [*recorded, *documented]:
                yield pytest.param(database, one, MANY, id=f"{database}-{one.label}-often", marks=[*marks, pytest.mark.proof])
    if not FOLDER.exists():
        yield pytest.param("sqlite", None, FEW, marks=pytest.mark.skip(reason="no recorded bodies beside this checkout"))


@pytest.fixture(scope="module")
def listeners() -> dict[str, Tenant]:
    """Who listens, by database."""
    return {}


@pytest.fixture(params=BOTH)
def listening(request: pytest.FixtureRequest, listeners: dict[str, Tenant]) -> Tenant:
    """A tenant that texts about everything: on SQLite, and on PostgreSQL with two processes."""
    if request.param not in listeners:
        server: Server = request.getfixturevalue("server" if request.param == "sqlite" else "postgres_server")
        tenant = listeners[request.param] = server.tenant("listening")
        tenant.sandbox()
        tenant.template("told", en=TEXT)
        tenant.trigger("order.created", "told")
    return listeners[request.param]


@pytest.fixture(scope="module")
def running() -> Iterator[Callable[[Platform], StandIn]]:
    """The stand-in of a platform, running until the module is over."""
    made: dict[str, StandIn] = {}

    def start(platform: Platform) -> StandIn:
        if platform.connector.name not in made:
            made[platform.connector.name] = platform.stand_in()
            made[platform.connector.name].start()
        return made[platform.connector.name]

    yield start
    for one in made.values():
        one.stop()


_numbers = itertools.count(1)


def install(tenant: Tenant, platform: Platform, running: StandIn) -> Installation:
    """An installation of its own, as the tenant and the platform know it."""
    at = platform.account(next(_numbers), running)
    asked = {
        "connector": platform.connector.name,
        "name": "Ours",
        "credentials": dict(at.credentials),
        "settings": dict(at.settings),
    }
    made = tenant.post("/v1/installations", asked)
    return replace(at, id=UUID(hex=made["id"].partition("_")[2]), webhook_url=made["webhook_url"])


def listen(tenant: Tenant, system: str, events: Sequence[Event]) -> None:
    """Have triggers for these events; whom they name by reference is put into the directory, so that all can be texted."""
    heard = {(one["connector"], one["event"]) for one in tenant.all("/v1/triggers")}
    for kind in {event.type for event in events if (system, event.type) not in heard}:
        tenant.trigger(kind, "told", connector=system, name=f"{system} {kind}")
    for ref in {event.customer.ref for event in events if event.customer and event.customer.ref and not event.customer.phones}:
        worker = {
            "ref": f"{system} {ref}"[:100],
            "phone": f"+1202555{next(_numbers):04d}",
            "name": "Dana",
            "external_ids": {system: ref},
        }
        tenant.http.post(f"{tenant.server.url}/v1/workers", json=worker, timeout=20)  # there already: 409


def post(request: WebhookRequest) -> requests.Response:
    return requests.request(request.method, request.url, data=request.body, headers=dict(request.headers), timeout=20)


def events_of(tenant: Tenant, installed: Mapping[str, Any]) -> list[str]:
    """What a tenant was told by one of its installations."""
    return [one["id"] for one in tenant.all(f"/v1/events?installation={installed['id']}")]


def in_turn(send: Callable[[], requests.Response], times: int) -> Sequence[requests.Response]:
    return [send() for _ in range(times)]


def at_once(send: Callable[[], requests.Response], times: int) -> Sequence[requests.Response]:
    with ThreadPoolExecutor(THREADS) as pool:
        return [one.result() for one in [pool.submit(send) for _ in range(times)]]


class Tried:
    """What came of posting one delivery many times to an installation."""

    def __init__(self, tenant: Tenant, at: Installation, answers: Sequence[requests.Response]) -> None:
        judged = {one.status_code for one in answers} - ({410} if answers[0].ok else set())  # who took the app out is gone
        assert judged <= {200, 204, 400}, [one.text for one in answers]
        assert len(judged) == 1, "all are judged alike"
        self.refused = answers[0].status_code == 400
        told = [
            one.json() for one in answers if one.status_code == 200 and '"events"' in one.text
        ]  # others want an answer of their own
        self.firsts = [one for one in told if one["events"]]
        self.told = [event for one in told for event in one["events"]] if told else None
        self.stored = tenant.all(f"/v1/events?installation={show('ins', at.id)}")

    def check(self, tenant: Tenant, expected: int) -> None:
        """One answer brought the events, all others were duplicates; each has at most one message a trigger."""
        assert len(self.stored) == expected
        assert len(self.firsts) <= 1
        if self.told is not None:
            assert sorted(self.told) == sorted(one["id"] for one in self.stored)
        for event in self.stored:
            sent = {one["id"] for one in tenant.messages(event=event["id"])}
            found = tenant.get(f"/v1/events/{event['id']}")  # afterwards: one that is fetched first is decided meanwhile
            entries = found["decisions"]
            named = [one["message"] for one in entries if one["message"]]
            assert sent <= set(named)
            assert len(set(named)) == len(named)
            assert len({one["trigger"] for one in entries}) == len(entries)
            assert all(one["reason"] for one in entries if one["outcome"] == "refused")
            assert all(one["message"] for one in entries if one["outcome"] in {"sent", "held", "refused"})


def distinct(delivery: Delivery, at: Installation) -> Sequence[Event]:
    """The events in a delivery, each once; none where it is only answered, or can't be read."""
    connector, request = delivery.platform.connector, delivery.to(at)
    if connector.probe is not None and connector.probe(request, at) is not None:
        return []
    try:
        return list({event.id: event for event in connector.read(request, at)}.values())
    except PayloadInvalid:
        return []


@pytest.mark.parametrize(("listening", "delivery", "times"), list(deliveries()), indirect=["listening"])
def test_a_delivery_makes_its_events_once(
    listening: Tenant, delivery: Delivery, times: tuple[int, int], running: Callable[[Platform], StandIn]
) -> None:
    found = []
    for deliver, often in zip((in_turn, at_once), times, strict=True):
        at = install(listening, delivery.platform, running(delivery.platform))
        events = distinct(delivery, at)
        listen(listening, delivery.platform.connector.name, events)
        tried = Tried(listening, at, deliver(partial(post, delivery.to(at)), often))
        tried.check(listening, len(events))
        found.append(tried)
    one_by_one, together = found
    assert [event["type"] for event in one_by_one.stored] == [event["type"] for event in together.stored]
    assert one_by_one.refused == together.refused


class TestAnotherDelivery:
    """The same order under another delivery id, and the same delivery for somebody else."""

    @pytest.fixture
    def first(self, listening: Tenant) -> Any:
        """A shop of its own, an order in it, and what its first delivery brought."""
        with Shop(domain="twice.myshopify.com") as shop:
            installed = listening.shop(shop)
            gid = shop.place_order(phone="+12025550150")
            told = shop.deliver("orders/create", shop.order_webhook(gid), to=installed["webhook_url"], webhook_id="first")
            assert told.status == 200
            yield shop, installed, gid, json.loads(told.body)["events"]

    def test_an_order_told_again_under_another_id_texts_nobody(self, listening: Tenant, first: Any) -> None:
        shop, installed, gid, [event] = first
        again = shop.deliver("orders/create", shop.order_webhook(gid), to=installed["webhook_url"], webhook_id="second")
        assert (again.status, json.loads(again.body)) == (200, {"events": [], "duplicate": True})
        assert [one["event"] for one in listening.messages(to="%2B12025550150", event=event)] == [event]
        assert events_of(listening, installed) == [event]

    def test_an_order_with_another_shop_in_its_header_is_refused(self, listening: Tenant, first: Any) -> None:
        shop, installed, gid, told = first
        other = shop.deliver("orders/create", shop.order_webhook(gid), to=installed["webhook_url"], shop="other.myshopify.com")
        assert other.status == 401
        assert events_of(listening, installed) == told

    def test_a_delivery_replayed_at_another_shop_of_the_app_is_refused(self, listening: Tenant, first: Any) -> None:
        shop, _, gid, _ = first
        with Shop(domain="neighbour.myshopify.com") as neighbour:  # the same app, and so the same secret
            theirs = listening.shop(neighbour)
            replayed = shop.deliver("orders/create", shop.order_webhook(gid), to=theirs["webhook_url"], shop=neighbour.domain)
        assert replayed.status == 401
        assert events_of(listening, theirs) == []

    def test_two_apps_in_one_shop_are_both_told(self, listening: Tenant, first: Any) -> None:
        shop, _, gid, _ = first
        shop.client_secret = "another app's"
        second = listening.shop(shop)
        told = shop.deliver("orders/create", shop.order_webhook(gid), to=second["webhook_url"])
        assert (told.status, len(json.loads(told.body)["events"])) == (200, 1)


def test_every_event_was_decided_and_every_text_came_to_an_end(listening: Tenant) -> None:
    """An event texts, or says why not; what was decided to be sent is really sent, or waits for its time."""

    def unsaid() -> list[dict[str, Any]]:
        return [one for one in listening.all("/v1/events") if not (one["decisions"] or one["error"])]

    until(lambda: not unsaid(), lambda: f"not decided: {unsaid()}")

    def open_ones() -> list[str]:
        return [one["status"] for one in listening.messages() if one["status"] not in FINAL | {"scheduled"}]

    until(lambda: not open_ones(), lambda: f"still open: {open_ones()}")


def test_nothing_answers_at_an_unknown_key(listening: Tenant) -> None:
    with Shop(domain="unknown.myshopify.com") as shop:
        url = f"{listening.server.url}/hooks/shopify/{'A' * 43}"
        assert shop.deliver("orders/create", {"id": 1, "name": "#1"}, to=url).status == 404
        installed = listening.shop(shop)
        wrong = installed["webhook_url"].replace("/hooks/shopify/", "/hooks/other/")
        assert shop.deliver("orders/create", {"id": 1, "name": "#1"}, to=wrong).status == 404


def test_a_disabled_installation_is_gone_until_it_is_switched_on(listening: Tenant) -> None:
    with Shop(domain="switched.myshopify.com") as shop:
        installed = listening.shop(shop)
        gid = shop.place_order()

        def tell() -> int:
            return shop.deliver("orders/create", shop.order_webhook(gid), to=installed["webhook_url"]).status

        listening.patch(f"/v1/installations/{installed['id']}", {"status": "disabled"})
        assert tell() == 410
        listening.patch(f"/v1/installations/{installed['id']}", {"status": "active"})
        assert tell() == 200
        listening.call("DELETE", f"/v1/installations/{installed['id']}")
        assert tell() == 410


def test_the_hook_takes_posts(listening: Tenant) -> None:
    with Shop(domain="methods.myshopify.com") as shop:
        url = listening.shop(shop)["webhook_url"]
    for method in ("GET", "HEAD"):
        answer = requests.request(method, url, timeout=10)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert requests.put(url, timeout=10).status_code == 405
    assert urlsplit(url).path.startswith("/hooks/shopify/")
