"""Whatever body comes: events, or a named place that is wrong. Recorded bodies, and bent ones (A8)."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from bellwire import Event, PayloadInvalid, WebhookRequest
from bellwire.testing import NOW, installation, sample
from bellwire_connectors.shopify import connector
from bellwire_connectors.shopify.webhook import TOPICS
from hypothesis import example, given, settings
from hypothesis import strategies as st
from standins.bent_bodies import PACKAGE, bent

SHOP = installation(connector, country="US", locale="en")
RECORDED = Path(__file__).resolve().parents[3] / ".." / "shared" / "payloads" / "shopify"

#: What a recorded body is read to; those not named here make one event or more.
NOTHING = {
    "checkouts-delete",
    "customers-delete",
    "customers_email_marketing_consent-update",
    "order_transactions-create",
    "orders-delete",
}
NO_NEWS = {
    "customers-merge/docs-2026-04.json",  # it failed
    "fulfillment_events-create/docs-2026-04.json",  # in transit
    "fulfillment_events-create/anon-2025-04-1.json",  # "example string"
}


def recorded() -> list[Any]:
    if not RECORDED.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason="no recorded bodies beside this checkout"))]
    return [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in sorted(RECORDED.glob("*/*.json"))]


def request(topic: str, body: bytes) -> WebhookRequest:
    return WebhookRequest(headers={"x-shopify-topic": topic, "x-shopify-webhook-id": "w1"}, body=body, received_at=NOW)


def read(asked: WebhookRequest) -> Sequence[Event] | PayloadInvalid:
    try:
        return connector.read(asked, SHOP)
    except PayloadInvalid as refused:
        return refused


@pytest.mark.parametrize("path", recorded())
def test_a_recorded_body_is_read_or_its_wrong_place_named(path: Path) -> None:
    topic = path.parent.name.replace("-", "/", 1)
    found = read(request(topic, path.read_bytes()))
    if isinstance(found, PayloadInvalid):
        assert path.name.startswith("anon-"), "only bodies with blanked values are wrong"
        assert found.field in {"total_price", "transactions.0.amount", "created_at"}
    elif path.parent.name in NOTHING or f"{path.parent.name}/{path.name}" in NO_NEWS:
        assert found == []
    else:
        assert len(found) >= 1
        for event in found:
            assert event.type in connector.events
            assert event.id
            assert event.occurred_at.tzinfo is not None
            json.dumps(dict(event.data))


@pytest.mark.parametrize("path", recorded())
def test_a_blanked_body_is_read_once_its_values_are_real(path: Path) -> None:
    """Shapes and nulls of the anonymised bodies are real; only "example string" amounts and dates are not."""

    def real(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: real(one, key) for key, one in value.items()}
        if isinstance(value, list):
            return [real(one, name) for one in value]
        if isinstance(value, str) and (name == "amount" or name.endswith("price")):
            return "10.00"
        if name == "token":
            return "bf7d4c1f0cd6ac1b"
        return "2019-01-01T00:00:00Z" if name.endswith("_at") and value is not None else value

    topic = path.parent.name.replace("-", "/", 1)
    found = read(request(topic, json.dumps(real(json.loads(path.read_bytes()))).encode()))
    assert not isinstance(found, PayloadInvalid), str(found)


DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
HOSTILE = [
    ("nothing", b""),
    ("no JSON", b"<xml/>"),
    ("half of JSON", b'{"id": 1'),
    ("a list", b"[]"),
    ("a list of orders", b'[{"id": 1, "name": "#1"}]'),
    ("null", b"null"),
    ("a number", b"7"),
    ("a text", b'"x"'),
    ("nested deep", DEEP),
    ("lists nested deep", b"[" * 100_000),
    ("a number without end", b'{"id": ' + b"9" * 1_000_000 + b"}"),
    ("NaN", b'{"id": NaN, "name": "#1"}'),
    ("infinite", b'{"id": 1e999, "name": "#1"}'),
    ("a broken number", b'{"id": 1.5, "name": "#1"}'),
    ("half a surrogate pair", b'{"id": 1, "name": "\\ud800"}'),
    ("not UTF-8", b'{"id": 1, "name": "\xff\xfe"}'),
    ("UTF-16", '{"id": 1, "name": "#1"}'.encode("utf-16")),
    ("a byte order mark", b"\xef\xbb\xbf" + b'{"id": 1, "name": "#1"}'),
    ("NUL inside", b'{"id": 1, "name": "#1\\u0000"}'),
    ("NUL after", b'{"id": 1, "name": "#1"}\x00'),
    ("a key twice", b'{"id": 1, "id": 2, "name": "#1"}'),
    ("a thousand keys", json.dumps({f"k{n}": n for n in range(1000)} | {"id": 1, "name": "#1"}).encode()),
    ("a megabyte of name", json.dumps({"id": 1, "name": "x" * 1_000_000}).encode()),
    (
        "a hundred thousand lines",
        json.dumps({"id": 1, "name": "#1", "line_items": [{"title": "t", "quantity": 1}] * 100_000}).encode(),
    ),
    ("a year that is none", b'{"id": 1, "name": "#1", "created_at": "0000-00-00T00:00:00Z"}'),
    ("a year far off", b'{"id": 1, "name": "#1", "created_at": "9999-12-31T23:59:59-23:59"}'),
    ("seconds for a date", b'{"id": 1, "name": "#1", "created_at": 1767600000}'),
    ("infinite seconds", b'{"id": 1, "name": "#1", "created_at": 1e300}'),
]


@pytest.mark.parametrize("topic", ["orders/create", "orders/updated", "checkouts/update", "customers/redact", "shop/update"])
@pytest.mark.parametrize("body", [row[1] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_a_hostile_body_is_read_or_refused_at_once(topic: str, body: bytes) -> None:
    started = time.thread_time()  # what others do on the machine is not the body's
    with suppress(ValueError, RecursionError):
        json.loads(body)
    parsed = time.thread_time()
    found = read(request(topic, body))
    assert time.thread_time() - parsed < max(1, 40 * (parsed - started)), "much longer than it takes to parse"
    assert isinstance(found, PayloadInvalid | list)


@settings(max_examples=200, deadline=None)
@given(bent())
@example(("orders/create", b'{"id": -1, "name": "#1"}'))
@example(("", b'{"shopify_domain": "x", "action_run_id": "1", "properties": {"template": "t", "order_id": []}}'))
def test_a_bent_body_makes_events_or_a_named_refusal(asked: tuple[str, bytes]) -> None:
    topic, body = asked
    headers = {"x-shopify-topic": topic} if topic else {}
    found = read(WebhookRequest(headers=headers, body=body, received_at=NOW))
    if isinstance(found, PayloadInvalid):
        assert found.field
        return
    for event in found:
        assert event.type in connector.events
        assert 0 < len(event.id) <= 400
        assert len(event.fact) <= 400
        assert "\x00" not in event.subject + event.fact + event.id
        assert event.occurred_at.utcoffset() is not None
        json.dumps(dict(event.data), allow_nan=False).encode()
        for person in event.people.values():
            assert all(0 < len(phone) <= 40 for phone in person.phones)
        for subject in event.cancels:
            assert subject.startswith("checkout/")


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(TOPICS)), st.binary(max_size=200))
def test_random_bytes_are_refused(topic: str, body: bytes) -> None:
    assert isinstance(read(request(topic, body)), PayloadInvalid)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["x-shopify-topic", "x-shopify-webhook-id", "x-shopify-triggered-at", "x-shopify-test", "shopify-topic"]),
        st.text(max_size=40),
    )
)
def test_any_headers_are_read_or_refused(headers: dict[str, str]) -> None:
    asked = WebhookRequest(headers=headers, body=sample(PACKAGE, "order_created").body, received_at=NOW)
    assert isinstance(read(asked), PayloadInvalid | list)
