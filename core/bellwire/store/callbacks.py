"""Statements for callbacks: jobs of an endpoint, and an endpoint that fails for long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from bellwire.errors import Conflict, NotFound
from bellwire.ids import show
from bellwire.store import audit, outbox, schema, tenants
from bellwire.store.outbox import Queue
from bellwire.store.paging import Page, page
from bellwire.store.schema import JOB_DONE, JOB_FAILED, JOB_QUEUED
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.types import AnyRow

QUEUE = Queue(table=schema.callbacks, key="endpoint_id", target=schema.callback_endpoints, stamp="url", detail="failing_since")
DISABLED = "the callback is disabled"

_c, _e = schema.callbacks.c, schema.callback_endpoints.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One callback as its owner sees it. `error`: why the last try failed."""

    id: UUID
    type: str
    status: str  # queued | done | failed
    attempts: int
    due: datetime | None
    error: str
    created_at: datetime


def claim(
    connection: sa.Connection, endpoint_id: UUID, owner: UUID, now: datetime, room: int
) -> tuple[AnyRow | None, Sequence[AnyRow]]:
    """Take up to `room` due callbacks of an endpoint, oldest first; with the endpoint's row."""
    endpoint = outbox.lock(connection, QUEUE, endpoint_id)
    if endpoint is None or endpoint.status != "active":
        return endpoint, []
    rows = connection.execute(
        sa.select(schema.callbacks)
        .where(_c.endpoint_id == endpoint_id, sa.text("callbacks.status = 0"), _c.due <= now)
        .order_by(_c.due, _c.id)
        .limit(room)
    ).all()
    if rows:
        outbox.take(connection, schema.callbacks, [row.id for row in rows], owner)
    return endpoint, rows


def answered(connection: sa.Connection, endpoint_id: UUID) -> None:
    """It took something: whatever failed before is forgotten."""
    connection.execute(
        sa.update(schema.callback_endpoints).where(_e.id == endpoint_id, _e.failing_since.is_not(None)).values(failing_since=None)
    )


def failed(connection: sa.Connection, endpoint_id: UUID, now: datetime) -> datetime | None:
    """It took nothing; since when that is so."""
    return connection.execute(
        sa.update(schema.callback_endpoints)
        .where(_e.id == endpoint_id)
        .values(failing_since=sa.func.coalesce(_e.failing_since, sa.bindparam("b_now", now, type_=_e.failing_since.type)))
        .returning(_e.failing_since)
    ).scalar_one_or_none()


def disable(connection: sa.Connection, tenant_id: UUID, endpoint_id: UUID, why: str, now: datetime) -> bool:
    """Switch an endpoint off and tell its owner in the audit trail; False when it was off already."""
    changed = connection.execute(
        sa.update(schema.callback_endpoints)
        .where(_e.id == endpoint_id, _e.tenant_id == tenant_id, _e.status == "active")
        .values(status="disabled")
    )
    if changed.rowcount != 1:
        return False
    scoped = TenantConnection(connection, tenant_id)
    tenants.bump(scoped)
    audit.note(scoped, "worker", "callback.disabled", show("cbk", endpoint_id), now, {"reason": why})
    return True


# -- for the owner --------------------------------------------------------------------------------------------------


def listed(
    connection: TenantConnection, endpoint_id: UUID, *, limit: int, before: UUID | None = None, only_failed: bool = False
) -> Page[Sent]:
    """What was or will be sent to an endpoint, newest first."""
    statement = sa.select(schema.callbacks).where(scope(schema.callbacks), _c.endpoint_id == endpoint_id)
    if only_failed:
        statement = statement.where(_c.status == JOB_FAILED)
    return page(connection, statement, _c.id, limit, before, _sent)


def redeliver(connection: TenantConnection, endpoint_id: UUID, callback_id: UUID, *, actor: str, now: datetime) -> Sent:
    """Send one callback again, under the same id. Raises NotFound; Conflict while it waits or is under way."""
    where = (scope(schema.callbacks), _c.id == callback_id, _c.endpoint_id == endpoint_id)
    row = connection.execute(sa.select(schema.callbacks).where(*where)).one_or_none()
    if row is None:
        raise NotFound("callback", show("cev", callback_id))
    if row.status not in (JOB_DONE, JOB_FAILED):
        raise Conflict("callback_waiting", f"{show('cev', callback_id)} waits to be sent already")
    connection.execute(
        sa.update(schema.callbacks).where(*where).values(status=JOB_QUEUED, attempts=0, due=now, error=None, owner=None)
    )
    audit.note(connection, actor, "callback.redelivered", show("cbk", endpoint_id), now, {"event": show("cev", callback_id)})
    return _sent(connection.execute(sa.select(schema.callbacks).where(*where)).one())


def _sent(row: AnyRow) -> Sent:
    status = {JOB_DONE: "done", JOB_FAILED: "failed"}.get(row.status, "queued")
    return Sent(
        id=row.id,
        type=row.type,
        status=status,
        attempts=row.attempts,
        due=row.due if status == "queued" else None,
        error=row.error or "",
        created_at=row.created_at,
    )
