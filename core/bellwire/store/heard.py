"""Statements for replies: segments that wait for each other, what a reply answers, and when a keyword was last answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.consent import CONFIRMATION
from bellwire.errors import NotFound
from bellwire.ids import show
from bellwire.model import Status
from bellwire.store import schema
from bellwire.store.schema import STATUS_CODES
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.types import AnyRow

RECEIVED, TAKEN, REVIEW, PART = "received", "taken", "review", "part"
WAITING, TOOK, DEAD = "waiting", "taken", "dead"  # `passed`: what became of handing it to a platform
_ERROR_MAX = 300
LOOKED_AT = 50  # a person's newest messages: the one that was answered is among them

_r, _m = schema.replies.c, schema.messages.c
_went_out = _m.status.not_in(
    [STATUS_CODES[one] for one in (Status.SCHEDULED, Status.QUEUED, Status.CANCELED, Status.REFUSED)]  # no handset saw these
)


def insert(connection: sa.Connection, row: Mapping[str, Any]) -> None:
    """Store a reply, or one segment of it."""
    connection.execute(sa.insert(schema.replies), row)


def segments(connection: sa.Connection, account_id: UUID, contact_id: UUID, part_ref: str) -> Sequence[AnyRow]:
    """The segments of one reply that are here, in order. Ask under the contact's lock: two at once must see each other."""
    statement = (
        sa.select(schema.replies)
        .where(
            sa.text("replies.status = 'part'"), _r.account_id == account_id, _r.part_ref == part_ref, _r.contact_id == contact_id
        )
        .order_by(_r.part, _r.id)
    )
    return connection.execute(statement).all()


def waiting_segments(connection: sa.Connection, before: datetime, limit: int) -> Sequence[AnyRow]:
    """Lock and read segments that came before then and still wait for others."""
    statement = (
        sa.select(schema.replies)
        .where(sa.text("replies.status = 'part'"), _r.received_at <= before)
        .order_by(_r.received_at, _r.id)
        .limit(limit)
    )
    if connection.dialect.name == "postgresql":
        statement = statement.with_for_update(skip_locked=True)
    return connection.execute(statement).all()


def any_segment(connection: sa.Connection, before: datetime) -> bool:
    """Whether a segment that came before then still waits (an index probe)."""
    statement = sa.select(_r.id).where(sa.text("replies.status = 'part'"), _r.received_at <= before).limit(1)
    return connection.execute(statement).first() is not None


def remove(connection: sa.Connection, ids: Sequence[UUID]) -> None:
    """Take segments away once they are joined."""
    connection.execute(sa.delete(schema.replies).where(_r.id.in_(ids)))


def newest_messages(connection: sa.Connection, contact_id: UUID) -> Sequence[AnyRow]:
    """What went out to a person, newest first; our answers to keywords aside."""
    statement = (
        sa.select(
            _m.id,
            _m.account_id,
            _m.sender_id,
            _m.purpose,
            _m.locale,
            _m.template,
            _m.options,
            _m.installation_id,
            _m.subject,
            _m.customer_ref,
            _m.event_id,
            _m.reference,
            _m.created_at,
        )
        .where(_m.contact_id == contact_id, _went_out, _m.basis != CONFIRMATION)
        .order_by(_m.id.desc())
        .limit(LOOKED_AT)
    )
    return connection.execute(statement).all()


def passed(connection: sa.Connection, reply_id: UUID, state: str | None, to: UUID | None, error: str = "") -> None:
    """Say who has the reply now, or that nobody took it."""
    connection.execute(
        sa.update(schema.replies).where(_r.id == reply_id).values(passed=state, passed_to=to, error=error[:_ERROR_MAX] or None)
    )


def settled(connection: sa.Connection, reply_id: UUID, by: UUID, state: str, error: str = "") -> bool:
    """The platform that had the reply has ended with it; False when it had it no more."""
    changed = connection.execute(
        sa.update(schema.replies)
        .where(_r.id == reply_id, _r.passed == WAITING, _r.passed_to == by)
        .values(passed=state, error=error[:_ERROR_MAX] or None)
    )
    return changed.rowcount == 1


def lock_reply(connection: TenantConnection, reply_id: UUID) -> AnyRow:
    """Lock and read a whole reply of the tenant. Raises NotFound."""
    statement = sa.select(schema.replies).where(scope(schema.replies), _r.id == reply_id, _r.status != PART)
    if connection.bare.dialect.name == "postgresql":
        statement = statement.with_for_update()
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise NotFound("reply", show("rpl", reply_id))
    return row


def waiting_jobs(connection: sa.Connection, installation_id: UUID, limit: int) -> Sequence[AnyRow]:
    """Replies that wait for a platform which gets nothing any more."""
    w = schema.write_backs
    statement = (
        sa.select(w)
        .where(sa.text("write_backs.status = 0"), w.c.installation_id == installation_id, w.c.kind == "reply")
        .order_by(w.c.due, w.c.id)
        .limit(limit)
    )
    return connection.execute(statement).all()


def last_answer(connection: sa.Connection, contact_id: UUID, kind: str, since: datetime) -> datetime | None:
    """When a keyword of this kind was last answered, not further back than `since`."""
    statement = (
        sa.select(_m.created_at, _m.options)
        .where(_m.contact_id == contact_id, _m.basis == CONFIRMATION, _m.created_at > since)
        .order_by(_m.created_at.desc())
    )
    return next((row.created_at for row in connection.execute(statement) if (row.options or {}).get("answers") == kind), None)
