"""The contract kit finds what it is made to find: each row breaks the example in one way and names the question that fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import bellwire_example
import pytest
from bellwire import Capability, Carrier, Connector, Outcome, PayloadInvalid, SignatureMismatch, Verdict, WebhookRequest
from bellwire.certification import Outcome as Went
from bellwire.certification import ask, questions
from bellwire.signing import hmac_hex, require
from bellwire.testing import SECRET
from bellwire_example.till import webhook

CONNECTOR, CARRIER = bellwire_example.connector, bellwire_example.carrier


def failed(subject: Connector | Carrier) -> dict[str, str]:
    return {answer.question: answer.detail for answer in map(ask, questions(subject)) if answer.outcome is Went.FAILED}


@pytest.mark.parametrize("subject", [CONNECTOR, CARRIER], ids=["connector", "carrier"])
def test_the_example_passes(subject: Connector | Carrier) -> None:
    assert failed(subject) == {}


def believes_all(*_: Any) -> None: ...


def believes_nobody(*_: Any) -> None:
    raise SignatureMismatch("no")


def only_newest(request: WebhookRequest, at: Any, now: datetime) -> None:
    webhook.verify(request, replace(at, secrets=at.secrets[:1]), now)


def only_beginning(request: WebhookRequest, at: Any, now: datetime) -> None:
    """Compares as many letters as were given."""
    signed = request.header(webhook.STAMP).encode() + b"." + request.body
    given = request.header(webhook.HEADER)
    require(given, [hmac_hex(secret, signed)[: len(given)] for secret in at.secrets], "x")


def never_stale(request: WebhookRequest, at: Any, now: datetime) -> None:
    webhook.verify(request, at, request.received_at)


def crashes_on_strange_letters(request: WebhookRequest, at: Any, now: datetime) -> None:
    request.header(webhook.HEADER).encode("ascii")
    webhook.verify(request, at, now)


def tells_the_secret(request: WebhookRequest, at: Any, now: datetime) -> None:
    try:
        webhook.verify(request, at, now)
    except SignatureMismatch:
        raise SignatureMismatch(f"expected {hmac_hex(SECRET, request.body)}") from None


def reads_blindly(request: WebhookRequest, _: Any) -> list[Any]:
    found = json.loads(request.body)
    return webhook.read(request, None) if found["kind"] == "receipt.paid" else []  # type: ignore[arg-type]  # it takes no account


def quotes_the_body(request: WebhookRequest, at: Any) -> list[Any]:
    try:
        return webhook.read(request, at)
    except PayloadInvalid:
        raise PayloadInvalid("not +998901234567") from None


turns = iter(range(10_000))


def with_event(**changes: Any) -> Callable[..., Any]:
    def read(request: WebhookRequest, at: Any) -> list[Any]:
        made = {name: value() if callable(value) else value for name, value in changes.items()}
        return [replace(event, **made) for event in webhook.read(request, at)]

    return read


BROKEN_CONNECTORS: list[tuple[str, dict[str, Any], str]] = [
    ("believes everybody", {"verify": believes_all}, "an unsigned request is refused"),
    ("believes everybody, whatever the secret", {"verify": believes_all}, "a request signed with another secret is refused"),
    ("believes a changed body", {"verify": believes_all}, "a changed body is refused"),
    ("believes an account without secrets", {"verify": believes_all}, "no secret, nobody is believed"),
    ("believes nobody", {"verify": believes_nobody}, "a signed request is believed"),
    ("knows one secret only", {"verify": only_newest}, "either of two secrets is enough"),
    ("compares beginnings", {"verify": only_beginning}, "a changed signature header is refused"),
    ("does not look at the clock", {"verify": never_stale}, "a stale request is refused"),
    ("crashes on strange letters", {"verify": crashes_on_strange_letters}, "a changed signature header is refused"),
    ("tells the right signature", {"verify": tells_the_secret}, "an unsigned request is refused"),
    ("reads blindly", {"read": reads_blindly}, "a body that nobody documents is refused or ignored, within a second"),
    ("quotes the body", {"read": quotes_the_body}, "a body that nobody documents is refused or ignored, within a second"),
    ("gives no event", {"read": lambda *_: []}, "every sample is read"),
    ("gives an event without id", {"read": with_event(id="")}, "event ids are there and differ"),
    ("gives another id each time", {"read": with_event(id=lambda: str(next(turns)))}, "reading twice gives the same"),
    ("gives a type it did not announce", {"events": ["order.created"]}, "types are those the connector says it has"),
    ("gives times without zone", {"read": with_event(occurred_at=datetime(2026, 1, 5))}, "times are aware, data is plain"),  # noqa: DTZ001
    ("gives money as a float", {"read": with_event(data={"order.total": 12.5})}, "times are aware, data is plain"),
    ("gives data that is no JSON", {"read": with_event(data={"order.tags": {1, 2}})}, "times are aware, data is plain"),
    ("has no samples", {"samples": ""}, "every sample is read"),
]


@pytest.mark.parametrize(("changes", "question"), [row[1:] for row in BROKEN_CONNECTORS], ids=[row[0] for row in BROKEN_CONNECTORS])
def test_a_connector_that(changes: dict[str, Any], question: str) -> None:
    assert question in failed(replace(CONNECTOR, **changes))


def accepts_all(_: Any, messages: Any, __: Any) -> list[Outcome]:
    return [Outcome(message_id=one.message_id, verdict=Verdict.ACCEPTED, carrier_ref="1") for one in messages]


def elsewhere(messages: Any, at: Any) -> Any:
    assert CARRIER.build is not None
    return replace(CARRIER.build(messages, at), url="https://api.example.com/texts")


def text_in_the_url(messages: Any, at: Any) -> Any:
    assert CARRIER.build is not None
    return replace(CARRIER.build(messages, at), url=f"{at.base_url('https://api.example.com')}/?text={messages[0].text}")


BROKEN_CARRIERS: list[tuple[str, dict[str, Any], str]] = [
    ("takes anything for an acceptance", {"interpret": accepts_all}, "an answer without sense is never an acceptance"),
    ("forgets its messages", {"interpret": lambda *_: []}, "an answer sample gives one outcome a message"),
    ("calls somebody else", {"build": elsewhere}, "a message's call goes to the account's address"),
    ("shows the text in the address", {"build": text_in_the_url}, "a message's call goes to the account's address"),
    ("reads no receipt", {"read_dlrs": lambda *_: []}, "every receipt sample is read"),
    (
        "crashes on receipts",
        {"read_dlrs": lambda *_: 1 / 0},
        "a body that nobody documents is refused or ignored by read_dlrs, within a second",
    ),
    ("believes every callback", {"verify": believes_all}, "an unsigned request is refused"),
    ("declares a session", {"capabilities": frozenset({Capability.SESSION})}, "a session carrier sends by itself"),
]


@pytest.mark.parametrize(("changes", "question"), [row[1:] for row in BROKEN_CARRIERS], ids=[row[0] for row in BROKEN_CARRIERS])
def test_a_carrier_that(changes: dict[str, Any], question: str) -> None:
    assert question in failed(replace(CARRIER, **changes))


def test_a_platform_that_signs_nothing_is_not_asked_about_signatures() -> None:
    silent = replace(CONNECTOR, sign=lambda request, _: request, verify=believes_all)
    not_asked = [answer for answer in map(ask, questions(silent)) if answer.outcome is Went.NOT_ASKED]
    assert len(not_asked) == 8
    assert {answer.detail for answer in not_asked} == {"nothing is signed here: the key in the URL is all there is"}
    assert failed(silent) == {}
