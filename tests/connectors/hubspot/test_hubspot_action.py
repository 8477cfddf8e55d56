"""The workflow action: what it asks for, what the workflow hears at once, and what may be chosen."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bellwire import Decided, PayloadInvalid, Purpose, Status, TemplateChoice
from bellwire.testing import NOW, Case, installation, sample
from bellwire_connectors.hubspot import connector

PACKAGE = "bellwire_connectors.hubspot"
AT = replace(installation(connector), credentials={"access_token": "t", "client_secret": "s"})
RUN = "ap-4711001-56776413549-7-0"


def edit(**fields: Any) -> Callable[[Any], None]:
    def change(body: Any) -> None:
        for path, value in fields.items():
            at = body
            *steps, last = path.split("__")
            for step in steps:
                at = at[step]
            at[last] = value

    return change


CASES = [
    Case(
        "a contact with its number in the request",
        sample="message_requested",
        events=[
            {
                "id": RUN,
                "fact": f"message.requested:{RUN}",
                "subject": f"action/{RUN}/contact/9001",
                "fetch": {},
                "account": "4711001",
                "customer.ref": "contact/9001",
                "customer.phones": ["+12025550142"],
                "customer.timezone": "America/New_York",
                "data.template": "come-back",
                "data.variables.discount": "TEN",
                "data.contact.first_name": "Ada",
                "occurred_at": NOW,
            }
        ],
    ),
    Case(
        "a contact whose numbers were not asked for is fetched",
        sample="message_requested",
        edit=edit(object__properties={"email": "ada@example.com"}),
        events=[{"fetch": {"contact": "9001"}, "customer.phones": []}],
    ),
    Case(
        "a contact without a number is not",
        sample="message_requested",
        edit=edit(object__properties={"mobilephone": None, "phone": ""}),
        events=[{"fetch": {}, "customer.phones": []}],
    ),
    Case(
        "HubSpot's reading of a number goes before what was typed",
        sample="message_requested",
        edit=edit(
            object__properties={
                "phone": "+12025550100",
                "mobilephone": "202 555-0142",
                "hs_calculated_mobile_number": "+12025550142",
            }
        ),
        events=[{"customer.phones": ["+12025550142", "202 555-0142", "+12025550100"]}],
    ),
    Case(
        "a number of the action's own",
        sample="message_requested",
        edit=edit(inputFields__phone="+12025550199"),
        events=[{"customer.phones": ["+12025550199"], "fetch": {}, "data.variables.phone": None}],
    ),
    Case(
        "a deal",
        sample="message_requested_deal",
        events=[{"fetch": {"deal": "7001"}, "subject": "action/ap-4711001-56776413549-8-0/deal/7001"}],
    ),
    Case(
        "a company has nobody to text",
        sample="message_requested_deal",
        edit=edit(object__objectType="COMPANY"),
        events=[{"fetch": {}}],
    ),
    Case(
        "no template is refused by the decision, where the admin sees it",
        sample="message_requested",
        edit=edit(inputFields={}),
        events=[{"data.template": ""}],
    ),
    Case("a run without its id", sample="message_requested", edit=edit(callbackId="a/b"), error=PayloadInvalid, names="callbackId"),
    Case("a question", sample="template_options", events=[]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_read(case: Case) -> None:
    case.check(connector)


def told(outcome: str, status: Status | None = None, **more: Any) -> Decided:
    return Decided(event=RUN, type="message.requested", outcome=outcome, status=status, **more)


SOON = NOW + timedelta(hours=24)
ANSWERS: list[tuple[str, Decided, dict[str, str]]] = [
    (
        "sent: the contact waits a little longer than the text is worth",
        told("sent", Status.QUEUED, message="msg_1", expires_at=SOON),
        {"hs_execution_state": "BLOCK", "hs_expiration_duration": "PT90000S", "message_id": "msg_1", "delivery_status": "queued"},
    ),
    (
        "held for the night",
        told("held", Status.SCHEDULED, message="msg_1", expires_at=SOON),
        {
            "hs_execution_state": "BLOCK",
            "hs_expiration_duration": "PT90000S",
            "message_id": "msg_1",
            "delivery_status": "scheduled",
        },
    ),
    (
        "decided later",
        told(""),
        {"hs_execution_state": "BLOCK", "hs_expiration_duration": "PT349200S", "delivery_status": "queued"},
    ),
    (
        "refused",
        told("refused", Status.REFUSED, message="msg_1", reason="no_consent", expires_at=SOON),
        {"hs_execution_state": "SUCCESS", "delivery_status": "refused", "reason": "no_consent", "message_id": "msg_1"},
    ),
    ("nobody listens", told("not_matched"), {"hs_execution_state": "SUCCESS", "delivery_status": "not_matched"}),
    (
        "asked again after the end",
        told("sent", Status.DELIVERED, message="msg_1", duplicate=True, expires_at=SOON),
        {"hs_execution_state": "SUCCESS", "delivery_status": "delivered", "message_id": "msg_1"},
    ),
    (
        "asked again on the way",
        told("sent", Status.SENT, message="msg_1", duplicate=True, expires_at=NOW - timedelta(days=2)),
        {"hs_execution_state": "BLOCK", "hs_expiration_duration": "PT60S", "delivery_status": "sent", "message_id": "msg_1"},
    ),
]


@pytest.mark.parametrize(("label", "decided", "fields"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_the_answer_to_a_run(label: str, decided: Decided, fields: dict[str, str]) -> None:
    assert connector.respond is not None
    reply = connector.respond(sample(PACKAGE, "message_requested"), AT, [decided])
    assert reply is not None
    assert (reply.status, json.loads(reply.body)) == (200, {"outputFields": fields})


@pytest.mark.parametrize(
    "at",
    [replace(AT, settings={**AT.settings, "write_back": "off"}), replace(AT, credentials={"client_secret": "s"})],
    ids=["write-backs are off", "there is no token"],
)
def test_nobody_waits_for_an_end_that_is_never_told(at: Any) -> None:
    assert connector.respond is not None
    reply = connector.respond(
        sample(PACKAGE, "message_requested"), at, [told("sent", Status.QUEUED, message="msg_1", expires_at=SOON)]
    )
    assert reply is not None
    assert json.loads(reply.body)["outputFields"]["hs_execution_state"] == "SUCCESS"


def test_a_webhook_gets_the_usual_answer() -> None:
    assert connector.respond is not None
    decided = Decided(event="1", type="contact.created", outcome="sent")
    assert connector.respond(sample(PACKAGE, "contact_created"), AT, [decided]) is None


CHOICES = [
    TemplateChoice(name=f"t{number:03d}", purpose=Purpose.MARKETING, version=2, locales=["en", "es"]) for number in range(150)
]
CHOICES += [TemplateChoice(name="come-back", purpose=Purpose.TRANSACTIONAL, version=1, locales=["en"])]


def options(**fields: Any) -> dict[str, Any]:
    assert connector.consult is not None
    request = sample(PACKAGE, "template_options")
    body = json.loads(request.body) | fields
    reply = connector.consult(replace(request, body=json.dumps(body).encode()), AT, CHOICES)
    assert reply is not None
    found: dict[str, Any] = json.loads(reply.body)
    return found


def test_what_was_typed_narrows_the_choice() -> None:
    [only] = options()["options"]
    assert only == {"label": "come-back", "value": "come-back", "description": "transactional, version 1, en"}


def test_the_choice_comes_by_pages() -> None:
    first = options(fetchOptions={})
    second = options(fetchOptions={"after": first["after"]})
    assert (len(first["options"]), len(second["options"]), "after" in second) == (100, 51, False)
    assert first["searchable"] is True


def test_another_field_has_no_choice() -> None:
    assert options(inputFieldName="discount")["options"] == []


def test_the_older_question_names_its_portal_elsewhere() -> None:
    assert connector.parts is not None
    request = replace(
        sample(PACKAGE, "template_options"), body=b'{"portalId": 7, "inputFieldName": "template", "fetchOptions": {"q": null}}'
    )
    assert [portal for portal, _ in connector.parts(request)] == ["7"]
    with pytest.raises(PayloadInvalid):
        connector.parts(replace(request, body=b'{"inputFieldName": "template"}'))


def test_only_questions_are_consulted() -> None:
    assert connector.consult is not None
    assert connector.consult(sample(PACKAGE, "message_requested"), AT, CHOICES) is None
    assert connector.consult(sample(PACKAGE, "batch"), AT, CHOICES) is None
