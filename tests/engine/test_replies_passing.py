"""Where a reply goes: its conversation, then the desks; what nobody takes is a dead letter that may be tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from bellwire.engine import passing
from bellwire.engine.passing import NOBODY
from bellwire.errors import Conflict, NotFound, PlatformRejected, PlatformUnauthorized, PlatformUnavailable
from bellwire.store import installations, schema
from bellwire.store.types import AnyRow
from standins.desk import Platform, connector
from standins.house import ANA, BOB, House, order
from standins.shift import Shift


class Street(House):
    """A house with a shop that takes no replies and two support desks, each on a platform of its own."""

    def __init__(self, url: str) -> None:
        self.old, self.young = Platform(), Platform()
        super().__init__(url)
        more = [
            connector(Platform(), "shop", write_reply=None),
            connector(self.old, "olddesk", events=("ticket.created",)),
            connector(self.young, "newdesk", events=("ticket.created",)),
        ]
        found = self.engine.plugins
        self.engine.plugins = replace(found, connectors={**found.connectors, **{one.name: one for one in more}})

    def letter(self) -> AnyRow:
        [row] = self.rows(schema.replies)
        return row

    def texted(self, installation_id: UUID, place: int = 1, *, phone: str = ANA, event: str = "order.created") -> None:
        """Something happened there, and the person got a text of it."""
        known = {row.id for row in self.rows(schema.messages)}
        self.take(installation_id, order(place, phone=phone, at=self.clock.now(), type=event))
        for row in self.rows(schema.messages):
            if row.id not in known:
                self.went_out(row.id)

    def retry(self, *, of: UUID | None = None) -> str | None:
        def run(c: Any) -> str | None:
            return passing.retry(self.engine, c, self.held(), self.letter().id, actor="cli", now=self.clock.now())

        return self.change(run, of=of)  # type: ignore[no-any-return]


@pytest.fixture
def street(database_url: str) -> Iterator[Street]:
    street = Street(database_url)
    yield street
    street.close()


@pytest.fixture
def shift(street: Street) -> Shift:
    return Shift(street)


def refuses(_: str) -> None:
    raise PlatformRejected("the ticket is gone and none may be made")


def took(platform: Platform) -> list[str]:
    return [note.text for what, note in platform.calls if what == "reply"]


def test_the_conversation_s_own_platform_takes_it(street: Street, shift: Shift) -> None:
    account, till = street.account(), street.installation()
    street.installation("olddesk")
    street.trigger()
    street.texted(till, 7)
    street.reply(account, "where is it?")
    assert (street.letter().passed, street.letter().passed_to) == ("waiting", till)
    shift.look()
    assert (took(street.platform), took(street.old)) == (["where is it?"], [])
    assert (street.letter().passed, street.letter().passed_to, street.letter().error) == ("taken", till, None)
    [note] = [note for what, note in street.platform.calls if what == "reply"]
    assert (note.subject, note.customer_ref, note.kind) == ("order/7", "customer/7", "")


def test_a_text_of_a_platform_that_takes_none_is_answered_at_the_oldest_desk(street: Street, shift: Shift) -> None:
    account, shop = street.account(), street.installation("shop")
    old = street.installation("olddesk")
    street.installation("newdesk")
    street.trigger()
    street.texted(shop)
    street.reply(account, "hello?")
    shift.look()
    assert (took(street.old), took(street.young)) == (["hello?"], [])
    [note] = [note for _, note in street.old.calls]
    [contact] = street.rows(schema.contacts)
    assert (note.subject, note.customer_ref) == (f"contact/{contact.id.hex}", "")
    assert street.letter().passed_to == old


def broken(_: Any) -> bool:
    raise RuntimeError("no")


TAKES: list[tuple[str, Callable[[Any], bool], bool]] = [
    ("the account is set so", lambda one: one.settings["write_back"] == "final", True),
    ("the account is set otherwise", lambda one: one.settings["write_back"] == "all", False),
    ("it can't tell, and is asked", broken, True),
]


@pytest.mark.parametrize(("label", "takes", "itself"), TAKES, ids=[row[0] for row in TAKES])
def test_who_has_nobody_to_hand_it_to_is_passed_over(
    street: Street, shift: Shift, label: str, takes: Callable[[Any], bool], itself: bool
) -> None:
    found = street.engine.plugins
    till = replace(found.connectors["till"], takes_replies=takes)
    street.engine.plugins = replace(found, connectors={**found.connectors, "till": till})
    account, conversation, desk = street.account(), street.installation(write_back="final"), street.installation("olddesk")
    street.trigger()
    street.texted(conversation)
    street.reply(account, "where is it?")
    assert street.letter().passed_to == (conversation if itself else desk)
    shift.look()
    assert took(street.platform if itself else street.old) == ["where is it?"]


def test_an_answer_to_a_text_of_the_api_goes_to_who_wrote_last_by_a_platform(street: Street, shift: Shift) -> None:
    account, till = street.account(), street.installation()
    street.installation("olddesk")
    street.trigger()
    street.texted(till, 3)
    street.went_out(street.send())
    street.reply(account, "ok")
    shift.look()
    assert (took(street.platform), took(street.old)) == (["ok"], [])


def test_a_conversation_of_a_week_ago_is_over(street: Street, shift: Shift) -> None:
    account, till = street.account(), street.installation()
    street.installation("olddesk")
    street.trigger()
    street.texted(till, 3)
    street.clock.advance(7 * 86400 + 1)
    street.went_out(street.send())
    street.reply(account, "ok")
    shift.look()
    assert (took(street.platform), took(street.old)) == ([], ["ok"])


def test_the_tenant_says_the_order(street: Street, shift: Shift) -> None:
    street.settings(replies={"order": ["newdesk", "conversation"]})
    account, till = street.account(), street.installation()
    street.installation("olddesk")
    street.installation("newdesk")
    street.trigger()
    street.texted(till)
    street.reply(account, "hello?")
    shift.look()
    assert (took(street.platform), took(street.old), took(street.young)) == ([], [], ["hello?"])


def test_what_one_refuses_for_good_the_next_one_takes(street: Street, shift: Shift) -> None:
    account = street.account()
    street.installation("olddesk")
    young = street.installation("newdesk")
    street.old.behave = refuses
    street.reply(account, "hello?")
    shift.look()
    shift.look()
    assert took(street.young) == ["hello?"]
    assert (street.letter().passed, street.letter().passed_to) == ("taken", young)
    assert sorted(row.status for row in street.rows(schema.write_backs, kind="reply")) == [schema.JOB_DONE, schema.JOB_FAILED]


def test_a_desk_that_is_down_keeps_it_until_it_is_back(street: Street, shift: Shift) -> None:
    account = street.account()
    old = street.installation("olddesk")
    street.installation("newdesk")

    def down(_: str) -> None:
        raise PlatformUnavailable("down")

    street.old.behave = down
    street.reply(account, "hello?")
    shift.wait(60)
    assert (street.letter().passed, street.letter().passed_to, took(street.young)) == ("waiting", old, [])
    street.old.behave = lambda _: None
    shift.wait(600)
    assert (street.letter().passed, took(street.old)) == ("taken", ["hello?"])


def test_a_desk_that_lets_us_in_no_more_keeps_it_for_three_days_only(street: Street, shift: Shift) -> None:
    account = street.account()
    street.installation("olddesk")
    street.installation("newdesk")

    def shut(_: str) -> None:
        raise PlatformUnauthorized("the token is refused")

    street.old.behave = shut
    street.reply(account, "hello?")
    shift.wait(2 * 86400, every=43200)
    assert (street.letter().passed, took(street.young)) == ("waiting", [])
    shift.wait(3 * 86400, every=43200)
    assert (street.letter().passed, took(street.young)) == ("taken", ["hello?"])


def test_what_all_refuse_is_a_dead_letter_that_says_why(street: Street, shift: Shift) -> None:
    account = street.account()
    street.installation("olddesk")
    young = street.installation("newdesk")
    street.old.behave = street.young.behave = refuses
    street.endpoint("reply.received")  # whoever should have answered did not get it: the tenant's endpoint does not excuse that
    street.reply(account, "hello?")
    for _ in range(3):
        shift.look()
    letter = street.letter()
    assert (letter.passed, letter.passed_to, letter.error) == ("dead", young, "the ticket is gone and none may be made")


NOBODY_THERE: list[tuple[str, Callable[[Street], Any], str | None]] = [
    ("a dead letter where nobody listens at all", lambda _: None, "dead"),
    ("the endpoint's where the tenant has one", lambda street: street.endpoint("reply.received"), None),
    ("a dead letter where the endpoint hears of other things", lambda street: street.endpoint("message.sent"), "dead"),
    ("nobody's where the tenant wants it so", lambda street: street.settings(replies={"order": []}), None),
]


@pytest.mark.parametrize(("given", "passed"), [row[1:] for row in NOBODY_THERE], ids=[row[0] for row in NOBODY_THERE])
def test_a_reply_that_no_platform_takes_is(street: Street, given: Callable[[Street], Any], passed: str | None) -> None:
    given(street)
    street.reply(street.account(), "hello?")
    assert street.letter().passed == passed
    assert street.letter().error == (NOBODY if passed else None)


def test_a_keyword_goes_to_its_own_conversation_and_opens_none(street: Street, shift: Shift) -> None:
    account, till = street.account(), street.installation()
    street.installation("olddesk")
    street.trigger()
    street.texted(till, 7)
    street.reply(account, "STOP")
    street.reply(account, "STOP", msisdn=BOB)
    shift.look()
    [note] = [note for what, note in street.platform.calls if what == "reply"]
    assert (note.text, note.kind, note.subject) == ("STOP", "stop", "order/7")
    assert took(street.old) == []
    assert [row.passed for row in street.rows(schema.replies)] == ["taken", None]


def test_a_keyword_that_its_platform_refuses_is_no_dead_letter(street: Street, shift: Shift) -> None:
    account, till = street.account(), street.installation()
    street.trigger()
    street.texted(till)
    street.platform.behave = refuses
    street.reply(account, "STOP")
    shift.look()
    assert street.letter().passed is None


def test_what_waits_for_an_installation_that_is_removed_is_handed_on(street: Street, shift: Shift) -> None:
    account, old = street.account(), street.installation("olddesk")
    young = street.installation("newdesk")
    street.reply(account, "hello?")
    street.change(lambda c: installations.remove(c, street.engine.vault, old, actor="cli", now=street.clock.now()))
    shift.look()
    shift.look()
    assert (took(street.old), took(street.young)) == ([], ["hello?"])
    assert street.letter().passed_to == young


def test_a_dead_letter_is_tried_again_once_there_is_somebody(street: Street, shift: Shift) -> None:
    street.reply(street.account(), "hello?")
    assert street.retry() == "dead"
    street.installation("olddesk")
    assert street.retry() == "waiting"
    with pytest.raises(Conflict) as waits:
        street.retry()
    shift.look()
    with pytest.raises(Conflict) as has_it:
        street.retry()
    assert (waits.value.code, has_it.value.code) == ("reply_waiting", "reply_taken")
    assert took(street.old) == ["hello?"]
    assert [entry.details for entry in street.audited("reply.retried")] == [{"passed": "dead"}, {"passed": "waiting"}]


def test_nobody_else_s_reply_is_tried_again(street: Street) -> None:
    street.reply(street.account(), "hello?")
    with pytest.raises(NotFound):
        street.retry(of=street.tenant("other"))


def test_a_platform_that_answers_late_does_not_take_it_back(street: Street) -> None:
    """The first one's job ends after the reply was handed on: what the second one has stays the second one's."""
    account, old = street.account(), street.installation("olddesk")
    street.reply(account, "hello?")
    [job] = street.rows(schema.write_backs, kind="reply")
    held, now = street.held(), street.clock.now()
    for _ in range(2):
        street.engine.write(lambda c: passing.ended(street.engine, c, held, job, now, error="gone"))
    assert (street.letter().passed, street.letter().passed_to) == ("dead", old)
    street.engine.write(lambda c: passing.ended(street.engine, c, held, job, now, error=None))
    assert street.letter().passed == "dead"
