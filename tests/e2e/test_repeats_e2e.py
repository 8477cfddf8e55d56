"""A sender that repeats itself: one event, one message (promise A1). Each recorded body several times in turn, and at once.

The proof tells each ten times, on both databases; here SQLite is told each a few times, and PostgreSQL one of each topic.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from bellwire_connectors.shopify import connector
from standins.served import Server, Tenant, until
from standins.shopify import Shop

RECORDED = Path(__file__).resolve().parents[2] / ".." / "shared" / "payloads" / "shopify"
FEW, MANY, THREADS = (3, 5), (10, 10), 8
FINAL = {"delivered", "undelivered", "failed", "expired", "canceled", "refused"}


BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


def recorded() -> Iterator[Any]:
    """Database, body, how often it is told in turn and at once."""
    if not RECORDED.exists():
        yield pytest.param("sqlite", None, FEW, marks=pytest.mark.skip(reason="no recorded bodies beside this checkout"))
    paths = sorted(RECORDED.glob("*/*.json"))
    for database in ("sqlite", "postgresql"):
        marks = [pytest.mark.postgres] if database == "postgresql" else []
        for path in paths:
            shown = f"{database}-{path.parent.name}/{path.name}"
            if database == "sqlite" or path == min(path.parent.glob("*.json")):
                yield pytest.param(database, path, FEW, id=shown, marks=marks)
            yield pytest.param(database, path, MANY, id=f"{shown}-often", marks=[*marks, pytest.mark.proof])


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
        tenant.template("told", en="Something happened.")
        for event in connector.events:
            tenant.trigger(event, "told")
    return listeners[request.param]


def post(url: str, body: bytes, headers: Mapping[str, str]) -> requests.Response:
    return requests.post(url, data=body, headers=dict(headers), timeout=20)


def events_of(tenant: Tenant) -> int:
    """How many events a tenant was told of."""
    return len(tenant.all("/v1/events"))


def in_turn(send: Callable[[], requests.Response], times: int) -> Sequence[requests.Response]:
    return [send() for _ in range(times)]


def at_once(send: Callable[[], requests.Response], times: int) -> Sequence[requests.Response]:
    with ThreadPoolExecutor(THREADS) as pool:
        return [one.result() for one in [pool.submit(send) for _ in range(times)]]


class Tried:
    """What came of posting one body many times to an installation."""

    def __init__(self, tenant: Tenant, installation: str, answers: Sequence[requests.Response]) -> None:
        assert {one.status_code for one in answers} <= {200, 400}, [one.text for one in answers]
        assert len({one.status_code for one in answers}) == 1, "all are judged alike"
        self.refused = answers[0].status_code == 400
        said = [] if self.refused else [one.json() for one in answers]
        self.told = [event for one in said for event in one["events"]]
        self.firsts = [one for one in said if one["events"]]
        self.stored = tenant.all(f"/v1/events?installation={installation}")

    def check(self, tenant: Tenant) -> None:
        """One answer brought the events, all others were duplicates; each has at most one message a trigger."""
        assert len(self.firsts) <= 1
        assert sorted(self.told) == sorted(one["id"] for one in self.stored)
        assert len(set(self.told)) == len(self.told)
        for event in self.told:
            sent = {one["id"] for one in tenant.messages(event=event)}
            entries = tenant.get(f"/v1/events/{event}")["decisions"]  # afterwards: one that is fetched first is decided meanwhile
            named = [one["message"] for one in entries if one["message"]]
            assert sent <= set(named)
            assert len(set(named)) == len(named)
            assert len({one["trigger"] for one in entries}) == len(entries)
            assert all(one["reason"] for one in entries if one["outcome"] == "refused")
            assert all(one["message"] for one in entries if one["outcome"] in {"sent", "held", "refused"})


@pytest.mark.parametrize(("listening", "path", "times"), list(recorded()), indirect=["listening"])
def test_a_recorded_body_makes_its_events_once(listening: Tenant, shop: Shop, path: Path, times: tuple[int, int]) -> None:
    body, topic = path.read_bytes(), path.parent.name.replace("-", "/", 1)
    if topic in {"customers/data_request", "customers/redact", "shop/redact"}:  # its body says which shop is meant
        body = json.dumps({**json.loads(body), "shop_domain": shop.domain}).encode()
    headers = shop.headers(topic, body)
    found = []
    for deliver, often in zip((in_turn, at_once), times, strict=True):
        installed = listening.shop(shop)
        tried = Tried(listening, installed["id"], deliver(partial(post, installed["webhook_url"], body, headers), often))
        tried.check(listening)
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
        assert [one["id"] for one in listening.all(f"/v1/events?installation={installed['id']}")] == [event]

    def test_an_order_with_another_shop_in_its_header_is_refused(self, listening: Tenant, first: Any) -> None:
        shop, installed, gid, _ = first
        before = events_of(listening)
        other = shop.deliver("orders/create", shop.order_webhook(gid), to=installed["webhook_url"], shop="other.myshopify.com")
        assert other.status == 401
        assert events_of(listening) == before

    def test_a_delivery_replayed_at_another_shop_of_the_app_is_refused(self, listening: Tenant, first: Any) -> None:
        shop, _, gid, _ = first
        with Shop(domain="neighbour.myshopify.com") as neighbour:  # the same app, and so the same secret
            theirs = listening.shop(neighbour)
            before = events_of(listening)
            replayed = shop.deliver("orders/create", shop.order_webhook(gid), to=theirs["webhook_url"], shop=neighbour.domain)
        assert replayed.status == 401
        assert events_of(listening) == before

    def test_two_apps_in_one_shop_are_both_told(self, listening: Tenant, first: Any) -> None:
        shop, _, gid, _ = first
        shop.client_secret = "another app's"
        second = listening.shop(shop)
        told = shop.deliver("orders/create", shop.order_webhook(gid), to=second["webhook_url"])
        assert (told.status, len(json.loads(told.body)["events"])) == (200, 1)


def test_every_text_came_to_an_end(listening: Tenant) -> None:
    """What was decided above is really sent, or waits for its time."""

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
