"""What is read of outbound messages and of the action's runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bellwire import Event, PayloadInvalid, Purpose, SignatureMismatch, WebhookRequest
from bellwire.testing import NOW, Case, installation, sample, samples
from bellwire_connectors.salesforce import connector
from bellwire_connectors.salesforce.facts import KINDS

PACKAGE = "bellwire_connectors.salesforce"
RECORDED = Path(__file__).resolve().parents[3] / ".." / "shared" / "payloads" / "salesforce"
ANA = {"customer.name": "Ana Example", "customer.phones": ["(202) 555-0101", "(202) 555-0102"], "customer.countries": ["US"]}
ADA, OURS = "005xx000001Sv7fAAC", "005xx000001Sv6eAAC"
CONTACT, LEAD = "003xx0000001AbCAAU", "00Qxx0000001LdAEAU"


def without(*names: str) -> Callable[[str], str]:
    """Takes elements out of a message."""

    def edit(body: str) -> str:
        for name in names:
            before, _, rest = body.partition(f"<sf:{name}>")
            body = before + rest.partition(f"</sf:{name}>")[2]
        return body

    return edit


def swapped(old: str, new: str) -> Callable[[str], str]:
    def edit(body: str) -> str:
        assert old in body
        return body.replace(old, new)

    return edit


def no_phone(body: dict[str, Any]) -> None:
    del body["phone"]


def in_body(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda body: body.update(values)


CASES = [
    Case(
        "a lead whose definition is mapped",
        sample="lead_created",
        events=[
            {
                "type": "lead.created",
                "id": "04lxx0000000000AAA",
                "fact": f"lead.created:{LEAD}",
                "subject": f"lead/{LEAD}",
                "occurred_at": datetime(2026, 1, 5, 8, 59, 58, tzinfo=UTC),
                "customer.ref": LEAD,
                "customer.name": "Lee Sample",
                "customer.phones": ["07700 900123"],
                "customer.countries": ["GB"],
                "data.lead.first_name": "Lee",
                "data.lead.status": "Open - Not Contacted",
            }
        ],
    ),
    Case("a contact", sample="contact_created", events=[{"type": "contact.created", **ANA, "data.contact.first_name": "Ana"}]),
    Case(
        "a mapped id of 15 characters is the same id",
        sample="contact_created",
        settings={"actions": {"04kxx0000000005": "booking.created"}},
        events=[{"type": "booking.created"}],
    ),
    Case("an object whose definition is not mapped", sample="lead_updated", events=[{"type": "lead.updated"}]),
    Case("a definition that must be mapped", sample="lead_updated", settings={"mapped_actions_only": True}, events=[]),
    Case(
        "phones in the order of the settings",
        sample="contact_created",
        settings={"phone_fields": ["Phone"]},
        events=[{"customer.phones": ["(202) 555-0102"]}],
    ),
    Case(
        "no phone anywhere: the person is asked for",
        sample="contact_created",
        edit=without("MobilePhone", "Phone"),
        events=[{"customer.phones": [], "fetch": {"object": "Contact", "id": CONTACT}}],
    ),
    Case(
        "a typed country",
        sample="contact_created",
        edit=swapped("United States", "Deutschland"),
        events=[{"customer.countries": ["DE"]}],
    ),
    Case(
        "language and time zone of configured fields",
        sample="contact_created",
        edit=swapped("<sf:Phone>", "<sf:Lang__c>de_AT</sf:Lang__c><sf:Zone__c>Europe/Vienna</sf:Zone__c><sf:Phone>"),
        settings={"locale_field": "Lang__c", "timezone_field": "Zone__c"},
        events=[{"customer.locale": "de_AT", "customer.timezone": "Europe/Vienna"}],
    ),
    Case(
        "a person account",
        sample="contact_updated_person_account",
        events=[
            {
                "type": "contact.updated",
                "subject": "account/001xx0000001AcCAAU",
                "customer.name": "Pat Person",
                "customer.phones": ["0151 23456789"],
                "customer.countries": ["DE"],
                "customer.email": "pat@example.com",
            }
        ],
    ),
    Case(
        "a case texts its contact",
        sample="case_updated",
        events=[
            {
                "type": "case.updated",
                "customer.ref": CONTACT,
                "customer.phones": ["(202) 555-0101"],
                "data.case.number": "00001026",
                "data.case.status": "Closed",
                "fact": "case.updated:500xx0000001CsEAAU:2026-01-05T08:59:58.000Z",
            }
        ],
    ),
    Case(
        "a case of somebody who is no contact",
        sample="case_updated_web",
        events=[{"customer.ref": "", "customer.name": "Sam Stranger", "customer.phones": ["+1 202 555 0107"], "fetch": {}}],
    ),
    Case(
        "an opportunity: who it is about is asked for",
        sample="deal_stage_changed",
        events=[
            {
                "type": "deal.stage_changed",
                "data.deal.amount": "50000.00",
                "data.deal.stage": "Closed Won",
                "data.changed": ["deal.stage"],
                "fetch": {"object": "Opportunity", "id": "006xx0000001DeLAAU"},
                "fact": "deal.stage_changed:006xx0000001DeLAAU:Closed Won",
            }
        ],
    ),
    Case(
        "its owner, where owners are texted",
        sample="deal_updated",
        settings={"fetch_owner": True},
        events=[{"fetch": {"object": "Opportunity", "id": "006xx0000001DeLAAU", "owner": "005xx000001Sv7fAAC"}}],
    ),
    Case(
        "an amount in a currency without cents",
        sample="deal_updated",
        edit=swapped("USD", "JPY"),
        events=[{"data.deal.amount": "50000", "data.deal.currency": "JPY"}],
    ),
    Case(
        "an order",
        sample="order_created",
        events=[{"type": "order.created", "data.order.total": "129.90", "data.order.number": "00000101", "customer.ref": CONTACT}],
    ),
    Case(
        "an object of the organization's own",
        sample="record_updated",
        events=[
            {
                "type": "record.updated",
                "subject": "record/a01xx0000001ReqAAE",
                "customer.ref": CONTACT,
                "customer.phones": ["+1 202 555 0101"],
                "data.record.Name": "REQ-0007",
                "data.record.type": "SMS_Request__c",
            }
        ],
    ),
    Case("a record that was deleted before it was sent", sample="deleted_record", events=[]),
    Case("a message without notifications", sample="nothing", events=[]),
    Case("what our own user wrote", sample="own_change", events=[]),
    Case(
        "what somebody made and we wrote on since",
        sample="contact_created",
        edit=swapped(f"<sf:LastModifiedById>{ADA}", f"<sf:CreatedById>{ADA}</sf:CreatedById><sf:LastModifiedById>{OURS}"),
        events=[{"type": "contact.created"}],
    ),
    Case(
        "what we made",
        sample="contact_created",
        edit=swapped("<sf:LastModifiedById>", f"<sf:CreatedById>{OURS}</sf:CreatedById><sf:LastModifiedById>"),
        events=[],
    ),
    Case(
        "our own object, whoever wrote it",
        sample="record_updated",
        settings={"message_object": "SMS_Request__c"},
        events=[],
    ),
    Case(
        "three notifications are three events",
        sample="contact_updated_batch",
        events=[{"customer.name": "Ana Example"}, {"customer.name": "Ben Example"}, {"customer.name": "Cleo Example"}],
    ),
    Case(
        "an unknown element is ignored",
        sample="lead_updated",
        edit=swapped("<Notification>", "<More>x</More><Notification>"),
        events=[{"type": "lead.updated"}],
    ),
    Case(
        "a field that is nil is absent",
        sample="lead_updated",
        edit=swapped("<sf:MobilePhone>07700 900123</sf:MobilePhone>", '<sf:MobilePhone xsi:nil="true"/>'),
        events=[{"customer.phones": []}],
    ),
    Case(
        "no id of the notification",
        sample="lead_updated",
        edit=swapped("<Notification><Id>", "<Notification><No>"),
        error=PayloadInvalid,
    ),
    Case(
        "an id that is none",
        sample="lead_updated",
        edit=swapped("<ActionId>", "<ActionId>?"),
        error=PayloadInvalid,
        names="ActionId",
    ),
    Case(
        "two organizations",
        sample="lead_updated",
        edit=swapped("<ActionId>", "<OrganizationId>00Dxx0000001gPLEAY</OrganizationId><ActionId>"),
        error=PayloadInvalid,
        names="OrganizationId",
    ),
    Case(
        "an action's run",
        sample="message_requested",
        events=[
            {
                "type": "message.requested",
                "subject": f"contact/{CONTACT}",
                "customer.ref": CONTACT,
                "customer.phones": ["(202) 555-0101"],
                "customer.locale": "en_US",
                "data.template": "case_closed",
                "data.case_number": "00001026",
                "fetch": {},
            }
        ],
    ),
    Case(
        "the same without a phone",
        sample="message_requested",
        edit=no_phone,
        events=[{"customer.phones": [], "fetch": {"object": "Contact", "id": CONTACT}}],
    ),
    Case("a run without template", sample="message_requested", edit=in_body(template=" "), error=PayloadInvalid, names="template"),
    Case(
        "a run for nobody", sample="message_requested_record", edit=in_body(record_id=None), error=PayloadInvalid, names="record_id"
    ),
    Case(
        "a run with a strange id",
        sample="message_requested",
        edit=in_body(request_id="a b"),
        error=PayloadInvalid,
        names="request_id",
    ),
    Case(
        "a variable can't take the template's place",
        sample="message_requested",
        edit=in_body(variables=[{"name": "template", "value": "other"}, {"name": "x y", "value": "z"}]),
        events=[{"data.template": "case_closed", "data.x y": None}],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_read(case: Case) -> None:
    case.check(connector)


def read(name: str, edit: Callable[[str], str] = lambda body: body, **settings: Any) -> list[Event]:
    made = installation(connector)
    request = sample(PACKAGE, name)
    request = replace(request, body=edit(request.body.decode()).encode())
    return list(connector.read(request, replace(made, settings={**made.settings, **settings})))


OUT = {("marketing", "opted_out"), ("transactional", "opted_out")}
IN = {("marketing", "opted_in"), ("transactional", "opted_in")}
PERSON_BOX = "<sf:SMS_Opt_Out__pc>true</sf:SMS_Opt_Out__pc><sf:FirstName>"
CONSENTS = [
    ("a ticked box opts out of all but codes", "contact_updated", {}, lambda body: body, OUT),
    (
        "of marketing only, where that is said",
        "contact_updated",
        {"consent_purposes": ["marketing"]},
        lambda body: body,
        {("marketing", "opted_out")},
    ),
    ("a cleared box says nothing", "customer_consent_changed_cleared", {}, lambda body: body, set()),
    ("another box does not count", "contact_updated", {"consent_field": "No_SMS__c"}, lambda body: body, set()),
    ("DoNotCall means calls", "contact_updated", {}, swapped("SMS_Opt_Out__c", "DoNotCall"), set()),
    ("an opt-in has a box of its own", "customer_consent_changed_opt_in", {}, lambda body: body, IN),
    (
        "both boxes: the opt-out counts",
        "customer_consent_changed_opt_in",
        {},
        swapped("<sf:SMS_Opt_Out__c>false", "<sf:SMS_Opt_Out__c>true"),
        OUT,
    ),
    ("an opt-in without a time may be old", "customer_consent_changed_opt_in", {}, without("SystemModstamp"), set()),
    ("an opt-in that is not what is told", "customer_consent_changed_opt_in", {"actions": {}}, lambda body: body, set()),
    ("a person account's box ends in __pc", "contact_updated_person_account", {}, swapped("<sf:FirstName>", PERSON_BOX), OUT),
]


@pytest.mark.parametrize(("label", "name", "settings", "edit", "said"), CONSENTS, ids=[row[0] for row in CONSENTS])
def test_consent(label: str, name: str, settings: dict[str, Any], edit: Callable[[str], str], said: set[tuple[str, str]]) -> None:
    [event] = read(name, edit, **settings)
    hints = event.people["customer"].consents
    assert {(one.purpose.value, one.state.value) for one in hints} == said
    assert all(one.purpose is not Purpose.OTP and one.at == event.occurred_at for one in hints)


class TestTheSameAgain:
    def test_two_equal_changes_sent_together_are_one(self) -> None:
        """Content is read when it is sent: two quick changes come as two equal notifications."""

        def twice(body: str) -> str:
            before, mark, after = body.partition("<Notification>")
            one, end, rest = (mark + after).partition("</Notification>")
            return before + one + end + one.replace("04lxx0000090105AAA", "04lxx0000077777AAA") + end + rest

        assert len(read("contact_updated", twice)) == 1
        assert len(read("contact_updated", lambda body: twice(body).replace("Ana<", "Ann<", 1))) == 2

    def test_a_notification_that_stands_twice_is_one(self) -> None:
        def twice(body: str) -> str:
            before, mark, after = body.partition("<Notification>")
            one, end, rest = (mark + after).partition("</Notification>")
            return before + one + end + one.replace("Ana", "Ben") + end + rest

        assert [event.people["customer"].name for event in read("contact_updated", twice)] == ["Ana Example"]

    def test_without_a_time_stamp_only_the_notification_counts(self) -> None:
        [event] = read("lead_updated", without("SystemModstamp"))
        assert (event.fact, event.occurred_at) == ("", NOW)


class TestWhoMayCall:
    @pytest.mark.parametrize("name", list(samples(PACKAGE)))
    def test_the_installation_s_organization(self, name: str) -> None:
        connector.verify(sample(PACKAGE, name), installation(connector), NOW)

    @pytest.mark.parametrize("given", ["00Dxx0000001gPL", "00Dxx0000001gPLEAY"])
    def test_as_15_or_18_characters(self, given: str) -> None:
        made = installation(connector)
        connector.verify(sample(PACKAGE, "lead_created"), replace(made, settings={"organization_id": given}), NOW)

    @pytest.mark.parametrize("name", ["lead_created", "message_requested"])
    @pytest.mark.parametrize("wanted", ["00Dxx0000001gPMEAY", "", None, "00D"])
    def test_nobody_else_s(self, name: str, wanted: str | None) -> None:
        made = installation(connector)
        with pytest.raises(SignatureMismatch, match="organization"):
            connector.verify(sample(PACKAGE, name), replace(made, settings={"organization_id": wanted}), NOW)

    def test_the_id_that_counts_stands_in_its_place(self) -> None:
        request = sample(PACKAGE, "lead_created")
        forged = request.body.replace(b"<OrganizationId>00Dxx0000001gPLEAY", b"<OrganizationId>00Dxx0000001gPMEAY")
        for trick in (
            b"<!-- <OrganizationId>00Dxx0000001gPLEAY</OrganizationId> -->",
            b"<x><OrganizationId>00Dxx0000001gPLEAY</OrganizationId></x>",
        ):
            with pytest.raises(SignatureMismatch):
                connector.verify(
                    replace(request, body=forged.replace(b"<OrganizationId>", trick + b"<OrganizationId>", 1)),
                    installation(connector),
                    NOW,
                )

    def test_a_message_without_any_is_refused_unless_it_holds_nothing(self) -> None:
        request = sample(PACKAGE, "lead_created")
        nameless = request.body.replace(b"<OrganizationId>00Dxx0000001gPLEAY</OrganizationId>", b"")
        with pytest.raises(PayloadInvalid, match="OrganizationId"):
            connector.verify(replace(request, body=nameless), installation(connector), NOW)


def recorded() -> list[Any]:
    if not RECORDED.exists():
        return [pytest.param("", [], marks=pytest.mark.skip(reason="no recorded bodies beside this checkout"))]
    return [
        pytest.param(
            "outbound_message.single.xml", [("record.updated", "04l9000001olR84AAE", "account/0019000001KwyWtAAJ")], id="single"
        ),
        pytest.param(
            "outbound_message.multi.xml",  # its test renamed the objects: sf:Lead1 is no Lead
            [
                ("record.updated", "04l37000000L0E5AAK", "record/0123456789ABCDEEAE"),
                ("record.updated", "14l37000123L0E5AAK", "record/1123456789ABCDEEAE"),
                ("record.updated", "24l37123450L0E5AAK", "record/2123456789ABCDEEAE"),
            ],
            id="three, with a byte order mark",
        ),
        pytest.param(
            "outbound_message.session_nil.xml", [("deal.updated", "006xx000004TmiQAAS", "deal/006xx000004TmiQAAS")], id="nil"
        ),
        pytest.param("outbound_message.empty.xml", [], id="empty"),
    ]


@pytest.mark.parametrize(("name", "events"), recorded())
def test_a_recorded_message_is_read(name: str, events: list[tuple[str, str, str]]) -> None:
    request = WebhookRequest(headers={"content-type": "text/xml"}, body=(RECORDED / name).read_bytes(), received_at=NOW)
    found = connector.read(request, installation(connector))
    assert [(one.type, one.id, one.subject) for one in found] == events
    json.dumps([dict(one.data) for one in found])
    assert b"ARcAQJ" not in repr(found).encode(), "SessionId is a token"


@pytest.mark.skipif(not RECORDED.exists(), reason="no recorded bodies beside this checkout")
def test_three_leads_whose_names_are_put_right() -> None:
    body = (RECORDED / "outbound_message.multi.xml").read_bytes()
    for number in (b"1", b"2", b"3"):
        body = body.replace(b"sf:Lead" + number, b"sf:Lead")
    request = WebhookRequest(headers={"content-type": "text/xml"}, body=body, received_at=NOW)
    found = connector.read(request, installation(connector))
    assert {one.type for one in found} == {"lead.updated"}
    assert [one.data["lead.last_name"] for one in found][-1] == "Nielsen"


def test_every_object_s_word_is_told() -> None:
    assert {kind.updated for kind in KINDS.values()} <= set(connector.events)
    assert {kind.created for kind in KINDS.values() if kind.created} <= set(connector.events)
