"""Replies: kept before they are acknowledged, read for STOP first, answered once, passed on (D1, D7)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire.domain.admit import Send, admit
from bellwire.domain.consent import Source, Standing, Statement
from bellwire.engine import consents, replies, watching
from bellwire.engine.people import standing
from bellwire.engine.sending import SendRequest
from bellwire.errors import StoreUnavailable
from bellwire.ids import show
from bellwire.model import CarrierAccount, ConsentState, Outcome, Outgoing, Purpose, Reply, Status
from bellwire.store import contacts, schema, templates
from bellwire.store.schema import LANES
from standins.house import ANA, BOB, House, order
from standins.line import Line, accepted
from standins.world import World, until

OUT = ConsentState.OPTED_OUT


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    house = House(database_url)
    yield house
    house.close()


def states(house: House) -> dict[str, Any]:
    person = house.person()
    return {one: getattr(person, one) for one in ("transactional", "marketing", "otp")}


def confirmations(house: House) -> list[str]:
    rows = house.rows(schema.messages, basis="confirmation")
    return [house.opened(schema.messages, row, "text") for row in rows]


# -- keywords -------------------------------------------------------------------------------------------------------


def test_a_stop_ends_everything_and_is_proven_by_the_reply(house: House) -> None:
    account = house.account()
    house.went_out(house.send(sender_id="+15550100001"))
    house.reply(account, "STOP")
    assert set(states(house).values()) == {"opted_out"}
    [reply] = house.rows(schema.replies)
    assert (reply.kind, reply.rule, reply.status) == ("stop", "exact", "taken")
    assert house.opened(schema.replies, reply, "text") == "STOP"
    assert house.opened(schema.replies, reply, "normalised") == "stop"
    line = house.rows(schema.consents)[-1]
    assert (line.source, line.state, line.purpose, line.reply_id) == ("reply", "opted_out", None, reply.id)
    assert house.opened(schema.consents, line, "proof") == show("rpl", reply.id)
    [entry] = house.audited("consent.recorded")
    assert entry.actor == "reply"


def test_a_stop_writes_the_contact_and_no_waiting_message(house: House) -> None:
    account = house.account()
    waiting = house.send(send_at=house.clock.now() + timedelta(hours=1))
    before = house.rows(schema.messages, id=waiting)
    house.reply(account, "STOP")
    assert house.rows(schema.messages, id=waiting) == before


SCOPES = [
    ("one purpose, where the tenant says so", "category", {"transactional": "opted_out", "marketing": None, "otp": None}),
    ("all purposes by default", "all", {"transactional": "opted_out", "marketing": "opted_out", "otp": "opted_out"}),
]


@pytest.mark.parametrize(("scope", "after"), [row[1:] for row in SCOPES], ids=[row[0] for row in SCOPES])
def test_a_stop_ends(house: House, scope: str, after: dict[str, str | None]) -> None:
    house.settings(consent={"revocation_scope": scope})
    account = house.account()
    house.went_out(house.send())
    house.reply(account, "stop please")
    assert states(house) == after


def test_a_stop_from_somebody_we_never_texted_is_kept(house: House) -> None:
    house.reply(house.account(), "STOP", msisdn="998901234567")
    assert set(states(house).values()) == {"opted_out"}
    [row] = house.rows(schema.replies)
    assert house.opened(schema.replies, row, "msisdn") == ANA


def test_start_lifts_what_stop_set_and_nothing_else(house: House) -> None:
    account = house.account()
    house.reply(account, "STOP")
    house.clock.advance(60)
    house.reply(account, "START")
    assert states(house)["transactional"] == "opted_in"
    assert [text.partition(":")[2][:8] for text in confirmations(house)] == [" You are", " You are"]


def test_start_after_a_manual_opt_out_is_for_a_person_to_look_at(house: House) -> None:
    account = house.account()
    said = consents.Statement(purpose=Purpose.TRANSACTIONAL, state=OUT, source=consents.Source.MANUAL, at=house.clock.now())
    house.say(said, author="key_x")
    house.clock.advance(60)
    house.reply(account, "START")
    assert states(house)["transactional"] == "opted_out"
    assert house.rows(schema.replies)[-1].status == "review"
    assert confirmations(house) == []


def test_start_of_somebody_suppressed_is_for_a_person_to_look_at(house: House) -> None:
    account = house.account()
    house.say(Statement(purpose=None, state=OUT, source=Source.BOUNCE, at=house.clock.now()))
    house.reply(account, "START")
    assert house.rows(schema.replies)[-1].status == "review"
    assert confirmations(house) == []


WAITED = timedelta(days=7)
QUESTIONS = [
    ("a word that the text waits for", {"awaiting": ["CANCEL"]}, "cancel", timedelta(), None),
    ("still", {"awaiting": ["CANCEL"]}, "cancel", WAITED, None),
    ("no longer", {"awaiting": ["CANCEL"]}, "cancel", WAITED + timedelta(seconds=1), "stop"),
    ("never STOP", {"awaiting": ["STOP"]}, "stop", timedelta(), "stop"),
    ("a yes to whether we may write", {"asks_consent": True}, "yes", WAITED, "start"),
    ("a late one", {"asks_consent": True}, "yes", WAITED + timedelta(seconds=1), None),
    ("a yes to nothing", {}, "yes", timedelta(), None),
]


@pytest.mark.parametrize(("label", "options", "text", "after", "kind"), QUESTIONS, ids=[row[0] for row in QUESTIONS])
def test_a_text_s_question_waits_for_a_week(
    house: House, label: str, options: dict[str, Any], text: str, after: timedelta, kind: str | None
) -> None:
    def make(c: Any) -> None:
        now = house.clock.now()
        templates.create(c, name="placed", purpose="transactional", bodies={"en": "Well?"}, options=options, actor="cli", now=now)
        templates.approve(c, "placed", 1, actor="cli", now=now)

    account, till = house.account(), house.installation()
    house.change(make)
    house.trigger()
    house.take(till, order(7, at=house.clock.now()))
    [message] = house.rows(schema.messages)
    house.went_out(message.id)
    house.clock.advance(after.total_seconds())
    house.reply(account, text)
    [row] = house.rows(schema.replies)
    assert (row.kind, row.message_id) == (kind, message.id)


@pytest.mark.parametrize(("written", "known"), [("955071813", "+998955071813"), ("998955071813", "+998955071813")])
def test_a_number_we_know_wins_however_the_carrier_writes_it(house: House, written: str, known: str) -> None:
    """Without its `+` the first could be one in Myanmar, too."""
    account = house.account()
    house.send(to=known)
    house.reply(account, "STOP", msisdn=written)
    [person] = house.rows(schema.contacts)
    assert person.marketing == "opted_out"


def test_a_sentence_that_sounds_like_it_ends_marketing_and_waits_for_a_person(house: House) -> None:
    account = house.account()
    house.reply(account, "please take me off this list, I never asked for it")
    assert states(house) == {"transactional": None, "marketing": "opted_out", "otp": None}
    [row] = house.rows(schema.replies)
    assert (row.kind, row.rule, row.status) == ("stop", "intent", "review")
    assert confirmations(house) == []


def test_an_ordinary_reply_changes_nothing(house: House) -> None:
    account = house.account()
    house.reply(account, "thanks, when does it come?")
    assert set(states(house).values()) == {None}
    assert house.rows(schema.consents) == []
    [row] = house.rows(schema.replies)
    assert (row.kind, row.status) == (None, "received")


def test_the_tenants_own_words_count(house: House) -> None:
    house.settings(keywords={"stop": ["KIFAYA"]})
    house.reply(house.account(), "kifaya")
    assert states(house)["marketing"] == "opted_out"


def test_a_reply_without_a_usable_number_is_kept(house: House) -> None:
    house.reply(house.account(), "STOP", msisdn="INFO")
    [row] = house.rows(schema.replies)
    assert (row.contact_id, row.status) == (None, "taken")
    assert house.rows(schema.contacts) == []


# -- the answer -----------------------------------------------------------------------------------------------------

ANSWERED = [
    ("a carrier that answers nothing", "line", {}, "STOP", False, True),
    ("a carrier that says it answered", "line", {}, "STOP", True, False),
    ("a carrier that answers by itself", "chatty", {}, "STOP", False, False),
    ("the same, for a word that only we know", "chatty", {}, "BAJA", False, True),
    ("the same, for two words", "chatty", {}, "STOP PLEASE", False, True),
    ("the same, when the account says that it does not", "chatty", {"carrier_auto_reply": False}, "STOP", False, True),
    ("one of which the account says that it answers", "line", {"carrier_auto_reply": True}, "STOP", False, False),
    ("help", "line", {}, "HELP", False, True),
]


@pytest.mark.parametrize("row", ANSWERED, ids=[row[0] for row in ANSWERED])
def test_a_keyword_is_answered_unless_the_carrier_did(house: House, row: tuple[Any, ...]) -> None:
    _, carrier, settings, text, answered, ours = row
    account = house.account(carrier, **settings)
    house.reply(account, text, carrier_answered=answered)
    assert len(confirmations(house)) == ours


def test_the_answer_goes_back_the_way_the_text_came_whatever_the_ledger_says(house: House) -> None:
    house.account()
    account = house.account("line")
    house.settings(quiet_hours={"transactional": True})
    house.reply(account, "STOP", to="+15550100009")
    [row] = house.rows(schema.messages, basis="confirmation")
    assert (row.account_id, row.sender_id, row.lane, row.segments) == (account, "+15550100009", LANES[Purpose.TRANSACTIONAL], 1)
    assert row.due == house.clock.now()
    assert row.expires_at == house.clock.now() + timedelta(minutes=5)
    [contact] = house.rows(schema.contacts)
    asked = {
        "purpose": Purpose(row.purpose),
        "expires_at": row.expires_at,
        "country": "UZ",
        "options": row.options,
        "caps": (),
        "counts": {},
    }
    asked |= {"standing": standing(contact), "settings": {"quiet_hours": {"transactional": True}}, "now": house.clock.now()}
    assert isinstance(admit(basis=row.basis, **asked), Send)
    assert not isinstance(admit(basis="api", **asked), Send)
    [entry] = house.audited("confirmation.queued")
    assert entry.object == show("msg", row.id)


def test_the_same_word_is_answered_once_a_day(house: House) -> None:
    account = house.account()
    for _ in range(3):
        house.reply(account, "STOP")
        house.clock.advance(3600)
    assert len(confirmations(house)) == 1
    house.reply(account, "HELP")
    assert len(confirmations(house)) == 2
    house.clock.advance(24 * 3600)
    house.reply(account, "STOP")
    assert len(confirmations(house)) == 3


def test_help_is_answered_also_to_somebody_suppressed(house: House) -> None:
    account = house.account()
    house.say(consents.Statement(purpose=None, state=OUT, source=consents.Source.COMPLAINT, at=house.clock.now()))
    house.reply(account, "STOP")
    assert confirmations(house) == []
    house.reply(account, "HELP")
    assert len(confirmations(house)) == 1


def test_the_answer_speaks_the_language_of_the_text(house: House) -> None:
    account = house.account()
    message = house.went_out(house.send(), locale="ru")
    house.reply(account, "СТОП")
    assert "отписаны" in confirmations(house)[0]
    [row] = house.rows(schema.replies)
    assert row.message_id == message


# -- what it answers, and who hears of it ---------------------------------------------------------------------------


def test_a_reply_belongs_to_the_newest_text_from_that_sender(house: House) -> None:
    account = house.account()
    house.account("chatty")
    first = house.went_out(house.send(sender_id="+15550100001"))
    house.went_out(house.send(sender_id="+15550100002", carrier="chatty"))
    house.went_out(house.send(sender_id="+15550100003"))
    house.went_out(house.send(to=BOB, sender_id="+15550100001"))
    house.send(send_at=house.clock.now() + timedelta(hours=1))
    house.reply(account, "ok", to="15550100001")
    [row] = house.rows(schema.replies)
    assert row.message_id == first


def test_the_platform_whose_text_was_answered_gets_the_reply(house: House) -> None:
    account, till = house.account(), house.installation()
    house.installation("crm")
    house.trigger()
    house.take(till, order(7, at=house.clock.now()))
    [message] = house.rows(schema.messages)
    house.went_out(message.id)
    house.reply(account, "where is it?")
    [job] = house.rows(schema.write_backs, kind="reply")
    [reply] = house.rows(schema.replies)
    assert (job.installation_id, job.subject, job.customer_ref) == (till, "order/7", "customer/7")
    assert (job.reply_id, job.status) == (reply.id, schema.JOB_QUEUED)


def test_the_tenants_endpoint_hears_of_replies_and_of_consent(house: House) -> None:
    account = house.account()
    house.endpoint("reply.received", "consent.changed")
    message = house.went_out(house.send(reference="ref-1"))
    house.reply(account, "STOP", msisdn="998901234567")
    bodies = {row.type: house.opened(schema.callbacks, row, "body") for row in house.rows(schema.callbacks)}
    told = bodies["reply.received"]
    assert (told["from"], told["text"], told["kind"], told["message"], told["reference"]) == (
        ANA,
        "STOP",
        "stop",
        show("msg", message),
        "ref-1",
    )
    changed = bodies["consent.changed"]
    assert (changed["to"], changed["purpose"], changed["state"], changed["source"]) == (ANA, None, "opted_out", "reply")


def test_a_stop_reaches_every_platform_that_holds_consent(house: House) -> None:
    account, till, crm = house.account(), house.installation(), house.installation("crm")
    house.trigger()
    house.take(till, order(3, at=house.clock.now()))
    house.reply(account, "STOP")
    [contact] = house.rows(schema.contacts)
    jobs = {(row.installation_id, row.details["purpose"]): row for row in house.rows(schema.write_backs, kind="consent")}
    assert set(jobs) == {(one, purpose) for one in (till, crm) for purpose in ("transactional", "marketing")}
    assert jobs[till, "marketing"].subject == jobs[till, "marketing"].customer_ref == "customer/3"
    assert jobs[crm, "marketing"].subject == f"contact/{contact.id.hex}"
    assert {(row.value, row.contact_id) for row in jobs.values()} == {("opted_out", contact.id)}


def test_a_second_stop_tells_nobody_again(house: House) -> None:
    account = house.account()
    house.installation()
    house.reply(account, "STOP")
    jobs = house.count(schema.write_backs)
    house.clock.advance(5)
    house.reply(account, "STOP")
    assert house.count(schema.write_backs) == jobs
    assert house.count(schema.consents) == 2


def test_plugins_are_told_by_the_jobs_after_the_commit(house: House) -> None:
    account = house.account()
    house.reply(account, "hello")
    [told] = house.engine.replied
    [row] = house.rows(schema.replies)
    assert (told.reply_id, told.msisdn_tail) == (show("rpl", row.id), "67")
    assert watching.step(house.engine) == 1
    assert not house.engine.replied


# -- repeats and segments -------------------------------------------------------------------------------------------


def test_a_reply_that_comes_again_changes_nothing(house: House) -> None:
    account = house.account()
    for _ in range(3):
        house.reply(account, "STOP", id="same")
    assert (house.count(schema.replies), house.count(schema.consents), len(confirmations(house))) == (1, 1, 1)


@pytest.mark.parametrize("places", [(1, 2, 3), (3, 1, 2), (2, 2, 1, 3)], ids=str)
@pytest.mark.parametrize("own_ids", [True, False], ids=["an id each", "one id"])
def test_segments_are_joined_in_their_order(house: House, places: tuple[int, ...], own_ids: bool) -> None:
    account = house.account()
    texts = {1: "Please STOP tex", 2: "ting me at this num", 3: "ber"}
    for number, place in enumerate(places):
        house.reply(account, texts[place], part=place, parts=3, part_ref="9", id=f"s{number}" if own_ids else "one for all")
    [row] = house.rows(schema.replies)
    assert house.opened(schema.replies, row, "text") == "Please STOP texting me at this number"
    assert (row.kind, row.rule) == ("stop", "intent")


def test_segments_whose_others_never_come_are_taken_as_far_as_they_came(house: House) -> None:
    account = house.account()
    house.reply(account, "STOP", part=1, parts=2, part_ref="9")
    assert house.rows(schema.consents) == []
    house.clock.advance(29)
    assert replies.step(house.engine) == 0
    house.clock.advance(2)
    assert replies.step(house.engine) == 1
    assert states(house)["marketing"] == "opted_out"
    house.reply(account, "later", part=2, parts=2, part_ref="9")
    assert house.rows(schema.replies)[-1].status == "part"


# -- D1, D7 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trial", range(3))
def test_after_a_stop_is_acknowledged_nothing_to_that_number_is_claimed(
    make_world: Callable[..., World], line: Line, trial: int
) -> None:
    """D1: pumps at work on 24 texts to one number, a STOP in the middle. What left was claimed before."""

    async def slow(message: Outgoing, account: CarrierAccount) -> Outcome:
        await asyncio.sleep(0.02)
        return accepted(message, account)

    line.answer = slow
    world = make_world()
    account = world.carrier_account(world.account("line"))
    mine = set(world.send_all([SendRequest(to=ANA, body="Hello") for _ in range(24)]))
    others = world.send_many(20)
    processes = [world.engine] + [world.worker() for _ in range(3 if world.engine.store.engine.dialect.name == "postgresql" else 0)]
    for engine in processes:
        world.pump(room=1, engine=engine)
    line.wait(2 + 2 * trial)
    replies.accept(world.engine, account, [Reply(id=f"mo-{trial}", msisdn=ANA, to="1", text="STOP")])
    claimed = {row.id for row in world.messages() if row.id in mine and row.status not in (0, 1, 10)}
    world.wait_for(queued=0, sending=0)
    left = {row.message_id for row in world.all(sa.select(schema.attempts.c.message_id))}
    assert left & mine <= claimed
    assert len(claimed) < 24
    assert set(others) <= left
    refused = [row for row in world.messages() if row.id in mine - claimed]
    assert {(row.status, row.reason) for row in refused} == {(10, "opted_out")}


def test_a_stop_that_cant_be_kept_is_not_acknowledged_and_takes_effect_when_it_comes_again(house: House) -> None:
    """D7: 40 STOPs, the database is away for some of them. Whoever was acknowledged is opted out."""
    account = house.account()
    value = house.carrier_account(account)
    numbers = [f"+99890777{place:04d}" for place in range(40)]
    acknowledged = []
    engine = house.store.engine

    def away(connection: Any, *_: Any) -> None:
        raise sa.exc.OperationalError("", {}, sqlite3.OperationalError("disk I/O error"))

    for place, msisdn in enumerate(numbers):
        down = place % 3 == 0
        if down:
            sa.event.listen(engine, "before_cursor_execute", away)
        try:
            replies.accept(house.engine, value, [Reply(id=msisdn, msisdn=msisdn, to="1", text="STOP")])
            acknowledged.append(msisdn)
        except StoreUnavailable:
            pass
        finally:
            if down:
                sa.event.remove(engine, "before_cursor_execute", away)
    assert len(acknowledged) == 26
    for msisdn in numbers:  # the carrier repeats all it had no answer for, and some it had
        replies.accept(house.engine, value, [Reply(id=msisdn, msisdn=msisdn, to="1", text="STOP")])
    rows = house.rows(schema.contacts)
    assert len(rows) == 40
    assert all(Standing.from_row(dict(row._mapping)).stop_all for row in rows)
    assert house.count(schema.consents) == 40


def test_one_reply_that_fails_does_not_take_the_others_with_it(house: House) -> None:
    account = house.account()
    value = house.carrier_account(account)
    good = Reply(id="good", msisdn=ANA, to="1", text="STOP")
    bad = Reply(id="bad", msisdn=BOB, to="1", text="STOP \x00")  # PostgreSQL's text has no NUL, but this is sealed
    replies.accept(house.engine, value, [bad, good])
    assert house.count(schema.replies) == 2
    assert house.message_status(house.rows(schema.messages, basis="confirmation")[0].id) is Status.QUEUED


@pytest.mark.postgres
def test_a_stop_is_not_lost_to_a_statement_that_is_kept_at_the_same_moment(postgres_url: str) -> None:
    """What the ledger amounts to is read and written under the contact's lock."""
    house = House(postgres_url)
    try:
        house.account()
        house.say(Statement(purpose=Purpose.MARKETING, state=ConsentState.IMPLIED, source=Source.EVENT))
        person, now = house.person(), house.clock.now()
        stop = Statement(purpose=None, state=ConsentState.OPTED_OUT, source=Source.REPLY, at=now)
        older = Statement(purpose=None, state=ConsentState.OPTED_IN, source=Source.API, at=now - timedelta(days=1))
        waits = sa.text("SELECT 1 FROM pg_locks WHERE NOT granted")
        with ThreadPoolExecutor(1) as pool, house.engine.store.engine.begin() as first:
            contacts.say(first, house.tenant_id, person.id, stop, now)
            second = pool.submit(house.say, older, contact_id=person.id)
            with house.engine.store.engine.connect() as watching:
                until(lambda: watching.execute(waits).first(), "the second waits")
        second.result(10)
        assert Standing.from_row(dict(house.person()._mapping)).stop_all
    finally:
        house.close()
