"""An installation's check: a line for each thing a person has to put right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from bellwire import CheckResult
from bellwire_connectors.salesforce import connector
from standins.link import MemoryLink, Vault
from standins.salesforce import Fault, Organization
from standins.salesforce_installed import installed

LinkWith = Callable[..., MemoryLink]


def lines(link: MemoryLink) -> dict[str, CheckResult]:
    assert connector.check is not None
    return {one.name: one for one in connector.check(link)}


def test_all_is_well(link: MemoryLink) -> None:
    found = lines(link)
    assert {name: one.detail for name, one in found.items() if not one.ok} == {}
    assert set(found) == {
        "token",
        "endpoint",
        "organization",
        "integration_user",
        "api_limit",
        "Contact.phones",
        "Contact.SMS_Opt_Out__c",
        "Lead.phones",
        "Lead.SMS_Opt_Out__c",
        "message_object",
    }


def hide(org: Organization, kind: str, *names: str) -> None:
    org.hidden |= {(kind, name) for name in names}


def nothing(org: Organization) -> None:
    """All is well at Salesforce."""


WRONG: list[tuple[str, Callable[[Organization], Any], dict[str, Any], str, str]] = [
    ("another organization", nothing, {"organization_id": "00Dxx0000001gPMEAY"}, "organization", "the token belongs to"),
    (
        "no organization",
        nothing,
        {"organization_id": ""},
        "organization",
        "organization_id to 00Dxx0000001gPLEAY",
    ),
    ("nobody knows our user", nothing, {"integration_user": ""}, "integration_user", "set settings.integration_user"),
    ("nearly no calls left", lambda org: setattr(org, "used", 4_500), {}, "api_limit", "of 5000 calls"),
    ("no phone is readable", lambda org: hide(org, "Lead", "MobilePhone", "Phone"), {}, "Lead.phones", "field-level security"),
    (
        "no consent field",
        lambda org: hide(org, "Contact", "SMS_Opt_Out__c"),
        {},
        "Contact.SMS_Opt_Out__c",
        "is not there, or hidden",
    ),
    ("no message object", lambda org: org.fields.pop("SMS_Message__c"), {}, "message_object", "is not deployed"),
    ("half a message object", lambda org: hide(org, "SMS_Message__c", "Status__c"), {}, "message_object", "lacks Status__c"),
]


@pytest.mark.parametrize(("label", "spoil", "settings", "name", "said"), WRONG, ids=[row[0] for row in WRONG])
def test_what_is_wrong_is_told(
    org: Organization, link_with: LinkWith, label: str, spoil: Callable[[Organization], Any], settings: Any, name: str, said: str
) -> None:
    spoil(org)
    found = lines(link_with(**settings))
    assert [one for one, line in found.items() if not line.ok] == [name]
    assert said in found[name].detail


def test_a_token_that_is_refused_is_all_there_is_to_say(org: Organization, open_link: Callable[..., MemoryLink]) -> None:
    link = open_link(Vault(installed(org, access_token="", consumer_secret="wrong")))
    found = lines(link)
    assert {name for name, one in found.items() if not one.ok} == {"token"}
    assert "invalid_client" in found["token"].detail


@pytest.mark.parametrize("nth", range(1, 5))
def test_whatever_salesforce_says_it_never_raises(org: Organization, link: MemoryLink, nth: int) -> None:
    org.fail(*[Fault(500)] * nth)
    assert any(not one.ok for one in lines(link).values())


def test_salesforce_sends_to_https_only(org: Organization, open_link: Callable[..., MemoryLink]) -> None:
    link = open_link(Vault(replace(installed(org), webhook_url="")))
    assert "PUBLIC_URL" in lines(link)["endpoint"].detail


def test_tasks_need_no_object(org: Organization, link_with: LinkWith) -> None:
    del org.fields["SMS_Message__c"]
    assert lines(link_with(message_object="Task"))["message_object"].ok
