"""The look back: subscriptions that were deleted stand again, and what happened meanwhile is told once (A14)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bellwire import Event, PlatformError, PlatformRejected, WebhookRequest
from bellwire_connectors.shopify import connector
from bellwire_connectors.shopify.privacy import TOPICS as COMPLIANCE
from bellwire_connectors.shopify.subscriptions import enum_of
from bellwire_connectors.shopify.webhook import TOPICS
from standins.installed import WEBHOOK_URL, installed
from standins.link import MemoryLink, Vault
from standins.shopify import Fault, Shop
from standins.shopify_graphql import Throttle
from standins.shopify_orders import parcel, refund

OpenLink = Callable[..., MemoryLink]
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def shop() -> Any:
    """It is nine o'clock in this shop, and its API has no limits."""
    with Shop(now=lambda: NOW) as running:
        running.throttle = Throttle(10**9, 10**9)
        yield running


@pytest.fixture
def look(shop: Shop, open_link: OpenLink) -> Callable[..., list[Event]]:
    """Reconcile as one job, and keep what it remembers."""
    vault = Vault(installed(shop))

    def run(since: datetime = NOW - HOUR, **changes: Any) -> list[Event]:
        vault.installation = replace(vault.installation, **changes)
        assert connector.reconcile is not None
        return list(connector.reconcile(open_link(vault, now=lambda: NOW), since))

    return run


def subscribe(link: MemoryLink) -> None:
    assert connector.subscribe is not None
    connector.subscribe(link)


def topics(shop: Shop) -> set[str]:
    return {one["topic"] for one in shop.subscriptions.values()}


def add_subscription(shop: Shop, number: int, uri: str, form: str = "JSON") -> str:
    gid = f"gid://shopify/WebhookSubscription/{number}"
    shop.subscriptions[gid] = {"id": gid, "topic": "ORDERS_CREATE", "uri": uri, "format": form, "apiVersion": {"handle": "2026-10"}}
    return gid


def types(events: Sequence[Event]) -> list[str]:
    return [event.type for event in events]


def by_webhook(shop: Shop, topic: str, body: dict[str, Any]) -> Sequence[Event]:
    raw = json.dumps(body).encode()
    headers = {name.lower(): value for name, value in shop.headers(topic, raw).items()}
    return connector.read(WebhookRequest(headers=headers, body=raw, received_at=NOW), installed(shop))


WITHOUT_MERGE = {enum_of(topic) for topic in TOPICS} - {enum_of(topic) for topic in COMPLIANCE} - {"CUSTOMERS_MERGE"}


