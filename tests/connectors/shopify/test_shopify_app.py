"""The shop itself, compliance and Flow, read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bellwire import PayloadInvalid
from bellwire.testing import Case
from bellwire_connectors.shopify import connector

ORDER = "gid://shopify/Order/5820982911946154508"
CUSTOMER = "gid://shopify/Customer/6405506930370012"


def put(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda body: body.update(changes)


SHOP = [
    Case(
        "the app is removed; the body does not name its shop",
        sample="app_uninstalled",
        events=[
            {
                "type": "app.uninstalled",
                "subject": "shop/example.myshopify.com",
                "fact": "app.uninstalled:example.myshopify.com:2026-01-05T08:59:58.123456Z",
            }
        ],
    ),
    Case(
        "removed, and nobody says when", sample="app_uninstalled", headers={"X-Shopify-Triggered-At": None}, events=[{"fact": ""}]
    ),
    Case(
        "new settings of the shop",
        sample="installation_changed",
        events=[
            {
                "type": "installation.changed",
                "data.installation.locale": "en",
                "data.installation.timezone": "America/New_York",
                "data.installation.country": "US",
                "data.installation.shop_name": "Example Store",
            }
        ],
    ),
    Case(
        "a body of another shop is refused",
        sample="installation_changed",
        edit=put(myshopify_domain="other.myshopify.com"),
        error=PayloadInvalid,
        names="myshopify_domain",
    ),
    Case(
        "another shop's body sent as a removal is refused",
        sample="installation_changed",
        headers={"X-Shopify-Topic": "app/uninstalled"},
        edit=put(myshopify_domain="other.myshopify.com"),
        error=PayloadInvalid,
        names="myshopify_domain",
    ),
    Case(
        "new scopes",
        sample="installation_changed_scopes",
        events=[{"type": "installation.changed", "data.installation.scopes": "read_customers,read_orders,write_orders"}],
    ),
    Case("no scopes left", sample="installation_changed_scopes", edit=put(current=[]), events=[{"data.installation.scopes": None}]),
]

COMPLIANCE = [
    Case(
        "a person's data is asked for",
        sample="person_export_requested",
        events=[
            {
                "type": "person.export_requested",
                "account": "example.myshopify.com",
                "fact": "person.export_requested:example.myshopify.com:9999",
                "subject": f"customer/{CUSTOMER}",
                "customer.ref": CUSTOMER,
                "customer.phones": ["+12025550142"],
                "customer.email": "ana@example.com",
                "data.request.id": "9999",
                "data.request.orders": [ORDER],
            }
        ],
    ),
    Case(
        "a person is to be erased, as often as it is said",
        sample="person_erase_requested",
        events=[{"type": "person.erase_requested", "fact": "", "account": "example.myshopify.com", "data.request.orders": [ORDER]}],
    ),
    Case(
        "a person known by e-mail only",
        sample="person_erase_requested",
        edit=put(customer={"email": "ana@example.com"}),
        events=[
            {
                "customer.ref": "",
                "customer.phones": [],
                "customer.email": "ana@example.com",
                "subject": "shop/example.myshopify.com",
            }
        ],
    ),
    Case(
        "a shop is to be erased",
        sample="installation_erase_requested",
        events=[
            {
                "type": "installation.erase_requested",
                "account": "example.myshopify.com",
                "data.shop.domain": "example.myshopify.com",
            }
        ],
    ),
    *(
        Case(
            f"a signed {name} sent as {topic} is refused: topics are not signed",
            sample=name,
            headers={"X-Shopify-Topic": topic},
            error=PayloadInvalid,
        )
        for name, topic in [
            ("person_export_requested", "customers/redact"),
            ("person_export_requested", "shop/redact"),
            ("person_erase_requested", "customers/data_request"),
            ("person_erase_requested", "shop/redact"),
            ("installation_erase_requested", "customers/redact"),
            ("installation_erase_requested", "customers/data_request"),
            ("order_created", "customers/redact"),
            ("order_created", "shop/redact"),
            ("customer_created", "shop/redact"),
        ]
    ),
]

FLOW = [
    Case(
        "a workflow asks for one template to one person",
        sample="message_requested",
        events=[
            {
                "type": "message.requested",
                "fact": "message.requested:3f2b8c1e-0000-4000-8000-000000000012",
                "account": "example.myshopify.com",
                "subject": f"customer/{CUSTOMER}",
                "fetch": {},
                "customer.ref": CUSTOMER,
                "customer.phones": ["+12025550142"],
                "data.template": "come-back",
                "data.discount": "TEN",
                "data.phone": None,
            }
        ],
    ),
    Case(
        "without a number the customer is fetched",
        sample="message_requested",
        edit=put(properties={"template": "t", "customer_id": 6405506930370012}),
        events=[{"fetch": {"customer": CUSTOMER}, "customer.phones": []}],
    ),
    Case(
        "one about an order is written back there",
        sample="message_requested",
        edit=put(properties={"template": "t", "order_id": "gid://shopify/Order/7", "count": 3}),
        events=[{"subject": "order/gid://shopify/Order/7", "fetch": {"order": "gid://shopify/Order/7"}, "data.count": 3}],
    ),
    Case(
        "names that could be ours are not taken",
        sample="message_requested",
        edit=put(properties={"template": "t", "shop.name": "Other", "Shop": "x", "__class__": "x"}),
        events=[{"data.shop.name": "Example Store", "data.Shop": None, "data.__class__": None, "subject": ""}],
    ),
    Case(
        "one without a template",
        sample="message_requested",
        edit=put(properties={}),
        error=PayloadInvalid,
        names="properties.template",
    ),
    Case(
        "one of no shop",
        sample="message_requested",
        edit=put(shopify_domain="evil.example"),
        error=PayloadInvalid,
        names="shopify_domain",
    ),
    Case(
        "one without its run", sample="message_requested", edit=put(action_run_id=""), error=PayloadInvalid, names="action_run_id"
    ),
    Case("an order without a topic is none", sample="order_created", headers={"X-Shopify-Topic": None}, error=PayloadInvalid),
]


@pytest.mark.parametrize("case", [*SHOP, *COMPLIANCE, *FLOW], ids=lambda case: case.label)
def test_read(case: Case) -> None:
    case.check(connector)
