"""Receipts (DLRs): early, late, twice, for nobody, for somebody else's message, in any order. Promise B11."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.engine import dlrs
from bellwire.errors import ErrorClass
from bellwire.ids import show
from bellwire.model import CarrierAccount, Dlr, Outcome, Outgoing, Status, Verdict
from bellwire.plugins import Plugins
from bellwire.store import messages, schema
from bellwire.store.schema import STATUS_CODES
from standins.line import Line, accepted, says, when
from standins.world import ALICE, World, number, order, until


def told(ref: str, status: Status | None = Status.DELIVERED, **more: object) -> Dlr:
    return Dlr(**{"carrier_ref": ref, "status": status, "raw_status": str(status or "odd"), **more})  # type: ignore[arg-type]


def ref_of(message_id: UUID) -> str:
    return f"line-{message_id.hex}"


def parked(world: World) -> int:
    return len(world.all(sa.select(schema.dlrs.c.id).where(schema.dlrs.c.parked)))


def test_a_receipt_after_the_answer_settles_the_message(world: World, line: Line) -> None:
    account = world.account("line")
    world.pump()
    made = world.send()
    world.wait(made, Status.SENT)
    world.receipt(account, told(ref_of(made)))
    row = world.wait(made, Status.DELIVERED)
    assert row.handed_over_at is not None
    assert parked(world) == 0


@pytest.mark.parametrize("named", [True, False], ids=["naming our message", "naming the carrier's id only"])
def test_a_receipt_that_overtakes_the_answer_counts(world: World, line: Line, named: bool) -> None:
    gate = threading.Event()
    line.answer = when(gate)
    account = world.account("line")
    world.pump()
    made = world.send()
    line.wait(1)
    world.receipt(account, told(ref_of(made)), message_id=made if named else None)
    assert (world.status(made), parked(world)) == ((Status.DELIVERED, 0) if named else (Status.SENDING, 1))
    gate.set()
    until(lambda: world.attempts(made), "the attempt is recorded")
    world.wait(made, Status.DELIVERED)
    until(lambda: parked(world) == 0)


def test_the_answer_after_the_receipt_reports_nothing_older(world: World, line: Line) -> None:
    """What is written back last must be what is true last."""
    gate = threading.Event()
    line.answer = when(gate)
    account, shop = world.account("line"), world.installation()
    world.template()
    world.trigger("fulfillment.shipped")
    world.pump()
    world.take(shop, order())
    made = line.wait(1)[0].message.message_id
    world.receipt(account, told(ref_of(made)), message_id=made)
    gate.set()
    until(lambda: world.attempts(made))
    w = schema.write_backs.c
    assert [row.value for row in world.all(sa.select(w.value).order_by(w.id))][1:] == ["delivered"]


def test_an_unanswered_send_keeps_the_id_that_its_receipt_brought(world: World, line: Line) -> None:
    gate = threading.Event()
    line.answer = when(gate, says(ErrorClass.AMBIGUOUS))
    account = world.account("line")
    world.pump()
    made = world.send()
    line.wait(1)
    world.receipt(account, told("theirs-1", Status.SENT), message_id=made)
    gate.set()
    until(lambda: world.attempts(made))
    assert world.status(made) is Status.SENT, "its receipt has told more than a missing answer"
    world.receipt(account, told("theirs-1"))
    assert world.wait(made, Status.DELIVERED).carrier_ref == "theirs-1"


def test_a_receipt_of_an_id_before_the_last_ends_nothing(world: World, line: Line) -> None:
    account = world.account("line")
    world.pump()
    made = world.send()
    before = world.wait(made, Status.SENT)
    world.receipt(account, told("an-earlier-one", Status.FAILED), message_id=made)
    assert (world.status(made), world.message(made).carrier_ref) == (Status.SENT, before.carrier_ref)
    world.receipt(account, told(ref_of(made), Status.SENT, handed_over=True))
    handed = world.message(made).handed_over_at
    assert handed is not None
    world.clock.forward(minutes=1)
    world.receipt(account, told("an-earlier-one"), message_id=made)
    row = world.message(made)
    assert (row.status, row.carrier_ref, row.handed_over_at) == (STATUS_CODES[Status.DELIVERED], before.carrier_ref, handed)


def test_a_receipt_settles_an_unknown_message(world: World, line: Line) -> None:
    line.answer = says(ErrorClass.AMBIGUOUS)
    account = world.account("line")
    world.pump()
    made = world.send()
    world.wait(made, Status.UNKNOWN)
    world.receipt(account, told("theirs-9"), message_id=made)
    world.wait(made, Status.DELIVERED)


def test_a_receipt_that_comes_again_changes_nothing(world: World, line: Line) -> None:
    account = world.account("line")
    world.pump()
    made = world.send()
    world.wait(made, Status.SENT)
    for _ in range(3):
        world.receipt(account, told(ref_of(made)))
    assert world.count(schema.dlrs) == 1
    world.receipt(account, told(ref_of(made), Status.UNDELIVERED))
    assert world.status(made) is Status.DELIVERED, "the handset knows better"
    world.receipt(account, told(ref_of(made), None))
    assert world.status(made) is Status.DELIVERED


def test_delivered_overrules_undelivered(world: World, line: Line) -> None:
    account = world.account("line")
    world.pump()
    made = world.send()
    world.wait(made, Status.SENT)
    world.receipt(account, told(ref_of(made), Status.UNDELIVERED))
    world.wait(made, Status.UNDELIVERED)
    world.receipt(account, told(ref_of(made)))
    world.wait(made, Status.DELIVERED)


@pytest.mark.parametrize("named", [True, False], ids=["naming our message", "naming the carrier's id only"])
def test_a_receipt_from_another_tenants_account_moves_nothing(world: World, line: Line, named: bool) -> None:
    other = world.tenant("other")
    world.account("line")
    theirs = world.account("line", of=other)
    world.pump()
    made = world.send()
    world.wait(made, Status.SENT)
    with world.engine.store.engine.connect() as connection:
        held = world.engine.configs.get(connection, other, world.clock())
    assert held is not None
    account = next(one.value for one in held.config.accounts if one.value.id == theirs)
    dlrs.accept(world.engine, dlrs.read(account, [told(ref_of(made))], made if named else None, world.clock()))
    dlrs.accept(world.engine, dlrs.read(account, [told("x", message_ref=show("msg", made))], None, world.clock()))
    world.engine.write(lambda connection: dlrs.match_parked(world.engine, connection))
    assert (world.status(made), parked(world)) == (Status.SENT, 2)


def counted(message: Outgoing, _account: CarrierAccount) -> Outcome:
    """A carrier that counts its messages, and begins again."""
    return Outcome(message_id=message.message_id, verdict=Verdict.ACCEPTED, carrier_ref="7")


def test_an_id_of_two_carriers_or_one_that_is_used_again(make_world: Callable[..., World], line: Line) -> None:
    backup = Line("backup")
    line.answer = backup.answer = counted
    world = make_world(backup)
    account, _ = world.account("line"), world.account("backup")
    world.pump()
    before, made, other = world.send(), world.send(), world.send(carrier="backup")
    for one in (before, made, other):
        world.wait(one, Status.SENT)
    world.receipt(account, told("7"))
    assert [world.status(one) for one in (before, made, other)] == [Status.SENT, Status.DELIVERED, Status.SENT]


@pytest.mark.parametrize(("hours", "after"), [(23.9, Status.DELIVERED), (24.1, Status.SENT)])
def test_a_receipt_waits_a_day_for_its_message(make_world: Callable[..., World], line: Line, hours: float, after: Status) -> None:
    line.answer = counted
    world = make_world()
    account = world.account("line")
    world.receipt(account, told("7"))
    world.clock.forward(hours=hours)
    world.pump()
    made = world.send()
    until(lambda: world.attempts(made))
    world.engine.write(lambda connection: dlrs.match_parked(world.engine, connection))
    assert world.status(made) is after


def test_a_receipt_of_the_first_account_counts_after_a_knowing_second_send(make_world: Callable[..., World], line: Line) -> None:
    backup = Line("backup")
    gate = threading.Event()
    backup.answer = when(gate)
    line.answer = says(ErrorClass.AMBIGUOUS)
    world = make_world(backup)
    first, second = world.account("line"), world.account("backup")
    world.policy(primary=[first], backup=[second], on_ambiguous="backup")
    world.pump()
    made = world.send(purpose="otp")
    backup.wait(1)
    world.receipt(first, told("first-1", Status.UNDELIVERED), message_id=made)
    assert world.status(made) is Status.SENDING, "what became of the first try does not stop the second"
    world.receipt(first, told("first-1"), message_id=made)
    assert world.status(made) is Status.DELIVERED
    gate.set()
    until(lambda: len(world.attempts(made)) == 2)
    row = world.message(made)
    assert (row.status, row.carrier_ref) == (schema.STATUS_CODES[Status.DELIVERED], ref_of(made))


def test_a_failed_receipt_of_an_earlier_attempt_does_not_end_the_message(world: World, line: Line) -> None:
    line.answer = says(ErrorClass.THROTTLED, retry_after_s=30)
    account = world.account("line")
    world.pump()
    made = world.send()
    until(lambda: world.attempts(made))
    world.wait(made, Status.QUEUED)
    world.receipt(account, told("first", Status.FAILED), message_id=made)
    assert world.status(made) is Status.QUEUED


@pytest.mark.postgres
def test_a_receipt_waits_for_the_one_that_is_being_kept(postgres_url: str, loaded: Plugins, line: Line) -> None:
    """Of two at once the second sees what the first has moved: nothing goes backwards."""
    world = World(postgres_url, plugins=loaded, carriers=[line.carrier])
    try:
        account = world.account("line")
        made = world.send()
        m, waits = schema.messages, sa.text("SELECT 1 FROM pg_locks WHERE NOT granted")
        with ThreadPoolExecutor(1) as pool, world.engine.store.engine.begin() as first:
            first.execute(sa.update(m).where(m.c.id == made).values(status=STATUS_CODES[Status.DELIVERED]))
            second = pool.submit(world.receipt, account, told("x", Status.UNDELIVERED), message_id=made)
            until(lambda: world.all(waits), "the second waits")
        second.result(10)
        assert world.status(made) is Status.DELIVERED
    finally:
        world.close()


SEGMENTS = [
    ("delivered when all are", 2, [(1, Status.DELIVERED), (2, Status.DELIVERED)], Status.DELIVERED),
    ("sent while one is missing", 3, [(1, Status.DELIVERED), (3, Status.DELIVERED)], Status.SENT),
    ("undelivered as soon as one is", 3, [(2, Status.UNDELIVERED)], Status.UNDELIVERED),
    ("the same segment twice is one", 2, [(1, Status.DELIVERED), (1, Status.DELIVERED)], Status.SENT),
    ("in any order", 3, [(3, Status.DELIVERED), (1, Status.DELIVERED), (2, Status.DELIVERED)], Status.DELIVERED),
    (
        "a lost one that was delivered after all",
        2,
        [(1, Status.EXPIRED), (2, Status.DELIVERED), (1, Status.DELIVERED)],
        Status.DELIVERED,
    ),
]


@pytest.mark.parametrize(("label", "total", "reports", "becomes"), SEGMENTS, ids=[row[0] for row in SEGMENTS])
def test_segment_receipts(
    world: World, line: Line, label: str, total: int, reports: list[tuple[int, Status]], becomes: Status
) -> None:
    account = world.account("line")
    world.pump()
    made = world.send(body="x" * (150 * total))
    assert world.wait(made, Status.SENT).segments == total
    for place, (part, status) in enumerate(reports):
        world.receipt(account, told(ref_of(made), status, part=part, parts=total, raw_status=f"{status}-{place}"))
    assert world.status(made) is becomes


def test_a_segment_of_an_earlier_attempt_counts_for_none_of_the_last(make_world: Callable[..., World], line: Line) -> None:
    backup = Line("backup")
    line.answer = says(ErrorClass.AMBIGUOUS)
    world = make_world(backup)
    first, second = world.account("line"), world.account("backup")
    world.policy(primary=[first], backup=[second], on_ambiguous="backup")
    world.pump()
    made = world.send(purpose="otp")
    world.wait(made, Status.SENT)
    world.receipt(first, told("first-1", part=1, parts=2), message_id=made)
    world.receipt(second, told(ref_of(made), part=2, parts=2))
    assert world.status(made) is Status.SENT
    world.receipt(second, told(ref_of(made), part=1, parts=2))
    assert world.status(made) is Status.DELIVERED


@pytest.mark.parametrize(("count", "early_ones"), [(60, 20), pytest.param(250, 60, marks=pytest.mark.proof)])
def test_many_receipts_in_random_order_leave_every_message_right(
    make_world: Callable[..., World], line: Line, count: int, early_ones: int
) -> None:
    """B11: many messages, ten receipts each in any order, some before the answer, a tenth doubled, some for nobody."""
    dice = random.Random(11)
    world = make_world()
    account = world.account("line")
    gates = {place: threading.Event() for place in range(count)}
    early = set(dice.sample(range(count), early_ones))  # below what one account may have under way
    by_number = {number(place): place for place in gates}

    def answer(message: object, at: object) -> object:
        place = by_number[message.msisdn]  # type: ignore[attr-defined]
        return when(gates[place])(message, at) if place in early else accepted(message, at)  # type: ignore[arg-type]

    line.answer = answer  # type: ignore[assignment]
    ids = world.send_many(count)
    expected: dict[UUID, Status] = {}
    stream: list[tuple[UUID | None, Dlr]] = []
    for made in ids:
        final = dice.choice([Status.DELIVERED, Status.DELIVERED, Status.UNDELIVERED, Status.EXPIRED, Status.FAILED])
        expected[made] = final
        words = [*(f"accepted-{n}" for n in range(4)), *(f"handed-{n}" for n in range(4)), *(f"final-{n}" for n in range(2))]
        for word in words:
            status = final if word.startswith("final") else Status.SENT
            named = made if dice.random() < 0.5 else None
            one = told(ref_of(made), status, raw_status=word, handed_over=word.startswith("handed"))
            stream += [(named, one)] * (2 if dice.random() < 0.1 else 1)
    stream += [(None, told(f"nobody-{n}", Status.DELIVERED)) for n in range(50)]
    dice.shuffle(stream)
    pump = world.pump(start=False)
    held = world.carrier_account(account)

    def report(share: list[tuple[UUID | None, Dlr]]) -> None:
        for at in range(0, len(share), 20):
            found = [
                dlrs.Receipt(account=held, dlr=dlr, message_id=named, received_at=world.clock())
                for named, dlr in share[at : at + 20]
            ]
            dlrs.accept(world.engine, found)

    pump.start()
    line.wait(count, within_s=30)
    threads = [threading.Thread(target=report, args=(stream[n::3],)) for n in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: world.count(schema.dlrs) > len(stream) // 3, within_s=30)
    for gate in gates.values():
        gate.set()
    for thread in threads:
        thread.join()
    until(lambda: parked(world) == 50, "all but the 50 for nobody are matched", within_s=10)
    until(lambda: world.statuses()["sending"] == 0)
    wrong = {str(made): (world.status(made), status) for made, status in expected.items() if world.status(made) is not status}
    assert wrong == {}
    assert max(line.times.values()) == 1


# -- what people see ------------------------------------------------------------------------------------------------


def test_what_the_carrier_reported_stands_in_the_messages_why(world: World, line: Line) -> None:
    """A text that did not come: what the carrier said of it, in its own words, without the number it may name."""
    account = world.account("line")
    made = world.send()
    world.pump()
    world.wait(made, Status.SENT)
    said = {
        "raw_status": "failed",
        "raw_code": "30007",
        "error_class": ErrorClass.BLOCKED_CONTENT,
        "raw_text": f"filtered, to {ALICE}",
    }
    world.receipt(account, Dlr(carrier_ref="", status=None, raw_status="accepted"), message_id=made)
    world.receipt(account, Dlr(carrier_ref="", status=Status.FAILED, **said), message_id=made)
    with world.engine.store.for_tenant(world.tenant_id).reading() as connection:
        message = messages.get(connection, world.engine.vault, made)
    assert message.status is Status.FAILED
    receipts = [(one.outcome, one.detail) for one in message.why if one.step == "receipt"]
    assert receipts[0] == ("unknown", "accepted")
    assert receipts[1][0] == "failed"
    assert (receipts[1][1] or "").startswith("failed, 30007, blocked_content, filtered, to ")
    assert ALICE not in (receipts[1][1] or "")
    assert [one.at for one in message.why] == sorted(one.at for one in message.why)