class TestSubscriptions:
    def test_an_install_makes_all_that_the_scopes_allow(self, shop: Shop, link: MemoryLink) -> None:
        subscribe(link)
        assert topics(shop) == WITHOUT_MERGE
        assert {(one["uri"], one["format"]) for one in shop.subscriptions.values()} == {(WEBHOOK_URL, "JSON")}

    def test_compliance_topics_are_never_tried(self, shop: Shop, link: MemoryLink) -> None:
        subscribe(link)
        tried = {variables.get("topic") for _, variables in shop.calls}
        assert not tried & {enum_of(topic) for topic in COMPLIANCE}

    def test_a_second_time_makes_nothing(self, shop: Shop, link: MemoryLink) -> None:
        subscribe(link)
        before = dict(shop.subscriptions)
        subscribe(link)
        assert shop.subscriptions == before

    def test_deleted_ones_are_made_again(self, shop: Shop, link: MemoryLink, look: Callable[..., list[Event]]) -> None:
        subscribe(link)
        assert shop.drop_subscriptions("orders/create", "orders/paid", "app/uninstalled") == 3
        look()
        assert topics(shop) == WITHOUT_MERGE

    def test_those_of_other_apps_urls_are_left_alone(self, shop: Shop, link: MemoryLink) -> None:
        made = add_subscription(shop, 1, "https://other.example/")
        subscribe(link)
        assert shop.subscriptions[made]["uri"] == "https://other.example/"
        assert len(shop.subscriptions) == len(WITHOUT_MERGE) + 1

    def test_one_that_sends_xml_is_replaced(self, shop: Shop, link: MemoryLink) -> None:
        add_subscription(shop, 1, WEBHOOK_URL, "XML")
        subscribe(link)
        assert {one["format"] for one in shop.subscriptions.values()} == {"JSON"}

    def test_more_than_a_page_of_them_is_listed(self, shop: Shop, link: MemoryLink) -> None:
        for number in range(120):
            add_subscription(shop, number, f"https://o.example/{number}")
        subscribe(link)
        subscribe(link)
        assert len(shop.subscriptions) == 120 + len(WITHOUT_MERGE)

    def test_a_scope_that_was_not_granted_leaves_its_topics_out(self, shop: Shop, open_link: OpenLink) -> None:
        shop.scopes = ("read_orders",)
        subscribe(open_link(Vault(installed(shop))))
        assert {"ORDERS_PAID", "CHECKOUTS_UPDATE", "APP_UNINSTALLED", "SHOP_UPDATE"} <= topics(shop)
        assert not {"CUSTOMERS_UPDATE", "FULFILLMENTS_CREATE", "RETURNS_REQUEST"} & topics(shop)

    @pytest.mark.parametrize(
        "scope",
        ["read_merchant_managed_fulfillment_orders", "read_assigned_fulfillment_orders", "write_third_party_fulfillment_orders"],
    )
    def test_any_of_three_scopes_is_enough_for_pickups(self, shop: Shop, open_link: OpenLink, scope: str) -> None:
        shop.scopes = (scope,)
        subscribe(open_link(Vault(installed(shop))))
        assert "FULFILLMENT_ORDERS_LINE_ITEMS_PREPARED_FOR_PICKUP" in topics(shop)

    def test_an_url_that_shopify_won_t_have_is_said(self, vault: Vault, open_link: OpenLink) -> None:
        plain = Vault(replace(vault.installation, webhook_url="http://bellwire.example/hooks/shopify/KEY"))
        with pytest.raises(PlatformRejected, match="topics are not subscribed"):
            subscribe(open_link(plain))

    def test_without_a_public_url_it_is_said(self, vault: Vault, open_link: OpenLink) -> None:
        with pytest.raises(PlatformRejected, match="PUBLIC_URL"):
            subscribe(open_link(Vault(replace(vault.installation, webhook_url=""))))

    def test_an_answer_that_got_lost_is_no_trouble(self, shop: Shop, link: MemoryLink) -> None:
        shop.fail(Fault(cut="after"))
        with pytest.raises(PlatformError):
            subscribe(link)
        subscribe(link)
        assert topics(shop) == WITHOUT_MERGE


def test_without_a_public_url_the_shop_is_polled_all_the_same(shop: Shop, look: Callable[..., list[Event]]) -> None:
    shop.place_order()
    assert types(look(webhook_url=""))[:1] == ["order.created"]


