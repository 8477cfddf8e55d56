"""A lead's way, walked from outside: message in, text out, outcome, opt-out and reply back in the organization."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import requests
from bellwire import WebhookRequest
from bellwire.testing import account
from bellwire_connectors.sandbox import carrier as sandbox
from standins.salesforce import Organization
from standins.served import Server, Tenant, until

ACTION = "04kxx0000099999AAA"
KEY = "a key of the sandbox's"


class Way:
    """A tenant that greets each new lead by text."""

    def __init__(self, tenant: Tenant, org: Organization) -> None:
        self.tenant, self.org = tenant, org
        body = {"carrier": "sandbox", "name": "Sandbox", "credentials": {"api_key": KEY}, "settings": {"sender_id": "+12025550177"}}
        self.account = tenant.post("/v1/carrier-accounts", body)
        tenant.template("hello", en="Hi {{ lead.first_name }}, we call you back.")
        tenant.template("update", en="Case {{ case.number }} is {{ case.status }}.")
        tenant.trigger("lead.created", "hello", connector="salesforce", name="greet")
        tenant.trigger("case.updated", "update", connector="salesforce", name="case")
        body = {
            "connector": "salesforce",
            "name": "CRM",
            "credentials": {"domain": "acme.my", "consumer_key": org.consumer_key, "consumer_secret": org.consumer_secret},
            "settings": {"organization_id": org.id, "actions": {ACTION: "lead.created"}, "base_url": org.url},
        }
        self.installation = tenant.post("/v1/installations", body)

    def tell(self, kind: str, record: str, action: str = ACTION, fields: tuple[str, ...] = ()) -> dict[str, Any]:
        """Salesforce sends a message; the text that follows, once it is delivered."""
        assert self.org.send(
            self.installation["webhook_url"], self.org.envelope(action, [(kind, record)], fields=fields)
        ).acknowledged

        def sent() -> list[dict[str, Any]]:
            events = [one for one in self.tenant.all("/v1/events") if one["subject"].endswith(record)]
            return [one for event in events for one in self.tenant.messages(event=event["id"])]

        [message] = until(sent, "nobody was texted")
        return self.tenant.wait(message["id"], "delivered", "undelivered", "refused")

    def says(self, msisdn: str, text: str) -> None:
        """A text from a handset."""
        body = {"replies": [{"id": f"sbr_{uuid4().hex}", "from": msisdn, "to": "+12025550177", "text": text, "answered": False}]}
        unsigned = WebhookRequest(
            url=self.account["mo_url"],
            headers={"content-type": "application/json"},
            body=json.dumps(body).encode(),
            received_at=datetime.now(UTC),
        )
        assert sandbox.sign is not None
        signed = sandbox.sign(unsigned, account(sandbox, credentials={"api_key": KEY}, secrets=(KEY,)))
        assert requests.post(self.account["mo_url"], data=signed.body, headers=dict(signed.headers), timeout=10).ok

    def rows(self, kind: str, **wanted: Any) -> list[dict[str, Any]]:
        return [
            row for row in list(self.org.records[kind].values()) if all(row.get(name) == value for name, value in wanted.items())
        ]


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    server = Server(tmp_path_factory.mktemp("served"))
    try:
        server.start()
        with Organization() as org:
            yield Way(server.tenant("crm"), org)
        assert "Traceback" not in server.said, server.said
    finally:
        server.end()


def test_a_lead_is_texted_and_the_outcome_stands_beside_it(way: Way) -> None:
    lead = way.org.add("Lead", FirstName="Lee", LastName="Sample", Company="x", MobilePhone="(202) 555-0150")
    message = way.tell("Lead", lead)
    assert (message["to"], message["text"], message["status"]) == ("+12025550150", "Hi Lee, we call you back.", "delivered")
    [row] = until(lambda: way.rows("SMS_Message__c", Message_Id__c=message["id"]), "the outcome never came")
    assert (row["Status__c"], row["Lead__c"], row["Trigger__c"], row["Segments__c"]) == ("delivered", lead, "greet", 1)
    done = until(lambda: [one for one in way.tenant.message(message["id"])["write_backs"] if one["status"] == "done"])
    assert [(one["platform"], one["target"]) for one in done] == [("salesforce", f"lead/{lead}")]


def test_stop_ticks_the_box_and_the_next_text_is_refused(way: Way) -> None:
    lead = way.org.add("Lead", FirstName="Lou", LastName="Sample", Company="x", MobilePhone="(202) 555-0151")
    contact = way.org.add("Contact", LastName="Sample", Phone="+1 202 555 0151")
    way.tell("Lead", lead)
    way.says("+12025550151", "STOP")
    until(lambda: way.rows("Lead", Id=lead, SMS_Opt_Out__c=True), "STOP did not reach the lead")
    until(lambda: way.rows("Contact", Id=contact, SMS_Opt_Out__c=True), "nor the contact with the same number")
    again = way.org.add("Lead", FirstName="Lou", LastName="Sample", Company="y", MobilePhone="(202) 555-0151")
    assert way.tell("Lead", again)["reason"] == "opted_out"


def test_a_case_whose_contact_is_fetched_gets_the_reply(way: Way) -> None:
    contact = way.org.add("Contact", FirstName="Ana", LastName="Example", MobilePhone="(202) 555-0152")
    case = way.org.add("Case", CaseNumber="00001026", Status="Working", ContactId=contact)
    message = way.tell("Case", case, "04kxx0000088888AAA", ("CaseNumber", "Status", "ContactId", "SystemModstamp"))
    assert (message["to"], message["text"]) == ("+12025550152", "Case 00001026 is Working.")
    way.says("+12025550152", "Thank you")
    [comment] = until(lambda: way.rows("CaseComment", ParentId=case), "the reply never came to the case")
    assert comment["CommentBody"].startswith("Thank you\n\nSMS reply (rpl_")


def test_what_no_message_told_is_found_by_looking(way: Way) -> None:
    lead = way.org.add("Lead", FirstName="Len", LastName="Sample", Company="x", MobilePhone="(202) 555-0153")
    way.tenant.post(f"/v1/installations/{way.installation['id']}/reconcile")

    def found() -> list[dict[str, Any]]:
        return [one for one in way.tenant.all("/v1/events?type=lead.created") if one["subject"] == f"lead/{lead}"]

    assert len(until(found, "the look found nothing")) == 1


def test_check_says_what_is_well(way: Way) -> None:
    told = way.tenant.post(f"/v1/installations/{way.installation['id']}/check")
    assert "Salesforce answers" in json.dumps(told)
