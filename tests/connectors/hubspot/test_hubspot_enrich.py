"""What came as ids is completed, many events by few calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from bellwire import Event, PlatformRejected, PlatformThrottled, PlatformUnavailable
from bellwire.testing import sample
from bellwire.testing.standins import Fault
from bellwire_connectors.hubspot import connector
from standins.hubspot import Portal
from standins.link import MemoryLink, Vault

PACKAGE = "bellwire_connectors.hubspot"


def event(link: MemoryLink, name: str, **fields: Any) -> Event:
    """A sample's first event with other fields in its body."""
    request = sample(PACKAGE, name)
    body = json.loads(request.body)
    (body[0] if isinstance(body, list) else body).update(fields)
    return connector.read(replace(request, body=json.dumps(body).encode()), link.installation)[0]


def enriched(link: MemoryLink, one: Event) -> Event:
    assert connector.enrich is not None
    return connector.enrich(one, link)


def many(link: MemoryLink, events: list[Event]) -> list[Event]:
    assert connector.enrich_many is not None
    return list(connector.enrich_many(events, link))


ADA = {
    "firstname": "Ada",
    "lastname": "Example",
    "email": "ada@example.com",
    "mobilephone": "(202) 555-0142",
    "phone": "+12025550100",
}


def test_a_contact(portal: Portal, link: MemoryLink) -> None:
    number = portal.add(
        "contacts",
        **ADA,
        hs_language="pt-br",
        hs_timezone="america_slash_sao_paulo",
        country="br",
        hs_calculated_mobile_number="+12025550142",
    )
    done = enriched(link, event(link, "contact_created", objectId=int(number)))
    customer = done.people["customer"]
    assert (customer.ref, customer.name, customer.email) == (f"contact/{number}", "Ada Example", "ada@example.com")
    assert customer.phones == ("+12025550142", "(202) 555-0142", "+12025550100")
    assert (customer.locale, customer.timezone, customer.countries) == ("pt-BR", "America/Sao_Paulo", ("BR",))
    assert (done.data["contact.first_name"], done.data["contact.email"], done.fetch) == ("Ada", "ada@example.com", {})


def test_other_phone_fields(portal: Portal, link: MemoryLink, vault: Vault, open_link: Callable[..., MemoryLink]) -> None:
    portal.properties["contacts"].add("sms_number")
    number = portal.add("contacts", **ADA, sms_number="+12025550177")
    vault.installation = replace(link.installation, settings={**link.installation.settings, "phone_fields": ["sms_number"]})
    other = open_link(vault)
    assert enriched(other, event(other, "contact_created", objectId=int(number))).people["customer"].phones == ("+12025550177",)


def test_a_hidden_number_is_none(portal: Portal, link: MemoryLink) -> None:
    number = portal.add("contacts", firstname="REDACTED", mobilephone="REDACTED")
    done = enriched(link, event(link, "contact_created", objectId=int(number)))
    assert (done.people["customer"].phones, done.people["customer"].name, "contact.first_name" in done.data) == ((), "", False)


def test_consent_comes_with_the_contacts_numbers(portal: Portal, link: MemoryLink) -> None:
    number = portal.add("contacts", **ADA)
    done = enriched(link, event(link, "customer_consent_changed", objectId=int(number)))
    [hint] = done.people["customer"].consents
    assert (str(hint.state), done.people["customer"].phones[0]) == ("opted_in", "(202) 555-0142")


def test_a_deal_its_contact_and_its_owner(portal: Portal, link: MemoryLink) -> None:
    contact = portal.add("contacts", **ADA)
    deal = portal.add("deals", dealname="Roof", dealstage="sent", amount="1200.50", deal_currency_code="USD", hubspot_owner_id="55")
    portal.join(("deals", deal), ("contacts", contact))
    done = enriched(link, event(link, "deal_stage_changed", objectId=int(deal), propertyValue="sent"))
    assert done.people["customer"].ref == f"contact/{contact}"
    assert (done.people["owner"].name, done.people["owner"].email) == ("Olga Owner", "olga@example.com")
    wanted = {
        "deal.name": "Roof",
        "deal.stage": "sent",
        "deal.amount": "1200.50",
        "deal.currency": "USD",
        "contact.first_name": "Ada",
    }
    assert {name: done.data[name] for name in wanted} == wanted


