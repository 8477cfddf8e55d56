"""What a worker leaves behind when it is killed: marks that tell its calls apart, and what becomes of its messages."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.engine import marks
from bellwire.engine.calls import Begun, Claim, Job
from bellwire.engine.marks import Marks, left
from bellwire.errors import ErrorClass
from bellwire.ids import new_id
from bellwire.model import CarrierAccount, Outcome, Status, Verdict
from bellwire.store import schema
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.line import Line
from standins.world import ALICE, World, number

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REF = "SM-their-name"


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own, instead of the machine's shared memory."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{tmp_path}:/elsewhere")
    return tmp_path


def begun(*message_ids: UUID, epoch: int = 1) -> Begun:
    claims = [Claim(row=SimpleNamespace(id=one), epoch=epoch, attempt_id=new_id(), charge=None) for one in message_ids]  # type: ignore[arg-type]
    messages: Any = [SimpleNamespace(message_id=one) for one in message_ids]
    carrier: Any = None
    account = CarrierAccount(id=new_id(), tenant_id=new_id(), carrier="line")
    return Begun(Job(carrier=carrier, account=account, messages=messages, claims=claims, owner=new_id()), 0.0, AT)


def outcome(verdict: Verdict, *, ref: str = "", error: ErrorClass | None = None) -> Outcome:
    return Outcome(message_id=new_id(), verdict=verdict, carrier_ref=ref, error_class=error)


def says(kept: Marks, call: Begun, *outcomes: Outcome) -> None:
    named = [Outcome(**{**_fields(one), "message_id": m.message_id}) for one, m in zip(outcomes, call.job.messages, strict=True)]
    kept.ended(call.ended(AT, named))


def _fields(one: Outcome) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("verdict", "carrier_ref", "error_class")}


TAKEN = outcome(Verdict.ACCEPTED, ref=REF)
REFUSED = outcome(Verdict.REJECTED, error=ErrorClass.THROTTLED)
ENDS: Mapping[str, tuple[Outcome | None, str | None]] = {
    "taken": (TAKEN, REF),
    "taken, by a carrier without references": (outcome(Verdict.ACCEPTED), ""),
    "under way": (None, None),
    "nobody knows": (outcome(Verdict.AMBIGUOUS, error=ErrorClass.AMBIGUOUS), None),
    "rejected, and nobody knows": (outcome(Verdict.REJECTED, error=ErrorClass.AMBIGUOUS), None),
    "taken, under a name too long to be kept": (outcome(Verdict.ACCEPTED, ref="x" * 201), None),
}


@contextmanager
def killed(worker_id: UUID, folder: Path, **groups: list[UUID]) -> Iterator[None]:
    """While this lasts a process of that name is alive, and has begun these calls; afterwards it has been killed."""
    orders = [f"{name}={one.hex}" for name, ids in groups.items() for one in ids]
    environment = {**os.environ, "RUNTIME_DIRECTORY": str(folder), "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    process = subprocess.Popen([sys.executable, __file__, worker_id.hex, *orders], stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


# -- the marks ------------------------------------------------------------------------------------------------------


def test_only_what_a_dead_worker_left_is_believed(memory: Path) -> None:
    worker, (waited, called, taken, refused) = new_id(), [new_id() for _ in range(4)]
    with killed(worker, memory, begun=[called], taken=[taken], refused=[refused]):
        assert left(worker) is None, "it lives"
    found = left(worker)
    assert found is not None
    assert {key: mark.carrier_ref for key, mark in found.items()} == {(called, 1): None, (taken, 1): REF}
    assert (waited, 1) not in found
    assert (taken, 2) not in found, "a later claim of the same message is another one's"
    assert [(found[one, 1].began_at, found[one, 1].ended_at) for one in (called, taken)] == [(AT, None), (AT, AT)]


def test_two_may_read_it_at_once(memory: Path) -> None:
    worker, one = new_id(), new_id()
    with killed(worker, memory, begun=[one]):
        pass
    with (memory / f"bellwire-{worker.hex}.marks").open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert left(worker) is not None


@pytest.mark.parametrize("name", ENDS)
def test_a_call_s_end(memory: Path, name: str) -> None:
    ended, ref = ENDS[name]
    worker, one = new_id(), new_id()
    kept = Marks(worker, 4)
    call = begun(one)
    kept.begun(call.job, AT)
    if ended is not None:
        says(kept, call, ended)
    assert _seen(worker) == {one: ref}


def test_what_was_refused_was_not_begun(memory: Path) -> None:
    worker = new_id()
    kept, call = Marks(worker, 4), begun(new_id(), new_id())
    kept.begun(call.job, AT)
    says(kept, call, REFUSED, TAKEN)
    assert _seen(worker) == {call.job.messages[1].message_id: REF}, "each message of a call for itself"


@given(ref=st.text(max_size=66))
@settings(max_examples=200, deadline=None)
def test_a_reference_comes_back_as_it_was(ref: str) -> None:
    worker, one = new_id(), new_id()
    kept = Marks(worker, 1)
    try:
        ref = ref.encode("utf-8", "replace").decode()
        call = begun(one)
        kept.begun(call.job, AT)
        says(kept, call, outcome(Verdict.ACCEPTED, ref=ref))
        assert _seen(worker) == {one: ref}
    finally:
        kept.close()


def test_a_place_is_used_again_once_its_end_is_recorded() -> None:
    worker = new_id()
    kept = Marks(worker, 2)
    for _ in range(10):
        first, second = begun(new_id()), begun(new_id())
        kept.begun(first.job, AT)
        kept.begun(second.job, AT)
        says(kept, first, TAKEN)
        kept.forget(first.job)
        kept.forget(second.job)
    last = begun(new_id())
    kept.begun(last.job, AT)
    found = _seen(worker)
    assert last.job.claims[0].row.id in found
    assert len(found) == 2, "and what an older one left says nothing of the messages that wait"


def test_more_calls_than_places_leave_no_marks_at_all() -> None:
    """A call without a mark would be taken for one that was never begun, and made again."""
    worker = new_id()
    kept = Marks(worker, 1)
    for _ in range(2):
        kept.begun(begun(new_id()).job, AT)
    assert left(worker) is None
    assert _seen(worker) is None


def test_a_machine_that_was_started_again_forgets(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, one = new_id(), new_id()
    with killed(worker, memory, begun=[one]):
        pass
    assert left(worker) is not None
    other = memory / "boot"
    other.write_text(f"{new_id()}\n")
    monkeypatch.setattr(marks, "_BOOT", other)
    assert left(worker) is None


def test_a_stranger_s_file_is_not_believed(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = new_id()
    with killed(worker, memory, begun=[]):
        pass
    assert left(worker) == {}
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert left(worker) is None


@pytest.mark.parametrize("content", [b"", b"bellwire marks 1", b"\0" * 4_096, b"\xff" * 4_096])
def test_a_file_that_is_not_whole_says_nothing(memory: Path, content: bytes) -> None:
    worker = new_id()
    (memory / f"bellwire-{worker.hex}.marks").write_bytes(content)
    assert left(worker) is None


def test_a_link_is_not_followed(memory: Path) -> None:
    worker, other = new_id(), new_id()
    with killed(other, memory, begun=[new_id()]):
        pass
    (memory / f"bellwire-{worker.hex}.marks").symlink_to(memory / f"bellwire-{other.hex}.marks")
    assert left(other) is not None
    assert left(worker) is None


def test_without_shared_memory_it_goes_on_without_marks(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "_BOOT", memory / "there is none")
    worker = new_id()
    kept, call = Marks(worker, 4), begun(new_id())
    kept.begun(call.job, AT)
    says(kept, call, TAKEN)
    kept.forget(call.job)
    kept.beat()
    kept.close()
    assert left(worker) is None
    assert list(memory.glob("*.marks")) == []


@pytest.mark.parametrize(("writable", "where"), [(True, "shared"), (False, "temporary")])
def test_where_nobody_names_a_place(memory: Path, monkeypatch: pytest.MonkeyPatch, writable: bool, where: str) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    monkeypatch.setattr(marks, "_MEMORY", memory / "shared")
    monkeypatch.setattr(tempfile, "tempdir", str(memory / "temporary"))
    if writable:
        (memory / "shared").mkdir()
    assert marks.folder() == memory / where


def test_what_was_left_long_ago_is_removed_and_what_lives_stays(memory: Path) -> None:
    def age(worker: UUID) -> None:
        long_ago = time.time() - 3_600
        os.utime(memory / f"bellwire-{worker.hex}.marks", (long_ago, long_ago))

    old, fresh, alive = new_id(), new_id(), new_id()
    for one in (old, fresh):
        with killed(one, memory, begun=[]):
            pass
    living = Marks(alive, 1)
    age(old)
    age(alive)
    last = Marks(new_id(), 1)
    assert [left(one) is None for one in (old, fresh)] == [True, False]
    assert (memory / f"bellwire-{alive.hex}.marks").exists()
    living.close()
    last.close()
    assert len(list(memory.glob("*.marks"))) == 1


def test_a_beat_says_that_it_was_there_until_now(memory: Path) -> None:
    worker = new_id()
    kept = Marks(worker, 1)
    path = memory / f"bellwire-{worker.hex}.marks"
    os.utime(path, (0, 0))
    kept.beat()
    assert time.time() - path.stat().st_mtime < 60
    kept.close()


def _seen(worker: UUID) -> dict[UUID, str | None] | None:
    """What would be read of a worker if it died now."""
    lock, fcntl.flock = fcntl.flock, lambda *_: None  # type: ignore[assignment]  # its own lock would stop us
    try:
        found = left(worker)
    finally:
        fcntl.flock = lock  # type: ignore[assignment]
    return found if found is None else {message: mark.carrier_ref for (message, _), mark in found.items()}


# -- the messages ---------------------------------------------------------------------------------------------------


def test_a_dead_worker_s_messages_are_settled_by_its_marks(world: World, line: Line, memory: Path) -> None:
    """Begun: unknown. Taken: sent, and its receipt is waited for. Never begun, or refused: it waits again, and costs nothing."""
    account, worker = world.account("line", prices={"default": "0.001"}), new_id()
    world.credit("1")
    ids = world.send_many(4)
    waited, called, taken, refused = ids
    m = schema.messages.c
    claimed = {"status": 2, "owner": worker, "epoch": 1, "attempts": 1, "price": "0.001", "currency": "USD"}
    with killed(worker, memory, begun=[called], taken=[taken], refused=[refused]):
        world.engine.write(lambda c: c.execute(sa.update(schema.messages).where(m.id.in_(ids)).values(**claimed)))
        _charge(world, 4_000)
    other = world.send(ALICE)
    world.pump()
    world.wait(called, Status.UNKNOWN)
    for one in (waited, refused, other, taken):
        world.wait(one, Status.SENT)
    assert line.times == {waited: 1, refused: 1, other: 1}
    row = world.message(taken)
    assert (row.carrier_ref, row.account_id) == (REF, account)
    assert row.dlr_due > world.clock()
    assert [(one.outcome, one.carrier_ref, one.number) for one in world.attempts(taken)] == [("accepted", REF, 1)]
    assert [(one.outcome, one.number) for one in world.attempts(called)] == [("lost", 1)]
    assert [(one.outcome, one.number) for one in world.attempts(waited)] == [("accepted", 1)]
    assert world.balance() == (995_000, 995_000), "five texts: what was not begun was given back and taken again"


def test_a_worker_that_stands_still_is_not_believed(world: World, line: Line, memory: Path) -> None:
    """Its marks say what it has begun, not what it will begin once it wakes."""
    world.account("line")
    worker, lost = new_id(), world.send()
    m = schema.messages.c
    values = {"status": 2, "owner": worker, "epoch": 1, "attempts": 1}
    with killed(worker, memory, begun=[]):
        world.engine.write(lambda c: c.execute(sa.update(schema.messages).where(m.id == lost).values(**values)))
        world.pump()
        world.wait(lost, Status.UNKNOWN)
    assert line.sent == []


def test_a_pump_marks_its_calls_and_leaves_nothing_behind(world: World, line: Line, memory: Path) -> None:
    seen: list[dict[UUID, str | None] | None] = []

    def answer(message: Any, _account: CarrierAccount) -> Outcome:
        seen.append(_seen(pump.worker_id))
        return Outcome(message_id=message.message_id, verdict=Verdict.ACCEPTED, carrier_ref=REF)

    line.answer = answer
    world.account("line")
    pump = world.pump()
    first = world.send(number(1))
    world.wait(first, Status.SENT)
    second = world.send(number(2))
    world.wait(second, Status.SENT)
    assert seen[0] == {first: None}
    assert seen[1] is not None
    assert seen[1][second] is None
    assert pump.drain(5)
    assert list(memory.glob("*.marks")) == []


def _charge(world: World, micros: int) -> None:
    entry = {"id": new_id(), "tenant_id": world.tenant_id, "kind": "charge", "micros": -micros, "currency": "USD"}

    def take(c: sa.Connection) -> None:
        b = schema.balances.c
        c.execute(sa.update(schema.balances).where(b.tenant_id == world.tenant_id).values(micros=b.micros - micros))
        c.execute(sa.insert(schema.ledger), {**entry, "messages": 4, "note": "", "at": world.clock()})

    world.engine.write(take)


# -- the process that is killed -------------------------------------------------------------------------------------


def _main(worker: str, *orders: str) -> None:
    kept = Marks(UUID(worker), 16)
    for order in orders:
        name, _, message = order.partition("=")
        call = begun(UUID(message))
        kept.begun(call.job, AT)
        if name != "begun":
            says(kept, call, {"taken": TAKEN, "refused": REFUSED}[name])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    time.sleep(60)


if __name__ == "__main__":
    _main(*sys.argv[1:])
