"""A carrier that is down or refuses us: the backup takes over, nothing goes to both, and the first is found again. Promise B5."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire.domain import health
from bellwire.engine.accounts import Accounts
from bellwire.engine.sweep import Sweep, Watch
from bellwire.errors import ErrorClass
from bellwire.ids import new_id
from bellwire.model import Capability, Outcome, Status, Verdict
from bellwire.store import schema
from standins.line import Line, accepted, says
from standins.world import BOB, World, number, order, until


@pytest.fixture
def backup() -> Line:
    return Line("backup")


@pytest.fixture
def two(make_world: Callable[..., World], backup: Line) -> World:
    """A tenant with a primary account at `line` and a backup at `backup`."""
    world = make_world(backup)
    world.policy(primary=[world.account("line")], backup=[world.account("backup")])
    return world


AFTER_ONE_ATTEMPT = [
    ("the carrier is down: the backup takes it", ErrorClass.CARRIER_DOWN, Status.SENT, 1),
    ("our key is refused: the backup takes it", ErrorClass.AUTH, Status.SENT, 1),
    ("no credit there: the backup takes it", ErrorClass.INSUFFICIENT_FUNDS, Status.SENT, 1),
    ("the sender is not registered there: the backup takes it", ErrorClass.SENDER_REJECTED, Status.SENT, 1),
    ("the country is off there: the backup takes it", ErrorClass.NOT_ALLOWED_REGION, Status.SENT, 1),
    ("no such number: nobody tries again", ErrorClass.INVALID_NUMBER, Status.FAILED, 0),
    ("spam to them: nobody tries again", ErrorClass.BLOCKED_CONTENT, Status.FAILED, 0),
    ("our mistake: nobody tries again", ErrorClass.BAD_REQUEST, Status.FAILED, 0),
    ("the handset can't be reached: undelivered", ErrorClass.UNREACHABLE, Status.UNDELIVERED, 0),
    ("too late for them", ErrorClass.EXPIRED, Status.EXPIRED, 0),
    ("nobody knows: nobody tries again", ErrorClass.AMBIGUOUS, Status.UNKNOWN, 0),
]


@pytest.mark.parametrize(("label", "error", "becomes", "elsewhere"), AFTER_ONE_ATTEMPT, ids=[row[0] for row in AFTER_ONE_ATTEMPT])
def test_what_follows_an_answer(
    two: World, line: Line, backup: Line, label: str, error: ErrorClass, becomes: Status, elsewhere: int
) -> None:
    line.answer = says(error)
    two.pump()
    made = two.send()
    row = two.wait(made, becomes)
    assert (len(line.sent), len(backup.sent)) == (1, elsewhere)
    told = [(one.outcome, one.error_class) for one in two.attempts(made)]
    assert told[0] == ("ambiguous" if error is ErrorClass.AMBIGUOUS else "rejected", str(error))
    assert len(told) == 1 + elsewhere
    assert row.attempts == 1 + elsewhere


def test_an_answer_without_a_class_is_never_tried_again(two: World, line: Line, backup: Line) -> None:
    """A carrier's `interpret` that only says "ambiguous": the text may be out."""
    line.answer = lambda message, _: Outcome(message_id=message.message_id, verdict=Verdict.AMBIGUOUS)
    two.pump()
    two.wait(two.send(), Status.UNKNOWN)
    line.answer = lambda message, _: Outcome(
        message_id=message.message_id, verdict=Verdict.AMBIGUOUS, error_class=ErrorClass.UNKNOWN
    )
    two.wait(two.send(BOB), Status.UNKNOWN)
    assert (len(line.sent), len(backup.sent)) == (2, 0)


def test_an_unknown_refusal_is_tried_once_more(world: World, line: Line) -> None:
    line.answer = says(ErrorClass.UNKNOWN)
    world.account("line")
    world.pump()
    world.wait(world.send(), Status.FAILED)
    assert len(line.sent) == 2


def test_a_carrier_that_raises_leaves_the_message_unknown(world: World, line: Line) -> None:
    def broken(message: Any, account: Any) -> Any:
        raise RuntimeError("a bug in the carrier's code")

    line.answer = broken
    world.account("line")
    world.pump()
    made = world.send()
    world.wait(made, Status.UNKNOWN)
    assert "RuntimeError" in world.attempts(made)[0].detail


def test_an_idempotent_carrier_is_asked_again_with_the_same_reference(make_world: Callable[..., World]) -> None:
    sure = Line("sure", Capability.IDEMPOTENT_BY_REFERENCE)
    tries = iter([says(ErrorClass.AMBIGUOUS), says(ErrorClass.AMBIGUOUS), accepted])
    sure.answer = lambda message, account: next(tries)(message, account)
    world = make_world(sure)
    world.account("sure")
    world.pump()
    made = world.send()
    world.wait(made, Status.SENT)
    assert [one.message.message_id for one in sure.sent] == [made] * 3


