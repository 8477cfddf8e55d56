"""Statuses on the ticket: one private note, a field that is a tag, once, within the limits, and never an error's echo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from bellwire import PlatformRejected, PlatformThrottled, PlatformUnreachable, Status, StatusChange
from bellwire.testing import NOW, LooseLink
from bellwire.testing.standins import Fault
from bellwire_connectors.zendesk import connector
from bellwire_connectors.zendesk.writeback import NOTED, OPTIONS, WORDS
from standins.zendesk import Zendesk


def change(ticket: int, status: Status = Status.DELIVERED, number: int = 1, **more: Any) -> StatusChange:
    usual = {"at": NOW, "subject": f"ticket/{ticket}", "trigger": "ticket solved", "msisdn_tail": "42"}
    return StatusChange(**{"message_id": f"msg_{number:032x}", "status": status, **usual, **more})


def write_back(changes: Sequence[StatusChange], link: LooseLink) -> None:
    assert connector.write_back is not None
    connector.write_back(changes, link)


@pytest.fixture
def field(desk: Zendesk) -> int:
    options = [{"name": one, "value": one} for one in dict.fromkeys(OPTIONS.values())]
    made = desk.post_ticket_field(sent={"ticket_field": {"title": "SMS status", "type": "tagger", "custom_field_options": options}})
    return int(made["ticket_field"]["id"])


def value(desk: Zendesk, ticket: int, field: int) -> Any:
    return next((one["value"] for one in desk.tickets[ticket]["custom_fields"] if one["id"] == field), None)


def updates(desk: Zendesk) -> list[Any]:
    return [body for method, _, body in desk.requests if method == "PUT"]


def test_a_final_status_is_a_private_note_and_the_field_in_one_update(
    desk: Zendesk, link: LooseLink, field: int, ticket: int
) -> None:
    write_back([change(ticket)], link)
    assert desk.written(ticket, public=False) == [
        (desk.bot, "Text message to …42 (ticket solved) was delivered. 2026-01-05T09:00:00Z")
    ]
    assert (value(desk, ticket, field), desk.tickets[ticket]["tags"]) == ("sms_delivered", ["sms_delivered"])
    [update] = updates(desk)
    assert update["ticket"]["comment"]["public"] is False
    assert set(update["ticket"]) == {"comment", "custom_fields", "metadata"}, "bare: only what changes"
    assert link.cursor["status_field"] == {"title": "SMS status", "id": str(field)}


def test_done_again_it_writes_nothing(desk: Zendesk, link: LooseLink, field: int, ticket: int) -> None:
    for _ in range(3):
        write_back([change(ticket)], link)
    assert len(desk.written(ticket, public=False)) == len(updates(desk)) == 1


def test_an_answer_that_got_lost_makes_no_second_note(desk: Zendesk, link: LooseLink, field: int, ticket: int) -> None:
    """zenpy's own adapter would have sent the update up to four times."""
    write_back([], link)
    desk.fail(Fault(), Fault(), Fault(cut="after"))
    with pytest.raises(PlatformUnreachable):
        write_back([change(ticket)], link)
    assert len(desk.written(ticket, public=False)) == 1
    write_back([change(ticket)], link)
    assert len(desk.written(ticket, public=False)) == len(updates(desk)) == 1


def test_on_the_way_only_the_field_moves(desk: Zendesk, link: LooseLink, field: int, ticket: int) -> None:
    for status in (Status.QUEUED, Status.SENT):
        write_back([change(ticket, status)], link)
        assert value(desk, ticket, field) == OPTIONS[status]
    assert desk.written(ticket, public=False) == []
    write_back([change(ticket, Status.DELIVERED)], link)
    assert len(desk.written(ticket, public=False)) == 1


def test_what_waits_for_a_ticket_is_one_update_with_a_line_each(desk: Zendesk, link: LooseLink, field: int, ticket: int) -> None:
    news = [change(ticket, number=place, at=NOW + timedelta(seconds=place)) for place in range(40)]
    write_back(news, link)
    [(_, note)] = desk.written(ticket, public=False)
    assert note.count("was delivered") == 40
    assert len(updates(desk)) == 1
    write_back([*news, change(ticket, Status.FAILED, 41)], link)
    assert [text.count("Text message") for _, text in desk.written(ticket, public=False)] == [40, 1]


def test_without_the_field_the_tag_stands_alone(desk: Zendesk, link: LooseLink, ticket: int) -> None:
    desk.tickets[ticket]["tags"] = ["vip", "sms_sent"]
    write_back([change(ticket)], link)
    assert desk.tickets[ticket]["tags"] == ["vip", "sms_delivered"]
    before = len(desk.requests)
    write_back([change(ticket)], link)
    assert not [one for one in desk.requests[before:] if one[0] != "GET"]


