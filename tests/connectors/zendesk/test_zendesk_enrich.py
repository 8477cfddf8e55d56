"""A ticket's event completed by the API: who, in which language, what was written; never what is not the customer's to read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bellwire import Event, Link, PlatformRejected, PlatformThrottled, PlatformUnavailable
from bellwire.testing import NOW, LooseLink
from bellwire.testing.standins import Fault
from bellwire_connectors.zendesk import connector
from standins.zendesk import Zendesk

from_ticket: Any = {"id": "e1", "occurred_at": NOW}


def enrich(event: Event, link: Link) -> Event:
    assert connector.enrich is not None
    return connector.enrich(event, link)


def about(ticket: int, type_: str = "ticket.updated", **fetch: Any) -> Event:
    return Event(type=type_, subject=f"ticket/{ticket}", fetch={"ticket": str(ticket), **fetch}, **from_ticket)


def test_the_requester_and_the_ticket_are_fetched(desk: Zendesk, link: LooseLink, ticket: int, ana: int) -> None:
    found = enrich(about(ticket), link)
    person = found.people["customer"]
    assert found.people["requester"] == person
    assert (person.ref, person.name, list(person.phones)) == (f"user/{ana}", "Ana Example", ["+1 202 555 0142"])
    assert found.fetch == {}
    assert {name: found.data[name] for name in ("ticket.status", "ticket.subject", "requester.first_name", "agent.first_name")} == {
        "ticket.status": "new",
        "ticket.subject": "Where is my parcel?",
        "requester.first_name": "Ana",
        "agent.first_name": "Iva",
    }
    assert found.people["agent"].ref == f"user/{desk.agent}"


def test_what_changed_stays_with_the_event(link: LooseLink, ticket: int) -> None:
    told = replace(about(ticket), data={"changed": ["ticket.status"], "previous.ticket.status": "open", "ticket.status": "stale"})
    found = enrich(told, link).data
    assert (found["changed"], found["previous.ticket.status"], found["ticket.status"]) == (["ticket.status"], "open", "new")


def test_custom_fields_are_named_by_their_number(desk: Zendesk, link: LooseLink, ticket: int) -> None:
    number = desk.post_ticket_field(sent={"ticket_field": {"title": "Order", "type": "text"}})["ticket_field"]["id"]
    desk.tickets[ticket]["custom_fields"] = [{"id": number, "value": "1001"}, {"id": 7, "value": None}, {"id": 8, "value": True}]
    found = enrich(about(ticket), link).data
    assert {name: value for name, value in found.items() if "field" in name} == {f"ticket.field_{number}": "1001"}


PHONES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("the profile's", {"phone": "+12025550142"}, ["+12025550142"]),
    ("direct lines where the profile has none", {"phone": None, "lines": ["+12025550143"]}, ["+12025550143"]),
    (
        "direct lines where the profile's is shared",
        {"phone": "+12025550142", "shared_phone_number": True, "lines": ["+12025550143"]},
        ["+12025550143"],
    ),
    ("none where only a shared one is known", {"phone": "+12025550142", "shared_phone_number": True}, []),
    ("none of a suspended user", {"phone": "+12025550142", "suspended": True}, []),
    ("none of a deleted user", {"phone": "+12025550142", "active": False}, []),
    ("none that is longer than a number", {"phone": "+1202555 0142 or at home after six: +12025550143"}, []),
]


@pytest.mark.parametrize(("profile", "phones"), [row[1:] for row in PHONES], ids=[row[0] for row in PHONES])
def test_the_phones_are(desk: Zendesk, link: LooseLink, profile: dict[str, Any], phones: list[str]) -> None:
    user = desk.add_user("Bo Example", **profile)
    found = enrich(about(desk.open_ticket(user, "Hi")), link)
    assert list(found.people["customer"].phones) == phones


def test_a_language_counts_and_the_account_s_own_zone_does_not(
    desk: Zendesk, open_link: Callable[..., LooseLink], ticket: int, ana: int
) -> None:
    link = open_link()
    link._installation = replace(link.installation, timezone="America/New_York", locale="en-US")
    assert (enrich(about(ticket), link).people["customer"].timezone, enrich(about(ticket), link).people["customer"].locale) == (
        "",
        "en-US",
    )
    desk.users[ana] |= {"locale": "es-419", "iana_time_zone": "America/Bogota"}
    found = enrich(about(ticket), link).people["customer"]
    assert (found.timezone, found.locale) == ("America/Bogota", "es-419")


def test_of_a_profile_s_consent_only_the_no_goes_along(desk: Zendesk, link: LooseLink, ticket: int, ana: int) -> None:
    for value, states in (("opt_in", []), ("opt_out", ["opted_out", "opted_out"]), ("whatever", [])):
        desk.users[ana]["user_fields"] = {"sms_consent": value}
        said = enrich(about(ticket), link).people["customer"].consents
        assert [str(one.state) for one in said] == states


# -- comments -------------------------------------------------------------------------------------------------------


def test_an_agent_s_answer_is_the_text(desk: Zendesk, link: LooseLink, ticket: int) -> None:
    number = desk.comment(ticket, "It leaves\n the depot <today> & arrives soon.", by=desk.agent)
    desk.comment(ticket, "She is angry", by=desk.agent, public=False)
    found = enrich(about(ticket, "ticket.commented", comment=str(number)), link)
    assert found.data["ticket.latest_comment"] == "It leaves  the depot <today> & arrives soon."
    assert found.data["agent.first_name"] == "Iva"
    assert list(found.people) == ["customer", "requester", "agent"]


def test_without_a_number_it_is_the_newest_public_one(desk: Zendesk, link: LooseLink, ticket: int, clock: Any) -> None:
    desk.comment(ticket, "First", by=desk.agent)
    clock.advance(5)
    desk.comment(ticket, "Second", by=desk.agent)
    clock.advance(5)
    desk.comment(ticket, "A note", by=desk.agent, public=False)
    assert enrich(about(ticket, "ticket.commented"), link).data["ticket.latest_comment"] == "Second"


def hide(desk: Zendesk, ticket: int) -> None:
    desk.comments[ticket][-1]["public"] = False


UNREAD: list[tuple[str, Callable[[Zendesk, int], Any]]] = [
    ("a comment that was made private meanwhile", hide),
    ("a comment that is gone", lambda desk, ticket: desk.comments[ticket].pop()),
    (
        "one that the customer wrote after all",
        lambda desk, ticket: desk.comments[ticket][-1].update(author_id=desk.tickets[ticket]["requester_id"]),
    ),
    ("one that our own user wrote", lambda desk, ticket: desk.comments[ticket][-1].update(author_id=desk.bot)),
]


@pytest.mark.parametrize("change", [row[1] for row in UNREAD], ids=[row[0] for row in UNREAD])
def test_nobody_is_texted(desk: Zendesk, link: LooseLink, ticket: int, change: Callable[[Zendesk, int], Any]) -> None:
    number = desk.comment(ticket, "It leaves today.", by=desk.agent)
    change(desk, ticket)
    found = enrich(about(ticket, "ticket.commented", comment=str(number)), link)
    assert (dict(found.people), found.data.get("ticket.latest_comment")) == ({}, None)


# -- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_ticket_that_is_gone_is_said_so(link: LooseLink) -> None:
    with pytest.raises(PlatformRejected) as caught:
        enrich(about(12345678), link)
    assert (caught.value.http_status, caught.value.code) == (404, "RecordNotFound")
    assert "12345678" not in str(caught.value)


def test_a_trigger_that_brought_the_phone_goes_on_without_the_rest(link: LooseLink) -> None:
    from bellwire import Person

    told = replace(about(12345678), people={"customer": Person(phones=["+12025550142"])})
    assert enrich(told, link).fetch == {}
    with pytest.raises(PlatformRejected):  # but not an answer: what it says is not known
        enrich(replace(told, type="ticket.commented"), link)


def test_zenpy_neither_waits_nor_repeats_nor_remembers(desk: Zendesk, link: LooseLink, ticket: int) -> None:
    for status, kind in ((429, PlatformThrottled), (503, PlatformUnavailable)):
        desk.fail(Fault(status=status, headers={"Retry-After": "60"}))
        before = desk.calls()
        with pytest.raises(kind) as caught:
            enrich(about(ticket), link)
        assert caught.value.retry_after_s == 60
        assert desk.calls() == before + 1
    assert enrich(about(ticket), link).data["ticket.status"] == "new"
    desk.set_status(ticket, "open")
    assert enrich(about(ticket), link).data["ticket.status"] == "open"


def test_a_refused_token_is_a_person_s_to_mend(desk: Zendesk, link: LooseLink, ticket: int) -> None:
    from bellwire import PlatformUnauthorized

    desk.api_tokens_on = False
    with pytest.raises(PlatformUnauthorized):
        enrich(about(ticket), link)


# -- consent --------------------------------------------------------------------------------------------------------


def said(user: int, value: str) -> Event:
    fetch = {"user": str(user), "said": value, "field": "sms_consent", "proof": "e1"}
    return Event(type="customer.consent_changed", subject=f"user/{user}", fetch=fetch, **from_ticket)


def test_a_no_counts_for_every_number_and_a_yes_for_the_one_that_is_texted(desk: Zendesk, link: LooseLink) -> None:
    fields = {"sms_consent": None, "sms_consent_at": None}
    user = desk.add_user("Bo Example", phone="+12025550150", lines=["+12025550151"], shared_phone_number=True, user_fields=fields)
    no, yes = enrich(said(user, "opt_out"), link).people["customer"], enrich(said(user, "opt_in"), link).people["customer"]
    assert (list(no.phones), list(yes.phones)) == (["+12025550150", "+12025550151"], ["+12025550151"])
    assert [(str(one.purpose), str(one.state), one.at, one.proof) for one in no.consents] == [
        ("transactional", "opted_out", NOW, "e1"),
        ("marketing", "opted_out", NOW, "e1"),
    ]
    assert [(str(one.purpose), str(one.state)) for one in yes.consents] == [("transactional", "opted_in")]


ECHOES: list[tuple[str, Any, int, str]] = [
    ("our own write is as old as what was said", "opt_in 2026-01-05T08:50:00Z", -600, "e1"),
    ("an agent's own change is of its time", "opt_out 2026-01-05T08:50:00Z", 0, "e1"),
    ("the first change of all", None, 0, "e1"),
    ("a time that nobody can read", "opt_in yesterday", 0, "e1"),
    ("a clock of ours that goes fast", "opt_in 2026-01-05T09:50:00Z", 0, "e1"),
]


@pytest.mark.parametrize(("since", "seconds", "proof"), [row[1:] for row in ECHOES], ids=[row[0] for row in ECHOES])
def test_a_yes_is_as_old_as(desk: Zendesk, link: LooseLink, since: Any, seconds: int, proof: str) -> None:
    """A STOP between our START and its echo from the desk stays the newer one."""
    user = desk.add_user("Bo Example", phone="+12025550150", user_fields={"sms_consent": "opt_in", "sms_consent_at": since})
    [one] = enrich(said(user, "opt_in"), link).people["customer"].consents
    assert (one.at, one.proof) == (NOW + timedelta(seconds=seconds), proof)


def test_where_nothing_tells_an_echo_apart_a_yes_proves_nothing(desk: Zendesk, link: LooseLink) -> None:
    user = desk.add_user("Bo Example", phone="+12025550150", user_fields={"sms_consent": "opt_in"})
    [one] = enrich(said(user, "opt_in"), link).people["customer"].consents
    assert one.proof == ""


def test_a_yes_that_was_taken_back_meanwhile_says_nothing(desk: Zendesk, link: LooseLink, clock: Any) -> None:
    user = desk.add_user("Bo Example", phone="+12025550150", user_fields={"sms_consent": "opt_out"})
    desk.users[user]["updated_at"] = (NOW + timedelta(seconds=9)).isoformat()
    assert enrich(said(user, "opt_in"), link).people["customer"].consents == []
