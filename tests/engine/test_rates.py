"""Rates: a carrier never sees more than its account allows, whoever sends, and gets what it can take. Promise B6."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from bellwire.errors import ErrorClass
from bellwire.model import Status
from bellwire.store import schema
from standins.line import Line, Sent, accepted, says
from standins.world import World, number, until


def busiest(sent: Sequence[Sent], window_s: float = 1.0) -> int:
    """The most sends in any window of a second."""
    times = sorted(one.at for one in sent)
    most = first = 0
    for place, at in enumerate(times):
        while at - times[first] >= window_s:
            first += 1
        most = max(most, place - first + 1)
    return most


def test_no_second_holds_more_than_the_rate(world: World, line: Line) -> None:
    rate, burst, count = 50, 5, 150
    world.account("line", rate=rate, burst=burst)
    world.send_many(count)
    world.pump()
    began = time.monotonic()
    sent = line.wait(count, within_s=15)
    assert busiest(sent) <= rate + burst
    took = sent[-1].at - sent[0].at
    assert (count - burst) / took >= 45, "and it keeps the carrier busy"
    assert sent[0].at - began < 1


def test_two_processes_share_one_rate(world: World, line: Line) -> None:
    rate, count = 40, 80
    world.account("line", rate=rate)
    world.send_many(count)
    world.pump()
    if world.engine.store.engine.dialect.name == "postgresql":
        world.pump(engine=world.worker())
    sent = line.wait(count, within_s=15)
    # each keeps its own starts apart; between the two a busy machine may shift a few
    assert busiest(sent) <= 1.05 * (rate + 1)
    assert count / (sent[-1].at - sent[0].at) >= 0.85 * rate


def test_each_sender_of_an_account_has_its_own_rate(world: World, line: Line) -> None:
    world.account("line", rate=20)
    for n in range(40):
        world.send(number(n), sender_id=f"S{n % 2}")
    world.pump()
    sent = line.wait(40, within_s=10)
    for sender in ("S0", "S1"):
        assert busiest([one for one in sent if one.message.sender_id == sender]) <= 21
    assert sent[-1].at - sent[0].at < 1.5, "40 at twice 20 a second"


def test_a_retry_after_is_kept_and_the_rate_halved(world: World, line: Line) -> None:
    world.account("line", rate=40)
    told: list[float] = []

    def answer(message: object, account: object) -> object:
        if not told:
            told.append(time.monotonic())
            return says(ErrorClass.THROTTLED, retry_after_s=1.0)(message, account)  # type: ignore[arg-type]
        return accepted(message, account)  # type: ignore[arg-type]

    line.answer = answer  # type: ignore[assignment]
    world.send_many(30)
    world.pump()
    line.wait(31, within_s=10)
    before = [one for one in line.sent if told[0] + 0.15 < one.at < told[0] + 0.95]
    after = [one for one in line.sent if one.at > told[0] + 0.95]
    assert before == [], "nothing in the pause but what was on its way"
    assert busiest(after) <= 20 + 1, "half of the rate"
    world.wait_for(sent=30)


def test_a_retry_after_holds_for_the_other_processes_too(world: World, line: Line) -> None:
    """The account has no rate of its own: the pause stands in the database for all."""
    account = world.account("line")
    world.send_many(1)
    line.answer = says(ErrorClass.THROTTLED, retry_after_s=60)
    first = world.pump()
    until(lambda: world.count(schema.buckets) == 1)
    first.drain(2)
    line.answer = accepted
    second = world.worker()
    made = world.send(number(7))
    world.pump(engine=second)
    b = schema.buckets.c
    paused = world.one(sa.select(b.paused_until).where(b.account_id == account)).paused_until
    assert paused > world.clock()
    time_limit = time.monotonic() + 0.6
    until(lambda: time.monotonic() > time_limit, within_s=2)
    assert (len(line.sent), world.status(made)) == (1, Status.QUEUED)
    world.clock.forward(seconds=62)
    world.wait(made, Status.SENT)


def test_a_limited_account_leaves_the_others_alone(make_world: Callable[..., World], line: Line) -> None:
    other = Line("other")
    world = make_world(other)
    world.account("line", rate=2)
    world.account("other")
    for n in range(60):
        world.send(number(n), carrier="line" if n % 2 else "other")
    world.pump()
    other.wait(30, within_s=5)
    assert len(line.sent) <= 5
