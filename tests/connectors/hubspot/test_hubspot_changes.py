"""Webhook batches: what each change is in our words, in both forms, and what is no news."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bellwire import PayloadInvalid, WebhookRequest
from bellwire.testing import NOW, Case, installation, sample
from bellwire_connectors.hubspot import connector
from bellwire_connectors.hubspot.records import locale, zone

PACKAGE = "bellwire_connectors.hubspot"
AT = installation(connector)
RECORDED = Path(__file__).resolve().parents[3] / ".." / "shared" / "payloads" / "hubspot"


def put(**fields: Any) -> Callable[[Any], None]:
    """Fields of the first change; None takes one away."""

    def edit(body: Any) -> None:
        for name, value in fields.items():
            if value is None:
                body[0].pop(name, None)
            else:
                body[0][name] = value

    return edit


CASES = [
    Case(
        "a contact is made",
        sample="contact_created",
        events=[
            {"type": "contact.created", "subject": "contact/9001", "customer.ref": "contact/9001", "fetch": {"contact": "9001"}}
        ],
    ),
    Case(
        "the generic form tells the same fact",
        sample="contact_created_generic",
        events=[{"type": "contact.created", "fact": "contact.created:contact/9001", "account": "4711001"}],
    ),
    Case(
        "a property changes",
        sample="contact_updated",
        events=[{"type": "contact.updated", "data.changed": ["contact.first_name"], "data.contact.first_name": "Ada"}],
    ),
    Case(
        "a property without a name of ours keeps its own",
        sample="contact_updated",
        edit=put(propertyName="favourite_colour", propertyValue="red"),
        events=[{"data.changed": ["contact.favourite_colour"], "data.contact.favourite_colour": "red"}],
    ),
    Case(
        "a sensitive value is left out",
        sample="contact_updated_sensitive",
        events=[{"type": "contact.updated", "data.changed": ["contact.passport_number"], "data.contact.passport_number": None}],
    ),
    Case(
        "a value that only says REDACTED is left out, too",
        sample="contact_updated",
        edit=put(propertyValue="REDACTED"),
        events=[{"data.contact.first_name": None}],
    ),
    Case(
        "a value that is marked sensitive is left out whatever it says",
        sample="contact_updated",
        edit=put(isSensitive=True),
        events=[{"data.contact.first_name": None}],
    ),
    Case(
        "the consent property is a statement",
        sample="customer_consent_changed",
        events=[{"type": "customer.consent_changed", "data.consent.state": "opted_in", "data.consent.purpose": "marketing"}],
    ),
    Case(
        "the consent property may have another name",
        sample="contact_updated",
        edit=put(propertyName="texts_ok", propertyValue="no"),
        settings={"consent_field": "texts_ok", "consent_purpose": "transactional"},
        events=[{"type": "customer.consent_changed", "data.consent.state": "no", "data.consent.purpose": "transactional"}],
    ),
    Case("consent that is emptied says nothing", sample="customer_consent_changed", edit=put(propertyValue=""), events=[]),
    Case(
        "an e-mail opt-out is no consent of ours",
        sample="contact_updated",
        edit=put(propertyName="hs_email_optout"),
        events=[{"type": "contact.updated"}],
    ),
    Case("a contact becomes a lead", sample="lead_created", events=[{"type": "lead.created"}]),
    Case(
        "another lifecycle stage", sample="lead_created", edit=put(propertyValue="customer"), events=[{"type": "contact.updated"}]
    ),
    Case(
        "a deal is made",
        sample="deal_created",
        events=[{"type": "deal.created", "subject": "deal/7001", "fetch": {"deal": "7001"}}],
    ),
    Case("a deal moves", sample="deal_stage_changed", events=[{"type": "deal.stage_changed", "data.deal.stage": "contractsent"}]),
    Case("a deal's amount", sample="deal_updated", events=[{"type": "deal.updated", "data.deal.amount": "1200.50"}]),
    Case("a ticket is opened", sample="ticket_created", events=[{"type": "ticket.created", "fetch": {"ticket": "6001"}}]),
    Case("a ticket moves", sample="ticket_updated", events=[{"type": "ticket.updated", "data.ticket.status": "2"}]),
    Case("a ticket is closed", sample="ticket_solved", events=[{"type": "ticket.solved"}]),
    Case(
        "a pipeline of its own closes elsewhere",
        sample="ticket_solved",
        edit=put(propertyValue="99"),
        settings={"closed_stages": ["98", "99"]},
        events=[{"type": "ticket.solved"}],
    ),
    Case(
        "a message in a conversation",
        sample="ticket_commented",
        events=[{"type": "ticket.commented", "fetch": {"thread": "5001", "message": "b2c1f5d0"}}],
    ),
    Case("a note of the staff", sample="ticket_commented", edit=put(messageType="COMMENT"), events=[]),
    Case(
        "two contacts become a new one",
        sample="person_merged",
        events=[
            {"type": "person.merged", "data.person.kept_ref": "contact/9003", "data.person.lost_ref": "contact/9002"},
            {"type": "person.merged", "data.person.kept_ref": "contact/9003", "data.person.lost_ref": "contact/9001"},
        ],
    ),
    Case(
        "one contact swallows another",
        sample="person_merged",
        edit=put(newObjectId=None, objectId=9001),
        events=[{"data.person.kept_ref": "contact/9001", "data.person.lost_ref": "contact/9002"}],
    ),
    Case(
        "a contact is erased for privacy",
        sample="person_erase_requested",
        events=[{"type": "person.erase_requested", "customer.ref": "contact/9001", "fetch": {}}],
    ),
    Case("a contact is deleted", sample="contact_deleted", events=[]),
    Case("a company", sample="contact_created", edit=put(subscriptionType="company.creation"), events=[]),
    Case("a custom object", sample="contact_created_generic", edit=put(objectTypeId="2-123"), events=[]),
    Case(
        "an association", sample="contact_created", edit=put(subscriptionType="contact.associationChange", objectId=None), events=[]
    ),
    Case("what we wrote ourselves", sample="own_change", events=[]),
    Case(
        "the same by another integration",
        sample="own_change",
        edit=put(sourceId="999"),
        events=[{"type": "customer.consent_changed"}],
    ),
    Case("another app's webhook", sample="contact_created", edit=put(appId=1), events=[]),
    Case("our status property, whoever writes it", sample="contact_updated", edit=put(propertyName="sms_last_status"), events=[]),
    Case(
        "the time beside our consent property", sample="contact_updated", edit=put(propertyName="sms_consent_status_at"), events=[]
    ),
    Case("the Test button", sample="test_button", events=[{"type": "contact.updated", "test": True, "fetch": {}, "fact": ""}]),
    Case(
        "several in one body",
        sample="batch",
        events=[{"type": "contact.updated"}, {"type": "deal.created"}, {"type": "ticket.solved"}],
    ),
    Case(
        "a change without its portal", sample="contact_created", edit=put(portalId=None), error=PayloadInvalid, names="0.portalId"
    ),
    Case(
        "a time in the year 10,000",
        sample="contact_created",
        edit=put(occurredAt=253402300800000),
        error=PayloadInvalid,
        names="0.occurredAt",
    ),
    Case("a negative id", sample="contact_created", edit=put(objectId=-1), error=PayloadInvalid, names="0.objectId"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_read(case: Case) -> None:
    case.check(connector)


def read(request: WebhookRequest) -> list[Any]:
    return list(connector.read(request, AT))


def bent(name: str, **fields: Any) -> WebhookRequest:
    request = sample(PACKAGE, name)
    body = json.loads(request.body)
    put(**fields)(body)
    return replace(request, body=json.dumps(body).encode())


def test_both_forms_make_one_event() -> None:
    [classic], [generic] = read(sample(PACKAGE, "contact_created")), read(bent("contact_created_generic", eventId=1, occurredAt=1))
    assert classic.id != generic.id
    assert classic.fact == generic.fact


def test_a_retry_is_the_same_event_and_a_shared_event_id_is_not() -> None:
    [first] = read(sample(PACKAGE, "contact_updated"))
    assert [first.id] == [event.id for event in read(bent("contact_updated", attemptNumber=3))]
    for other in ({"objectId": 9002}, {"propertyName": "lastname"}, {"occurredAt": 1767603599999}, {"portalId": 4711002}):
        assert first.id != read(bent("contact_updated", **other))[0].id


def test_consent_is_stated_with_its_time_and_its_proof() -> None:
    [one] = read(sample(PACKAGE, "customer_consent_changed"))
    [hint] = one.people["customer"].consents
    assert (str(hint.state), str(hint.purpose), hint.at, hint.source) == ("opted_in", "marketing", one.occurred_at, "hubspot")
    assert hint.proof == "contact/9001 sms_consent_status=opted_in form"


def test_a_body_of_several_portals_is_split() -> None:
    assert connector.parts is not None
    change = json.loads(sample(PACKAGE, "contact_updated").body)[0]
    body = json.dumps([change, {**change, "portalId": 2}, {**change, "objectId": 5}]).encode()
    request = replace(sample(PACKAGE, "contact_updated"), body=body)
    parts = dict(connector.parts(request))
    assert {portal: len(json.loads(part.body)) for portal, part in parts.items()} == {"4711001": 2, "2": 1}
    assert {portal: {event.account for event in connector.read(part, AT)} for portal, part in parts.items()} == {
        "4711001": {"4711001"},
        "2": {"2"},
    }


def test_one_portals_body_stays_as_it_came() -> None:
    assert connector.parts is not None
    request = sample(PACKAGE, "batch")
    assert connector.parts(request) == [("4711001", request)]
    assert connector.parts(replace(request, body=b"[]")) == []


#: What the recorded bodies are.
KNOWN = {
    "contact.creation.batch.raw.json": ["contact.created"],
    "contact.propertyChange.batch.json": ["contact.updated"],
    "contact.propertyChange.sensitive.batch.json": ["contact.updated"],
    "mixed.test_button.batch.json": ["contact.updated", "contact.created"],
    "object.propertyChange.batch.json": ["contact.updated"],
    "workflow_action.execution.json": ["message.requested"],
}


def recorded() -> list[Any]:
    if not RECORDED.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason="no recorded bodies beside this checkout"))]
    found = sorted(path for path in RECORDED.glob("*.json") if not path.name.startswith("error."))
    return [pytest.param(path, id=path.name) for path in found]


@pytest.mark.parametrize("path", recorded())
def test_a_recorded_body_is_read_to_its_events(path: Path) -> None:
    request = WebhookRequest(body=path.read_bytes(), received_at=NOW)
    anybody = replace(AT, settings={**AT.settings, "app_id": ""})
    events = connector.read(request, anybody)
    assert [event.type for event in events] == KNOWN[path.name]
    assert "REDACTED" not in repr(events)
    assert [event.test for event in events] == ["test_button" in path.name] * len(events)


ZONES = [
    ("america_slash_new_york", "America/New_York"),
    ("america_slash_port_hyphen_au_hyphen_prince", "America/Port-au-Prince"),
    ("africa_slash_dar_es_salaam", "Africa/Dar_es_Salaam"),
    ("us_slash_eastern", "US/Eastern"),
    ("asia_slash_tashkent", "Asia/Tashkent"),
    ("europe_slash_isle_of_man", "Europe/Isle_of_Man"),
    ("America/Chicago", "America/Chicago"),
    ("utc", "UTC"),
    ("mars_slash_olympus", ""),
    ("../../etc/passwd", ""),
    ("", ""),
]


@pytest.mark.parametrize(("given", "name"), ZONES)
def test_hubspots_zones(given: str, name: str) -> None:
    assert zone(given) == name


@pytest.mark.parametrize(("given", "tag"), [("es", "es"), ("pt-br", "pt-BR"), ("zh_tw", "zh-TW"), ("", ""), ("klingon please", "")])
def test_hubspots_languages(given: str, tag: str) -> None:
    assert locale(given) == tag
