"""Consent out: the box of everybody who has the number, and never an older word over a newer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from bellwire import ConsentChange, ConsentState, Msisdn, PlatformRejected, PlatformThrottled, Purpose
from bellwire.testing import NOW
from bellwire_connectors.salesforce import connector
from bellwire_connectors.salesforce.consent import same_number
from standins.link import MemoryLink, Vault
from standins.salesforce import Fault, Organization
from standins.salesforce_installed import installed

LinkWith = Callable[..., MemoryLink]
NUMBER = Msisdn("+12025550142")
LONG_AGO = NOW - timedelta(days=9)


def say(link: MemoryLink, state: ConsentState = ConsentState.OPTED_OUT, ref: str = "", **more: Any) -> None:
    assert connector.write_consent is not None
    made = {"purpose": Purpose.MARKETING, "at": NOW, "source": "reply", **more}
    connector.write_consent(ConsentChange(msisdn=NUMBER, state=state, customer_ref=ref, **made), link)


def box(org: Organization, kind: str, record: str) -> Any:
    return org.records[kind][record].get("SMS_Opt_Out__c")


class TestAnOptOut:
    @pytest.mark.parametrize("kind", ["Contact", "Lead"])
    def test_ticks_the_box_of_who_was_texted(self, org: Organization, link: MemoryLink, kind: str) -> None:
        record = org.add(kind, LastName="Example", Company="x") if kind == "Lead" else org.add(kind, LastName="Example")
        say(link, ref=record)
        assert box(org, kind, record) is True

    @pytest.mark.parametrize("written", ["+1 202 555 0142", "(202) 555-0142", "202.555.0142", "0012025550142"])
    def test_and_of_everybody_else_who_has_the_number(self, org: Organization, link: MemoryLink, written: str) -> None:
        contact = org.add("Contact", LastName="Example", Phone=written)
        lead = org.add("Lead", LastName="Sample", Company="x", MobilePhone=written)
        other = org.add("Contact", LastName="Other", Phone="(303) 555-0142")
        say(link)
        assert (box(org, "Contact", contact), box(org, "Lead", lead), box(org, "Contact", other)) == (True, True, False)

    def test_written_again_changes_nothing(self, org: Organization, link: MemoryLink) -> None:
        contact = org.add("Contact", LastName="Example")
        say(link, ref=contact)
        before = org.records["Contact"][contact]["SystemModstamp"]
        say(link, ref=contact)
        assert org.records["Contact"][contact]["SystemModstamp"] == before
        assert [call for call in org.calls if call[0] == "PATCH"] == [("PATCH", f"sobjects/Contact/{contact}")]

    @pytest.mark.parametrize("purpose", [Purpose.MARKETING, Purpose.TRANSACTIONAL])
    def test_of_either_purpose_ticks_the_one_box(self, org: Organization, link: MemoryLink, purpose: Purpose) -> None:
        contact = org.add("Contact", LastName="Example")
        say(link, ref=contact, purpose=purpose)
        assert box(org, "Contact", contact) is True

    def test_of_a_purpose_that_the_box_is_not_for(self, org: Organization, link_with: LinkWith) -> None:
        contact = org.add("Contact", LastName="Example")
        say(link_with(consent_purposes=["marketing"]), ref=contact, purpose=Purpose.TRANSACTIONAL)
        assert (box(org, "Contact", contact), org.hits) == (False, 0)


class TestAnOptIn:
    def test_clears_the_box(self, org: Organization, link: MemoryLink) -> None:
        contact = org.add("Contact", at=LONG_AGO, LastName="Example", SMS_Opt_Out__c=True)
        say(link, ConsentState.OPTED_IN, ref=contact)
        assert box(org, "Contact", contact) is False

    def test_leaves_it_when_the_record_was_changed_since(self, org: Organization, link: MemoryLink) -> None:
        contact = org.add("Contact", at=NOW + timedelta(hours=1), LastName="Example", SMS_Opt_Out__c=True)
        say(link, ConsentState.OPTED_IN, ref=contact)
        assert box(org, "Contact", contact) is True

    def test_that_is_older_than_a_stop_of_ours_undoes_nothing(self, org: Organization, link: MemoryLink) -> None:
        contact = org.add("Contact", at=LONG_AGO, LastName="Example")
        say(link, ref=contact)
        say(link, ConsentState.OPTED_IN, ref=contact, at=NOW - timedelta(hours=1))
        assert box(org, "Contact", contact) is True

    def test_ticks_a_box_of_its_own(self, org: Organization, link_with: LinkWith) -> None:
        for kind in ("Contact", "Lead"):
            org.fields[kind].add("SMS_Opt_In__c")
        contact = org.add("Contact", at=LONG_AGO, LastName="Example", SMS_Opt_Out__c=True)
        link = link_with(opt_in_field="SMS_Opt_In__c")
        say(link, ConsentState.OPTED_IN, ref=contact)
        row = org.records["Contact"][contact]
        assert (row["SMS_Opt_In__c"], row["SMS_Opt_Out__c"]) == (True, False)

    def test_that_is_only_implied_is_no_statement(self, org: Organization, link: MemoryLink) -> None:
        say(link, ConsentState.IMPLIED, ref=org.add("Contact", LastName="Example"))
        assert org.hits == 0


class TestWhatIsMissing:
    def test_a_field_that_is_not_there_is_told(self, org: Organization, link: MemoryLink) -> None:
        contact = org.add("Contact", LastName="Example")
        org.fields["Contact"].discard("SMS_Opt_Out__c")
        with pytest.raises(PlatformRejected, match="Contact has no field SMS_Opt_Out__c"):
            say(link, ref=contact)

    def test_one_record_that_is_refused_does_not_keep_the_others(self, org: Organization, link: MemoryLink) -> None:
        lead = org.add("Lead", LastName="Sample", Company="x", MobilePhone="(202) 555-0142")
        contact = org.add("Contact", LastName="Example", Phone="(202) 555-0142")
        org.hidden.add(("Contact", "SMS_Opt_Out__c"))
        with pytest.raises(PlatformRejected):
            say(link, ref=contact)
        assert box(org, "Lead", lead) is True

    def test_without_search_who_was_texted_is_written(self, org: Organization, link: MemoryLink) -> None:
        contact = org.add("Contact", LastName="Example")
        org.searchable = False
        say(link, ref=contact)
        assert box(org, "Contact", contact) is True

    def test_somebody_who_was_deleted(self, org: Organization, link: MemoryLink) -> None:
        say(link, ref="003xx0000009GonAAE")
        assert not [call for call in org.calls if call[0] == "PATCH"]

    def test_no_field_at_all(self, org: Organization, link_with: LinkWith) -> None:
        say(link_with(consent_field=""), ref=org.add("Contact", LastName="Example"))
        assert org.hits == 0

    def test_a_throttle_stops_it(self, org: Organization, link: MemoryLink) -> None:
        org.fail(Fault(403, "REQUEST_LIMIT_EXCEEDED"))
        with pytest.raises(PlatformThrottled):
            say(link, ref=org.add("Contact", LastName="Example"))


class TestAPersonAccount:
    def test_is_written_on_its_account(self) -> None:
        with Organization(person_accounts=True) as org, MemoryLink(Vault(installed(org))) as link:
            account = org.add(
                "Account", Name="Pat Person", IsPersonAccount=True, PersonMobilePhone="(202) 555-0142", SMS_Opt_Out__pc=False
            )
            contact = org.add("Contact", LastName="Person", IsPersonAccount=True, AccountId=account, MobilePhone="(202) 555-0142")
            say(link)
            assert org.records["Account"][account]["SMS_Opt_Out__pc"] is True
            assert box(org, "Contact", contact) is False

    def test_that_was_texted(self) -> None:
        with Organization(person_accounts=True) as org, MemoryLink(Vault(installed(org))) as link:
            account = org.add("Account", Name="Pat Person", IsPersonAccount=True, SMS_Opt_Out__pc=False)
            say(link, ref=account)
            assert org.records["Account"][account]["SMS_Opt_Out__pc"] is True


NUMBERS = [
    ("+1 (202) 555-0142", True),
    ("12025550142", True),
    ("0012025550142", True),
    ("(202) 555-0142", True),
    ("555-0142", True),
    ("(202) 555-0142 x77", True),
    ("(202) 555-0142 ext. 77", True),
    ("+44 202 555 0142", False),
    ("(303) 555-0142", False),
    ("0142", False),
    ("", False),
    ("none", False),
]


@pytest.mark.parametrize(("written", "same"), NUMBERS)
def test_whether_a_field_holds_the_number(written: str, same: bool) -> None:
    assert same_number(written, NUMBER) is same


def test_a_trunk_zero_is_not_part_of_the_number() -> None:
    assert same_number("0151 2345 6789", "+4915123456789")
    assert not same_number("0151 2345 6780", "+4915123456789")