def test_the_field_may_be_named_by_its_number_or_be_none(
    desk: Zendesk, open_link: Callable[..., LooseLink], field: int, ticket: int
) -> None:
    write_back([change(ticket)], open_link(status_field=str(field)))
    assert value(desk, ticket, field) == "sms_delivered"
    assert not [path for _, path, _ in desk.requests if "ticket_fields" in path]
    other = desk.open_ticket(desk.tickets[ticket]["requester_id"], "Another")
    write_back([change(other)], open_link(status_field=""))
    assert (value(desk, other, field), desk.tickets[other]["tags"]) == (None, ["sms_delivered"])


def test_the_text_is_escaped_and_there_only_where_it_is_wanted(desk: Zendesk, link: LooseLink, field: int, ticket: int) -> None:
    write_back([change(ticket, text="<b>5 > 3</b>", trigger="A & B")], link)
    assert "<br>&lt;b&gt;5 &gt; 3&lt;/b&gt;" in desk.comments[ticket][-1]["html_body"]
    assert "(A &amp; B)" in desk.comments[ticket][-1]["html_body"]


def test_a_refusal_says_why(desk: Zendesk, link: LooseLink, field: int, ticket: int) -> None:
    write_back([change(ticket, Status.REFUSED, reason="opted_out")], link)
    assert desk.written(ticket, public=False)[0][1].startswith("Text message to …42 (ticket solved) was not sent: opted out.")


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_its_option_and_every_final_one_its_words(
    desk: Zendesk, link: LooseLink, field: int, ticket: int, status: Status
) -> None:
    write_back([change(ticket, status)], link)
    assert value(desk, ticket, field) == OPTIONS[status]
    assert bool(desk.written(ticket, public=False)) is (status in NOTED)
    assert set(WORDS) == NOTED


# -- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_closed_ticket_takes_nothing_and_the_others_are_written(
    desk: Zendesk, link: LooseLink, field: int, ticket: int, ana: int
) -> None:
    closed = desk.open_ticket(ana, "Old")
    desk.set_status(closed, "closed")
    with pytest.raises(PlatformRejected) as caught:
        write_back([change(closed), change(ticket, number=2), change(7_777_777, number=3)], link)
    assert (caught.value.code, caught.value.http_status) == ("closed", 422)
    assert len(desk.written(ticket, public=False)) == 1


def test_without_a_ticket_there_is_nowhere_to_write(link: LooseLink) -> None:
    with pytest.raises(PlatformRejected) as caught:
        write_back([change(1, subject="user/9")], link)
    assert caught.value.code == "no_target"


def test_thirty_updates_of_a_ticket_in_ten_minutes_and_then_it_waits(
    desk: Zendesk, link: LooseLink, field: int, ticket: int, clock: Any
) -> None:
    for place in range(30):
        write_back([change(ticket, number=place)], link)
        clock.advance(5)
    with pytest.raises(PlatformThrottled) as caught:
        write_back([change(ticket, number=30)], link)
    assert caught.value.retry_after_s == 600 - 30 * 5 + 1
    clock.advance(caught.value.retry_after_s)
    write_back([change(ticket, number=30)], link)
    assert len(desk.written(ticket, public=False)) == 31


ERRORS: list[tuple[int, dict[str, str], bytes, str, float | None]] = [
    (401, {}, b'{"error": "Couldn\'t authenticate you"}', "PlatformUnauthorized", None),
    (403, {}, b'{"error": {"title": "Forbidden", "message": "+12025550142"}}', "PlatformUnauthorized", None),
    (404, {}, b'{"error": "RecordNotFound"}', "PlatformRejected", None),
    (409, {}, b'{"error": "UpdateConflict"}', "PlatformUnavailable", None),
    (422, {}, b'{"error": "RecordInvalid", "description": "+12025550142"}', "PlatformRejected", None),
    (429, {"Retry-After": "93"}, b"{}", "PlatformThrottled", 93),
    (429, {}, b"", "PlatformThrottled", None),
    (500, {}, b"<html>", "PlatformUnavailable", None),
    (503, {"Retry-After": "7"}, b"", "PlatformUnavailable", 7),
    (301, {"Location": "https://elsewhere.example"}, b"", "PlatformRejected", None),
]


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "wait_s"), ERRORS, ids=[f"{row[0]}{'+' * bool(row[1])}" for row in ERRORS]
)
def test_an_answer_becomes(
    desk: Zendesk, link: LooseLink, ticket: int, status: int, headers: Any, body: bytes, kind: str, wait_s: Any
) -> None:
    desk.fail(Fault(status=status, headers=headers, body=body))
    with pytest.raises(Exception) as caught:  # its class is what is compared
        write_back([change(ticket)], link)
    assert (type(caught.value).__name__, getattr(caught.value, "retry_after_s", None)) == (kind, wait_s)
    assert "2025550142" not in str(caught.value)
