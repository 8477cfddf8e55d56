"""The three compliance topics and the app's removal, over HTTP: signed or 401, and with real effect (promise H9)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from standins.served import Server, Tenant, until
from standins.shopify import Delivered, Shop

CLIENT = "the-app"


class Merchant:
    """A shop with the app in it. `door`: the app-wide URL, that of the app's first installation."""

    def __init__(self, tenant: Tenant, shop: Shop, door: str = "") -> None:
        self.tenant, self.shop = tenant, shop
        self.installation = tenant.shop(shop, name=shop.domain, client_id=CLIENT)
        self.door = door or self.installation["webhook_url"]

    def ask(self, topic: str, body: Mapping[str, Any], **changes: str | None) -> Delivered:
        """Shopify asks the app about this shop."""
        said = {"shop_id": 1, "shop_domain": self.shop.domain, **body}
        return self.shop.deliver(topic, said, to=self.door, **changes)

    def orders(self, phone: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """Somebody orders and is texted: the order's gid, the customer, the message."""
        number = zlib.crc32(f"{self.shop.domain} {phone}".encode())  # Shopify's numbers are those of no other shop
        customer = {**self.shop.customers[self.shop.add_customer(id=f"gid://shopify/Customer/{number}", phone=phone)]}
        gid = self.shop.place_order(id=f"gid://shopify/Order/{number}", phone=phone, customer=customer)
        told = self.shop.deliver("orders/create", self.shop.order_webhook(gid), to=self.installation["webhook_url"])
        assert told.status == 200, told.body
        [event] = json.loads(told.body)["events"]
        [decision] = self.tenant.get(f"/v1/events/{event}")["decisions"]
        return gid, customer, self.tenant.wait(decision["message"], "delivered")

    def removes_the_app(self) -> Delivered:
        """Shopify tells that the app was taken out."""
        self.shop.uninstall()
        body = {"id": zlib.crc32(self.shop.domain.encode()), "name": None, "myshopify_domain": None}
        return self.shop.deliver("app/uninstalled", body, to=self.installation["webhook_url"])


def person(customer: Mapping[str, Any], phone: str | None, gid: str) -> dict[str, Any]:
    """The body's part that names a person."""
    number = int(customer["id"].rpartition("/")[2])
    order = int(gid.rpartition("/")[2])
    return {"customer": {"id": number, "email": "ana@example.com", "phone": phone}, "order": order}


def export_of(customer: Mapping[str, Any], phone: str | None, gid: str) -> dict[str, Any]:
    """The body of customers/data_request."""
    named = person(customer, phone, gid)
    return {"customer": named["customer"], "orders_requested": [named["order"]], "data_request": {"id": 9999}}


def erasure_of(customer: Mapping[str, Any], phone: str | None, gid: str) -> dict[str, Any]:
    """The body of customers/redact."""
    named = person(customer, phone, gid)
    return {"customer": named["customer"], "orders_to_redact": [named["order"]]}


@pytest.fixture(scope="module")
def first(tenant: Tenant, shop: Shop) -> Merchant:
    """The app's first installation: the merchant's own shop."""
    tenant.sandbox()
    tenant.template("thanks", en="Thanks for {{ order.name }}, {{ customer.first_name }}.")
    tenant.trigger("order.created", "thanks")
    return Merchant(tenant, shop)


@pytest.fixture
def second(first: Merchant, tenant: Tenant, request: pytest.FixtureRequest) -> Iterator[Merchant]:
    """Another shop of the same app, of this test's own."""
    with Shop(
        domain=f"second-{zlib.crc32(request.node.name.encode())}.myshopify.com", client_secret=first.shop.client_secret
    ) as shop:
        yield Merchant(tenant, shop, first.door)


def requests_of(tenant: Tenant, merchant: Merchant) -> list[dict[str, Any]]:
    """What a shop asked for, newest first."""
    found = tenant.all("/v1/privacy-requests")
    return [one for one in found if one["installation"] == merchant.installation["id"]]


TOPICS = {
    "customers/data_request": {"customer": {"id": 1, "phone": "+12025550199"}, "orders_requested": [], "data_request": {"id": 1}},
    "customers/redact": {"customer": {"id": 1, "phone": "+12025550199"}, "orders_to_redact": []},
    "shop/redact": {},
}


@pytest.mark.parametrize("topic", TOPICS)
def test_a_bad_signature_is_refused_and_nothing_asked(server: Server, tenant: Tenant, first: Merchant, topic: str) -> None:
    before = server.rows(tenant)
    assert first.ask(topic, TOPICS[topic], secret="another app's").status == 401
    assert server.rows(tenant) == before


@pytest.mark.parametrize("topic", TOPICS)
def test_a_shop_that_nobody_installed_is_answered_and_forgotten(
    server: Server, tenant: Tenant, first: Merchant, topic: str
) -> None:
    before = server.rows(tenant)
    said = first.shop.deliver(topic, {"shop_id": 2, "shop_domain": "nobody.myshopify.com", **TOPICS[topic]}, to=first.door)
    assert (said.status, json.loads(said.body)["events"]) == (200, [])
    assert server.rows(tenant) == before


@dataclass
class Asked:
    """What Shopify asked for, all at once: the jobs look every few seconds."""

    exported: tuple[Merchant, dict[str, Any]]
    erased: dict[str, Any]
    neighbour: dict[str, Any]
    left: dict[str, Any]
    only: tuple[Merchant, dict[str, Any]]


@pytest.fixture(scope="module")
def asked(first: Merchant, tenant: Tenant) -> Iterator[Asked]:
    def shop(name: str, secret: str = first.shop.client_secret) -> Shop:
        return running.enter_context(Shop(domain=f"{name}.myshopify.com", client_secret=secret))

    with ExitStack() as running:
        exporting, erasing, leaving = (Merchant(tenant, shop(name), first.door) for name in ("exporting", "erasing", "leaving"))
        gid, customer, exported = exporting.orders("+12025550180")
        assert exporting.ask("customers/data_request", export_of(customer, "+12025550180", gid)).status == 200
        gid, customer, erased = erasing.orders("+12025550181")
        _, _, neighbour = erasing.orders("+12025550182")
        assert erasing.ask("customers/redact", erasure_of(customer, "+12025550181", gid)).status == 200
        _, _, left = leaving.orders("+12025550184")
        assert leaving.removes_the_app().status == 200
        said = leaving.ask("shop/redact", {})
        assert (said.status, len(json.loads(said.body)["events"])) == (200, 1)
        only = Merchant(tenant, shop("only", "its own"))  # a custom app: its one URL is the app-wide one
        _, customer, message = only.orders("+12025550186")
        assert only.removes_the_app().status == 200
        assert only.ask("customers/redact", erasure_of(customer, None, "gid://shopify/Order/1")).status == 200
        assert only.ask("shop/redact", {}, secret="another's").status == 401
        assert only.ask("shop/redact", {}).status == 200
        yield Asked((exporting, exported), erased, neighbour, left, (only, message))


def gone(tenant: Tenant, message: dict[str, Any]) -> bool:
    """Whether nothing of a message tells of its person any more."""
    found = tenant.message(message["id"])
    return (found["to"], found["text"]) == (None, None)


def test_a_person_s_data_comes_out(tenant: Tenant, asked: Asked) -> None:
    merchant, message = asked.exported
    [made] = until(lambda: [one for one in requests_of(tenant, merchant) if one["status"] == "done"])
    assert (made["kind"], made["has_export"]) == ("export_person", True)
    handed = tenant.post(f"/v1/privacy-requests/{made['id']}/fetch")
    assert message["text"] in json.dumps(handed, ensure_ascii=False)


def test_a_person_is_erased_and_nobody_else(tenant: Tenant, asked: Asked) -> None:
    until(lambda: gone(tenant, asked.erased))
    assert asked.erased["text"] not in json.dumps(tenant.post("/v1/people/%2B12025550181/export"))
    kept = tenant.message(asked.neighbour["id"])
    assert (kept["to"], kept["text"]) == ("+12025550182", asked.neighbour["text"])


def test_a_shop_that_left_is_erased_two_days_later(tenant: Tenant, asked: Asked) -> None:
    until(lambda: gone(tenant, asked.left))


def test_one_shop_s_app_leaves_and_is_erased_at_its_own_url(tenant: Tenant, asked: Asked) -> None:
    merchant, message = asked.only
    until(lambda: gone(tenant, message))
    until(lambda: requests.post(merchant.door, data=b"{}", timeout=10).status_code == 410, "its URL still answers")


def test_an_app_that_is_taken_out_stops(tenant: Tenant, second: Merchant) -> None:
    _, _, message = second.orders("+12025550183")
    waiting = tenant.post("/v1/messages", {"to": "+12025550183", "body": "of the API", "send_at": "2027-01-01T00:00:00Z"})
    assert second.removes_the_app().status == 200
    assert second.installation["id"] not in [one["id"] for one in tenant.all("/v1/installations")]
    late = second.shop.deliver("orders/create", {"id": 1, "name": "#1"}, to=second.installation["webhook_url"])
    assert late.status == 410
    assert tenant.message(message["id"])["to"] == "+12025550183", "what was sent stays until shop/redact"
    assert tenant.message(waiting["id"])["status"] == "scheduled", "what the tenant sends itself is its own"
    assert second.removes_the_app().status == 410


def test_a_shop_that_is_here_is_not_erased(tenant: Tenant, second: Merchant) -> None:
    _, _, message = second.orders("+12025550185")
    assert second.ask("shop/redact", {}).status == 200
    assert requests_of(tenant, second) == []
    assert tenant.message(message["id"])["to"] == "+12025550185"
