"""What the producer is told: signed, once each, in order, and what each of its answers means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from bellwire import (
    ConsentChange,
    ConsentState,
    Installation,
    PlatformError,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
    Purpose,
    ReplyNote,
    Status,
    StatusChange,
)
from bellwire.domain.msisdn import parse
from bellwire.testing import OLD_SECRET, SECRET, FixedClock, LooseLink, installation
from bellwire_connectors.timecard import connector
from standins.timecard import Producer

AT = datetime(2026, 1, 5, 9, 0, 1, 500_000, tzinfo=UTC)


@pytest.fixture
def producer() -> Iterator[Producer]:
    with Producer(SECRET) as running:
        yield running


@pytest.fixture
def link(producer: Producer) -> Iterator[LooseLink]:
    made = link_to(producer.url)
    yield made
    made.http.close()


def link_to(url: str, **changes: Any) -> LooseLink:
    here: Installation = replace(installation(connector), settings={"callback_url": url}, **changes)
    return LooseLink(here, FixedClock(datetime.now(UTC)))


def change(status: Status = Status.DELIVERED, **more: Any) -> StatusChange:
    known: dict[str, Any] = {"message_id": "msg_1", "at": AT, "subject": "timecard/881", "customer_ref": "emp-1001"}
    return StatusChange(**{**known, "status": status, **more})


def write_back(link: LooseLink, *changes: StatusChange) -> None:
    assert connector.write_back is not None
    connector.write_back(changes, link)


def test_a_status_is_a_signed_event(producer: Producer, link: LooseLink) -> None:
    write_back(link, change(event_id="evt_1", segments=2, trigger="approved"))
    [event] = producer.events
    assert {name: value for name, value in event.items() if name not in ("data", "source")} == {
        "specversion": "1.0",
        "id": "msg_1-delivered",
        "type": "bellwire.message.delivered",
        "subject": "timecard/881",
        "time": "2026-01-05T09:00:01.500000Z",
        "datacontenttype": "application/json",
        "sequence": "00001767603601500000",
    }
    assert event["data"] == {
        "message_id": "msg_1",
        "event_id": "evt_1",
        "recipient_ref": "emp-1001",
        "status": "delivered",
        "segments": 2,
        "trigger": "approved",
        "at": "2026-01-05T09:00:01.500000Z",
    }
    assert producer.forged == 0


STATUSES = [
    (Status.SCHEDULED, "queued"),
    (Status.QUEUED, "queued"),
    (Status.SENDING, None),
    (Status.SENT, "sent"),
    (Status.DELIVERED, "delivered"),
    (Status.UNDELIVERED, "undelivered"),
    (Status.FAILED, "failed"),
    (Status.EXPIRED, "expired"),
    (Status.CANCELED, "canceled"),
    (Status.UNKNOWN, "unknown"),
    (Status.REFUSED, "refused"),
]


@pytest.mark.parametrize(("status", "told"), STATUSES, ids=[str(status) for status, _ in STATUSES])
def test_each_status_has_the_contract_s_name(producer: Producer, link: LooseLink, status: Status, told: str | None) -> None:
    assert {one for one, _ in STATUSES} == set(Status)
    write_back(link, change(status, reason="no_consent", error_class="invalid_number", error_code="21211"))
    assert [event["type"] for event in producer.events] == ([] if told is None else [f"bellwire.message.{told}"])
    for event in producer.events:
        assert event["data"]["error"] == {"code": "21211", "class": "invalid_number"}
        assert event["data"]["reason"] == "no_consent"


def test_the_same_fact_is_taken_once_however_often_it_is_told(producer: Producer, link: LooseLink) -> None:
    for _ in range(3):
        write_back(link, change(Status.SENT), change())
    assert [event["id"] for event in producer.events] == ["msg_1-sent", "msg_1-delivered"]
    assert len(producer.deliveries) == 6


def test_it_goes_on_where_it_stopped(producer: Producer, link: LooseLink) -> None:
    producer.answers.extend([(200, {}), (503, {})])
    both = (change(Status.SENT), change())
    with pytest.raises(PlatformUnavailable):
        write_back(link, *both)
    write_back(link, *both)
    assert [event["id"] for event in producer.events] == ["msg_1-sent", "msg_1-delivered"]


ANSWERS: list[tuple[int, dict[str, str], type[PlatformError], float | None]] = [
    (302, {"Location": "https://elsewhere.example/"}, PlatformRejected, None),
    (400, {}, PlatformRejected, None),
    (401, {}, PlatformUnauthorized, None),
    (403, {}, PlatformUnauthorized, None),
    (408, {}, PlatformUnavailable, None),
    (410, {}, PlatformRejected, None),
    (429, {"Retry-After": "7"}, PlatformThrottled, 7.0),
    (500, {}, PlatformUnavailable, None),
    (503, {"Retry-After": "30"}, PlatformUnavailable, 30.0),
]


@pytest.mark.parametrize(("status", "headers", "error", "wait_s"), ANSWERS, ids=[str(row[0]) for row in ANSWERS])
def test_what_an_answer_means(
    producer: Producer, link: LooseLink, status: int, headers: dict[str, str], error: type[PlatformError], wait_s: float | None
) -> None:
    link.http.max_redirects = 0
    link.http.get_redirect_target = lambda _response: None  # as the engine's session does
    producer.answers.append((status, headers))
    with pytest.raises(error) as raised:
        write_back(link, change())
    assert type(raised.value) is error
    assert raised.value.retry_after_s == wait_s
    assert producer.events == []


def test_the_newest_secret_signs(producer: Producer) -> None:
    link = link_to(producer.url, secrets=(OLD_SECRET, SECRET))
    with pytest.raises(PlatformUnauthorized):
        write_back(link, change())
    assert (producer.forged, producer.events) == (1, [])
    link.http.close()


def test_without_an_address_nobody_is_called(producer: Producer) -> None:
    link = link_to("")
    write_back(link, change())
    assert producer.deliveries == []
    link.http.close()


def test_consent_is_told_by_reference_and_never_by_number(producer: Producer, link: LooseLink) -> None:
    msisdn = parse("+15550100001") or parse("+998901234567")
    assert msisdn is not None
    known: dict[str, Any] = {
        "msisdn": msisdn,
        "purpose": Purpose.MARKETING,
        "state": ConsentState.OPTED_OUT,
        "at": AT,
        "source": "reply",
    }
    assert connector.write_consent is not None
    for ref in ("emp-1001", "emp-1001", ""):
        connector.write_consent(ConsentChange(**known, customer_ref=ref), link)
    [event] = producer.events
    assert (event["type"], event["subject"]) == ("bellwire.consent.changed", "worker/emp-1001")
    assert event["data"]["state"] == "opted_out"
    assert msisdn not in str(event)


def test_a_reply_says_what_it_answers(producer: Producer, link: LooseLink) -> None:
    msisdn = parse("+998901234567")
    assert msisdn is not None
    assert connector.write_reply is not None
    note = ReplyNote(
        reply_id="rpl_1", msisdn=msisdn, text="yes 0546", at=AT, subject="shift/56", customer_ref="emp-1001",
        message_id="msg_9", event_id="evt_9", answer="YES", answers="shift/56",
    )  # fmt: skip
    connector.write_reply(note, link)
    connector.write_reply(note, link)
    [event] = producer.events
    assert (event["type"], event["subject"], event["id"]) == ("bellwire.reply.received", "shift/56", "rpl_1")
    assert event["data"]["in_reply_to"] == "msg_9"
    assert (event["data"]["keyword"], event["data"]["answers"], event["data"]["text"]) == ("YES", "shift/56", "yes 0546")
    assert msisdn not in str(event)
