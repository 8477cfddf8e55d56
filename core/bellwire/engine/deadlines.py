"""Deadlines: what an event sets and ends, in the transaction that stores it; and the events that they make when they are due.

A deadline is a row. Whoever takes it when its time has come writes the event and "it is done" in one transaction, fenced by the
try it took and by the event's id, so that of many processes one makes the event, and none after what it waited for has come.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain import deadlines, newest
from bellwire.domain.deadline_rules import Rules, read_rules
from bellwire.domain.deadlines import Deadline, Plan
from bellwire.engine.rows import pack_event, stamp, unpack_event
from bellwire.errors import FieldInvalid, StoreError, StoreUnavailable
from bellwire.ids import show
from bellwire.model import Event, Installation, Reason
from bellwire.store import deadlines as stored
from bellwire.store import intake as rows
from bellwire.store.database import reading
from bellwire.store.schema import DEADLINE_OVER
from bellwire.store.types import AnyRow
from bellwire.store.writer import GroupWork, Writer

if TYPE_CHECKING:
    from bellwire.engine.effects import Ground
    from bellwire.engine.intake import Prepared
    from bellwire.engine.runtime import Engine

log = logging.getLogger(__name__)

KEPT = timedelta(days=90)  # of what is over
_SAME = timedelta(minutes=30)  # a producer's own reminder so soon after ours says the same
_SENDS_ITSELF = timedelta(days=30)  # so long after its last one a producer counts as one that reminds by itself
_LEASE = timedelta(seconds=90)
_AGAIN = timedelta(seconds=10)
_TRIES = 5
_BATCH = 200


class Lost(Exception):
    """It is over, or somebody else made its event: what was prepared is not written."""


# -- before the transaction -----------------------------------------------------------------------------------------


def past(connection: sa.Connection, installation: Installation | None, event: Event, now: datetime) -> tuple[Reason, str] | None:
    """Why an event must text nobody: its object has moved on, or it repeats a reminder of ours. None for nearly all."""
    if installation is None:
        return None
    state = newest.state_of(event)
    known = stored.newest(connection, installation.id, state.key) if state is not None else None
    if state is not None and known is not None and state.is_older_than(*known):
        told = f"version {known[0]}" if known[0] else stamp(known[1])
        return Reason.STALE, f"a newer state of it was told before ({told})"
    if "deadline.stage" in event.data or event.type not in _REMINDERS or newest.is_new_date(event):
        return None
    for about in deadlines.about(event):
        at = stored.made_since(connection, installation.id, about, event.type, now - _SAME)
        if at is not None:
            return Reason.DUPLICATE, f"our own went out at {stamp(at)}"
    return None


_REMINDERS = frozenset({deadlines.SHIFT_REMINDER, deadlines.TASK_DUE, deadlines.TASK_OVERDUE, deadlines.MISSING})


# -- in the transaction that stores an event --------------------------------------------------------------------------


def effects(ground: Ground) -> Sequence[Callable[[sa.Connection], None]]:
    """What an event changes of what is to come; nothing for events that have to do with no time."""
    state = newest.state_of(ground.event)
    planned = deadlines.plan(ground.event, rules_of(ground.installation), ground.now)
    return [partial(_keep_up, ground, state, planned)] if state is not None or planned else []


def rules_of(installation: Installation) -> Rules:
    """An installation's rules; the defaults where its setting can't be read."""
    try:
        return read_rules(installation.settings.get("deadlines"))
    except FieldInvalid as e:  # checked when it is set: only an older version's can be wrong
        log.warning("deadlines can't be read", extra={"installation": show("ins", installation.id), "field": e.field})
        return Rules()


def _keep_up(ground: Ground, state: newest.State | None, planned: Plan, connection: sa.Connection) -> None:
    installation_id, tenant_id, now = ground.installation.id, ground.held.config.id, ground.now
    if state is not None and not stored.remember(connection, installation_id, state.key, state.version, state.at):
        _cancel(ground, connection, [ground.event_id], "something newer was told of it at the same moment")
        return
    ended: list[UUID] = []
    for about, kind in planned.over:
        ended += stored.over(connection, installation_id, about, kind, now)
    for kind, about, stage in planned.never:
        never = stored.row(
            tenant_id,
            installation_id,
            kind=kind,
            stage=stage,
            key_text=deadlines.key_of(kind, about, stage),
            about=about,
            due=now,
            now=now,
            status=DEADLINE_OVER,
        )
        stored.put_new(connection, never)
    by_itself = stored.marked(connection, installation_id, {one.kind for one in planned.sets}, now - _SENDS_ITSELF)
    for one in planned.sets:
        if one.kind not in by_itself or one.stage == deadlines.MANAGER:
            stored.put(connection, _row(ground.engine, tenant_id, installation_id, one, ground.event_id, now))
    if planned.marks is not None:
        stored.mark(connection, tenant_id, installation_id, *planned.marks, ground.event_id, now)
    if planned.voids and ground.event.customer is not None:
        void = rows.cancel_about(connection, tenant_id, installation_id, ground.event, ground.event_id, planned.voids, now)
        if void:
            ground.following(connection, void)
    if ended and planned.marks is None:  # the producer's own reminder is the second one then, and refused
        _cancel(ground, connection, ended, f"ended by {ground.event.type}")


def _cancel(ground: Ground, connection: sa.Connection, event_ids: Sequence[UUID], step: str) -> None:
    """Texts that wait and are worth nothing any more, with what follows from it."""
    canceled = rows.cancel_of_events(connection, ground.held.config.id, event_ids, step, ground.now)
    if canceled:
        ground.following(connection, canceled)


def _row(
    engine: Engine, tenant_id: UUID, installation_id: UUID, one: Deadline, source_id: UUID | None, now: datetime
) -> dict[str, object]:
    content = {**pack_event(one.event), "subject": one.event.subject, "occurred_at": one.due.isoformat()}
    row_id = stored.id_of(installation_id, one.key)
    return stored.row(
        tenant_id,
        installation_id,
        kind=one.kind,
        stage=one.stage,
        key_text=one.key,
        about=one.about,
        due=one.due,
        now=now,
        content=engine.vault.seal_json(content, tenant_id, "deadlines.content", row_id),
        source_id=source_id,
    )


def set_new(engine: Engine, tenant_id: UUID, installation_id: UUID, made: Sequence[Deadline], now: datetime) -> int:
    """Set deadlines that nobody has set or ended yet, in a transaction of their own; how many those were."""
    ready = [_row(engine, tenant_id, installation_id, one, None, now) for one in made]
    return engine.write(lambda connection: sum(stored.put_new(connection, one) for one in ready), wait_s=10.0)


# -- when the time has come -----------------------------------------------------------------------------------------------


def step(engine: Engine) -> int:
    """Make the events that are due; how many deadlines were taken. Raises StoreUnavailable."""
    now = engine.now()
    with reading(engine.store.engine) as connection:
        due = stored.next_due(connection)
    if due is None or due > now:
        return 0
    taken = engine.write(lambda connection: stored.take(connection, now, now + _LEASE, _BATCH))
    make(engine, taken)
    return len(taken)


def make(engine: Engine, taken: Sequence[AnyRow]) -> None:
    """Make the events of deadlines that were taken: each wholly or not at all, many decided and written together."""
    from bellwire.engine import intake

    waiting: list[tuple[AnyRow, Prepared, Future[list[bool]]]] = []
    of_one: dict[UUID, list[AnyRow]] = {}
    for row in taken:
        of_one.setdefault(row.installation_id, []).append(row)
    for due in of_one.values():
        for row, prepared in _prepared(engine, due):
            with _kept_apart(engine, row):
                waiting.append((row, prepared, engine.store.writer.submit(GroupWork(intake.GROUP, [prepared.unit]))))
    for row, prepared, future in waiting:
        with _kept_apart(engine, row):
            [is_new] = Writer.wait(future)
            if is_new:
                intake.after_commit(engine, prepared)
            else:  # its event is there already
                engine.write(lambda c, row=row: stored.done(c, row.id, row.attempts, None, engine.now()))  # type: ignore[misc]  # bound now


@contextmanager
def _kept_apart(engine: Engine, row: AnyRow) -> Iterator[None]:
    """The worker's loop: one deadline's failure stays its own."""
    try:
        yield
    except (Lost, StoreUnavailable):
        return  # it is over, somebody else has it, or the lease brings it back
    except Exception as e:
        log.exception("a deadline can't be met", extra={"kind": row.kind, "tenant": row.tenant_id.hex})
        _failed(engine, row, type(e).__name__)


def _prepared(engine: Engine, due: Sequence[AnyRow]) -> list[tuple[AnyRow, Prepared]]:
    """The events of one installation's deadlines, decided together; without those that can't be made any more."""
    from bellwire.engine import intake

    told: list[tuple[AnyRow, Event]] = []
    held, installation = None, None
    for row in due:
        with _kept_apart(engine, row):
            if held is None:
                with reading(engine.store.engine) as connection:
                    held = intake.configured(engine, connection, row.tenant_id)
                installation = held.config.installations.get(row.installation_id)
            if installation is None or installation.status != "active" or row.content is None:
                engine.write(lambda c, row=row: stored.drop(c, row.id, row.attempts, _GONE, engine.now()))  # type: ignore[misc]  # bound now
                continue
            content = engine.vault.open_json(row.content, row.tenant_id, "deadlines.content", row.id)
            told.append((row, unpack_event(content, row.kind, content["subject"], datetime.fromisoformat(content["occurred_at"]))))
    if held is None or installation is None or not told:
        return []
    try:
        made = intake.prepare(engine, held, installation.value, [event for _, event in told])
    except StoreError:
        return []  # the lease brings them back
    for (row, _), prepared in zip(told, made, strict=True):
        prepared.unit.effects = [partial(_done, engine, row, prepared.event_id), *prepared.unit.effects]
    return [(row, prepared) for (row, _), prepared in zip(told, made, strict=True)]


_GONE = "its installation is gone or disabled"


def _done(engine: Engine, row: AnyRow, event_id: UUID, connection: sa.Connection) -> None:
    if not stored.done(connection, row.id, row.attempts, event_id, engine.now()):
        raise Lost


def _failed(engine: Engine, row: AnyRow, why: str) -> None:
    now = engine.now()
    try:
        if row.attempts >= _TRIES:
            engine.write(lambda c: stored.drop(c, row.id, row.attempts, why, now))
        else:
            engine.write(lambda c: stored.put_off(c, row.id, row.attempts, now + _AGAIN * row.attempts, why))
    except StoreUnavailable:
        return  # the lease brings it back