def test_a_ticket(portal: Portal, link: MemoryLink) -> None:
    contact = portal.add("contacts", **ADA)
    ticket = portal.add("tickets", subject="Leak", hs_pipeline_stage="4", hubspot_owner_id="55")
    portal.join(("tickets", ticket), ("contacts", contact))
    done = enriched(link, event(link, "ticket_solved", objectId=int(ticket)))
    assert done.people["requester"] == done.people["customer"]
    wanted = {"ticket.subject": "Leak", "ticket.status": "4", "requester.first_name": "Ada", "agent.first_name": "Olga"}
    assert {name: done.data[name] for name in wanted} == wanted
    assert done.data["ticket.url"] == f"https://app.hubspot.com/contacts/4711001/record/0-5/{ticket}"


def test_without_the_scope_for_owners_there_is_none(portal: Portal, link: MemoryLink) -> None:
    deal = portal.add("deals", dealname="Roof", hubspot_owner_id="55")
    with portal.without("crm.objects.owners.read"):
        done = enriched(link, event(link, "deal_created", objectId=int(deal)))
    assert (done.data["deal.name"], "owner" in done.people) == ("Roof", False)


def test_a_message_in_a_ticket(portal: Portal, link: MemoryLink) -> None:
    contact, ticket = portal.add("contacts", **ADA), portal.add("tickets", subject="Leak")
    portal.join(("tickets", ticket), ("contacts", contact))
    portal.threads["5001"] = {
        "ticket": ticket,
        "messages": {"b2c1f5d0": {"richText": "<p>It is <b>wet</b></p>", "direction": "INCOMING"}},
    }
    done = enriched(link, event(link, "ticket_commented"))
    assert (done.type, done.subject, done.people["customer"].name) == ("ticket.commented", f"ticket/{ticket}", "Ada Example")
    assert (done.data["ticket.latest_comment"].split(), done.data["comment.direction"]) == (["It", "is", "wet"], "incoming")


def test_a_message_outside_of_tickets_is_no_comment(portal: Portal, link: MemoryLink) -> None:
    portal.threads["5001"] = {"ticket": "", "messages": {}}
    done = enriched(link, event(link, "ticket_commented"))
    assert (done.type, done.fetch) == ("record.updated", {})


def test_a_workflows_run_for_a_deal(portal: Portal, link: MemoryLink) -> None:
    contact, deal = portal.add("contacts", **ADA), portal.add("deals", dealname="Roof")
    portal.join(("deals", deal), ("contacts", contact))
    one = event(link, "message_requested_deal", object={"objectId": int(deal), "objectType": "DEAL"})
    done = enriched(link, one)
    assert (done.people["customer"].ref, done.data["template"], done.subject) == (f"contact/{contact}", "come-back", one.subject)


def test_a_workflows_own_number_stays(portal: Portal, link: MemoryLink) -> None:
    contact, deal = portal.add("contacts", **ADA), portal.add("deals", dealname="Roof")
    portal.join(("deals", deal), ("contacts", contact))
    fields = {"object": {"objectId": int(deal), "objectType": "DEAL"}, "inputFields": {"template": "t", "phone": "+12025550199"}}
    assert enriched(link, event(link, "message_requested_deal", **fields)).people["customer"].phones == ("+12025550199",)


def test_a_hundred_changes_take_one_call(portal: Portal, link: MemoryLink) -> None:
    numbers = [portal.add("contacts", mobilephone=f"+1202555{place:04d}") for place in range(100)]
    events = [event(link, "contact_updated", objectId=int(number)) for number in numbers]
    portal.asked.clear()
    done = many(link, events)
    assert [one.people["customer"].phones for one in done] == [(f"+1202555{place:04d}",) for place in range(100)]
    assert portal.asked == ["POST /crm/v3/objects/contacts/batch/read"]


def test_more_than_a_batch_holds(portal: Portal, link: MemoryLink) -> None:
    numbers = [portal.add("contacts", firstname="A") for _ in range(101)]
    many(link, [event(link, "contact_updated", objectId=int(number)) for number in numbers])
    assert portal.asked == ["POST /crm/v3/objects/contacts/batch/read"] * 2


