"""Shopify's order topics, read: who is texted, with what, and which deliveries tell the same fact."""

from __future__ import annotations

from typing import Any

import pytest
from bellwire import PayloadInvalid
from bellwire.testing import Case
from bellwire_connectors.shopify import connector

ORDER = "gid://shopify/Order/5820982911946154508"
GONE: dict[str, Any] = {}


def put(path: str, value: Any) -> Any:
    """An edit: the value at the dotted path; GONE takes the field away."""

    def edit(body: dict[str, Any]) -> None:
        *way, last = path.split(".")
        for step in way:
            body = body[step]
        if value is GONE:
            body.pop(last, None)
        else:
            body[last] = value

    return edit


def put_all(**changes: Any) -> Any:
    def edit(body: dict[str, Any]) -> None:
        for path, value in changes.items():
            put(path.replace("__", "."), value)(body)

    return edit


PHONES = "customer.phones"
CASES = [
    Case(
        "an order placed: subject, people, data, and the checkout that it ends",
        sample="order_created",
        events=[
            {
                "id": "b54557e4-bdd9-4b37-8a5f-000000000001",
                "type": "order.created",
                "fact": f"order.created:{ORDER}",
                "subject": f"order/{ORDER}",
                "cancels": ["checkout/bf7d4c1f0cd6ac1b3e6bb7d4c1f0cd6a"],
                "test": False,
                "fetch": {},
                "account": "",
                "customer.ref": "gid://shopify/Customer/6405506930370012",
                "customer.name": "Ana Example",
                "customer.phones": ["+12025550142", "(202) 555-0142"],
                "customer.marketing_phones": ["+12025550142"],
                "customer.email": "ana@example.com",
                "customer.locale": "en-US",
                "customer.countries": ["US"],
                "customer.consents": [],
                "recipient.name": "Ana Example",
                "recipient.phones": ["(202) 555-0142", "+12025550142"],
                "recipient.marketing_phones": [],
                "data.order.id": ORDER,
                "data.order.name": "#1001",
                "data.order.number": 1001,
                "data.order.total": "404.95",
                "data.order.currency": "USD",
                "data.order.item_count": 3,
                "data.order.items": [{"title": "Aviator sunglasses", "quantity": 1}, {"title": "Lens case", "quantity": 2}],
                "data.order.status_url": "https://example.myshopify.com/1/orders/bd9a/authenticate?key=abcdefg",
                "data.order.financial_status": "pending",
                "data.order.fulfillment_status": None,
                "data.order.tags": ["vip", "autumn"],
                "data.order.payment_gateways": ["bogus"],
                "data.order.shipping_method": "Standard shipping",
                "data.order.test": False,
                "data.checkout.token": "bf7d4c1f0cd6ac1b3e6bb7d4c1f0cd6a",
                "data.customer.first_name": "Ana",
                "data.customer.last_name": "Example",
                "data.shop.name": "Example Store",
                "data.shop.domain": "example.myshopify.com",
            }
        ],
    ),
    Case(
        "an order paid cancels the waiting checkout, too",
        sample="order_paid",
        events=[{"type": "order.paid", "fact": f"order.paid:{ORDER}", "cancels": ["checkout/bf7d4c1f0cd6ac1b3e6bb7d4c1f0cd6a"]}],
    ),
    Case(
        "an order cancelled says why and cancels no other text",
        sample="order_cancelled",
        events=[
            {"type": "order.cancelled", "fact": f"order.cancelled:{ORDER}", "data.order.cancel_reason": "customer", "cancels": []}
        ],
    ),
    Case(
        "an order changed",
        sample="order_updated",
        events=[{"type": "order.updated", "data.order.tags": ["vip", "autumn", "call first"]}],
    ),
    Case(
        "a partly fulfilled order is a changed order",
        sample="order_updated",
        headers={"X-Shopify-Topic": "orders/partially_fulfilled"},
        edit=put("fulfillment_status", "partial"),
        events=[{"type": "order.updated", "data.order.fulfillment_status": "partial"}],
    ),
    Case(
        "an edited order has ids only and is fetched",
        sample="order_edited",
        events=[
            {
                "type": "order.updated",
                "fact": f"order.updated:{ORDER}:edit/78912328793123780",
                "subject": f"order/{ORDER}",
                "fetch": {"order": ORDER},
                "data.order.edited": True,
                "people": {},
            }
        ],
    ),
    Case("a topic we don't serve makes no event", sample="cart_updated"),
    Case("an order deleted makes no event", sample="order_created", headers={"X-Shopify-Topic": "orders/delete"}),
    # phones
    Case(
        "a gift's shipping phone is not the buyer's",
        sample="order_created_gift",
        events=[{PHONES: ["+12025550142", "(202) 555-0142"]}],
    ),
    Case(
        "a gift's recipient is who gets the parcel",
        sample="order_created_gift",
        events=[{"recipient.phones": ["+385 91 000 0012"], "recipient.name": "Mia Sample", "recipient.countries": ["HR", "US"]}],
    ),
    Case(
        "a shipping name in other letters and blanks is no gift",
        sample="order_created",
        edit=put_all(phone=None, shipping_address__first_name="ANA ", shipping_address__phone="+12025550199"),
        events=[{PHONES: ["+12025550199", "+12025550142", "(202) 555-0142"]}],
    ),
    Case(
        "no phone anywhere: the person is there, without a number",
        sample="order_created_no_phone",
        events=[{PHONES: [], "recipient.phones": []}],
    ),
    Case(
        "the billing phone comes after the account's, the default address last",
        sample="order_created",
        edit=put_all(
            phone=None,
            shipping_address=None,
            customer__phone="+12025550101",
            billing_address__phone="+12025550102",
            customer__default_address__phone="+12025550103",
        ),
        events=[{PHONES: ["+12025550101", "+12025550102", "+12025550103"], "customer.marketing_phones": ["+12025550101"]}],
    ),
    Case(
        "an account without a phone gets no marketing, whatever the addresses say",
        sample="order_created",
        edit=put("customer.phone", None),
        events=[{"customer.marketing_phones": [], PHONES: ["+12025550142", "(202) 555-0142"]}],
    ),
    Case(
        "letters in a phone are kept for the number parser to refuse",
        sample="order_created_test",
        events=[{PHONES: ["555-555-SHIP", "(202) 555-0142"]}],
    ),
    Case(
        "the buyer's e-mail falls back to the account's",
        sample="order_created",
        edit=put("email", None),
        events=[{"customer.email": "ana@example.com"}],
    ),
    # addresses and customers that are not there
    Case(
        "a guest's digital order has neither customer nor addresses",
        sample="order_created_guest",
        events=[
            {
                PHONES: ["(202) 555-0177"],
                "customer.ref": "",
                "customer.countries": [],
                "recipient.phones": ["(202) 555-0177"],
                "cancels": [],
                "data.customer.first_name": None,
            }
        ],
    ),
    Case(
        "an address may be an empty list",
        sample="order_created",
        edit=put_all(shipping_address=[], billing_address=[], customer__default_address=[]),
        events=[{PHONES: ["+12025550142"], "customer.countries": []}],
    ),
    Case(
        "an address that is a list of something is refused",
        sample="order_created",
        edit=put("shipping_address", [1]),
        error=PayloadInvalid,
    ),
    Case(
        "a customer of nulls, as without approval for protected data",
        sample="order_created_no_phone",
        edit=put(
            "customer", {"id": 1, "first_name": None, "last_name": None, "email": None, "phone": None, "default_address": None}
        ),
        events=[{PHONES: [], "customer.ref": "gid://shopify/Customer/1", "customer.name": "Ana Example"}],
    ),
    Case("countries: shipping, billing, home", sample="order_created_gift", events=[{"customer.countries": ["HR", "US"]}]),
    Case(
        "a country that is none is left out",
        sample="order_created",
        edit=put("shipping_address.country_code", "USA"),
        events=[{"customer.countries": ["US"]}],
    ),
    Case(
        "a locale that is none is left out",
        sample="order_created",
        edit=put("customer_locale", "example string"),
        events=[{"customer.locale": ""}],
    ),
    # money
    Case(
        "the buyer's currency is shown, without inventing decimals",
        sample="order_created_vnd",
        events=[{"data.order.total": "508000", "data.order.currency": "VND"}],
    ),
    Case(
        "without the pair the plain total is in the shop's currency",
        sample="order_created_vnd",
        edit=put_all(total_price_set=None, currency="USD"),
        events=[{"data.order.total": "20.00", "data.order.currency": "USD"}],
    ),
    Case(
        "money may be a JSON number",
        sample="order_created",
        edit=put("total_price_set.presentment_money.amount", 404.95),
        events=[{"data.order.total": "404.95"}],
    ),
    Case(
        "an amount that is none is refused by its place",
        sample="order_created",
        edit=put("total_price_set.presentment_money.amount", "a lot"),
        error=PayloadInvalid,
        names="total_price_set.presentment_money.amount",
    ),
    Case(
        "an amount without an end is refused",
        sample="order_created",
        edit=put("total_price", "1E+999999"),
        error=PayloadInvalid,
        names="total_price",
    ),
    Case(
        "an order without totals has none",
        sample="order_created",
        edit=put_all(total_price=None, total_price_set=None),
        events=[{"data.order.total": None, "data.order.currency": None}],
    ),
    # ids
    Case(
        "the gid wins over a number that a tool has rounded",
        sample="order_created",
        edit=put("id", 5820982911946154000),
        events=[{"subject": f"order/{ORDER}"}],
    ),
    Case(
        "without a gid the number makes it, all 64 bits of it",
        sample="order_created",
        edit=put("admin_graphql_api_id", None),
        events=[{"subject": f"order/{ORDER}"}],
    ),
    Case(
        "a gid of something else is not believed",
        sample="order_created",
        edit=put("admin_graphql_api_id", "https://www.example.com/"),
        events=[{"subject": f"order/{ORDER}"}],
    ),
    # what is demanded
    Case("an order without an id is refused", sample="order_created", edit=put("id", GONE), error=PayloadInvalid, names="id"),
    Case("an order without a name is refused", sample="order_created", edit=put("name", GONE), error=PayloadInvalid, names="name"),
    Case(
        "a name of another type is refused", sample="order_created", edit=put("name", ["#1001"]), error=PayloadInvalid, names="name"
    ),
    Case(
        "a time that is none is refused",
        sample="order_created",
        edit=put("created_at", "yesterday"),
        error=PayloadInvalid,
        names="created_at",
    ),
    Case(
        "lines cut away by includeFields",
        sample="order_created",
        edit=put("line_items", GONE),
        events=[{"data.order.item_count": 0, "data.order.items": []}],
    ),
    # test orders
    Case("the admin's test notification is marked", sample="order_created_test", events=[{"test": True, "data.order.test": True}]),
    Case("a test order is marked without the header", sample="order_created", edit=put("test", True), events=[{"test": True}]),
    Case(
        "a phone field that holds a story holds no number",
        sample="order_created",
        edit=put_all(phone="please ring at the green door, then call +12025550199", customer__phone="x" * 40),
        events=[{PHONES: ["(202) 555-0142", "x" * 40]}],
    ),
    Case(
        "a link that no handset opens is none, and none is cut",
        sample="order_created",
        edit=put("order_status_url", "https://example.com/" + "x" * 2000),
        events=[{"data.order.status_url": None}],
    ),
    Case(
        "a link of another kind is none",
        sample="order_created",
        edit=put("order_status_url", "javascript:1"),
        events=[{"data.order.status_url": None}],
    ),
    Case(
        "joiners belong to words",
        sample="order_created",
        edit=put_all(line_items=[{"title": "می‌خواهم 👩‍👧", "quantity": 1}]),
        events=[{"data.order.items": [{"title": "می‌خواهم 👩‍👧", "quantity": 1}]}],
    ),
    # what is never taken
    Case(
        "control characters and blanks don't pass",
        sample="order_created",
        edit=put("name", " #1001\u0000\r\nX "),
        events=[{"data.order.name": "#1001   X"}],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_read(case: Case) -> None:
    case.check(connector)