def test_an_idempotent_carrier_that_never_answers_ends_as_unknown(make_world: Callable[..., World]) -> None:
    sure = Line("sure", Capability.IDEMPOTENT_BY_REFERENCE)
    sure.answer = says(ErrorClass.AMBIGUOUS)
    world = make_world(sure)
    world.account("sure")
    world.pump()
    made = world.send()
    until(lambda: _soon(world, made) or world.status(made) is Status.UNKNOWN, within_s=20)
    assert len(sure.sent) == 5


def _soon(world: World, message_id: Any) -> bool:
    """Let the next try be due now."""
    m = schema.messages.c
    world.engine.write(
        lambda c: c.execute(sa.update(schema.messages).where(m.id == message_id, m.status == 1).values(due=world.clock()))
    )
    world.engine.wake()
    return False


ON_AMBIGUOUS = [
    ("wait, which is the default", {}, "otp", 0, Status.UNKNOWN),
    ("backup, for a code", {"on_ambiguous": "backup"}, "otp", 1, Status.SENT),
    ("backup, but it is no code", {"on_ambiguous": "backup"}, "transactional", 0, Status.UNKNOWN),
]


@pytest.mark.parametrize(("label", "policy", "purpose", "elsewhere", "becomes"), ON_AMBIGUOUS, ids=[row[0] for row in ON_AMBIGUOUS])
def test_on_ambiguous(
    two: World, line: Line, backup: Line, label: str, policy: dict[str, Any], purpose: str, elsewhere: int, becomes: Status
) -> None:
    first, second = (row.id for row in two.all(sa.select(schema.carrier_accounts.c.id).order_by(schema.carrier_accounts.c.id)))
    two.policy(primary=[first], backup=[second], **policy)
    line.answer = says(ErrorClass.AMBIGUOUS)
    two.pump()
    made = two.send(purpose=purpose)
    row = two.wait(made, becomes)
    assert len(backup.sent) == elsewhere
    if elsewhere:
        note = next(note for note in row.notes if note.get("class") == "ambiguous")
        assert note["outcome"] == "next_carrier", "recorded as a knowing second send"


def test_an_account_that_refuses_our_key_is_switched_off_and_its_queue_moves(two: World, line: Line, backup: Line) -> None:
    line.answer = says(ErrorClass.AUTH)
    ids = two.send_many(20)
    two.pump(room=4)
    two.wait_for(sent=20)
    assert len(backup.sent) == 20
    assert len(line.sent) <= 8, "only what was under way when the first answer came"
    assert set(backup.times) == set(ids)
    a = schema.carrier_accounts.c
    row = two.one(sa.select(a.status, a.status_detail).where(a.carrier == "line"))
    assert (row.status, row.status_detail) == ("disabled", "auth auth")


def test_an_account_that_is_paused_waits_without_a_backup(world: World, line: Line) -> None:
    account = world.account("line")
    world.set_account(account, status="paused")
    made = _stored_at(world, account)
    world.pump()
    _settle_down()
    assert (world.status(made), line.sent) == (Status.QUEUED, [])
    world.set_account(account, status="active")
    world.wait(made, Status.SENT)


def test_what_comes_while_the_only_account_is_paused_waits_for_it(world: World, line: Line) -> None:
    account = world.account("line")
    world.set_account(account, status="paused")
    made = world.send()
    world.pump()
    _settle_down()
    assert (world.status(made), line.sent) == (Status.QUEUED, [])
    world.set_account(account, status="active")
    world.wait(made, Status.SENT)


def test_what_comes_while_an_account_is_paused_goes_by_the_backup(two: World, line: Line, backup: Line) -> None:
    primary = two.one(sa.select(schema.carrier_accounts.c.id).where(schema.carrier_accounts.c.carrier == "line")).id
    two.set_account(primary, status="paused")
    made = two.send()
    two.pump()
    two.wait(made, Status.SENT)
    assert (line.sent, set(backup.times)) == ([], {made})


def _stored_at(world: World, account: Any) -> Any:
    """A message that was stored while the account was still active."""
    world.set_account(account, status="active")
    made = world.send()
    world.set_account(account, status="paused")
    return made


def _settle_down(seconds: float = 0.7) -> None:
    """Time for the pump to do what it should not do."""
    ends = time.monotonic() + seconds
    until(lambda: time.monotonic() > ends)


def test_what_waits_for_an_account_that_takes_nothing_expires(world: World, line: Line) -> None:
    account = world.account("line")
    made = world.send(purpose="otp")
    world.set_account(account, status="paused")
    world.clock.forward(minutes=11)
    world.pump()
    row = world.wait(made, Status.EXPIRED)
    assert row.reason == "expired"
    assert line.sent == []