def test_one_that_is_gone_keeps_the_others(portal: Portal, link: MemoryLink) -> None:
    there = portal.add("contacts", **ADA)
    gone, found = many(link, [event(link, "contact_updated", objectId=1), event(link, "contact_updated", objectId=int(there))])
    assert (bool(gone.fetch), found.people["customer"].name) == (True, "Ada Example")
    with pytest.raises(PlatformRejected) as refused:
        enriched(link, event(link, "contact_updated", objectId=1))
    assert refused.value.code == "not_found"


def test_a_dated_path(portal: Portal, link: MemoryLink, vault: Vault, open_link: Callable[..., MemoryLink]) -> None:
    number = portal.add("contacts", **ADA)
    vault.installation = replace(link.installation, settings={**link.installation.settings, "api_path": "2026-03"})
    other = open_link(vault)
    assert enriched(other, event(other, "contact_updated", objectId=int(number))).people["customer"].name == "Ada Example"
    assert portal.asked == ["POST /crm/objects/2026-03/contacts/batch/read"]


LIMIT = b'{"status":"error","errorType":"RATE_LIMIT","policyName":"%s"}'
FAULTS = [
    ("the rolling limit", Fault(status=429, body=LIMIT % b"TEN_SECONDLY_ROLLING"), PlatformThrottled, 10.0),
    ("the limit of a second", Fault(status=429, body=LIMIT % b"SECONDLY"), PlatformThrottled, 1.0),
    ("as it was told", Fault(status=429, headers={"Retry-After": "7"}, body=LIMIT % b"SECONDLY"), PlatformThrottled, 7.0),
    ("locked", Fault(status=423), PlatformUnavailable, None),
    ("moved to another data centre", Fault(status=477, headers={"Retry-After": "3600"}), PlatformUnavailable, 3600.0),
    ("down", Fault(status=503, body=b"<html>"), PlatformUnavailable, None),
    ("behind a proxy that is", Fault(status=523), PlatformUnavailable, None),
]


@pytest.mark.parametrize(("label", "fault", "kind", "wait_s"), FAULTS, ids=[row[0] for row in FAULTS])
def test_what_goes_wrong(
    portal: Portal, link: MemoryLink, label: str, fault: Fault, kind: type[Exception], wait_s: float | None
) -> None:
    portal.fail(fault)
    with pytest.raises(kind) as raised:
        enriched(link, event(link, "contact_updated"))
    assert getattr(raised.value, "retry_after_s", None) == wait_s


def test_the_daily_limit_ends_at_midnight_of_the_portal(
    portal: Portal, link: MemoryLink, vault: Vault, open_link: Callable[..., MemoryLink]
) -> None:
    from datetime import UTC, datetime

    vault.installation = replace(link.installation, timezone="America/New_York")
    portal.fail(Fault(status=429, body=LIMIT % b"DAILY"))
    at = open_link(vault, now=lambda: datetime(2026, 1, 5, 23, 0, tzinfo=UTC))  # 18:00 there
    with pytest.raises(PlatformThrottled) as raised:
        enriched(at, event(at, "contact_updated"))
    assert raised.value.retry_after_s == 6 * 3600


def test_the_portals_own_limit_is_kept_to(portal: Portal, link: MemoryLink) -> None:
    portal.per_ten_seconds = 2
    number = int(portal.add("contacts", **ADA))
    for _ in range(2):
        enriched(link, event(link, "contact_updated", objectId=number))
    with pytest.raises(PlatformThrottled):
        enriched(link, event(link, "contact_updated", objectId=number))


def test_the_library_makes_each_api_object_once(portal: Portal, link: MemoryLink) -> None:
    from bellwire_connectors.hubspot import sdk

    one = sdk.api("crm.contacts.batch_api", portal.url)
    number = int(portal.add("contacts", **ADA))
    enriched(link, event(link, "contact_updated", objectId=number))
    assert sdk.api("crm.contacts.batch_api", portal.url) is one
    assert one.api_client.configuration.access_token is None, "a token never stays with an object that others use"
