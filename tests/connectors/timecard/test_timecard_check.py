"""An installation's check: the secrets it has, and a signed ping that the producer must take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from bellwire import CheckResult
from bellwire.testing import OLD_SECRET, SECRET, FixedClock, LooseLink, installation
from bellwire_connectors.timecard import connector
from standins.timecard import Producer


@pytest.fixture
def producer() -> Iterator[Producer]:
    with Producer(SECRET) as running:
        yield running


def check(url: str, **changes: Any) -> dict[str, CheckResult]:
    settings = {"callback_url": url} if url else {}
    link = LooseLink(replace(installation(connector), settings=settings, **changes), FixedClock(datetime.now(UTC)))
    assert connector.check is not None
    try:
        return {one.name: one for one in connector.check(link)}
    finally:
        link.http.close()


#: What the producer answers; whether that is well, and what a person is told.
ANSWERS: list[tuple[int, bool, str]] = [
    (200, True, "the producer believes us"),
    (204, True, "the producer believes us"),
    (302, False, "answered 302; a bellwire.ping must be answered 2xx"),
    (400, False, "answered 400; a bellwire.ping must be answered 2xx"),
    (401, False, "it does not believe us"),
    (403, False, "it does not believe us"),
    (404, False, "answered 404"),
    (429, False, "answered 429"),
    (503, False, "answered 503"),
]


@pytest.mark.parametrize(("status", "well", "told"), ANSWERS, ids=[str(row[0]) for row in ANSWERS])
def test_what_the_producer_answers(producer: Producer, status: int, well: bool, told: str) -> None:
    producer.answers.append((status, {}))
    found = check(producer.url)["callback_url"]
    assert (found.ok, told in found.detail) == (well, True), found.detail
    assert SECRET not in found.detail


def test_the_ping_is_a_signed_event_like_all_others(producer: Producer) -> None:
    check(producer.url)
    [event] = producer.events
    assert (event["type"], event["specversion"], producer.forged) == ("bellwire.ping", "1.0", 0)
    assert producer.deliveries == [event["id"]]


def test_a_producer_that_has_another_secret_is_told_of(producer: Producer) -> None:
    found = check(producer.url, secrets=(OLD_SECRET, SECRET))
    assert (found["callback_url"].ok, producer.forged) == (False, 1)


def test_nobody_at_the_address() -> None:
    with Producer(SECRET) as gone:
        pass
    found = check(gone.url)["callback_url"]
    assert (found.ok, "was not answered (ConnectionError)" in found.detail) == (False, True)


def test_without_an_address_nobody_is_asked() -> None:
    found = check("")["callback_url"]
    assert (found.ok, found.detail) == (True, "none: the producer is told nothing")


SECRETS: list[tuple[str, Sequence[str], bool, str]] = [
    ("one", (SECRET,), True, ""),
    ("two, while one is being replaced", (SECRET, OLD_SECRET), True, "2 are believed, the first signs our callbacks"),
    ("none", (), False, "every event is refused"),
    ("one of another form", ("whsec_short",), False, "secret is whsec_"),
    ("the second of another form", (SECRET, "plain"), False, "secret is whsec_"),
]


@pytest.mark.parametrize(("label", "secrets", "well", "told"), SECRETS, ids=[row[0] for row in SECRETS])
def test_what_is_said_of_the_secrets(label: str, secrets: Sequence[str], well: bool, told: str) -> None:
    found = check("", secrets=secrets)["secrets"]
    assert (found.ok, told in found.detail) == (well, True), found.detail
    assert not any(secret in found.detail for secret in secrets)
