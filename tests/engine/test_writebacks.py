"""Write-backs: what of a status, a consent, a reply is written where people work, and in what order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bellwire.errors import (
    PlatformUnavailable,
)
from bellwire.ids import show
from bellwire.model import Purpose, Status
from bellwire.store.schema import JOB_DONE
from standins.desk import ANA, Desk, Platform, connector, fails
from standins.shift import Shift


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def desk(database_url: str, platform: Platform) -> Iterator[Desk]:
    desk = Desk(database_url, connector(platform))
    yield desk
    desk.close()


@pytest.fixture
def shift(desk: Desk) -> Shift:
    return Shift(desk)


# -- what is written ------------------------------------------------------------------------------------------------


def test_a_status_is_written_with_what_the_people_there_need(desk: Desk, platform: Platform, shift: Shift) -> None:
    shop = desk.installation()
    message = desk.message(Status.DELIVERED, text="Order #1 is on its way")
    desk.status(shop, message, Status.DELIVERED, customer_ref="customer/7", reason="")
    shift.look()
    [change] = platform.changes
    assert (change.message_id, change.status, change.subject) == (show("msg", message), Status.DELIVERED, "order/1")
    assert (change.at, change.customer_ref, change.msisdn_tail, change.text) == (desk.clock.now(), "customer/7", ANA[-2:], "")
    [row] = desk.write_backs()
    assert (row.status, row.owner, row.error, row.updated_at) == (JOB_DONE, None, None, desk.clock.now())


def test_the_text_goes_along_only_where_the_owner_wants_it(desk: Desk, platform: Platform, shift: Shift) -> None:
    shop = desk.installation(write_back_text=True)
    desk.status(shop, desk.message(text="Order #1 is on its way"), Status.DELIVERED)
    shift.look()
    assert [change.text for change in platform.changes] == ["Order #1 is on its way"]


def test_an_erased_persons_number_is_not_written(desk: Desk, platform: Platform, shift: Shift) -> None:
    desk.status(desk.installation(), desk.message(contact_id=desk.contact(None)), Status.DELIVERED)
    shift.look()
    assert [change.msisdn_tail for change in platform.changes] == [""]


def test_statuses_of_one_object_go_out_in_one_call_each_messages_last_one(desk: Desk, platform: Platform, shift: Shift) -> None:
    shop = desk.installation(write_back="all")
    first, second = desk.message(), desk.message()
    for message, status in [(first, Status.QUEUED), (second, Status.QUEUED), (first, Status.SENT), (second, Status.SENT)]:
        desk.clock.advance(1)
        desk.status(shop, message, status)
    desk.status(shop, desk.message(), Status.SENT, subject="order/2")
    shift.look()
    calls = [[(change.message_id, change.status) for change in changes] for _, changes in platform.calls]
    assert sorted(calls, key=len, reverse=True)[0] == [(show("msg", first), Status.SENT), (show("msg", second), Status.SENT)]
    assert len(calls) == 2
    assert desk.states() == {JOB_DONE: 5}


def test_an_earlier_status_of_a_settled_message_is_not_written_any_more(desk: Desk, platform: Platform, shift: Shift) -> None:
    shop = desk.installation(write_back="all")
    desk.status(shop, desk.message(Status.DELIVERED), Status.SENT)
    shift.look()
    assert platform.calls == []
    assert desk.states() == {JOB_DONE: 1}


def test_of_a_persons_statements_the_newest_of_each_purpose_is_written(desk: Desk, platform: Platform, shift: Shift) -> None:
    shop, person = desk.installation(), desk.contact()
    desk.consent(shop, person, "opted_in")
    desk.clock.advance(1)
    desk.consent(shop, person, "opted_out")
    desk.consent(shop, person, "opted_out", purpose="transactional")
    shift.look()
    said = [(change.purpose, str(change.state), change.msisdn, change.customer_ref, change.source) for _, change in platform.calls]
    assert sorted(said) == [
        (Purpose.MARKETING, "opted_out", ANA, "customer/7", "reply"),
        (Purpose.TRANSACTIONAL, "opted_out", ANA, "customer/7", "reply"),
    ]
    assert desk.states() == {JOB_DONE: 3}


def test_an_erased_persons_consent_is_not_written(desk: Desk, platform: Platform, shift: Shift) -> None:
    desk.consent(desk.installation(), desk.contact(None), "opted_out")
    shift.look()
    assert platform.calls == []
    assert desk.states() == {JOB_DONE: 1}


def test_replies_become_comments_in_the_order_they_came_and_never_twice(desk: Desk, platform: Platform, shift: Shift) -> None:
    shop = desk.installation()
    platform.behave = fails(PlatformUnavailable("down"), times=2)
    for text in ("one", "two", "three"):
        desk.clock.advance(1)
        desk.reply(shop, text)
    shift.wait(900)
    notes = [note for what, note in platform.calls if what == "reply"]
    assert [note.text for note in notes] == ["one", "two", "three"]
    assert {(note.msisdn, note.subject) for note in notes} == {(ANA, "ticket/1")}
    assert desk.states() == {JOB_DONE: 3}


def test_a_reply_that_came_while_an_earlier_one_waits_does_not_overtake_it(desk: Desk, platform: Platform, shift: Shift) -> None:
    shop = desk.installation()
    platform.behave = fails(PlatformUnavailable("down"), times=2)
    desk.reply(shop, "one")
    shift.look()
    shift.wait(10, every=5)  # the second try has failed: the next is in five minutes
    desk.reply(shop, "two")
    shift.wait(60)
    assert platform.calls == []
    shift.wait(300)
    assert [note.text for _, note in platform.calls] == ["one", "two"]
