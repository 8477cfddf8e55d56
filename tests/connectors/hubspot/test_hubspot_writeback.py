"""What goes back: properties, the timeline, the workflow that waits, consent and replies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bellwire import (
    ConsentChange,
    ConsentState,
    Msisdn,
    PlatformRejected,
    PlatformUnauthorized,
    PlatformUnavailable,
    PlatformUnreachable,
    Purpose,
    ReplyNote,
    Status,
    StatusChange,
)
from bellwire.testing.standins import Fault
from bellwire_connectors.hubspot import connector
from standins.hubspot import Portal
from standins.link import MemoryLink, Vault

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
NUMBER = Msisdn("+12025550142")


def change(subject: str, status: Status = Status.DELIVERED, message: str = "msg_1", **more: Any) -> StatusChange:
    return StatusChange(**{"message_id": message, "status": status, "at": AT, "subject": subject, "msisdn_tail": "42", **more})


def write(link: MemoryLink, *changes: StatusChange) -> None:
    assert connector.write_back is not None
    connector.write_back(changes, link)


def contact(portal: Portal, **more: str) -> str:
    return portal.add("contacts", firstname="Ada", mobilephone=NUMBER, **more)


def test_a_status_stands_on_the_contact_and_its_timeline(portal: Portal, set_up: MemoryLink) -> None:
    number = contact(portal)
    write(set_up, change(f"contact/{number}", trigger="deal won"))
    assert portal.records["contacts"][number]["sms_last_status"] == "delivered"
    assert portal.records["contacts"][number]["sms_last_status_at"] == "2026-01-05T09:00:00Z"
    [entry] = portal.communications()
    assert (entry["hs_communication_channel_type"], entry["hs_communication_logged_from"]) == ("SMS", "CRM")
    assert (entry["to"], entry["bellwire_message_id"]) == ([("contacts", number)], "msg_1")
    wanted = "SMS to …42 delivered (2026-01-05 09:00 UTC)<br>Trigger: deal won<br>Message msg_1"
    assert entry["hs_communication_body"] == wanted


def test_a_later_status_changes_the_same_entry(portal: Portal, set_up: MemoryLink) -> None:
    number = contact(portal)
    for status in (Status.SENT, Status.DELIVERED, Status.DELIVERED):
        write(set_up, change(f"contact/{number}", status))
    [entry] = portal.communications()
    assert "delivered" in entry["hs_communication_body"]


def test_a_deals_text_stands_on_both(portal: Portal, set_up: MemoryLink) -> None:
    number, deal = contact(portal), portal.add("deals", dealname="Roof")
    write(set_up, change(f"deal/{deal}", customer_ref=f"contact/{number}"))
    [entry] = portal.communications()
    assert entry["to"] == [("contacts", number), ("deals", deal)]
    assert portal.records["contacts"][number]["sms_last_status"] == "delivered"


def test_the_text_is_escaped(portal: Portal, set_up: MemoryLink) -> None:
    write(set_up, change(f"contact/{contact(portal)}", text="<script>alert(1)</script> & so on"))
    [entry] = portal.communications()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; so on" in entry["hs_communication_body"]


def test_many_are_written_by_few_calls(portal: Portal, set_up: MemoryLink) -> None:
    numbers = [contact(portal) for _ in range(100)]
    runs = [f"ap-4711001-1-{place}-0" for place in range(100)]
    portal.waiting |= set(runs)
    portal.asked.clear()
    write(set_up, *(change(f"action/{run}/contact/{n}", message=f"msg_{n}") for run, n in zip(runs, numbers, strict=True)))
    assert portal.asked == [
        "POST /crm/v3/objects/contacts/batch/update",
        "POST /crm/v3/objects/communications/batch/read",
        "POST /crm/v3/objects/communications/batch/create",
        "POST /automation/v4/actions/callbacks/complete",
    ]
    assert len(portal.communications()) == len(portal.completed) == 100


def test_writing_a_hundred_again_changes_nothing(portal: Portal, set_up: MemoryLink) -> None:
    changes = [change(f"contact/{contact(portal)}", message=f"msg_{place}") for place in range(100)]
    write(set_up, *changes)
    before = portal.written()
    write(set_up, *changes)
    assert portal.written() == before


@pytest.mark.parametrize("cut", ["before", "after"])
@pytest.mark.parametrize("place", range(4))
def test_a_connection_that_breaks_anywhere_writes_nothing_twice(portal: Portal, set_up: MemoryLink, cut: str, place: int) -> None:
    """B12: property, look-up, entry, completion."""
    run, number = "ap-4711001-1-1-0", contact(portal)
    portal.waiting.add(run)
    one = change(f"action/{run}/contact/{number}")
    portal.fail(*[Fault(slow_s=0.0)] * place, Fault(cut=cut))
    with pytest.raises(PlatformUnreachable):
        write(set_up, one)
    write(set_up, replace(one, at=one.at - timedelta(hours=1)))
    assert len(portal.communications()) == 1
    assert portal.completed[run]["delivery_status"] == "delivered"


def test_a_portal_without_our_property_is_looked_through(portal: Portal, link: MemoryLink) -> None:
    portal.properties["contacts"].add("sms_last_status")
    number = contact(portal)
    for _ in range(2):
        write(link, change(f"contact/{number}"))
    assert len(portal.communications()) == 1
    write(link, change(f"contact/{number}", message="msg_2"))
    assert len(portal.communications()) == 2
    assert portal.calls_of("POST /crm/v3/objects/communications/search") == 0, "the search lags behind"


# -- the workflow that waits ---------------------------------------------------------------------------------------------

RUN = "ap-4711001-56776413549-7-0"


def test_the_end_is_told_to_the_workflow(portal: Portal, set_up: MemoryLink) -> None:
    portal.waiting.add(RUN)
    write(set_up, change(f"action/{RUN}/contact/{contact(portal)}", Status.UNDELIVERED))
    assert portal.completed == {RUN: {"hs_execution_state": "SUCCESS", "message_id": "msg_1", "delivery_status": "undelivered"}}


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SENDING, Status.SENT, Status.UNKNOWN])
def test_what_is_not_the_end_is_not_told(portal: Portal, set_up: MemoryLink, status: Status) -> None:
    portal.waiting.add(RUN)
    write(set_up, change(f"action/{RUN}/contact/{contact(portal)}", status))
    assert (portal.completed, portal.waiting) == ({}, {RUN})


def test_a_workflow_that_waits_no_more_is_let_be(portal: Portal, set_up: MemoryLink) -> None:
    """The block is over, or the end was told before: nothing is tried again."""
    write(set_up, change(f"action/{RUN}/contact/{contact(portal)}"))
    assert len(portal.communications()) == 1


def test_one_that_is_over_does_not_keep_the_others_waiting(portal: Portal, set_up: MemoryLink) -> None:
    portal.waiting |= {"ap-1", "ap-3"}
    write(set_up, *(change(f"action/ap-{place}/contact/{contact(portal)}", message=f"msg_{place}") for place in (1, 2, 3)))
    assert portal.completed.keys() == {"ap-1", "ap-3"}


def test_an_end_before_hubspot_has_our_answer_is_told_again(
    portal: Portal, vault: Vault, set_up: MemoryLink, open_link: Callable[..., MemoryLink]
) -> None:
    one = change(f"action/{RUN}/contact/{contact(portal)}")
    at_once = open_link(vault, now=lambda: AT + timedelta(seconds=1))
    with pytest.raises(PlatformUnavailable):
        write(at_once, one)
    portal.waiting.add(RUN)
    write(at_once, one)
    assert portal.completed[RUN]["delivery_status"] == "delivered"


def test_a_refusal_that_was_answered_in_the_call_is_not(
    portal: Portal, vault: Vault, set_up: MemoryLink, open_link: Callable[..., MemoryLink]
) -> None:
    one = change(f"action/{RUN}/contact/{contact(portal)}", Status.REFUSED, reason="no_consent")
    write(open_link(vault, now=lambda: AT + timedelta(seconds=1)), one)
    assert portal.completed == {}


def test_a_run_for_a_company_has_only_its_workflow(portal: Portal, set_up: MemoryLink) -> None:
    portal.waiting.add(RUN)
    write(set_up, change(f"action/{RUN}/record/77"))
    assert (portal.communications(), portal.completed.keys()) == ([], {RUN})


# -- what is refused ----------------------------------------------------------------------------------------------------


def test_a_missing_scope_does_not_keep_the_workflow_waiting(portal: Portal, set_up: MemoryLink) -> None:
    portal.waiting.add(RUN)
    one = change(f"action/{RUN}/contact/{contact(portal)}")
    with portal.without("crm.objects.contacts.read"), pytest.raises(PlatformUnauthorized):
        write(set_up, one)
    assert RUN in portal.completed


def test_a_refused_token_ends_it_at_once(portal: Portal, set_up: MemoryLink) -> None:
    number = contact(portal)
    portal.tokens.clear()
    portal.asked.clear()
    with pytest.raises(PlatformUnauthorized):
        write(set_up, change(f"contact/{number}"))
    assert len(portal.asked) == 1


def test_a_subject_that_is_none_is_refused(set_up: MemoryLink) -> None:
    with pytest.raises(PlatformRejected) as refused:
        write(set_up, change("shop/7"))
    assert refused.value.code == "no_target"


def test_one_contact_that_is_gone_is_told(portal: Portal, set_up: MemoryLink) -> None:
    with pytest.raises(PlatformRejected):
        write(set_up, change("contact/1"), change(f"contact/{contact(portal)}", message="msg_2"))


# -- consent -------------------------------------------------------------------------------------------------------------


def say(link: MemoryLink, state: ConsentState, at: datetime = AT, ref: str = "", purpose: Purpose = Purpose.MARKETING) -> None:
    assert connector.write_consent is not None
    connector.write_consent(
        ConsentChange(msisdn=NUMBER, purpose=purpose, state=state, at=at, source="reply", customer_ref=ref), link
    )


def standing(portal: Portal, number: str) -> str:
    return str(portal.records["contacts"][number].get("sms_consent_status", ""))


def test_a_stop_reaches_everybody_with_the_number(portal: Portal, set_up: MemoryLink) -> None:
    known, other = contact(portal), portal.add("contacts", phone="202-555-0142")
    stranger = portal.add("contacts", mobilephone="+13125550142")  # the same seven digits elsewhere
    say(set_up, ConsentState.OPTED_OUT, ref=f"contact/{known}")
    assert [standing(portal, one) for one in (known, other, stranger)] == ["opted_out", "opted_out", ""]


def test_an_older_statement_never_undoes_a_newer_one(portal: Portal, set_up: MemoryLink) -> None:
    number = contact(portal)
    say(set_up, ConsentState.OPTED_OUT, AT)
    say(set_up, ConsentState.OPTED_IN, AT - timedelta(hours=1))
    assert standing(portal, number) == "opted_out"
    say(set_up, ConsentState.OPTED_IN, AT + timedelta(hours=1))
    assert standing(portal, number) == "opted_in"


def test_what_a_person_set_there_later_stays(portal: Portal, set_up: MemoryLink) -> None:
    number = contact(portal)
    portal.set("contacts", number, sms_consent_status="opted_out")
    say(set_up, ConsentState.OPTED_IN, datetime.now(UTC) - timedelta(hours=1))
    assert standing(portal, number) == "opted_out"


def test_without_the_property_for_the_time_the_state_is_written(portal: Portal, link: MemoryLink) -> None:
    portal.properties["contacts"].add("sms_consent_status")
    number = contact(portal)
    say(link, ConsentState.OPTED_OUT)
    assert standing(portal, number) == "opted_out"


@pytest.mark.parametrize(("state", "purpose"), [(ConsentState.IMPLIED, Purpose.MARKETING), (ConsentState.OPTED_OUT, Purpose.OTP)])
def test_what_the_property_is_not_about_is_not_written(
    portal: Portal, set_up: MemoryLink, state: ConsentState, purpose: Purpose
) -> None:
    number = contact(portal)
    portal.asked.clear()
    say(set_up, state, purpose=purpose)
    assert (standing(portal, number), portal.asked) == ("", [])


# -- replies -------------------------------------------------------------------------------------------------------------


def reply(link: MemoryLink, subject: str = "", ref: str = "") -> None:
    assert connector.write_reply is not None
    connector.write_reply(
        ReplyNote(reply_id="rpl_1", msisdn=NUMBER, text="When? <b>", at=AT, subject=subject, customer_ref=ref), link
    )


def test_a_reply_stands_on_the_timeline_once(portal: Portal, set_up: MemoryLink) -> None:
    number, ticket = contact(portal), portal.add("tickets", subject="Leak")
    for _ in range(2):
        reply(set_up, f"ticket/{ticket}", f"contact/{number}")
    [entry] = portal.communications()
    assert entry["to"] == [("contacts", number), ("tickets", ticket)]
    assert entry["hs_communication_body"] == "SMS reply from …42<br>When? &lt;b&gt;<br>Reply rpl_1"


def test_a_reply_finds_its_contact_by_the_number(portal: Portal, set_up: MemoryLink) -> None:
    number = contact(portal)
    reply(set_up)
    assert [entry["to"] for entry in portal.communications()] == [[("contacts", number)]]


def test_a_reply_to_a_workflows_text_knows_the_record(portal: Portal, set_up: MemoryLink) -> None:
    number, deal = contact(portal), portal.add("deals", dealname="Roof")
    reply(set_up, f"action/{RUN}/deal/{deal}", f"contact/{number}")
    assert [entry["to"] for entry in portal.communications()] == [[("contacts", number), ("deals", deal)]]


def test_a_reply_from_nobody_is_refused(set_up: MemoryLink) -> None:
    with pytest.raises(PlatformRejected):
        reply(set_up)


@pytest.mark.parametrize("place", range(4))
def test_a_reply_opens_a_ticket_where_that_is_wanted_and_only_one(
    portal: Portal, vault: Vault, set_up: MemoryLink, open_link: Callable[..., MemoryLink], place: int
) -> None:
    """Also when the answer to any of its calls is lost."""
    number = contact(portal)
    vault.installation = replace(vault.installation, settings={**vault.installation.settings, "reply_creates_ticket": True})
    portal.fail(*[Fault(slow_s=0.0)] * place, Fault(cut="after"))
    with pytest.raises(PlatformUnreachable):
        reply(open_link(vault), f"contact/{number}", f"contact/{number}")
    for _ in range(2):
        reply(open_link(vault), f"contact/{number}", f"contact/{number}")
    [ticket] = portal.records["tickets"]
    assert portal.records["tickets"][ticket]["content"] == "When? <b>"
    assert [entry["to"] for entry in portal.communications()] == [[("contacts", number), ("tickets", ticket)]]
