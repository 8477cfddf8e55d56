"""Which deliveries tell one fact, of all that is no order; and that every event has a sample."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from bellwire import Event, Installation
from bellwire.certification.house import House
from bellwire.testing import FixedClock, bend, installation, sample
from bellwire_connectors.shopify import EVENTS, connector

TRACKING = "1Z0000000000000012"


def put(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda body: body.update(changes)


def read(name: str, edit: Any = None, at: Installation | None = None, **headers: str) -> Event:
    request = sample("bellwire_connectors.shopify", name)
    [event] = connector.read((bend(request, edit) if edit else request).with_headers(**headers), at or installation(connector))
    return event


def undated(state: str | None, phone: str = "+12025550142", **changes: Any) -> Callable[[dict[str, Any]], None]:
    consent = {"state": state, "opt_in_level": "single_opt_in", "consent_updated_at": None, **changes}
    return put(phone=phone, sms_marketing_consent=consent)


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


LATER = "2026-01-05T09:30:00Z"


@pytest.mark.parametrize("state", [None, "subscribed", "pending", "not_subscribed", "example string"])
def test_an_undated_consent_is_the_same_fact_whenever_it_is_told(state: str | None) -> None:
    first = read("customer_consent_changed", undated(state))
    again = read("customer_consent_changed", undated(state), X_Shopify_Webhook_Id="another", X_Shopify_Triggered_At=LATER)
    assert first.fact == again.fact != ""


def test_undated_consents_that_say_different_things_are_different_facts() -> None:
    told = [
        undated("subscribed"),
        undated("pending"),
        undated("subscribed", opt_in_level="confirmed_opt_in"),
        undated("subscribed", phone="+12025550199"),
    ]
    assert len({read("customer_consent_changed", edit).fact for edit in told}) == len(told)


@pytest.mark.parametrize("state", ["unsubscribed", "redacted"])
def test_an_undated_opt_out_is_a_fact_of_its_delivery_s_time(state: str) -> None:
    first = read("customer_consent_changed", undated(state))
    again = read("customer_consent_changed", undated(state), X_Shopify_Webhook_Id="another")
    later = read("customer_consent_changed", undated(state), X_Shopify_Webhook_Id="another", X_Shopify_Triggered_At=LATER)
    assert first.fact == again.fact != later.fact
    assert read("customer_consent_changed", undated(state), X_Shopify_Triggered_At="").fact == ""


def test_a_removal_that_nobody_dates_is_a_fact_of_its_install() -> None:
    first, second = (installation(connector, installed_at=datetime(2026, 1, day, tzinfo=UTC)) for day in (1, 3))
    told = [
        read("app_uninstalled", at=at, X_Shopify_Webhook_Id=str(number), X_Shopify_Triggered_At="").fact
        for number, at in enumerate((first, first, second))
    ]
    assert told[0] == told[1] != told[2] != ""


def test_the_same_statement_under_another_delivery_id_texts_once() -> None:
    house = House(connector, installation(connector, account_ref="example.myshopify.com"), FixedClock())
    told = [read("customer_consent_changed", undated("subscribed"), X_Shopify_Webhook_Id=one) for one in ("w1", "w2")]
    assert [house.take([event]) for event in told] == [1, 0]
    assert house.messages() == 1


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
