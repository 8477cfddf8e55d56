"""Statements for replies that answer a question: what was asked, what was answered already."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from bellwire.store import schema
from bellwire.store.types import AnyRow

_e, _r = schema.events.c, schema.replies.c
_families = sa.or_(_e.type.startswith("timecard."), _e.type.startswith("shift."), _e.type.startswith("task."))


def events(connection: sa.Connection, ids: Sequence[UUID]) -> Sequence[AnyRow]:
    """Of these events those that may ask something, with what they hold."""
    statement = sa.select(_e.id, _e.tenant_id, _e.type, _e.subject, _e.occurred_at, _e.content)
    return connection.execute(statement.where(_e.id.in_(ids), _families, _e.content.is_not(None))).all()


def answered(connection: sa.Connection, contact_id: UUID, message_ids: Sequence[UUID]) -> frozenset[UUID]:
    """Of these texts to a person those whose question was answered. Ask under the contact's lock."""
    statement = sa.select(_r.message_id).where(_r.contact_id == contact_id, _r.answer.is_not(None))
    return frozenset(row.message_id for row in connection.execute(statement.where(_r.message_id.in_(message_ids))))


def keep(connection: sa.Connection, reply_id: UUID, message_id: UUID, answer: str, answers: str) -> None:
    """Note with a reply what it answers."""
    connection.execute(
        sa.update(schema.replies).where(_r.id == reply_id).values(message_id=message_id, answer=answer, answers=answers)
    )
