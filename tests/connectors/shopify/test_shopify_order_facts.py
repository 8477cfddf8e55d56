"""Orders: which deliveries tell one fact, when it happened, and what is never taken."""

from __future__ import annotations

from typing import Any

import pytest
from bellwire import Event, Installation, PayloadInvalid, WebhookRequest
from bellwire.testing import bend, installation, sample
from bellwire_connectors.shopify import connector


def put(name: str, value: Any) -> Any:
    return lambda body: body.update({name: value})


def read(name: str, edit: Any = None, **headers: str) -> Event:
    request = sample("bellwire_connectors.shopify", name)
    request = bend(request, edit) if edit else request
    events = connector.read(request.with_headers(**headers), shop())
    assert len(events) == 1
    return events[0]


def shop(**changes: Any) -> Installation:
    return installation(connector, **changes)


SAME_FACT = [
    ("the same order under another delivery id", "order_created", {}),
    ("the same order an hour later", "order_created", {"updated_at": "2026-01-05T05:00:00-05:00"}),
    ("the same payment, told again after a refund", "order_paid", {"financial_status": "partially_refunded"}),
    ("the same cancellation", "order_cancelled", {"updated_at": "2026-01-06T05:00:00-05:00"}),
    ("an update that only moved updated_at: our own metafield", "order_updated", {"updated_at": "2026-01-05T05:00:00-05:00"}),
    ("an update that only has our own tag", "order_updated", {"tags": "autumn, call first, sms:failed, vip"}),
    ("an update that only has a line in the note", "order_updated", {"note": "SMS delivered"}),
    ("a total written with more zeros", "order_updated", {"total_price": "404.950"}),
]

OTHER_FACT = [
    ("another order", "order_created", {"id": 7, "admin_graphql_api_id": None}),
    ("another payment state", "order_updated", {"financial_status": "paid"}),
    ("a tag of the merchant's", "order_updated", {"tags": "vip"}),
    ("another contact phone", "order_updated", {"phone": "+12025550177"}),
    ("a line less", "order_updated", {"line_items": []}),
    ("another edit", "order_edited", {"order_edit": {"id": 1, "order_id": 5820982911946154508}}),
]


@pytest.mark.parametrize(("label", "name", "changes"), SAME_FACT, ids=[row[0] for row in SAME_FACT])
def test_is_the_same_fact(label: str, name: str, changes: dict[str, Any]) -> None:
    first, again = read(name), read(name, lambda body: body.update(changes), X_Shopify_Webhook_Id="another")
    assert (again.fact, again.id) == (first.fact, "another")
    assert first.fact.startswith(f"{first.type}:")


@pytest.mark.parametrize(("label", "name", "changes"), OTHER_FACT, ids=[row[0] for row in OTHER_FACT])
def test_is_another_fact(label: str, name: str, changes: dict[str, Any]) -> None:
    assert read(name, lambda body: body.update(changes)).fact != read(name).fact


def test_created_and_paid_share_an_event_id_and_are_two_facts() -> None:
    assert read("order_created").fact != read("order_paid").fact


def test_the_merchant_s_action_is_when_it_happened() -> None:
    assert read("order_created").occurred_at.isoformat() == "2026-01-05T08:59:58.123456+00:00"


@pytest.mark.parametrize("header", ["", "soon", "2026-13-45", "9999-12-31T23:59:59-23:00"])
def test_without_a_readable_trigger_time_the_body_s_own_serves(header: str) -> None:
    assert read("order_created", X_Shopify_Triggered_At=header).occurred_at.isoformat() == "2026-01-05T08:59:55+00:00"


def test_a_body_without_times_happened_when_it_came() -> None:
    event = read("order_created", put("created_at", None), X_Shopify_Triggered_At="")
    assert event.occurred_at == sample("bellwire_connectors.shopify", "order_created").received_at


@pytest.mark.parametrize("given", ["", "x" * 200, "a b", "é", "line\nfeed"])
def test_without_a_usable_delivery_id_the_body_is_the_id(given: str) -> None:
    first = read("order_created", X_Shopify_Webhook_Id=given)
    assert len(first.id) == 64
    assert read("order_created", X_Shopify_Webhook_Id=given).id == first.id
    assert read("order_created", put("name", "#1"), X_Shopify_Webhook_Id=given).id != first.id
    assert read("order_created", X_Shopify_Webhook_Id=given, X_Shopify_Topic="orders/updated").id != first.id


def test_the_installation_fills_what_the_order_does_not_say() -> None:
    request = sample("bellwire_connectors.shopify", "order_created_guest")
    [event] = connector.read(request, shop(country="UZ", locale="uz", name="Main", settings={}))
    assert event.customer is not None
    assert (event.customer.countries, event.customer.locale, event.data["shop.name"]) == (("UZ",), "uz", "Main")
    [unnamed] = connector.read(request, shop(settings={}))
    assert unnamed.data["shop.name"] == "example"


def test_notes_payment_details_and_attributes_are_never_taken() -> None:
    secrets = ["4111111111111111", "+998900000099", "gate code 77"]

    def hide(body: dict[str, Any]) -> None:
        body["note"] = secrets[2]
        body["note_attributes"] = [{"name": "phone", "value": secrets[1]}, {"name": "x", "value": None}]
        body["payment_details"] = {"credit_card_number": secrets[0]}
        body["transactions"] = [{"receipt": {"card": secrets[0]}}]

    assert not [secret for secret in secrets if secret in repr(read("order_created", hide))]


def test_an_error_names_the_place_and_not_the_value() -> None:
    request = bend(sample("bellwire_connectors.shopify", "order_created"), put("name", {"secret": "+998900000099"}))
    with pytest.raises(PayloadInvalid) as caught:
        connector.read(request, shop())
    assert "998900000099" not in f"{caught.value}{caught.value.__cause__}"
    assert str(caught.value) == "shopify orders/create: string_type: name"


def test_a_request_of_nothing_is_refused() -> None:
    with pytest.raises(PayloadInvalid) as caught:
        connector.read(
            WebhookRequest(
                headers={"x-shopify-topic": "orders/create"},
                body=b"",
                received_at=sample("bellwire_connectors.shopify", "cart_updated").received_at,
            ),
            shop(),
        )
    assert caught.value.field == "body"
