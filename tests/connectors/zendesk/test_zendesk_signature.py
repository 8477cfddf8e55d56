"""Who is believed: the signature over the time as it stands and the raw body, near now, by this installation's secrets."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bellwire import SignatureMismatch, StaleSignature, WebhookRequest
from bellwire.testing import NOW, OLD_SECRET, SECRET, installation, sample
from bellwire_connectors.zendesk import connector
from bellwire_connectors.zendesk.webhook import TEST_SECRET, sign, signature, verify

SHARED = Path(__file__).resolve().parents[3] / ".." / "shared" / "payloads"
AT = installation(connector)
PACKAGE = connector.samples


def vectors() -> list[Any]:
    if not SHARED.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason="no recorded bodies beside this checkout"))]
    found = json.loads((SHARED / "signature_vectors-crm.json").read_text())
    return [pytest.param(found[name], id=name) for name in ("zendesk", "zendesk_third_party")]


@pytest.mark.parametrize("vector", vectors())
def test_the_signature_is_that_of_the_vectors(vector: dict[str, str]) -> None:
    body = (SHARED / vector["body_file"].partition(" ")[0]).read_bytes()
    body = body.rstrip(b"\n") if "without final newline" in vector["body_file"] else body
    assert signature(vector["secret"], vector["timestamp"], body) == vector["signature"]


def signed(name: str = "event_ticket_created", **changes: Any) -> WebhookRequest:
    return replace(sign(sample(PACKAGE, name), AT), **changes)


def test_the_time_is_written_as_zendesk_writes_it() -> None:
    assert signed().header("x-zendesk-webhook-signature-timestamp") == "2026-01-05T09:00:00Z"


EDGES = [(0, True), (299, True), (300, True), (301, False), (-300, True), (-301, False), (3600, False)]


@pytest.mark.parametrize(("seconds", "good"), EDGES, ids=str)
def test_a_signed_time_is_good_for_five_minutes_either_way(seconds: int, good: bool) -> None:
    now = NOW + timedelta(seconds=seconds)
    if good:
        verify(signed(), AT, now)
    else:
        with pytest.raises(StaleSignature):
            verify(signed(), AT, now)


def test_the_tolerance_is_a_setting() -> None:
    wide = replace(AT, settings={**AT.settings, "signature_tolerance_s": 900})
    verify(signed(), wide, NOW + timedelta(seconds=900))
    with pytest.raises(StaleSignature):
        verify(signed(), wide, NOW + timedelta(seconds=901))


@pytest.mark.parametrize("stamp", ["1767603600", "", "2026-01-05", "yesterday", "2026-01-05T09:00:00Z "])
def test_a_time_that_is_not_zendesk_s_is_refused_however_it_is_signed(stamp: str) -> None:
    request = sample(PACKAGE, "event_ticket_created")
    made = signature(SECRET, stamp, request.body)
    headers = {"x_zendesk_webhook_signature": made, "x_zendesk_webhook_signature_timestamp": stamp}
    with pytest.raises(SignatureMismatch):
        verify(request.with_headers(**headers), AT, NOW + timedelta(hours=12))


WHO: list[tuple[str, Callable[[], Any], WebhookRequest, bool]] = [
    (
        "the second webhook's secret",
        lambda: replace(AT, credentials={"event_signing_secret": "two"}),
        sign(sample(PACKAGE, "event_ticket_created"), replace(AT, secrets=("two",))),
        True,
    ),
    ("a secret that is being replaced", lambda: replace(AT, secrets=("new", SECRET)), signed(), True),
    ("an old secret whose time is over", lambda: replace(AT, secrets=("new",)), signed(), False),
    ("no secret at all", lambda: replace(AT, secrets=()), signed(), False),
    (
        "the published test secret",
        lambda: AT,
        sign(sample(PACKAGE, "event_ticket_created"), replace(AT, secrets=(TEST_SECRET,))),
        False,
    ),
    (
        "the same where the setting says so",
        lambda: replace(AT, settings={**AT.settings, "accept_test_secret": True}),
        sign(sample(PACKAGE, "event_ticket_created"), replace(AT, secrets=(TEST_SECRET,))),
        True,
    ),
    (
        "the webhook that the setting names",
        lambda: replace(AT, settings={**AT.settings, "webhook_id": "01KE6V5C0MDEXAMPLEWEBHOOK00"}),
        signed(),
        True,
    ),
    ("another webhook", lambda: replace(AT, settings={**AT.settings, "webhook_id": "01KE"}), signed(), False),
]


@pytest.mark.parametrize(("at", "request_", "good"), [row[1:] for row in WHO], ids=[row[0] for row in WHO])
def test_believed_is(at: Callable[[], Any], request_: WebhookRequest, good: bool) -> None:
    if good:
        verify(request_, at(), NOW)
    else:
        with pytest.raises(SignatureMismatch):
            verify(request_, at(), NOW)


def test_the_body_is_signed_as_it_came() -> None:
    request = signed()
    again = json.dumps(json.loads(request.body)).encode()
    assert again != request.body
    with pytest.raises(SignatureMismatch):
        verify(replace(request, body=again), AT, NOW)


def test_what_the_stand_in_sends_is_believed(desk: Any, installed: Any, clock: Any, ana: int) -> None:
    """It signs by the documents, with nothing of ours."""
    hook = {"name": "x", "status": "active", "endpoint": "https://x", "http_method": "POST", "request_format": "json"}
    desk.post_webhook(sent={"webhook": {**hook, "subscriptions": ["zen:event-type:ticket.created"]}})
    desk.open_ticket(ana, "Hello")
    [request] = desk.deliveries()
    [known] = desk.webhooks.values()
    verify(request, replace(installed(), secrets=(OLD_SECRET, known.secret)), clock.now())
