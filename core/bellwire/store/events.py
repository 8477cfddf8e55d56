"""What came in, for people to look at: each event with the decisions it led to. The engine stores them; nothing here writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.errors import NotFound
from bellwire.ids import show
from bellwire.store import schema
from bellwire.store.paging import Page, page
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.types import AnyRow
from bellwire.store.vault import Vault

_e, _d = schema.events.c, schema.decisions.c

#: What an event's column holds ↔ the word people see.
STATUS_WORDS = {
    schema.EVENT_PENDING: "pending",
    schema.EVENT_WORKING: "pending",
    schema.EVENT_DECIDED: "decided",
    schema.EVENT_DEAD: "dead",
}
_COLUMNS = (
    _e.id,
    _e.tenant_id,
    _e.installation_id,
    _e.connector,
    _e.type,
    _e.subject,
    _e.status,
    _e.occurred_at,
    _e.received_at,
    _e.attempts,
    _e.error,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event without its content. `decisions`: one entry per considered trigger, as stored: ids, words, field names."""

    id: UUID
    installation_id: UUID | None
    connector: str
    type: str
    subject: str
    status: str
    occurred_at: datetime
    received_at: datetime
    attempts: int
    error: str | None
    decisions: Sequence[Mapping[str, Any]]


def get(connection: TenantConnection, event_id: UUID) -> Event:
    """An event. Raises NotFound."""
    row = connection.execute(_get, {"id": event_id}).one_or_none()
    if row is None:
        raise NotFound("event", show("evt", event_id))
    return _event(row, _decisions(connection, [event_id]))


_get: sa.Select[Any] = sa.select(*_COLUMNS).where(scope(schema.events), _e.id == sa.bindparam("id", type_=_e.id.type))


def row(connection: TenantConnection, event_id: UUID) -> AnyRow:
    """An event's whole row, for what judges it again. Raises NotFound."""
    found = connection.execute(sa.select(schema.events).where(scope(schema.events), _e.id == event_id)).one_or_none()
    if found is None:
        raise NotFound("event", show("evt", event_id))
    return found


def content(connection: TenantConnection, vault: Vault, event_id: UUID) -> dict[str, Any] | None:
    """An event's people and data, opened; None after erasure. Raises NotFound."""
    row = connection.execute(sa.select(_e.content).where(scope(schema.events), _e.id == event_id)).one_or_none()
    if row is None:
        raise NotFound("event", show("evt", event_id))
    opened: dict[str, Any] | None = vault.open_json(row.content, connection.tenant_id, "events.content", event_id)
    return opened


def contents(connection: TenantConnection, vault: Vault, event_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Many events' people and data, opened; erased ones are left out."""
    if not event_ids:
        return {}
    where = (scope(schema.events), _e.id.in_(event_ids), _e.content.is_not(None))
    return {
        row.id: vault.open_json(row.content, connection.tenant_id, "events.content", row.id)
        for row in connection.execute(sa.select(_e.id, _e.content).where(*where))
    }


def listed(
    connection: TenantConnection,
    *,
    limit: int,
    before: UUID | None = None,
    connector: str | None = None,
    type_: str | None = None,
    installation_id: UUID | None = None,
    status: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
) -> Page[Event]:
    """The tenant's events, newest first. `since`: received at or after."""
    wanted: list[tuple[Any, Any]] = [
        (_e.connector, connector),
        (_e.type, type_),
        (_e.installation_id, installation_id),
        (_e.subject, subject),
    ]
    where = [column == value for column, value in wanted if value is not None]
    if status is not None:
        where.append(_e.status.in_([code for code, word in STATUS_WORDS.items() if word == status]))
    if since is not None:
        where.append(_e.received_at >= since)
    statement = sa.select(*_COLUMNS).where(scope(schema.events), *where)
    found = page(connection, statement, _e.id, limit, before, lambda row: row)
    decisions = _decisions(connection, [row.id for row in found.items])
    return Page([_event(row, decisions) for row in found.items], found.next)


def _decisions(connection: TenantConnection, event_ids: Sequence[UUID]) -> dict[UUID, Sequence[Mapping[str, Any]]]:
    if not event_ids:
        return {}
    rows = connection.execute(sa.select(_d.event_id, _d.entries).where(scope(schema.decisions), _d.event_id.in_(event_ids)))
    return {row.event_id: row.entries for row in rows}


def _event(row: sa.Row[Any], decisions: Mapping[UUID, Sequence[Mapping[str, Any]]]) -> Event:
    return Event(
        id=row.id,
        installation_id=row.installation_id,
        connector=row.connector,
        type=row.type,
        subject=row.subject,
        status=STATUS_WORDS[row.status],
        occurred_at=row.occurred_at,
        received_at=row.received_at,
        attempts=row.attempts,
        error=row.error,
        decisions=decisions.get(row.id, ()),
    )
