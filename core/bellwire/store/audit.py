"""The audit trail's rows: who did what to which object. Ids and field names only, so that erasing a person leaves it whole.

The seal that chains rows together is put on later, by one sealer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.ids import new_id
from bellwire.store import schema
from bellwire.store.paging import Page, page
from bellwire.store.tenancy import TenantConnection, scope

_a = schema.audit.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the trail. `sealed`: it is in the chain already."""

    id: UUID
    at: datetime
    actor: str
    action: str
    object: str
    details: Mapping[str, Any]
    sealed: bool


def note(
    connection: TenantConnection, actor: str, action: str, object_: str, now: datetime, details: Mapping[str, Any] | None = None
) -> None:
    """Add a line, in the transaction of what it tells. `details`: ids, words and names of fields, nothing personal."""
    connection.insert(
        schema.audit,
        [
            {
                "id": new_id(),
                "at": now,
                "actor": actor,
                "action": action,
                "object": object_,
                "details": dict(details) if details else None,
            }
        ],
    )


def changed(fields: Iterable[str]) -> Mapping[str, Any]:
    """Details that name the fields which changed."""
    return {"fields": sorted(fields)}


def listed(
    connection: TenantConnection,
    *,
    limit: int,
    before: UUID | None = None,
    action: str | None = None,
    actor: str | None = None,
    object_: str | None = None,
    since: datetime | None = None,
) -> Page[Entry]:
    """The trail, newest first."""
    where: list[sa.ColumnElement[bool]] = [
        column == value for column, value in ((_a.action, action), (_a.actor, actor), (_a.object, object_)) if value is not None
    ]
    if since is not None:
        where.append(_a.at >= since)
    statement = sa.select(schema.audit).where(scope(schema.audit), *where)
    return page(connection, statement, _a.id, limit, before, _entry)


def _entry(row: sa.Row[Any]) -> Entry:
    return Entry(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        object=row.object,
        details=row.details or {},
        sealed=row.seq is not None,
    )
