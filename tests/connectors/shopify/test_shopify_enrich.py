"""Events that came with ids only: who and what the shop adds to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from bellwire import Event, PlatformRejected, PlatformUnauthorized, PlatformUnavailable
from bellwire.testing import bend, sample
from bellwire_connectors.shopify import connector
from bellwire_connectors.shopify.bodies import amount
from standins.installed import installed
from standins.link import MemoryLink, Vault
from standins.shopify import Fault, Shop
from standins.shopify_orders import address, money, parcel, refund

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
OpenLink = Callable[..., MemoryLink]


def read(shop: Shop, name: str, edit: Callable[[dict[str, Any]], object] | None = None) -> Event:
    request = sample("bellwire_connectors.shopify", name)
    [event] = connector.read(bend(request, edit) if edit else request, installed(shop))
    return event


def enrich(event: Event, link: MemoryLink) -> Event:
    assert connector.enrich is not None
    return connector.enrich(event, link)


def number(gid: str) -> int:
    return int(gid.rpartition("/")[2])


def test_a_parcel_keeps_its_recipient_and_gets_the_order(shop: Shop, link: MemoryLink) -> None:
    order = shop.place_order()
    event = enrich(read(shop, "fulfillment_shipped", lambda body: body.update(order_id=number(order))), link)
    assert (event.fetch, event.subject, event.type) == ({}, f"order/{order}", "fulfillment.shipped")
    assert event.people["recipient"].phones == ("(202) 555-0142",)
    assert event.customer is not None
    assert event.customer.phones == ("+12025550142", "(202) 555-0142")
    assert event.customer.ref == shop.orders[order]["customer"]["id"]
    assert {
        "order.name": "#1001",
        "order.total": "404.95",
        "order.currency": "USD",
        "order.item_count": 3,
        "tracking.number": "1Z0000000000000012",
    }.items() <= event.data.items()


def test_a_parcel_without_a_phone_takes_the_order_s_recipient(shop: Shop, link: MemoryLink) -> None:
    order = shop.place_order()
    event = enrich(read(shop, "fulfillment_shipped_no_phone", lambda body: body.update(order_id=number(order))), link)
    assert event.people["recipient"].phones == ("(202) 555-0142", "+12025550142")


def test_a_scan_gets_people_and_tracking(shop: Shop, link: MemoryLink) -> None:
    sent = parcel(12, NOW)
    order = shop.place_order(parcels=[parcel(11, NOW, tracking="OTHER"), sent])
    ids = {"order_id": number(order), "fulfillment_id": number(sent["id"])}
    event = enrich(read(shop, "fulfillment_delivered", lambda body: body.update(ids)), link)
    assert event.people["recipient"].phones
    assert event.data["tracking.number"] == "1Z0000000000000012"
    assert event.data["tracking.url"] == "https://tracking.example/1Z0000000000000012"
    assert event.data["fulfillment.status"] == "delivered"


def test_a_refund_gets_the_buyer_s_amount(shop: Shop, link: MemoryLink) -> None:
    back = refund(1, NOW, "508000", "VND")
    order = shop.place_order(refunded=[back], totalPriceSet=money("900000", "VND", "35.40"))
    event = read(
        shop, "order_refunded", lambda body: body.update(order_id=number(order), admin_graphql_api_id=back["id"], transactions=[])
    )
    assert "refund.amount" not in event.data
    full = enrich(event, link)
    assert (full.data["refund.amount"], full.data["refund.currency"], full.data["order.total"]) == ("508000", "VND", "900000")
    assert full.data["refund.reason"] == "arrived broken"
    assert full.customer is not None
    assert full.customer.phones


def test_a_pickup_finds_its_order(shop: Shop, link: MemoryLink) -> None:
    order = shop.place_order(name="#2044")
    shop.fulfillment_orders["gid://shopify/FulfillmentOrder/5859333243012"] = {
        "id": "gid://shopify/FulfillmentOrder/5859333243012",
        "order": shop.orders[order],
    }
    event = enrich(read(shop, "fulfillment_ready_for_pickup"), link)
    assert (event.subject, event.data["order.name"], event.data["order.number"]) == (f"order/{order}", "#2044", 2044)


@pytest.mark.parametrize(
    ("name", "returned", "reason"),
    [
        ("return_requested", {"decline": None, "handles": ["size-too-small"]}, "size_too_small"),
        ("return_requested", {"decline": None, "handles": []}, "size_too_small"),
        ("return_declined", {"decline": {"reason": "RETURN_PERIOD_ENDED"}, "handles": ["size-too-small"]}, "return_period_ended"),
    ],
)
def test_a_return_gets_name_and_reason(shop: Shop, link: MemoryLink, name: str, returned: dict[str, Any], reason: str) -> None:
    order = shop.place_order()
    lines = [
        {"__typename": "ReturnLineItem", "id": "x", "quantity": 1, "returnReasonDefinition": {"handle": handle}}
        for handle in returned["handles"]
    ]
    gid = "gid://shopify/Return/123134564012"
    shop.returns[gid] = {"id": gid, "name": "#1001-R1", "decline": returned["decline"], "returnLineItems": {"nodes": lines}}
    event = enrich(read(shop, name, lambda body: body.update(order={"id": number(order)}, name=None)), link)
    assert (event.data["return.name"], event.data["return.reason"]) == ("#1001-R1", reason)
    assert event.data["order.name"] == "#1001"


def test_an_edit_becomes_a_whole_order(shop: Shop, link: MemoryLink) -> None:
    order = shop.place_order(displayFinancialStatus="PARTIALLY_PAID", displayFulfillmentStatus="PARTIALLY_FULFILLED")
    event = enrich(read(shop, "order_edited", lambda body: body["order_edit"].update(order_id=number(order))), link)
    assert event.data["order.edited"] is True
    assert (event.data["order.financial_status"], event.data["order.fulfillment_status"]) == ("partially_paid", "partial")


def test_a_flow_action_finds_its_customer(shop: Shop, link: MemoryLink) -> None:
    customer = shop.add_customer(phone="+12025550177", firstName="Mia")
    event = read(shop, "message_requested", lambda body: body["properties"].update(phone=None, customer_id=str(number(customer))))
    full = enrich(event, link)
    assert full.customer is not None
    assert (full.customer.ref, full.customer.phones, full.customer.name) == (customer, ("+12025550177",), "Mia Example")
    assert (full.data["template"], full.data["customer.first_name"], full.fetch) == ("come-back", "Mia", {})


def test_a_flow_action_about_an_order_finds_its_buyer(shop: Shop, link: MemoryLink) -> None:
    order = shop.place_order()
    event = read(
        shop,
        "message_requested",
        lambda body: body.update(properties={"template": "thanks", "order_id": number(order)}),
    )
    full = enrich(event, link)
    assert full.customer is not None
    assert (full.customer.phones[0], full.data["order.name"], full.subject) == ("+12025550142", "#1001", f"order/{order}")


def test_a_test_order_marks_its_event(shop: Shop, link: MemoryLink) -> None:
    order = shop.place_order(test=True)
    assert enrich(read(shop, "order_refunded", lambda body: body.update(order_id=number(order))), link).test


def test_a_guest_s_order_and_nulls_are_no_accident(shop: Shop, link: MemoryLink) -> None:
    nothing = dict.fromkeys(["customer", "shippingAddress", "billingAddress", "shippingLine", "email", "phone", "customerLocale"])
    order = shop.place_order(**nothing, displayFinancialStatus=None, lines=[])
    event = enrich(read(shop, "order_refunded", lambda body: body.update(order_id=number(order))), link)
    assert event.customer is not None
    assert (event.customer.phones, event.data["order.item_count"]) == ((), 0)


def test_an_order_that_is_not_there_leaves_what_is_known(shop: Shop, link: MemoryLink) -> None:
    event = read(shop, "fulfillment_shipped")
    assert enrich(event, link) == replace(event, fetch={})


@pytest.mark.parametrize("name", ["order_refunded", "fulfillment_delivered", "fulfillment_ready_for_pickup", "order_edited"])
def test_without_the_order_nobody_could_be_texted(shop: Shop, link: MemoryLink, name: str) -> None:
    with pytest.raises(PlatformRejected, match="is not there"):
        enrich(read(shop, name), link)


def test_a_dead_token_leaves_a_parcel_s_recipient(shop: Shop, open_link: OpenLink) -> None:
    event, vault = read(shop, "fulfillment_shipped"), Vault(installed(shop))
    shop.uninstall()
    assert enrich(event, open_link(vault)).people["recipient"].phones
    with pytest.raises(PlatformUnauthorized):
        enrich(read(shop, "order_refunded"), open_link(vault))


def test_what_passes_is_tried_again_later(shop: Shop, link: MemoryLink) -> None:
    shop.fail(Fault(503))
    with pytest.raises(PlatformUnavailable):
        enrich(read(shop, "fulfillment_shipped"), link)


def test_without_approval_for_protected_data_there_is_nobody(shop: Shop, link: MemoryLink) -> None:
    order = shop.place_order(shippingAddress=address(phone="+12025550142"))
    shop.protected_data = False
    event = enrich(read(shop, "order_refunded", lambda body: body.update(order_id=number(order))), link)
    assert event.customer is not None
    assert event.customer.phones == ()
    assert event.data["order.name"] == "#1001"


@pytest.mark.parametrize(
    ("given", "currency", "written"),
    [
        ("20.0", "USD", "20.00"),
        ("404.95", "USD", "404.95"),
        ("508000.0", "VND", "508000"),
        ("1500.0", "JPY", "1500"),
        ("1.5", "KWD", "1.500"),
        ("0.0", "EUR", "0.00"),
        ("20.125", "USD", "20.125"),
        ("7.5", "XXX", "7.50"),
    ],
)
def test_an_amount_has_its_currency_s_decimals_as_in_a_webhook(given: str, currency: str, written: str) -> None:
    assert amount({"amount": given, "currencyCode": currency}) == written


@pytest.mark.parametrize("given", ["a lot", "NaN", None, "1E+999999"])
def test_an_amount_that_is_none_is_left_to_the_reader(given: str | None) -> None:
    assert amount({"amount": given, "currencyCode": "USD"}) == given