class TestMissed:
    def test_an_order_s_whole_life_is_told_in_order(self, shop: Shop, look: Callable[..., list[Event]]) -> None:
        shop.place_order(
            displayFinancialStatus="PARTIALLY_REFUNDED",
            cancelledAt=NOW.isoformat(),
            cancelReason="CUSTOMER",
            payments=[{"kind": "SALE", "status": "SUCCESS", "processedAt": NOW.isoformat()}],
            parcels=[parcel(1, NOW, deliveredAt=NOW.isoformat(), displayStatus="DELIVERED")],
            refunded=[refund(1, NOW)],
        )
        events = [event for event in look() if event.type.startswith(("order", "fulfillment"))]
        assert types(events) == [
            "order.created",
            "order.paid",
            "fulfillment.shipped",
            "fulfillment.delivered",
            "order.refunded",
            "order.cancelled",
        ]

    def test_it_is_the_same_as_by_webhook(self, shop: Shop, look: Callable[..., list[Event]]) -> None:
        sent = parcel(1, NOW)
        order = shop.place_order(
            displayFinancialStatus="PAID",
            displayFulfillmentStatus="FULFILLED",
            payments=[{"kind": "CAPTURE", "status": "SUCCESS", "processedAt": NOW.isoformat()}],
            parcels=[sent],
            customer=None,
        )
        body = shop.order_webhook(order)
        webhooks = [
            event for topic in ("orders/create", "orders/paid", "orders/fulfilled") for event in by_webhook(shop, topic, body)
        ]
        polled = look()
        assert [event.fact for event in polled] == [event.fact for event in webhooks]
        for one, other in zip(polled, webhooks, strict=True):
            assert (one.subject, one.people, one.data) == (other.subject, other.people, other.data)
            assert one.id == one.fact

    def test_five_hundred_orders_are_found_with_none_missing(self, shop: Shop, look: Callable[..., list[Event]]) -> None:
        orders = {shop.place_order(customer=None) for _ in range(500)}
        found = [event.subject.removeprefix("order/") for event in look() if event.type == "order.created"]
        assert (len(found), set(found)) == (500, orders)

    def test_what_was_before_the_look_is_not_news(self, shop: Shop, look: Callable[..., list[Event]]) -> None:
        long_ago = (NOW - timedelta(days=60)).isoformat()
        shop.place_order(
            createdAt=long_ago,
            displayFinancialStatus="PAID",
            payments=[{"kind": "SALE", "status": "SUCCESS", "processedAt": long_ago}],
            parcels=[parcel(1, NOW - timedelta(days=50))],
            refunded=[refund(1, NOW - timedelta(days=40))],
            customer=None,
        )
        assert look() == []

    def test_nothing_is_told_from_before_the_app_was_installed(self, shop: Shop, look: Callable[..., list[Event]]) -> None:
        shop.place_order(createdAt=(NOW - HOUR).isoformat(), customer=None)
        later = shop.place_order(createdAt=NOW.isoformat(), customer=None)
        found = look(since=NOW - timedelta(days=1), installed_at=NOW - timedelta(minutes=10))
        assert [event.subject for event in found] == [f"order/{later}"]

    def test_facts_older_than_they_are_remembered_are_not_told(self, shop: Shop, look: Callable[..., list[Event]]) -> None:
        shop.place_order(createdAt=(NOW - timedelta(days=31)).isoformat(), customer=None)
        assert look(since=NOW - timedelta(days=365)) == []

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"displayFinancialStatus": "PENDING"}, ["order.created"]),
            ({"displayFinancialStatus": "AUTHORIZED"}, ["order.created"]),
            ({"displayFinancialStatus": "PAID"}, ["order.created", "order.paid"]),
            (
                {"displayFinancialStatus": "PAID", "payments": [{"kind": "SALE", "status": "FAILURE", "processedAt": None}]},
                ["order.created", "order.paid"],
            ),
            ({"parcels": [parcel(1, NOW, status="CANCELLED")]}, ["order.created"]),
            ({"parcels": [parcel(1, NOW, tracking=None)]}, ["order.created", "fulfillment.shipped"]),
            ({"parcels": [parcel(1, NOW, displayStatus="OUT_FOR_DELIVERY")]}, ["order.created", "fulfillment.shipped"]),
        ],
        ids=["pending", "authorized", "free", "a try that failed", "cancelled parcel", "no tracking", "on its last day"],
    )
    def test_only_what_happened_is_told(
        self, shop: Shop, look: Callable[..., list[Event]], changes: dict[str, Any], expected: list[str]
    ) -> None:
        shop.place_order(customer=None, **changes)
        assert types(look()) == expected

    def test_a_test_order_stays_one(self, shop: Shop, look: Callable[..., list[Event]]) -> None:
        shop.place_order(test=True, customer=None)
        assert [event.test for event in look()] == [True]


