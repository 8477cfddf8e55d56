"""A reply into the desk: the right ticket, the right author, once, and nobody's words in anybody else's mouth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bellwire import Msisdn, PlatformRejected, PlatformUnreachable, ReplyNote
from bellwire.testing import NOW, LooseLink
from bellwire.testing.standins import Fault
from bellwire_connectors.zendesk import connector
from standins.zendesk import Zendesk

ANA = Msisdn("+12025550142")


def reply(link: LooseLink, text: str = "Thank you!", *, subject: str = "", **more: Any) -> None:
    assert connector.write_reply is not None
    connector.write_reply(
        ReplyNote(**{"reply_id": "rpl_1", "msisdn": ANA, "text": text, "at": NOW, "subject": subject, **more}), link
    )


def newest(desk: Zendesk) -> dict[str, Any]:
    return desk.tickets[max(desk.tickets)]


def test_it_is_the_requester_s_own_public_comment(desk: Zendesk, link: LooseLink, ticket: int, ana: int) -> None:
    reply(link, "Thanks,\nAna <3", subject=f"ticket/{ticket}")
    assert desk.written(ticket, public=True)[-1] == (ana, "Thanks,\nAna <3")
    assert desk.comments[ticket][-1]["html_body"] == "<p>Thanks,<br>Ana &lt;3</p>"
    assert desk.audits[ticket][-1]["author_id"] == desk.bot


STATES = [("new", "new"), ("open", "open"), ("pending", "open"), ("hold", "open"), ("solved", "open")]


@pytest.mark.parametrize(("before", "after"), STATES, ids=[row[0] for row in STATES])
def test_a_ticket_that_waits_for_the_customer_is_the_agents_again(
    desk: Zendesk, link: LooseLink, ticket: int, before: str, after: str
) -> None:
    desk.set_status(ticket, before)
    reply(link, subject=f"ticket/{ticket}")
    assert desk.tickets[ticket]["status"] == after
    assert len(desk.tickets) == 1


def test_done_again_it_stands_there_once_and_the_same_words_twice(desk: Zendesk, link: LooseLink, ticket: int, ana: int) -> None:
    for _ in range(2):
        reply(link, "ok", subject=f"ticket/{ticket}")
    reply(link, "ok", subject=f"ticket/{ticket}", reply_id="rpl_2")
    assert desk.written(ticket, public=True)[1:] == [(ana, "ok")] * 2


def test_a_closed_ticket_becomes_a_follow_up_once(desk: Zendesk, link: LooseLink, ticket: int, ana: int) -> None:
    desk.set_status(ticket, "closed")
    for _ in range(2):
        reply(link, subject=f"ticket/{ticket}")
    assert len(desk.tickets) == 2
    made = newest(desk)
    assert (made["followup_source"], made["requester_id"], made["subject"], made["tags"]) == (
        ticket,
        ana,
        "Re: Where is my parcel?",
        ["sms"],
    )
    assert desk.written(made["id"], public=True) == [(ana, "Thank you!")]


def test_a_ticket_that_closes_under_our_hands_becomes_one_too(
    desk: Zendesk, link: LooseLink, ticket: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = desk.list_audits

    def closing(number: str, **more: Any) -> Any:
        desk.set_status(int(number), "closed")
        return asked(number, **more)

    monkeypatch.setattr(desk, "list_audits", closing)
    reply(link, subject=f"ticket/{ticket}")
    assert newest(desk)["followup_source"] == ticket


def test_an_answer_that_got_lost_makes_no_second_ticket(desk: Zendesk, link: LooseLink, ticket: int) -> None:
    desk.set_status(ticket, "closed")
    desk.fail(Fault(), Fault(), Fault(), Fault(cut="after"))
    with pytest.raises(PlatformUnreachable):
        reply(link, subject=f"ticket/{ticket}")
    reply(link, subject=f"ticket/{ticket}")
    assert len(desk.tickets) == 2


def test_without_a_ticket_it_is_the_newest_open_one(desk: Zendesk, link: LooseLink, ticket: int, ana: int, clock: Any) -> None:
    clock.advance(60)
    newer = desk.open_ticket(ana, "Another thing")
    clock.advance(60)
    desk.set_status(desk.open_ticket(ana, "Done with"), "solved")
    reply(link, subject=f"user/{ana}", customer_ref=f"user/{ana}")
    assert desk.written(newer, public=True)[-1] == (ana, "Thank you!")
    reply(link, subject="contact/0190", reply_id="rpl_2")
    assert desk.written(newer, public=True)[-1] == (ana, "Thank you!")
    assert [len(desk.comments[one]) for one in (ticket, newer)] == [1, 3]


def test_without_an_open_one_it_is_a_new_one(desk: Zendesk, link: LooseLink, ana: int) -> None:
    for _ in range(2):
        reply(link, subject="contact/0190")
    assert len(desk.tickets) == 1
    made = newest(desk)
    assert (made["requester_id"], made["external_id"], made["tags"]) == (ana, "bellwire:rpl_1", ["sms"])
    assert desk.written(made["id"], public=True) == [(ana, "Thank you!")]
    [(_, _, body)] = [one for one in desk.requests if one[0] == "POST"]
    assert body["ticket"]["subject"] == "Text message"


def test_somebody_nobody_knows_becomes_a_user(desk: Zendesk, link: LooseLink) -> None:
    reply(link, subject="contact/0190")
    user = desk.users[newest(desk)["requester_id"]]
    assert (user["name"], user["phone"], user["role"]) == (ANA, ANA, "end-user")


def test_a_ticket_that_is_gone_is_not_the_right_one(desk: Zendesk, link: LooseLink, ticket: int, ana: int) -> None:
    desk.tickets[ticket]["status"] = "deleted"
    reply(link, subject=f"ticket/{ticket}", customer_ref=f"user/{ana}")
    assert desk.written(newest(desk)["id"], public=True) == [(ana, "Thank you!")]


def test_no_ticket_is_opened_where_none_is_wanted(desk: Zendesk, open_link: Callable[..., LooseLink], ana: int) -> None:
    with pytest.raises(PlatformRejected) as caught:
        reply(open_link(reply_creates_ticket=False), subject="contact/0190")
    assert (caught.value.code, desk.tickets) == ("no_ticket", {})


# -- shared phones --------------------------------------------------------------------------------------------------


def test_of_a_shared_phone_an_agent_is_asked(desk: Zendesk, link: LooseLink, ticket: int, ana: int) -> None:
    desk.users[ana]["shared_phone_number"] = True
    desk.set_status(ticket, "pending")
    for _ in range(2):
        reply(link, subject=f"ticket/{ticket}")
    assert len(desk.written(ticket, public=True)) == 1, "nothing is put into her mouth"
    [(author, note)] = desk.written(ticket, public=False)
    assert author == desk.bot
    assert "several people share" in note
    assert "Thank you!" in note
    assert desk.tickets[ticket]["status"] == "pending"


def test_of_a_number_that_two_have_an_agent_is_asked_on_a_ticket_of_nobody(desk: Zendesk, link: LooseLink, ana: int) -> None:
    desk.add_user("Bo Example", phone="+12025550142")
    for _ in range(2):
        reply(link, subject="contact/0190")
    assert len(desk.tickets) == 1
    made = newest(desk)
    assert made["requester_id"] == desk.bot
    assert (desk.written(made["id"], public=True), len(desk.written(made["id"], public=False))) == ([], 1)


def test_an_agent_whom_we_texted_about_a_ticket_is_not_its_requester(desk: Zendesk, link: LooseLink, ticket: int) -> None:
    for _ in range(2):
        reply(link, "On my way", subject=f"ticket/{ticket}", msisdn=Msisdn("+12025550177"))
    assert len(desk.written(ticket, public=True)) == 1
    [(author, note)] = desk.written(ticket, public=False)
    assert author == desk.bot
    assert "(…77) that is not the requester's" in note
    assert note.endswith("On my way")


OWN: list[tuple[str, dict[str, Any]]] = [
    ("as it stands", {"phone": "+12025550142"}),
    ("as people write it", {"phone": "+1 (202) 555-0142"}),
    ("without a dial code", {"phone": "202-555-0142"}),
    ("as a direct line", {"phone": "+12025550100", "lines": ["+1 202 555 0142"]}),
]


@pytest.mark.parametrize("profile", [row[1] for row in OWN], ids=[row[0] for row in OWN])
def test_the_requester_is_known_by_the_number(desk: Zendesk, link: LooseLink, profile: dict[str, Any]) -> None:
    user = desk.add_user("Bo Example", **profile)
    number = desk.open_ticket(user, "Hi")
    reply(link, subject=f"ticket/{number}")
    assert desk.written(number, public=True)[-1] == (user, "Thank you!")


def test_somebody_the_search_does_not_know_yet_is_no_new_user(desk: Zendesk, link: LooseLink, ana: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(desk, "search_users", lambda **_: {"users": []})
    reply(link, subject=f"user/{ana}", customer_ref=f"user/{ana}")
    assert newest(desk)["requester_id"] == ana
    other = desk.add_user("Cy Example", phone="+12025550111")
    reply(link, subject=f"user/{other}", customer_ref=f"user/{other}", reply_id="rpl_2")
    assert newest(desk)["requester_id"] not in (ana, other), "it is not their number"
    reply(link, subject="user/1", customer_ref="user/1234567", reply_id="rpl_3")
    assert len(desk.tickets) == 3


# -- keywords -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["open", "solved"])
def test_a_stop_is_a_note_that_reopens_nothing(desk: Zendesk, link: LooseLink, ticket: int, status: str) -> None:
    desk.set_status(ticket, status)
    for _ in range(2):
        reply(link, "STOP", subject=f"ticket/{ticket}", kind="stop")
    assert desk.written(ticket, public=False) == [(desk.bot, "The customer texted STOP. Consent was changed accordingly.")]
    assert (len(desk.written(ticket, public=True)), desk.tickets[ticket]["status"], len(desk.tickets)) == (1, status, 1)


@pytest.mark.parametrize("given", ["closed", "none"])
def test_a_stop_opens_no_ticket(desk: Zendesk, link: LooseLink, ticket: int, given: str) -> None:
    desk.set_status(ticket, "closed")
    reply(link, "STOP", subject=f"ticket/{ticket}" if given == "closed" else "contact/0190", kind="stop")
    assert len(desk.tickets) == 1
    assert not [one for one in desk.requests if one[0] != "GET"]
