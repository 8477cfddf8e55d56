"""Who is sending: workers' beats, and the messages of those that are gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bellwire.model import Status
from bellwire.store import schema
from bellwire.store.many import picked
from bellwire.store.schema import STATUS_CODES, plain
from bellwire.store.types import AnyRow, Id, Instant

_m, _w = schema.messages.c, schema.workers.c

JOBS = "jobs"  # the kind of a process's second row, in whose name it takes jobs

_REGISTER = {
    "sqlite": sqlite.insert(schema.workers).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(schema.workers).on_conflict_do_nothing(),
}


def register(connection: sa.Connection, worker_id: UUID, kind: str, pid: int, host: str, now: datetime) -> None:
    """A worker's row, from which others see that it lives; once more after a commit whose end was not known."""
    row = {"id": worker_id, "kind": kind, "pid": pid, "host": host, "beat": 0, "started_at": now, "beat_at": now}
    connection.execute(_REGISTER[connection.dialect.name], row)


_beat = (
    sa.update(schema.workers)
    .where(_w.id == sa.bindparam("b_id", type_=Id))
    .values(beat=_w.beat + 1, beat_at=sa.bindparam("b_at", type_=Instant))
)


def beat(connection: sa.Connection, worker_id: UUID, now: datetime) -> bool:
    """Count the worker's beat up; False when somebody called it dead and removed its row."""
    return connection.execute(_beat, {"b_id": worker_id, "b_at": now}).rowcount == 1


def beats(connection: sa.Connection) -> dict[UUID, int]:
    """Each worker's beat counter."""
    return {row.id: row.beat for row in connection.execute(sa.select(_w.id, _w.beat))}


def remove(connection: sa.Connection, worker_id: UUID) -> bool:
    """Forget a worker that ended or is dead; False when its row is locked, so that it beats at this moment or stopped in it.

    Nobody waits for the lock of a stopped process: the database ends its transaction, and the next sweep finds it.
    """
    found = sa.select(_w.id).where(_w.id == worker_id)
    return connection.execute(sa.delete(schema.workers).where(picked(connection, _w.id, found))).rowcount == 1


#: What follows from a change of status needs these.
FOLLOWED = (
    _m.id,
    _m.tenant_id,
    _m.account_id,
    _m.attempts,
    _m.epoch,
    _m.installation_id,
    _m.subject,
    _m.customer_ref,
    _m.trigger_id,
    _m.contact_id,
    _m.reference,
    _m.event_id,
)


_orphans = (
    sa.select(*FOLLOWED, _m.owner, _m.price, _m.currency, sa.type_coerce(_m.notes, sa.Text).label("notes"))
    .where(sa.text("messages.status = 2"), _m.owner.not_in(sa.select(_w.id)))
    .limit(sa.bindparam("limit"))
)
_ORPHANS = {"sqlite": _orphans, "postgresql": _orphans.with_for_update(skip_locked=True, of=schema.messages)}


def orphans(connection: sa.Connection, limit: int = 500) -> Sequence[AnyRow]:
    """Lock and read messages in `sending` whose worker has no row any more. The caller settles each.

    A claim can commit after its worker was called dead, so this is asked again and again.
    """
    return connection.execute(_ORPHANS[connection.dialect.name], {"limit": limit}).all()


def doubt(connection: sa.Connection, message_ids: Collection[UUID], now: datetime) -> None:
    """Orphans of which nobody can say whether they left become `unknown`."""
    if message_ids:
        sending = sa.and_(_m.id.in_(message_ids), plain(_m.status) == STATUS_CODES[Status.SENDING])
        connection.execute(sa.update(schema.messages).where(sending).values(status=STATUS_CODES[Status.UNKNOWN], updated_at=now))


def let_wait(connection: sa.Connection, message_ids: Collection[UUID], now: datetime, *, owner: UUID) -> Sequence[AnyRow]:
    """Messages that a worker has claimed and whose call was never begun wait again: id, tenant_id, price, currency."""
    if not message_ids:
        return []
    return connection.execute(
        sa.update(schema.messages)
        .where(_m.id.in_(message_ids), plain(_m.status) == STATUS_CODES[Status.SENDING], _m.owner == owner)
        .values(status=STATUS_CODES[Status.QUEUED], owner=None, attempts=_m.attempts - 1, updated_at=now)
        .returning(_m.id, _m.tenant_id, _m.price, _m.currency)
    ).all()


def reclaim(connection: sa.Connection, worker_id: UUID, held: Collection[UUID], now: datetime) -> Sequence[AnyRow]:
    """Messages of this living worker that it does not hold were never started: their claim committed and it was not told.

    They wait again and are given to the caller, whose cycle had been charged for them.
    """
    mine = sa.select(_m.id).where(sa.text("messages.status = 2"), _m.owner == worker_id)
    lost = [row.id for row in connection.execute(mine) if row.id not in held]
    return let_wait(connection, lost, now, owner=worker_id)
