"""Events that came without a phone: who is behind the record, and who owns it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bellwire import Event, PlatformRejected, PlatformUnavailable, WebhookRequest
from bellwire.testing import NOW
from bellwire_connectors.salesforce import connector
from standins.link import MemoryLink, Vault
from standins.salesforce import Fault, Organization
from standins.salesforce_installed import installed

LinkWith = Callable[..., MemoryLink]
ACTION = "04kxx0000099999AAA"


def told(
    org: Organization, link: MemoryLink, kind: str, record: str, fields: tuple[str, ...] = ("LastModifiedById", "OwnerId")
) -> Event:
    """What a message about the record is read to, completed."""
    request = WebhookRequest(
        headers={"content-type": "text/xml"}, body=org.envelope(ACTION, [(kind, record)], fields=fields), received_at=NOW
    )
    [event] = connector.read(request, link.installation)
    assert event.fetch
    assert connector.enrich is not None
    done = connector.enrich(event, link)
    assert done.fetch == {}
    return done


def ana(org: Organization, **more: Any) -> str:
    about = {"FirstName": "Ana", "LastName": "Example", "MobilePhone": "(202) 555-0101", "MailingCountry": "United States"}
    return org.add("Contact", **{**about, "Email": "ana@example.com", **more})


class TestWhoIsBehind:
    @pytest.mark.parametrize("kind", ["Contact", "Lead"])
    def test_a_person_itself(self, org: Organization, link: MemoryLink, kind: str) -> None:
        where = {"MailingCountry": "Germany"} if kind == "Contact" else {"Country": "Germany", "Company": "x"}
        record = org.add(kind, FirstName="Ana", LastName="Example", Phone="030 1234567", SMS_Opt_Out__c=True, **where)
        event = told(org, link, kind, record)
        person = event.people["customer"]
        assert (person.ref, person.phones, person.countries) == (record, ("030 1234567",), ("DE", "US"))
        assert {one.state.value for one in person.consents} == {"opted_out"}
        assert event.data["contact.first_name"] == "Ana"

    def test_a_case_its_contact(self, org: Organization, link: MemoryLink) -> None:
        contact = ana(org)
        event = told(org, link, "Case", org.add("Case", ContactId=contact, Subject="Printer", CaseNumber="7", Status="New"))
        assert (event.people["customer"].ref, event.people["customer"].phones) == (contact, ("(202) 555-0101",))
        assert (event.data["case.number"], event.data["contact.first_name"]) == ("7", "Ana")

    def test_a_case_from_the_web_form(self, org: Organization, link: MemoryLink) -> None:
        event = told(org, link, "Case", org.add("Case", SuppliedName="Sam Stranger", SuppliedPhone="+1 202 555 0107"))
        assert (event.people["customer"].name, event.people["customer"].phones) == ("Sam Stranger", ("+1 202 555 0107",))

    def test_an_opportunity_its_primary_contact(self, org: Organization, link: MemoryLink) -> None:
        deal, other, primary = org.add("Opportunity", Name="Widgets", StageName="Won"), ana(org), ana(org, FirstName="Pia")
        org.add("OpportunityContactRole", OpportunityId=deal, ContactId=other, IsPrimary=False)
        org.add("OpportunityContactRole", OpportunityId=deal, ContactId=primary, IsPrimary=True)
        event = told(org, link, "Opportunity", deal)
        assert (event.people["customer"].name, event.data["deal.stage"]) == ("Pia Example", "Won")

    def test_an_order_its_bill_to_contact(self, org: Organization, link: MemoryLink) -> None:
        event = told(org, link, "Order", org.add("Order", BillToContactId=ana(org), OrderNumber="101", TotalAmount=129.9))
        assert (event.people["customer"].name, event.data["order.total"]) == ("Ana Example", "129.90")

    def test_an_order_of_a_person_account(self) -> None:
        with Organization(person_accounts=True) as org, MemoryLink(Vault(installed(org))) as link:
            account = org.add(
                "Account",
                Name="Pat Person",
                FirstName="Pat",
                LastName="Person",
                PersonMobilePhone="0151 23456789",
                IsPersonAccount=True,
            )
            event = told(org, link, "Order", org.add("Order", AccountId=account))
            assert (event.people["customer"].ref, event.people["customer"].phones) == (account, ("0151 23456789",))

    def test_an_opportunity_of_nobody(self, org: Organization, link: MemoryLink) -> None:
        event = told(org, link, "Opportunity", org.add("Opportunity", Name="Widgets"))
        assert event.people["customer"].phones == ()

    def test_an_action_s_record_with_its_fields(self, org: Organization, link: MemoryLink) -> None:
        deal = org.add("Opportunity", Name="Widgets", StageName="Won", Amount=50000.0)
        org.add("OpportunityContactRole", OpportunityId=deal, ContactId=ana(org), IsPrimary=True)
        body = f'{{"organization_id":"{org.id}","request_id":"r1","template":"won","record_id":"{deal}"}}'.encode()
        [event] = connector.read(
            WebhookRequest(headers={"content-type": "application/json"}, body=body, received_at=NOW), link.installation
        )
        assert connector.enrich is not None
        done = connector.enrich(event, link)
        assert (done.people["customer"].phones, done.data["deal.amount"]) == (("(202) 555-0101",), "50000.00")
        assert (done.data["template"], done.data["record.type"], done.subject) == ("won", "Opportunity", f"deal/{deal}")


class TestTheOwner:
    def test_is_asked_for_where_owners_are_texted(self, org: Organization, link_with: LinkWith) -> None:
        org.edit("User", org.admin, LanguageLocaleKey="de", LocaleSidKey="de_AT", TimeZoneSidKey="Europe/Vienna")
        contact = ana(org, OwnerId=org.admin)
        event = told(org, link_with(fetch_owner=True), "Contact", contact, ("MobilePhone", "OwnerId"))
        owner = event.people["owner"]
        assert (owner.name, owner.phones, owner.locale, owner.timezone, owner.countries) == (
            "Ada Admin",
            ("+12025550199",),
            "de",
            "Europe/Vienna",
            ("AT", "US"),
        )
        assert event.people["customer"].phones == ("(202) 555-0101",)


class TestWhenSalesforceSaysNo:
    def test_who_can_be_texted_is(self, org: Organization, link_with: LinkWith) -> None:
        contact = ana(org, OwnerId=org.admin)
        link = link_with(fetch_owner=True)
        org.fail(Fault(403, "INSUFFICIENT_ACCESS"))
        event = told(org, link, "Contact", contact, ("MobilePhone", "OwnerId"))
        assert (list(event.people), event.people["customer"].phones) == (["customer"], ("(202) 555-0101",))

    def test_who_can_t_be_is_an_error(self, org: Organization, link: MemoryLink) -> None:
        org.fail(Fault(403, "INSUFFICIENT_ACCESS"))
        with pytest.raises(PlatformRejected):
            told(org, link, "Contact", ana(org))

    def test_somebody_who_was_deleted_meanwhile(self, org: Organization, link: MemoryLink) -> None:
        contact = ana(org)
        org.edit("Contact", contact, IsDeleted=True)
        with pytest.raises(PlatformRejected, match="is not there"):
            told(org, link, "Contact", contact)

    def test_not_now_is_tried_again(self, org: Organization, link: MemoryLink) -> None:
        org.fail(Fault(503, "SERVER_UNAVAILABLE"))
        with pytest.raises(PlatformUnavailable):
            told(org, link, "Contact", ana(org))


def test_nothing_is_asked_for_without_credentials(org: Organization) -> None:
    """Outbound messages alone need no app: what they carry is all there is."""
    made = installed(org, access_token="", consumer_key="", consumer_secret="")
    request = WebhookRequest(
        headers={"content-type": "text/xml"}, body=org.envelope(ACTION, [("Contact", ana(org, MobilePhone=None))]), received_at=NOW
    )
    [event] = connector.read(request, made)
    assert event.fetch == {}
