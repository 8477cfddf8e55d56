"""How a known event stands, found by its subject: for a platform that asks for the same thing again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.model import Status
from bellwire.store import schema
from bellwire.store.schema import STATUS_OF

_e, _d, _m = schema.events.c, schema.decisions.c, schema.messages.c

#: A platform asks again within minutes. No index holds subjects, so that only so many of the tenant's newest events are looked at.
_NEWEST = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An event's decisions as stored (none while it is pending), and its messages' status and end."""

    entries: Sequence[Mapping[str, Any]] = ()
    messages: Mapping[UUID, tuple[Status, datetime]] = field(default_factory=dict)


def by_subject(connection: sa.Connection, tenant_id: UUID, installation_id: UUID, subjects: Sequence[str]) -> dict[str, Known]:
    """The newest event of each subject among the tenant's last ones; a subject that is not there is left out."""
    newest = (
        sa.select(_e.id, _e.installation_id, _e.subject)
        .where(_e.tenant_id == tenant_id)
        .order_by(_e.id.desc())
        .limit(_NEWEST)
        .subquery()
    )
    rows = connection.execute(
        sa.select(newest.c.id, newest.c.subject, _d.entries)
        .select_from(newest.outerjoin(schema.decisions, _d.event_id == newest.c.id))
        .where(newest.c.installation_id == installation_id, newest.c.subject.in_(list(subjects)))
        .order_by(newest.c.id)
    ).all()
    found = {row.subject: row for row in rows}
    messages: dict[UUID, dict[UUID, tuple[Status, datetime]]] = {row.id: {} for row in found.values()}
    if messages:
        texts = sa.select(_m.id, _m.event_id, _m.status, _m.expires_at).where(
            _m.tenant_id == tenant_id, _m.event_id.in_(list(messages))
        )
        for text in connection.execute(texts):
            messages[text.event_id][text.id] = (STATUS_OF[text.status], text.expires_at)
    return {subject: Known(entries=row.entries or (), messages=messages[row.id]) for subject, row in found.items()}
