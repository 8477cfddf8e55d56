"""Which deliveries tell one fact, of all that is no order; and that every event has a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bellwire import Event
from bellwire.testing import bend, installation, sample
from bellwire_connectors.shopify import EVENTS, connector

TRACKING = "1Z0000000000000012"


def put(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda body: body.update(changes)


def read(name: str, edit: Any = None, **headers: str) -> Event:
    request = sample("bellwire_connectors.shopify", name)
    [event] = connector.read((bend(request, edit) if edit else request).with_headers(**headers), installation(connector))
    return event


SAME = [
    (
        "a parcel told again by an update",
        "fulfillment_shipped",
        put(updated_at="2026-01-05T09:20:00-05:00", shipment_status="in_transit"),
    ),
    (
        "a parcel delivered, scanned twice",
        "fulfillment_delivered",
        put(id=9, admin_graphql_api_id=None, happened_at="2026-01-06T03:55:00-05:00"),
    ),
    (
        "out for delivery, scanned twice that day",
        "fulfillment_out_for_delivery",
        put(id=9, happened_at="2026-01-05T05:00:00-05:00"),
    ),
    ("a customer whose consent or metafield we wrote", "customer_updated", put(updated_at="2026-02-05T04:30:00-05:00", note="x")),
    (
        "a consent told again",
        "customer_consent_changed",
        put(sms_marketing_consent={"state": "subscribed", "consent_updated_at": "2026-01-05T08:59:00Z"}),
    ),
]
OTHER = [
    ("a tracking number that came later", "fulfillment_shipped_no_phone", put(tracking_number=TRACKING)),
    ("out for delivery again, the day after", "fulfillment_out_for_delivery", put(happened_at="2026-01-06T03:30:00-05:00")),
    ("a customer's new phone", "customer_updated", put(phone="+12025550199")),
    ("a customer's new default address phone", "customer_updated", put(default_address={"phone": "+12025550199"})),
    (
        "a consent of another time",
        "customer_consent_changed",
        put(sms_marketing_consent={"state": "subscribed", "consent_updated_at": "2026-01-05T09:59:00Z"}),
    ),
    ("a checkout that went on", "checkout_abandoned", put(updated_at="2026-01-05T03:51:00-05:00")),
    ("new settings again", "installation_changed", put(primary_locale="hr")),
]


@pytest.mark.parametrize(("label", "name", "edit"), SAME, ids=[row[0] for row in SAME])
def test_is_the_same_fact(label: str, name: str, edit: Any) -> None:
    assert read(name, edit, X_Shopify_Webhook_Id="another").fact == read(name).fact != ""


@pytest.mark.parametrize(("label", "name", "edit"), OTHER, ids=[row[0] for row in OTHER])
def test_is_another_fact(label: str, name: str, edit: Any) -> None:
    assert read(name, edit).fact != read(name).fact


def test_a_parcel_is_one_fact_by_any_of_its_three_topics() -> None:
    told = [
        read("fulfillment_shipped"),
        read("fulfillment_shipped", X_Shopify_Topic="fulfillments/update"),
        read("fulfillment_shipped_order"),
    ]
    assert len({event.fact for event in told}) == 1


def test_two_parcels_of_one_delivery_are_two_events() -> None:
    def two(body: dict[str, Any]) -> None:
        body["fulfillments"] = [body["fulfillments"][0], {**body["fulfillments"][0], "id": 1}, {"id": 2, "status": "cancelled"}]

    request = bend(sample("bellwire_connectors.shopify", "fulfillment_shipped_order"), two)
    first, second = connector.read(request, installation(connector))
    assert first.id != second.id
    assert first.fact != second.fact
    assert first.subject == second.subject


def test_every_event_type_has_a_sample() -> None:
    from bellwire.testing import samples

    made = set()
    for name in samples("bellwire_connectors.shopify"):
        events = connector.read(sample("bellwire_connectors.shopify", name), installation(connector))
        made |= {event.type for event in events}
    assert made == set(EVENTS) == set(connector.events)
