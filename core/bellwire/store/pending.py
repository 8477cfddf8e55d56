"""Statements for events that wait: to be fetched from their platform, or to be decided once more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from bellwire.store import schema
from bellwire.store.many import picked
from bellwire.store.schema import plain
from bellwire.store.types import AnyRow

_e = schema.events.c


def take(
    connection: sa.Connection, now: datetime, again_at: datetime, limit: int, installation_id: UUID | None = None
) -> Sequence[AnyRow]:
    """Take due events: each counts one try and is due again at `again_at`, so that a process that dies with it loses nothing.

    `installation_id`: only those of this one.
    """
    due = sa.select(_e.id).where(sa.text("events.status < 2"), _e.due <= now).order_by(_e.due).limit(limit)
    if installation_id is not None:
        due = due.where(_e.installation_id == installation_id)
    return connection.execute(
        sa.update(schema.events)
        .where(picked(connection, _e.id, due))
        .values(attempts=_e.attempts + 1, due=again_at)
        .returning(*schema.events.c)
    ).all()


_decided = (
    sa.update(schema.events)
    .where(
        _e.id == sa.bindparam("event", type_=_e.id.type),
        plain(_e.status) == schema.EVENT_PENDING,
        _e.attempts == sa.bindparam("attempt"),
    )
    .values(status=schema.EVENT_DECIDED, due=None, error=None, content=sa.bindparam("content"), subject=sa.bindparam("subject"))
)


def decided(connection: sa.Connection, event_id: UUID, attempt: int, content: bytes, subject: str) -> bool:
    """Mark an event as decided and keep what its platform added to it.

    False when another try was begun or ended meanwhile: then nothing may be written.
    """
    values = {"event": event_id, "attempt": attempt, "content": content, "subject": subject}
    return connection.execute(_decided, values).rowcount == 1


def failed(
    connection: sa.Connection, event_id: UUID, attempt: int, due: datetime | None, error: str, *, away: int | None = None
) -> None:
    """Note why a try failed; `due` None: it was the last, the event is a dead letter. `away`: as many of its tries are its
    platform's fault; None: as many as before.
    """
    status = schema.EVENT_PENDING if due is not None else schema.EVENT_DEAD
    connection.execute(
        sa.update(schema.events)
        .where(_e.id == event_id, plain(_e.status) == schema.EVENT_PENDING, _e.attempts == attempt)
        .values(status=status, due=due, error=error[:200], **({} if away is None else {"away": away}))
    )


def revive(connection: sa.Connection, tenant_id: UUID, event_id: UUID, now: datetime) -> bool:
    """Give a dead letter another five tries."""
    changed = connection.execute(
        sa.update(schema.events)
        .where(_e.id == event_id, _e.tenant_id == tenant_id, plain(_e.status) == schema.EVENT_DEAD)
        .values(status=schema.EVENT_PENDING, attempts=0, away=None, due=now, error=None)
    )
    return changed.rowcount == 1


def next_due(connection: sa.Connection) -> datetime | None:
    """When the next waiting event is due."""
    return connection.execute(sa.select(sa.func.min(_e.due)).where(sa.text("events.status < 2"))).scalar()