def test_the_shop_hears_of_what_expired_before_its_carrier_took_anything_again(world: World, line: Line) -> None:
    account, shop = world.account("line"), world.installation()
    world.template()
    world.trigger("fulfillment.shipped")
    world.take(shop, order())
    world.set_account(account, status="paused")
    world.clock.forward(days=2)
    world.pump()
    world.wait(world.messages()[0].id, Status.EXPIRED)
    w = schema.write_backs.c
    assert world.all(sa.select(w.value).order_by(w.id))[-1].value == "expired"


def test_what_waits_its_turn_stays_where_it_is(two: World) -> None:
    """An account that is slow takes something: the backup is for one that takes nothing."""
    ids = two.send_many(3)
    before = {two.message(one).account_id for one in ids}
    accounts = Accounts(two.engine.configs, two.plugins.carriers)

    def run(connection: sa.Connection) -> None:
        accounts.refresh(connection, two.clock())
        Sweep(two.engine, accounts, Watch(), {}).run(connection, time.monotonic(), new_id())

    two.engine.write(run)
    assert {two.message(one).account_id for one in ids} == before
    assert [account.value.carrier for account in accounts.in_turn() if account.value.id in before] == ["line"]


def test_rows_behind_one_without_a_backup_move_all_the_same(two: World, line: Line, backup: Line) -> None:
    """The first in the queue may not leave its carrier, the caller said so; those behind it may."""
    first = two.send(carrier="line")
    ids = two.send_many(30, first=5)
    account = two.message(first).account_id
    two.set_account(account, status="paused")
    two.pump()
    two.wait_for(sent=30, queued=1)
    assert set(backup.times) == set(ids)
    assert two.status(first) is Status.QUEUED


def test_a_failing_carrier_is_left_and_found_again(two: World, line: Line, backup: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """20 failures open its breaker, the rest goes by the backup; when probes succeed it gets the texts again."""
    monkeypatch.setattr(health, "PROBE_EVERY_S", 0.2)
    line.answer = says(ErrorClass.CARRIER_DOWN)
    ids = two.send_many(120)
    two.pump(room=16)
    two.wait_for(sent=120, within_s=20)
    assert set(backup.times) == set(ids)
    assert max(backup.times.values()) == 1
    assert len(line.sent) <= 20 + 16 + 10, "failures until it opened, and what was under way"
    line.answer = accepted
    place = 1_000
    ends = time.monotonic() + 15
    seen = len(line.sent)
    while len(line.sent) < seen + 10:  # three probes close it, then it is the primary as before
        assert time.monotonic() < ends, f"{len(line.sent) - seen} since it is back"
        made = two.send(number(place))
        place += 1
        two.wait(made, Status.SENT)
    both = [message for message, n in (line.times + backup.times).items() if n > 1 and message not in ids]
    assert both == [], "none at both carriers"


@pytest.mark.parametrize("trouble", ["its breaker opens", "it is paused"])
def test_what_may_have_left_goes_to_nobody_else(make_world: Callable[..., World], backup: Line, trouble: str) -> None:
    """The carrier recognises a repeated reference and is asked again; the backup would not, and is never asked."""
    sure = Line("sure", Capability.IDEMPOTENT_BY_REFERENCE)
    sure.answer = says(ErrorClass.AMBIGUOUS)
    world = make_world(sure, backup)
    primary = world.account("sure")
    world.policy(primary=[primary], backup=[world.account("backup")])
    world.send_many(40)
    world.pump(room=16)
    until(lambda: len(sure.times) >= health.MIN_CALLS)
    if trouble == "it is paused":
        world.set_account(primary, status="paused")
    until(lambda: len(backup.times) >= 10, "what nobody has tried yet goes the other way", within_s=20)
    _settle_down(2.5)  # two sweeps and more
    assert set(backup.times) & set(sure.times) == set()
    world.clock.forward(days=2)
    until(lambda: not any(world.statuses()[name] for name in ("queued", "sending")), within_s=20)
    assert set(backup.times) & set(sure.times) == set()
    assert {world.status(one) for one in sure.times} == {Status.UNKNOWN}


def test_a_bad_carrier_gets_one_probe_at_a_time(world: World, line: Line) -> None:
    line.answer = says(ErrorClass.CARRIER_DOWN)
    world.account("line")
    world.send_many(60)
    world.pump(room=32)
    until(lambda: len(line.sent) >= health.MIN_CALLS)
    _settle_down(0.3)
    opened = len(line.sent)
    _settle_down(1.5)
    assert len(line.sent) <= opened + 1, "at most one in five seconds"
    assert world.statuses()["queued"] == 60
