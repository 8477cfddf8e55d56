"""Balances: never overdrawn, charged once for what was sent, and always the sum of their ledger. Promises G3 and G4."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from bellwire.engine.sending import SendRequest, send
from bellwire.errors import ErrorClass
from bellwire.model import Capability, Status
from bellwire.store import schema, workers
from standins.line import Line, accepted, says, silence
from standins.world import BOB, World, number, until

CENT = {"default": "0.01"}


def charged(world: World) -> int:
    """How many starts the ledger counts, refunds taken off."""
    entries = schema.ledger.c
    rows = world.all(sa.select(entries.kind, entries.messages).where(entries.kind != "credit"))
    return sum(row.messages if row.kind == "charge" else -row.messages for row in rows)


def test_a_tenant_without_credit_is_not_checked(world: World) -> None:
    world.account("line", prices=CENT)
    world.pump()
    world.wait(world.send(), Status.SENT)
    assert world.count(schema.ledger) == 0


def test_a_batch_never_spends_more_than_there_is(world: World, line: Line) -> None:
    """All of them are claimed together: each must see those before it."""
    world.account("line", prices=CENT)
    world.credit("0.05")
    world.send_many(20)
    world.pump()
    world.wait_for(sent=5, refused=15)
    assert {row.reason for row in world.messages() if row.status == schema.STATUS_CODES[Status.REFUSED]} == {"no_funds"}
    assert world.balance() == (0, 0)
    assert len(line.sent) == 5


def test_segments_cost_each(world: World) -> None:
    world.account("line", prices=CENT)
    world.credit("0.05")
    world.pump()
    made = world.send(body="x" * 400)
    assert world.wait(made, Status.SENT).price == "0.03"
    assert world.balance() == (20_000, 20_000)


def test_what_was_certainly_not_sent_is_given_back(world: World, line: Line) -> None:
    line.answer = says(ErrorClass.INVALID_NUMBER)
    world.account("line", prices=CENT)
    world.credit("1")
    world.pump()
    world.wait(world.send(), Status.FAILED)
    until(lambda: world.balance() == (1_000_000, 1_000_000))
    assert charged(world) == 0


def test_what_may_have_been_sent_stays_charged(world: World, line: Line) -> None:
    line.answer = says(ErrorClass.AMBIGUOUS)
    world.account("line", prices=CENT)
    world.credit("1")
    world.pump()
    world.wait(world.send(), Status.UNKNOWN)
    assert world.balance() == (990_000, 990_000)


def test_a_text_that_needs_three_tries_is_charged_once(world: World, line: Line) -> None:
    tries = iter([says(ErrorClass.CARRIER_DOWN), says(ErrorClass.THROTTLED), accepted])
    line.answer = lambda message, account: next(tries)(message, account)
    world.account("line", prices=CENT)
    world.credit("1")
    world.pump()
    world.wait(world.send(), Status.SENT)
    assert len(line.sent) == 3
    assert (charged(world), world.balance()) == (1, (990_000, 990_000))


def test_an_idempotent_carrier_that_is_asked_again_is_paid_once(make_world: Callable[..., World]) -> None:
    sure = Line("sure", Capability.IDEMPOTENT_BY_REFERENCE)
    tries = iter([says(ErrorClass.AMBIGUOUS), says(ErrorClass.AMBIGUOUS), accepted])
    sure.answer = lambda message, account: next(tries)(message, account)
    world = make_world(sure)
    world.account("sure", prices=CENT)
    world.credit("1")
    world.pump()
    world.wait(world.send(), Status.SENT)
    assert len(sure.sent) == 3
    assert (charged(world), world.balance()) == (1, (990_000, 990_000))


def test_a_claim_that_nobody_was_told_of_is_given_back_with_its_money(world: World, line: Line) -> None:
    """A commit whose end the worker did not learn: its claims stand in the database and were never started."""
    world.account("line", prices=CENT)
    world.credit("0.02")
    pump = world.pump()
    world.wait(world.send(), Status.SENT)
    made = world.send_many(1, first=50)[0]
    world.wait(made, Status.SENT)
    assert world.balance() == (0, 0)
    m = schema.messages.c
    world.engine.write(lambda c: c.execute(sa.update(schema.messages).where(m.id == made).values(status=2)))  # as if just claimed
    row = until(lambda: (found := world.message(made)).status == 3 and found.epoch == 2 and found, within_s=5)
    assert row.owner == pump.worker_id
    assert len(line.sent) == 3, "it was started after all"
    assert world.balance() == (0, 0)


def test_fifty_threads_against_one_balance(world: World, line: Line) -> None:
    """G3: exactly as many are sent as can be paid, from two processes, and the ledger adds up."""
    price, affordable = {"default": "0.001"}, 250
    world.account("line", prices=price)
    world.credit("0.25")
    other = world.worker()
    engines = [world.engine, other]
    if world.engine.store.engine.dialect.name == "postgresql":
        world.pump(engine=other)
    world.pump()
    broken: list[BaseException] = []

    def ask(thread: int) -> None:
        try:
            for n in range(10):
                to = number(thread * 10 + n)
                send(engines[thread % 2], world.tenant_id, [SendRequest(to=to, body="Hello")])
        except BaseException as e:  # told below
            broken.append(e)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken == []
    world.wait_for(sent=affordable, refused=250, within_s=30)
    assert len(line.sent) == affordable
    assert world.balance() == (0, 0)
    assert charged(world) == affordable


def test_tenants_pay_from_their_own(world: World) -> None:
    other = world.tenant("other")
    world.account("line", prices=CENT)
    world.account("line", prices=CENT, of=other)
    world.credit("0.01")
    world.credit("0.02", of=other)
    world.pump()
    world.send_many(3)
    world.send_many(3, of=other)
    world.wait_for(sent=3, refused=3)
    assert world.balance() == world.balance(of=other) == (0, 0)


def test_a_hanging_tenant_keeps_its_charge_and_others_pay_on(world: World, line: Line) -> None:
    def answer(message: Any, account: Any) -> Any:
        return silence(message, account) if message.msisdn == BOB else accepted(message, account)

    line.answer = answer
    world.account("line", prices=CENT)
    world.credit("0.10")
    world.pump()
    world.send(BOB)
    world.send_many(4)
    world.wait_for(sent=4, sending=1)
    assert world.balance() == (50_000, 50_000)


def test_reclaim_takes_only_what_is_not_held(world: World) -> None:
    world.account("line")
    made, flying = world.send_many(2)
    worker = world.pump(start=False).worker_id
    m = schema.messages.c
    claimed = {"status": 2, "owner": worker, "epoch": 1, "attempts": 1}
    world.engine.write(lambda c: c.execute(sa.update(schema.messages).where(m.id.in_([made, flying])).values(**claimed)))
    taken = world.engine.write(lambda c: workers.reclaim(c, worker, {flying}, world.clock()))
    assert [row.id for row in taken] == [made]
    row = world.message(made)
    assert (row.status, row.attempts, row.owner) == (schema.STATUS_CODES[Status.QUEUED], 0, None)
    assert world.status(flying) is Status.SENDING
