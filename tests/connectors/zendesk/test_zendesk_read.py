"""What Zendesk reports is read to our events, or its wrong place named. Tables for triggers and for event subscriptions."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bellwire import PayloadInvalid, WebhookRequest
from bellwire.testing import NOW, Case, bend, installation, sample, samples
from bellwire_connectors.zendesk import connector
from hypothesis import given, settings
from hypothesis import strategies as st

AT = installation(connector)
PACKAGE = connector.samples
SHARED = Path(__file__).resolve().parents[3] / ".." / "shared" / "payloads" / "zendesk"
TICKET = {
    "subject": "ticket/35436",
    "data.ticket.id": "35436",
    "data.ticket.url": "https://example.zendesk.com/agent/tickets/35436",
}


def put(path: str, value: Any) -> Any:
    """An edit that sets one place; None takes it away."""
    *steps, last = path.split(".")

    def edit(body: Any) -> None:
        for step in steps:
            body = body[step]
        if value is None:
            del body[last]
        else:
            body[last] = value

    return edit


CASES = [
    # -- triggers
    Case(
        "a trigger tells a new ticket, once a ticket",
        sample="trigger_ticket_created",
        events=[
            {
                **TICKET,
                "type": "ticket.created",
                "id": "01KE6V5C0MEXAMPLEINVOCATION00",
                "fact": "ticket.created:35436:",
                "customer.phones": ["+15550100001"],
                "customer.ref": "user/8000001",
                "requester.ref": "user/8000001",
                "fetch": {"ticket": "35436"},
            }
        ],
    ),
    Case("an update counts by its delivery only", sample="trigger_ticket_updated", events=[{"type": "ticket.updated", "fact": ""}]),
    Case(
        "an answer counts once a comment",
        sample="trigger_ticket_commented",
        events=[
            {
                "type": "ticket.commented",
                "fact": "ticket.commented:35436:5550002",
                "fetch": {"ticket": "35436", "comment": "5550002"},
            }
        ],
    ),
    Case(
        "a ticket is solved once a time",
        sample="trigger_ticket_solved",
        events=[{"type": "ticket.solved", "fact": "ticket.solved:35436:2026-01-05T08:59:58Z"}],
    ),
    Case(
        "a time in another form is the time it came",
        sample="trigger_ticket_solved",
        edit=put("updated_at", "5. Januar 2026"),
        events=[{"occurred_at": NOW, "fact": ""}],
    ),
    Case(
        "a requester without a phone is looked up",
        sample="trigger_ticket_created",
        edit=put("requester.phone", ""),
        events=[{"customer.phones": []}],
    ),
    Case("what our own user did", sample="trigger_ticket_updated", edit=put("actor_id", "9000001"), events=[]),
    Case(
        "an event that we have no word for",
        sample="trigger_ticket_updated",
        edit=put("event", "ticket.exploded"),
        error=PayloadInvalid,
        names="event",
    ),
    Case(
        "a placeholder that was not filled",
        sample="trigger_ticket_updated",
        edit=put("ticket_id", "{{ticket.id}}"),
        error=PayloadInvalid,
        names="ticket_id",
    ),
    Case("no ticket", sample="trigger_ticket_updated", edit=put("ticket_id", None), error=PayloadInvalid, names="ticket_id"),
    Case(
        "an admin's own body by the map",
        sample="trigger_own_body",
        events=[{**TICKET, "type": "ticket.updated", "fact": "", "customer.phones": []}],
    ),
    Case(
        "an admin's own body that says more",
        sample="trigger_own_body",
        settings={"field_map": {"ticket_id": "ticketID", "event": "what", "phone": "who.phone"}},
        edit=lambda body: body.update(what="ticket.solved", who={"phone": "+15550100001"}),
        events=[{"type": "ticket.solved", "customer.phones": ["+15550100001"]}],
    ),
    Case(
        "an admin's own body that nothing maps",
        sample="trigger_own_body",
        settings={"field_map": {}},
        error=PayloadInvalid,
        names="schema",
    ),
    Case(
        "a map that leads nowhere",
        sample="trigger_own_body",
        settings={"field_map": {"ticket_id": "ticket.id"}},
        error=PayloadInvalid,
        names="ticket_id",
    ),
    # -- event subscriptions
    Case(
        "a new ticket by its event: the same fact as by a trigger",
        sample="event_ticket_created",
        events=[
            {
                **TICKET,
                "type": "ticket.created",
                "id": "5f0d2c11-0000-4000-8000-000000000011",
                "fact": "ticket.created:35436:",
                "data.ticket.status": "new",
                "customer.ref": "user/8000001",
                "fetch": {"ticket": "35436"},
            }
        ],
    ),
    Case(
        "a new status",
        sample="event_ticket_status_changed",
        events=[
            {
                "type": "ticket.updated",
                "fact": "",
                "data.ticket.status": "pending",
                "data.previous.ticket.status": "open",
                "data.changed": ["ticket.status"],
            }
        ],
    ),
    Case(
        "solved",
        sample="event_ticket_solved",
        events=[{"type": "ticket.solved", "fact": "ticket.solved:35436:2026-01-05T08:59:58Z", "data.ticket.status": "solved"}],
    ),
    Case(
        "an agent's public answer",
        sample="event_ticket_commented",
        events=[
            {
                "type": "ticket.commented",
                "fact": "ticket.commented:35436:5550002",
                "fetch": {"ticket": "35436", "comment": "5550002"},
            }
        ],
    ),
    Case("a private note", sample="event_ticket_private_note", events=[]),
    Case(
        "a note that does not say whether it is public",
        sample="event_ticket_commented",
        edit=put("event.comment.is_public", None),
        events=[],
    ),
    Case("the customer's own comment", sample="event_ticket_customer_comment", events=[]),
    Case(
        "a comment event without a comment",
        sample="event_ticket_commented",
        edit=put("event.comment", None),
        error=PayloadInvalid,
        names="event.comment",
    ),
    Case(
        "a new priority",
        sample="event_ticket_priority_changed",
        events=[
            {
                "type": "ticket.updated",
                "data.changed": ["ticket.priority"],
                "data.previous.ticket.priority": "NORMAL",
                "data.ticket.priority": "URGENT",
            }
        ],
    ),
    Case(
        "tags of the desk's own",
        sample="event_ticket_tags_changed",
        events=[{"type": "ticket.updated", "data.changed": ["ticket.tags"]}],
    ),
    Case(
        "tags of ours, whoever set them",
        sample="event_ticket_tags_changed",
        edit=put("event.tags_added", ["sms_delivered"]),
        events=[],
    ),
    Case(
        "tags of ours among others",
        sample="event_ticket_tags_changed",
        edit=put("event.tags_added", ["sms_delivered", "vip"]),
        events=[{"type": "ticket.updated"}],
    ),
    Case(
        "the status field of ours",
        sample="event_ticket_tags_changed",
        edit=lambda body: body.update(
            type="zen:event-type:ticket.custom_field_changed",
            event={"custom_field": {"id": "1", "title": "SMS status"}, "current": "sms_sent"},
        ),
        events=[],
    ),
    Case(
        "a custom field of theirs",
        sample="event_ticket_tags_changed",
        edit=lambda body: body.update(
            type="zen:event-type:ticket.custom_field_changed",
            event={"custom_field": {"id": "1", "title": "Order"}, "current": "1001"},
        ),
        events=[{"data.changed": ["ticket.custom_field"], "data.ticket.custom_field": "Order"}],
    ),
    Case("a due date", sample="event_ticket_due_at_changed", events=[{"data.ticket.due_at": "2026-01-07T09:00:00Z"}]),
    Case("a merge", sample="event_ticket_merged", events=[{"type": "ticket.updated", "data.changed": ["ticket.merged"]}]),
    Case("what our own user did, by its event", sample="event_ticket_by_us", events=[]),
    Case("an event that nobody serves", sample="event_ticket_soft_deleted", events=[]),
    Case(
        "a consent field that says no",
        sample="event_customer_consent_changed",
        events=[
            {
                "type": "customer.consent_changed",
                "subject": "user/8000001",
                "data.consent.state": "opted_out",
                "data.consent.purpose": "transactional",
                "fetch": {
                    "user": "8000001",
                    "said": "opt_out",
                    "field": "sms_consent",
                    "proof": "5f0d2c11-0000-4000-8000-000000000023",
                },
            }
        ],
    ),
    Case(
        "the field by the title that we gave it",
        sample="event_customer_consent_changed",
        edit=put("event.custom_field.title", "SMS consent"),
        events=[{"data.consent.state": "opted_out"}],
    ),
    Case(
        "another field of the profile",
        sample="event_customer_consent_changed",
        edit=put("event.custom_field.title", "Shoe size"),
        events=[],
    ),
    Case(
        "a consent field that was emptied says nothing",
        sample="event_customer_consent_changed",
        edit=put("event.current", ""),
        events=[],
    ),
    Case(
        "users merged",
        sample="event_person_merged",
        events=[{"type": "person.merged", "data.person.lost_ref": "user/8000001", "data.person.kept_ref": "user/8000002"}],
    ),
    Case(
        "users merged, the type written with a slash",
        sample="event_person_merged",
        edit=put("type", "zen:event-type/user.merged"),
        events=[{"type": "person.merged"}],
    ),
    Case("a deleted user comes back maybe", sample="event_person_deleted", events=[]),
    Case(
        "a deleted user is erased where that is wanted",
        sample="event_person_deleted",
        settings={"erase_on_delete": True},
        events=[{"type": "person.erase_requested", "customer.ref": "user/8000001"}],
    ),
    Case(
        "numbers instead of texts for ids",
        sample="event_ticket_created",
        edit=put("detail.requester_id", 8000001),
        events=[{"customer.ref": "user/8000001"}],
    ),
    Case("nobody asked", sample="event_ticket_created", edit=put("detail.requester_id", "0"), events=[{"people": {}}]),
    Case("no id", sample="event_ticket_created", edit=put("detail.id", ""), error=PayloadInvalid, names="detail.id"),
    Case("no time", sample="event_ticket_created", edit=put("time", None), error=PayloadInvalid, names="time"),
    Case("no detail", sample="event_ticket_created", edit=put("detail", None), error=PayloadInvalid, names="detail"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_read(case: Case) -> None:
    case.check(connector)


@pytest.mark.parametrize("name", samples(PACKAGE))
def test_every_event_has_a_sample_and_every_sample_is_of_this_page(name: str) -> None:
    at = replace(AT, settings={**AT.settings, "erase_on_delete": True})
    assert all(event.type in connector.events for event in connector.read(sample(PACKAGE, name), at))


def test_every_type_of_event_has_a_sample() -> None:
    at = replace(AT, settings={**AT.settings, "erase_on_delete": True})
    found = {event.type for name in samples(PACKAGE) for event in connector.read(sample(PACKAGE, name), at)}
    assert found == set(connector.events)


def test_a_placeholder_with_a_quote_in_it_is_told_by_its_reason() -> None:
    broken = replace(
        sample(PACKAGE, "trigger_ticket_created"), body=b'{"schema": "bellwire.zendesk/1", "subject": "the "big" one"}'
    )
    with pytest.raises(PayloadInvalid, match="placeholder") as caught:
        connector.read(broken, AT)
    assert "big" not in str(caught.value)


# -- recorded bodies ------------------------------------------------------------------------------------------------

RECORDED: dict[str, list[str]] = {
    "event.ticket.created.json": ["ticket.created"],
    "event.user.active_changed.json": [],
    "event.user.group_membership_created.json": [],
    "trigger.ticket_update.json": ["ticket.updated"],
}


def recorded() -> list[Any]:
    if not SHARED.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason="no recorded bodies beside this checkout"))]
    return [pytest.param(path, id=path.name) for path in sorted(SHARED.glob("*.json")) if path.name != "headers.example.json"]


@pytest.mark.parametrize("path", recorded())
def test_a_recorded_body_is_read(path: Path) -> None:
    headers = json.loads((SHARED / "headers.example.json").read_text())
    events = connector.read(WebhookRequest(headers=headers, body=path.read_bytes(), received_at=NOW), AT)
    assert [event.type for event in events] == RECORDED[path.name]
    for event in events:
        assert event.subject in ("ticket/35436", "ticket/12345")
        assert event.fetch["ticket"] in event.subject
    if path.name.startswith("trigger"):
        assert [event.id for event in events] == ["8350205582"]


# -- hostile bodies -------------------------------------------------------------------------------------------------

junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.lists(st.none() | st.text(max_size=4), max_size=2),
    st.dictionaries(st.text(max_size=4), st.none() | st.integers(), max_size=2),
    st.sampled_from([2**70, -1, "\x00", "9" * 400, "2026-01-05T09:00:00Z", {}, []]),
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_bent_body_is_read_or_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(samples(PACKAGE)))
    top = json.loads(sample(PACKAGE, name).body)
    key = data.draw(st.sampled_from(sorted(top)))
    inner = (
        data.draw(st.sampled_from(sorted(top[key])))
        if isinstance(top[key], dict) and top[key] and data.draw(st.booleans())
        else None
    )
    value = data.draw(junk)

    def edit(body: Any) -> None:
        if inner is None:
            body[key] = value
        else:
            body[key][inner] = value

    started = time.thread_time()
    try:
        for event in connector.read(bend(sample(PACKAGE, name), edit), AT):
            json.dumps(dict(event.data), allow_nan=False)
            assert event.id
            assert event.occurred_at.tzinfo is not None
    except PayloadInvalid:
        pass
    assert time.thread_time() - started < 1
