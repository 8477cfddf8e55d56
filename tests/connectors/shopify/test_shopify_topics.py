"""The topic header is not signed: a signed body sent again under another topic is refused where the body says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bellwire import PayloadInvalid
from bellwire.testing import Case, installation, sample
from bellwire_connectors.shopify import connector


def put(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda body: body.update(changes)


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda body: body.pop(name)


def prepared(method: str | None) -> Callable[[dict[str, Any]], None]:
    return lambda body: body["fulfillment_order"].update(delivery_method={"method_type": method})


def refused(label: str, name: str, topic: str, place: str, edit: Any = None) -> Case:
    return Case(label, sample=name, edit=edit, headers={"X-Shopify-Topic": topic}, error=PayloadInvalid, names=place)


def taken(label: str, name: str, topic: str, event: str, edit: Any = None) -> Case:
    return Case(label, sample=name, edit=edit, headers={"X-Shopify-Topic": topic}, events=[{"type": event}])


PICKUP, LOCAL = "line_items_prepared_for_pickup", "line_items_prepared_for_local_delivery"

CASES = [
    refused("an order that is not cancelled", "order_created", "orders/cancelled", "cancelled_at"),
    refused("an order that does not tell", "order_cancelled", "orders/cancelled", "cancelled_at", without("cancelled_at")),
    refused("a cancelled order without its time", "order_cancelled", "orders/cancelled", "cancelled_at", put(cancelled_at=None)),
    refused("an order that is not paid", "order_created", "orders/paid", "financial_status"),
    refused("an order that is void", "order_cancelled", "orders/paid", "financial_status", put(financial_status="VOIDED")),
    refused("an order of which nothing left", "order_created", "orders/fulfilled", "fulfillment_status"),
    refused(
        "an order of which everything failed to leave",
        "fulfillment_shipped_order",
        "orders/fulfilled",
        "fulfillment_status",
        put(fulfillment_status=None, fulfillments=[{"id": 1, "status": "cancelled"}]),
    ),
    refused("a return that is asked for is not approved", "return_requested", "returns/approve", "status"),
    refused("a return that is asked for is not declined", "return_requested", "returns/decline", "status"),
    refused("a return that is approved is not declined", "return_approved", "returns/decline", "status"),
    refused("a return that is declined is not approved", "return_declined", "returns/approve", "status"),
    refused("a return that is declined is asked for no more", "return_declined", "returns/request", "status"),
    *(
        refused(f"{label} is no {topic}", name, topic, place)
        for label, name, topic, place in [
            *(
                (label, name, topic, place)
                for topic in ("app/uninstalled", "shop/update")
                for label, name, place in [
                    ("an order", "order_created", "admin_graphql_api_id"),
                    ("an edit", "order_edited", "order_edit"),
                    ("a parcel", "fulfillment_shipped", "admin_graphql_api_id"),
                    ("a parcel to fetch", "fulfillment_ready_for_pickup", "fulfillment_order"),
                    ("a return", "return_requested", "admin_graphql_api_id"),
                    ("a customer", "customer_created", "admin_graphql_api_id"),
                    ("a checkout", "checkout_abandoned", "token"),
                    ("a consent", "customer_consent_changed", "sms_marketing_consent"),
                    ("a merge", "person_merged", "admin_graphql_api_customer_kept_id"),
                    ("a list of scopes", "installation_changed_scopes", "current"),
                    ("a request about a person", "person_erase_requested", "shop_domain"),
                ]
            ),
            ("an order", "order_created", "checkouts/update", "admin_graphql_api_id"),
            ("an order", "order_created", "customers/update", "admin_graphql_api_id"),
            ("an order", "order_created", "customers_marketing_consent/update", "sms_marketing_consent"),
            ("a customer", "customer_updated", "customers_marketing_consent/update", "sms_marketing_consent"),
            ("a parcel", "fulfillment_shipped", "refunds/create", "admin_graphql_api_id"),
            ("a parcel", "fulfillment_shipped", "orders/create", "admin_graphql_api_id"),
            ("a refund", "order_refunded", "fulfillments/create", "admin_graphql_api_id"),
            ("a scan", "fulfillment_delivered", "fulfillments/create", "admin_graphql_api_id"),
            ("a return", "return_requested", "orders/create", "admin_graphql_api_id"),
        ]
    ),
    refused(
        "a local delivery is no pickup",
        "fulfillment_ready_for_delivery",
        f"fulfillment_orders/{PICKUP}",
        "fulfillment_order.delivery_method.method_type",
        prepared("local"),
    ),
    refused(
        "a pickup is no local delivery",
        "fulfillment_ready_for_pickup",
        f"fulfillment_orders/{LOCAL}",
        "fulfillment_order.delivery_method.method_type",
        prepared("pickup"),
    ),
    taken(
        "a way to the buyer that nobody knows",
        "fulfillment_ready_for_pickup",
        f"fulfillment_orders/{PICKUP}",
        "fulfillment.ready_for_pickup",
        prepared("pickup_point"),
    ),
    taken("an order may be placed and paid in one body", "order_paid", "orders/create", "order.created"),
    taken("money that went back was paid", "order_paid", "orders/paid", "order.paid", put(financial_status="refunded")),
    taken("a state nobody knows", "order_paid", "orders/paid", "order.paid", put(financial_status=None)),
    taken(
        "a parcel that left is told of, whatever the order's state",
        "fulfillment_shipped_order",
        "orders/fulfilled",
        "fulfillment.shipped",
        put(fulfillment_status="partial"),
    ),
    taken("a return that is over was approved once", "return_approved", "returns/approve", "return.approved", put(status="closed")),
    taken("a return without a state", "return_approved", "returns/approve", "return.approved", without("status")),
    *(
        taken(f"the admin's test notification of {topic}: one voided order for all", "order_created_test", topic, event)
        for topic, event in [
            ("orders/create", "order.created"),
            ("orders/paid", "order.paid"),
            ("orders/fulfilled", "fulfillment.shipped"),
            ("orders/cancelled", "order.cancelled"),
        ]
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_read(case: Case) -> None:
    case.check(connector)


def test_what_is_refused_names_the_topic_and_no_value() -> None:
    request = sample("bellwire_connectors.shopify", "order_created").with_headers(X_Shopify_Topic="orders/cancelled")
    with pytest.raises(PayloadInvalid) as caught:
        connector.read(request, installation(connector))
    assert str(caught.value) == "shopify orders/cancelled: the body is not of this topic: cancelled_at"
    assert caught.value.status == 400
