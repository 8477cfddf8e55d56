"""Parcels, refunds and returns, read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bellwire import PayloadInvalid
from bellwire.testing import Case
from bellwire_connectors.shopify import connector

ORDER = "gid://shopify/Order/5820982911946154508"
PARCEL = "gid://shopify/Fulfillment/255858046012"
TRACKING = "1Z0000000000000012"


def put(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda body: body.update(changes)


def cut(*names: str) -> Callable[[dict[str, Any]], None]:
    return lambda body: [body.pop(name, None) for name in names] and None


FULFILLMENTS = [
    Case(
        "a parcel sent: recipient and tracking here, the order is fetched",
        sample="fulfillment_shipped",
        events=[
            {
                "type": "fulfillment.shipped",
                "fact": f"fulfillment.shipped:fulfillment/255858046012:{TRACKING}",
                "subject": f"order/{ORDER}",
                "fetch": {"order": ORDER, "fulfillment": PARCEL},
                "recipient.phones": ["(202) 555-0142"],
                "recipient.name": "Ana Example",
                "recipient.countries": ["US"],
                "data.tracking.number": TRACKING,
                "data.tracking.url": f"https://www.ups.com/WebTracking?trackNums={TRACKING}",
                "data.tracking.company": "UPS",
                "data.shop.name": "Example Store",
            }
        ],
    ),
    Case(
        "a parcel without phone and tracking",
        sample="fulfillment_shipped_no_phone",
        events=[{"people": {}, "fact": "fulfillment.shipped:fulfillment/255858046012:", "data.tracking.number": None}],
    ),
    Case("a destination that is an empty list", sample="fulfillment_shipped", edit=put(destination=[]), events=[{"people": {}}]),
    Case("a destination that is missing", sample="fulfillment_shipped", edit=cut("destination"), events=[{"people": {}}]),
    Case(
        "tracking that stands in the lists only",
        sample="fulfillment_shipped",
        edit=put(tracking_number=None, tracking_url=None),
        events=[{"data.tracking.number": TRACKING, "data.tracking.url": f"https://www.ups.com/WebTracking?trackNums={TRACKING}"}],
    ),
    Case(
        "tracking lists of nulls",
        sample="fulfillment_shipped",
        edit=put(tracking_number=None, tracking_numbers=[None], tracking_url=None, tracking_urls=None),
        events=[{"data.tracking.number": None, "data.tracking.url": None}],
    ),
    *(
        Case(f"a parcel that is {status} is none", sample="fulfillment_shipped", edit=put(status=status))
        for status in ("cancelled", "error", "failure", "CANCELLED")
    ),
    *(
        Case(f"a parcel that is {status} is on its way", sample="fulfillment_shipped", edit=put(status=status), events=[{}])
        for status in ("pending", "open", "success", None)
    ),
    Case(
        "a parcel without its order is refused",
        sample="fulfillment_shipped",
        edit=cut("order_id"),
        error=PayloadInvalid,
        names="order_id",
    ),
    Case(
        "a fulfilled order tells the same parcel, with everybody",
        sample="fulfillment_shipped_order",
        events=[
            {
                "type": "fulfillment.shipped",
                "fact": f"fulfillment.shipped:fulfillment/255858046012:{TRACKING}",
                "fetch": {},
                "customer.phones": ["+12025550142", "(202) 555-0142"],
                "data.order.total": "404.95",
                "data.tracking.number": TRACKING,
            }
        ],
    ),
    Case(
        "a fulfilled order that lists no parcel is its own fact",
        sample="fulfillment_shipped_order",
        edit=put(fulfillments=[]),
        events=[{"fact": f"fulfillment.shipped:order/{ORDER}", "data.tracking.number": None}],
    ),
    Case(
        "a parcel out for delivery is one a day",
        sample="fulfillment_out_for_delivery",
        events=[
            {
                "type": "fulfillment.out_for_delivery",
                "fact": f"fulfillment.out_for_delivery:{PARCEL}:2026-01-05",
                "subject": f"order/{ORDER}",
                "fetch": {"order": ORDER, "fulfillment": PARCEL},
                "data.fulfillment.status": "out_for_delivery",
            }
        ],
    ),
    Case(
        "a parcel delivered is so once",
        sample="fulfillment_delivered",
        events=[{"type": "fulfillment.delivered", "fact": f"fulfillment.delivered:{PARCEL}"}],
    ),
    Case("a parcel in transit is no news", sample="fulfillment_in_transit"),
    *(
        Case(f"a scan {status} is no news", sample="fulfillment_in_transit", edit=put(status=status))
        for status in ("label_printed", "confirmed", "attempted_delivery", "delayed", "failure", "ready_for_pickup", "a new one")
    ),
    Case(
        "a scan in capitals",
        sample="fulfillment_delivered",
        edit=put(status="DELIVERED"),
        events=[{"type": "fulfillment.delivered"}],
    ),
    Case(
        "ready for pickup: the order is found by its fulfillment order",
        sample="fulfillment_ready_for_pickup",
        events=[
            {
                "type": "fulfillment.ready_for_pickup",
                "fact": "fulfillment.ready_for_pickup:gid://shopify/FulfillmentOrder/5859333243012",
                "subject": "fulfillment_order/gid://shopify/FulfillmentOrder/5859333243012",
                "fetch": {"fulfillment_order": "gid://shopify/FulfillmentOrder/5859333243012"},
            }
        ],
    ),
    Case("ready for local delivery", sample="fulfillment_ready_for_delivery", events=[{"type": "fulfillment.ready_for_delivery"}]),
    Case(
        "a pickup of something that is no fulfillment order",
        sample="fulfillment_ready_for_pickup",
        edit=put(fulfillment_order={"id": "gid://shopify/Order/1"}),
        error=PayloadInvalid,
        names="fulfillment_order.id",
    ),
]

REFUNDS = [
    Case(
        "a refund: the money here, the person is fetched",
        sample="order_refunded",
        events=[
            {
                "type": "order.refunded",
                "fact": "order.refunded:gid://shopify/Refund/890088186047892319",
                "subject": f"order/{ORDER}",
                "fetch": {"order": ORDER, "refund": "gid://shopify/Refund/890088186047892319"},
                "data.refund.amount": "89.99",
                "data.refund.currency": "USD",
                "data.refund.reason": "arrived broken",
                "people": {},
            }
        ],
    ),
    Case(
        "a currency without decimals stays without",
        sample="order_refunded",
        edit=put(transactions=[{"kind": "refund", "status": "success", "amount": "20", "currency": "VND"}]),
        events=[{"data.refund.amount": "20", "data.refund.currency": "VND"}],
    ),
    Case(
        "two movements are one amount, one that failed is none",
        sample="order_refunded",
        edit=put(
            transactions=[
                {"kind": "refund", "status": "success", "amount": "10.10", "currency": "EUR"},
                {"kind": "refund", "status": "pending", "amount": "0.20", "currency": "EUR"},
                {"kind": "refund", "status": "failure", "amount": "99.00", "currency": "EUR"},
                {"kind": "void", "status": "success", "amount": "99.00", "currency": "EUR"},
            ]
        ),
        events=[{"data.refund.amount": "10.30", "data.refund.currency": "EUR"}],
    ),
    Case(
        "a movement without a currency takes the lines'",
        sample="order_refunded",
        edit=lambda body: body["transactions"][0].update(currency=None),
        events=[{"data.refund.amount": "89.99", "data.refund.currency": "USD"}],
    ),
    Case(
        "two currencies are no amount: it is fetched",
        sample="order_refunded",
        edit=put(
            transactions=[
                {"kind": "refund", "status": "success", "amount": "10", "currency": "EUR"},
                {"kind": "refund", "status": "success", "amount": "10", "currency": "USD"},
            ]
        ),
        events=[{"data.refund.amount": None, "data.refund.currency": None}],
    ),
    Case("an exchange without money", sample="order_refunded", edit=put(transactions=[]), events=[{"data.refund.amount": None}]),
    Case(
        "a test payment's refund is a test",
        sample="order_refunded",
        edit=lambda body: body["transactions"][0].update(test=True),
        events=[{"test": True}],
    ),
    Case(
        "an amount that is none",
        sample="order_refunded",
        edit=put(transactions=[{"amount": "x"}]),
        error=PayloadInvalid,
        names="transactions.0.amount",
    ),
    *(
        Case(
            f"a return: {name}",
            sample=name,
            events=[
                {
                    "type": name.replace("_", "."),
                    "fact": f"{name.replace('_', '.')}:gid://shopify/Return/123134564012",
                    "subject": f"order/{ORDER}",
                    "fetch": {"order": ORDER, "return": "gid://shopify/Return/123134564012"},
                    "data.return.name": "#1001-R1",
                    "data.return.reason": reason,
                }
            ],
        )
        for name, reason in [
            ("return_requested", "size_too_small"),
            ("return_approved", "size_too_small"),
            ("return_declined", "final_sale"),
        ]
    ),
    Case(
        "a return without lines",
        sample="return_requested",
        edit=put(return_line_items=[], name=None),
        events=[{"data.return.reason": None}],
    ),
    Case("a return without its order", sample="return_requested", edit=cut("order"), error=PayloadInvalid, names="order"),
]


@pytest.mark.parametrize("case", [*FULFILLMENTS, *REFUNDS], ids=lambda case: case.label)
def test_read(case: Case) -> None:
    case.check(connector)
