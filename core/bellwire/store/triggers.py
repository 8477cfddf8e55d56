"""Triggers: which event texts whom, with which template. What decisions read of them stands in `definition`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.errors import FieldInvalid, NotFound
from bellwire.ids import new_id, show
from bellwire.model import Purpose
from bellwire.store import audit, schema, templates, tenants
from bellwire.store.paging import Page, page
from bellwire.store.tenancy import TenantConnection, scope

_t = schema.triggers.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A trigger as somebody wrote it, checked by the domain. `definition` as `domain.decide` reads it."""

    name: str
    connector: str
    installation_id: UUID | None
    event: str
    definition: Mapping[str, Any]
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger(Draft):
    """A stored trigger. `active_from`: events reported before it are not for this trigger."""

    id: UUID
    active_from: datetime | None
    created_at: datetime
    updated_at: datetime


def create(connection: TenantConnection, draft: Draft, *, actor: str, now: datetime) -> Trigger:
    """Store a new trigger; switched on (or to shadow), it counts from now. Raises FieldInvalid for what it points to in vain."""
    _check(connection, draft)
    trigger_id = new_id()
    connection.insert(
        schema.triggers,
        [
            {
                "id": trigger_id,
                "active_from": None if draft.state == "off" else now,
                "created_at": now,
                "updated_at": now,
                **_values(draft),
            }
        ],
    )
    tenants.bump(connection)
    audit.note(connection, actor, "trigger.created", show("trg", trigger_id), now, {"state": draft.state})
    return get(connection, trigger_id)


def replace(connection: TenantConnection, trigger_id: UUID, draft: Draft, *, actor: str, now: datetime) -> Trigger:
    """Put another draft in a trigger's place. Switching on starts from now, never from the backlog.

    Raises NotFound, FieldInvalid.
    """
    tenants.hold(connection)
    before = get(connection, trigger_id)
    _check(connection, draft)
    values = {**_values(draft), "updated_at": now}
    if draft.state == "off":
        values["active_from"] = None
    elif before.state != draft.state:
        values["active_from"] = now
    connection.execute(sa.update(schema.triggers).where(scope(schema.triggers), _t.id == trigger_id).values(**values))
    tenants.bump(connection)
    names = [
        name for name in ("name", "connector", "installation_id", "event", "state") if getattr(before, name) != getattr(draft, name)
    ]
    names += [key for key in {*before.definition, *draft.definition} if before.definition.get(key) != draft.definition.get(key)]
    details = {**audit.changed(names), **({"state": draft.state} if before.state != draft.state else {})}
    audit.note(connection, actor, "trigger.changed", show("trg", trigger_id), now, details)
    return get(connection, trigger_id)


def delete(connection: TenantConnection, trigger_id: UUID, *, actor: str, now: datetime) -> None:
    """Take a trigger away; what it made stays. Raises NotFound."""
    get(connection, trigger_id)
    connection.execute(sa.delete(schema.triggers).where(scope(schema.triggers), _t.id == trigger_id))
    tenants.bump(connection)
    audit.note(connection, actor, "trigger.deleted", show("trg", trigger_id), now)


def get(connection: TenantConnection, trigger_id: UUID) -> Trigger:
    """A trigger. Raises NotFound."""
    row = connection.execute(sa.select(schema.triggers).where(scope(schema.triggers), _t.id == trigger_id)).one_or_none()
    if row is None:
        raise NotFound("trigger", show("trg", trigger_id))
    return _trigger(row)


def listed(
    connection: TenantConnection,
    *,
    limit: int,
    before: UUID | None = None,
    connector: str | None = None,
    event: str | None = None,
    state: str | None = None,
) -> Page[Trigger]:
    """The tenant's triggers, newest first."""
    wanted = ((_t.connector, connector), (_t.event, event), (_t.state, state))
    where = [column == value for column, value in wanted if value is not None]
    return page(connection, sa.select(schema.triggers).where(scope(schema.triggers), *where), _t.id, limit, before, _trigger)


def names(connection: TenantConnection) -> dict[UUID, str]:
    """Each trigger's name, for what shows them."""
    rows = connection.execute(sa.select(_t.id, _t.name).where(scope(schema.triggers)))
    return {row.id: row.name for row in rows}


def _check(connection: TenantConnection, draft: Draft) -> None:
    """What a draft points to must be there. Raises FieldInvalid."""
    name = str(draft.definition.get("template", ""))
    if not templates.exists(connection, name):
        raise FieldInvalid("template", f"there is no template {name}; make it first", "unknown_template")
    purpose = templates.get(connection, name).purpose
    if purpose is Purpose.MARKETING and draft.definition.get("purpose") != Purpose.MARKETING:
        raise FieldInvalid("purpose", f"the template {name} is for marketing: so must the trigger be", "purpose_mismatch")
    if draft.installation_id is None:
        return
    i = schema.installations.c
    found = connection.execute(
        sa.select(i.connector).where(scope(schema.installations), i.id == draft.installation_id, i.status != "removed")
    ).scalar_one_or_none()
    if found is None:
        raise FieldInvalid("installation", "there is no such installation", "unknown_installation")
    if found != draft.connector:
        raise FieldInvalid("installation", f"is one of {found}, not of {draft.connector}", "unknown_installation")


def _values(draft: Draft) -> dict[str, Any]:
    return {
        "name": draft.name,
        "connector": draft.connector,
        "installation_id": draft.installation_id,
        "event": draft.event,
        "definition": dict(draft.definition),
        "state": draft.state,
    }


def _trigger(row: sa.Row[Any]) -> Trigger:
    return Trigger(
        id=row.id,
        name=row.name,
        connector=row.connector,
        installation_id=row.installation_id,
        event=row.event,
        definition=row.definition,
        state=row.state,
        active_from=row.active_from,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