class TestCheckouts:
    def test_an_unfinished_one_is_told_with_its_webhook_s_token(self, shop: Shop, look: Callable[..., list[Event]]) -> None:
        shop.abandon_checkout(token="bf7d4c1f0cd6ac1b3e6bb7d4c1f0cd6a")
        [event] = look()
        assert (event.type, event.subject) == ("checkout.abandoned", "checkout/bf7d4c1f0cd6ac1b3e6bb7d4c1f0cd6a")
        assert event.fact == "checkout.abandoned:bf7d4c1f0cd6ac1b3e6bb7d4c1f0cd6a:2026-01-05T09:00:00Z"
        assert (event.data["checkout.total"], event.data["checkout.currency"]) == ("99.99", "USD")
        assert event.customer is not None
        assert event.customer.phones == ("(202) 555-0142", "+12025550142")

    def test_a_finished_one_ends_what_waits(self, shop: Shop, look: Callable[..., list[Event]]) -> None:
        shop.abandon_checkout(completedAt=NOW.isoformat(), token="bf7d4c1f0cd6ac1b3e6bb7d4c1f0cd6a")
        [event] = look()
        assert (event.type, list(event.cancels)) == ("checkout.completed", ["checkout/bf7d4c1f0cd6ac1b3e6bb7d4c1f0cd6a"])

    def test_one_whose_url_tells_no_token_is_left_to_its_webhook(self, shop: Shop, look: Callable[..., list[Event]]) -> None:
        shop.abandon_checkout(abandonedCheckoutUrl="https://example.myshopify.com/recover?key=abc")
        assert look() == []


class TestCustomers:
    def test_a_new_one_and_what_they_said(self, shop: Shop, look: Callable[..., list[Event]]) -> None:
        customer = shop.add_customer()
        shop.customers[customer]["defaultPhoneNumber"] |= {"marketingState": "UNSUBSCRIBED", "marketingUpdatedAt": NOW.isoformat()}
        created, consent = look()
        assert (created.type, consent.type) == ("customer.created", "customer.consent_changed")
        assert consent.customer is not None
        assert [hint.state for hint in consent.customer.consents] == ["opted_out"]

    def test_what_was_said_before_is_no_news(self, shop: Shop, look: Callable[..., list[Event]]) -> None:
        customer = shop.add_customer(createdAt=(NOW - timedelta(days=9)).isoformat())
        earlier = (NOW - timedelta(days=8)).isoformat()
        shop.customers[customer]["defaultPhoneNumber"] |= {"marketingState": "SUBSCRIBED", "marketingUpdatedAt": earlier}
        assert look() == []


class TestTheCursor:
    def test_the_next_look_begins_where_this_one_was_made(self, shop: Shop, look: Callable[..., list[Event]]) -> None:
        look(since=NOW - timedelta(days=2))
        look(since=NOW)
        filters = [variables["filter"] for name, variables in shop.calls if name == "Orders"]
        assert filters == ["updated_at:>='2026-01-03T09:00:00Z'", "updated_at:>='2026-01-05T08:55:00Z'"]

    def test_a_look_that_is_asked_to_go_further_back_does(self, shop: Shop, look: Callable[..., list[Event]]) -> None:
        look(since=NOW)
        look(since=NOW - timedelta(days=7))
        filters = [variables["filter"] for name, variables in shop.calls if name == "Orders"]
        assert filters[-1] == "updated_at:>='2025-12-29T09:00:00Z'"

    def test_a_look_that_is_cut_short_goes_on_next_time(
        self, shop: Shop, look: Callable[..., list[Event]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from bellwire_connectors.shopify import reconcile as module

        monkeypatch.setattr("bellwire_connectors.shopify.reconcile._PAGES", 2)
        times = [NOW - timedelta(minutes=50 - number) for number in range(35)]
        orders = [shop.place_order(createdAt=at.isoformat(), updatedAt=at.isoformat(), customer=None) for at in times]
        found = {event.subject for _ in range(3) for event in look()}
        assert found == {f"order/{order}" for order in orders}
        assert timedelta(days=29) == module.LONGEST

    def test_one_that_fails_remembers_nothing(self, shop: Shop, vault: Vault, open_link: OpenLink) -> None:
        shop.fail(Fault(500))
        assert connector.reconcile is not None
        with pytest.raises(PlatformError):
            connector.reconcile(open_link(vault, now=lambda: NOW), NOW - HOUR)
        assert vault.installation.cursor == {}


def test_a_scope_that_is_missing_leaves_its_part_out(shop: Shop, look: Callable[..., list[Event]]) -> None:
    shop.scopes = ("read_orders",)
    shop.place_order()
    shop.add_customer()
    shop.tokens.clear()
    token = shop.custom_app_token()
    events = look(credentials={"shop": shop.domain, "client_secret": shop.client_secret, "access_token": token})
    assert types(events) == ["order.created"]
