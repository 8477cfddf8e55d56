"""Statements that write-backs and callbacks share: whose jobs wait, how jobs end, and what becomes of those whose worker died.

A job is queued, or in the hands of one worker, or done, or failed for good. Nothing here waits for a lease: who is gone has no
row among the workers, so that clocks may jump.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.store import schema
from bellwire.store.many import picked
from bellwire.store.schema import JOB_FAILED, JOB_QUEUED, JOB_WORKING, plain
from bellwire.store.types import AnyRow, Id, Instant

_ERROR_MAX = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One kind of jobs. `key`: the column that names whom the calls go to, a row of `target`."""

    table: sa.Table
    key: str
    target: sa.Table
    stamp: str  # the target's column whose change says that a person may have mended it
    detail: str  # the target's column that says what is wrong with it


@dataclass(frozen=True, slots=True)
class Waiting:
    """One system for which jobs wait. `status` None: it is gone."""

    key: UUID
    due: datetime
    tenant_id: UUID | None
    status: str | None
    stamp: object
    detail: object


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How one job ended, for now: `status` queued means again at `due`."""

    id: UUID
    status: int
    attempts: int
    due: datetime
    error: str = ""


def waiting(connection: sa.Connection, queue: Queue) -> list[Waiting]:
    """For whom jobs wait, and when each one's first is due: an index probe each, however much waits."""
    return [Waiting(*row) for row in connection.execute(_waiting(queue))]


_WAITING: dict[str, sa.TextualSelect] = {}


def _waiting(queue: Queue) -> sa.TextualSelect:
    """A loose index scan: from one key to the next. Made once."""
    made = _WAITING.get(queue.table.name)
    if made is None:
        jobs, key, target = queue.table.name, queue.key, queue.target.name
        text = f"""
            WITH RECURSIVE keys(k) AS (
                SELECT (SELECT {key} FROM {jobs} WHERE status = 0 ORDER BY {key} LIMIT 1)
                UNION ALL
                SELECT (SELECT {key} FROM {jobs} WHERE status = 0 AND {key} > keys.k ORDER BY {key} LIMIT 1)
                FROM keys WHERE keys.k IS NOT NULL
            )
            SELECT keys.k AS target_key,
                (SELECT due FROM {jobs} WHERE status = 0 AND {key} = keys.k ORDER BY due LIMIT 1) AS due,
                {target}.tenant_id, {target}.status, {target}.{queue.stamp} AS stamp, {target}.{queue.detail} AS detail
            FROM keys LEFT JOIN {target} ON {target}.id = keys.k WHERE keys.k IS NOT NULL
        """  # noqa: S608  # names of our own tables and columns
        made = sa.text(text).columns(
            sa.column("target_key", Id),
            sa.column("due", Instant),
            sa.column("tenant_id", Id),
            sa.column("status", sa.Text),
            sa.column("stamp", queue.target.c[queue.stamp].type),
            sa.column("detail", queue.target.c[queue.detail].type),
        )
        _WAITING[queue.table.name] = made
    return made


def take(connection: sa.Connection, table: sa.Table, ids: Collection[UUID], owner: UUID) -> None:
    """Put jobs into a worker's hands."""
    connection.execute(sa.update(table).where(table.c.id.in_(ids)).values(status=JOB_WORKING, owner=owner))


def put_off(connection: sa.Connection, table: sa.Table, until: Sequence[tuple[UUID, datetime]]) -> None:
    """Let queued jobs be due later, so that they are not looked at again before."""
    if until:
        statement = (
            sa.update(table)
            .where(table.c.id == sa.bindparam("b_id", type_=Id), plain(table.c.status) == JOB_QUEUED)
            .values(due=sa.bindparam("b_due", type_=Instant))
        )
        connection.execute(statement, [{"b_id": job_id, "b_due": due} for job_id, due in until])


def finish(connection: sa.Connection, table: sa.Table, ends: Sequence[tuple[UUID, End]], now: datetime) -> int:
    """Write down how jobs of an owner ended; how many were still that owner's."""
    if not ends:
        return 0
    values: dict[str, Any] = {
        "status": sa.bindparam("b_status"),
        "attempts": sa.bindparam("b_attempts"),
        "due": sa.bindparam("b_due", type_=Instant),
        "error": sa.bindparam("b_error"),
        "owner": None,
    }
    if "updated_at" in table.c:
        values["updated_at"] = sa.bindparam("b_now", type_=Instant)
    statement = (
        sa.update(table)
        .where(
            table.c.id == sa.bindparam("b_id", type_=Id),
            table.c.owner == sa.bindparam("b_owner", type_=Id),
            plain(table.c.status) == JOB_WORKING,
        )
        .values(**values)
    )
    rows = [
        {
            "b_id": end.id,
            "b_owner": owner,
            "b_status": end.status,
            "b_attempts": end.attempts,
            "b_due": end.due,
            "b_error": end.error[:_ERROR_MAX] or None,
            "b_now": now,
        }
        for owner, end in ends
    ]
    return connection.execute(statement, rows).rowcount


def give_back(connection: sa.Connection, table: sa.Table, owner: UUID, *, held: Collection[UUID]) -> int:
    """Queue again what a worker has taken and does not hold: it was never begun, or a commit's end was not known."""
    mine = sa.select(table.c.id).where(sa.text(f"{table.name}.status = 1"), table.c.owner == owner)
    lost = [row.id for row in connection.execute(mine) if row.id not in held]
    if lost:
        connection.execute(sa.update(table).where(table.c.id.in_(lost)).values(status=JOB_QUEUED, owner=None))
    return len(lost)


def orphans(connection: sa.Connection, table: sa.Table) -> int:
    """Queue again what is in the hands of workers that have no row any more: calls out are idempotent."""
    statement = (
        sa.update(table)
        .where(sa.text(f"{table.name}.status = 1"), table.c.owner.not_in(sa.select(schema.workers.c.id)))
        .values(status=JOB_QUEUED, owner=None)
    )
    return connection.execute(statement).rowcount


def fail_waiting(connection: sa.Connection, queue: Queue, key: UUID, why: str, now: datetime, limit: int = 500) -> int:
    """Fail what waits for a system that gets nothing any more, at most so many at a time."""
    table = queue.table
    some = sa.select(table.c.id).where(sa.text(f"{table.name}.status = 0"), table.c[queue.key] == key).limit(limit)
    values: dict[str, Any] = {"status": JOB_FAILED, "error": why, "owner": None}
    if "updated_at" in table.c:
        values["updated_at"] = now
    return connection.execute(
        sa.update(table).where(picked(connection, table.c.id, some), plain(table.c.status) == JOB_QUEUED).values(**values)
    ).rowcount


def lock(connection: sa.Connection, queue: Queue, key: UUID) -> AnyRow | None:
    """Lock and read the system's row so that one process at a time takes its jobs; None: another one does now, or it is gone."""
    statement = sa.select(queue.target).where(queue.target.c.id == key)
    if connection.dialect.name == "postgresql":
        statement = statement.with_for_update(skip_locked=True)
    return connection.execute(statement).one_or_none()
