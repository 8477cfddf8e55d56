"""Templates: a name, a purpose, numbered versions. At most one version is approved; only that one is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.errors import Conflict, NotAllowed, NotFound
from bellwire.ids import new_id, show
from bellwire.model import Purpose
from bellwire.store import audit, keys, schema, tenants
from bellwire.store.paging import Page, page
from bellwire.store.tenancy import TenantConnection, scope

_t, _v = schema.templates.c, schema.template_versions.c


class VersionState(StrEnum):
    """Where a version stands."""

    DRAFT = "draft"
    APPROVED = "approved"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One numbered text, in its locales. `author`, `approver`: actors, `key_…` or `cli`."""

    number: int
    state: VersionState
    bodies: Mapping[str, str]
    author: str
    approver: str | None
    created_at: datetime
    approved_at: datetime | None
    retired_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template with its versions, newest first."""

    id: UUID
    name: str
    purpose: Purpose
    options: Mapping[str, Any]
    created_at: datetime
    versions: Sequence[Version]

    @property
    def approved(self) -> Version | None:
        """The version that is sent."""
        return next((version for version in self.versions if version.state is VersionState.APPROVED), None)


def create(
    connection: TenantConnection,
    *,
    name: str,
    purpose: Purpose,
    bodies: Mapping[str, str],
    options: Mapping[str, Any],
    actor: str,
    now: datetime,
) -> Template:
    """A new template, its first version a draft; a name that was deleted goes on where its numbers ended. Raises Conflict."""
    tenants.hold(connection)
    row = _row(connection, name)
    if row is not None and row.deleted_at is None:
        raise Conflict("already_exists", f"there is a template {name}; add a version to it, or change it")
    if row is None:
        template_id = new_id()
        made = {"id": template_id, "name": name, "purpose": str(purpose), "options": dict(options), "created_at": now}
        connection.insert(schema.templates, [made])
    else:
        template_id = row.id
        connection.execute(
            sa.update(schema.templates)
            .where(scope(schema.templates), _t.id == template_id)
            .values(purpose=str(purpose), options=dict(options), deleted_at=None)
        )
    number = _add(connection, template_id, bodies, actor, now)
    tenants.bump(connection)
    audit.note(connection, actor, "template.created", f"template/{template_id.hex}", now, {"version": number})
    return get(connection, name)


def add_version(connection: TenantConnection, name: str, bodies: Mapping[str, str], *, actor: str, now: datetime) -> Version:
    """Another draft. Raises NotFound."""
    tenants.hold(connection)
    template = get(connection, name)
    number = _add(connection, template.id, bodies, actor, now)
    tenants.bump(connection)
    audit.note(connection, actor, "template.version_created", _object(template), now, {"version": number})
    return version(get(connection, name), number)


def change(
    connection: TenantConnection,
    name: str,
    *,
    options: Mapping[str, Any] | None = None,
    purpose: Purpose | None = None,
    actor: str,
    now: datetime,
) -> Template:
    """Change what holds for all versions; `options` are merged, null takes one out. Raises NotFound, Conflict."""
    tenants.hold(connection)
    template = get(connection, name)
    values: dict[str, Any] = {}
    if purpose is not None and purpose is not template.purpose:
        if template.approved is not None:
            raise Conflict(
                "template_approved", f"version {template.approved.number} is approved for {template.purpose}; retire it first"
            )
        values["purpose"] = str(purpose)
    if options is not None:
        merged = {**template.options, **options}
        values["options"] = {key: value for key, value in merged.items() if value is not None}
    if values:
        connection.execute(sa.update(schema.templates).where(scope(schema.templates), _t.id == template.id).values(**values))
        tenants.bump(connection)
    names = [*(["purpose"] if "purpose" in values else []), *(f"options.{key}" for key in options or ())]
    audit.note(connection, actor, "template.changed", _object(template), now, audit.changed(names))
    return get(connection, name)


def approve(connection: TenantConnection, name: str, number: int, *, actor: str, now: datetime) -> Version:
    """Make a version the one that is sent; the one before it is retired. Approving again changes nothing.

    Raises NotFound, and NotAllowed when the author approves although somebody else could.
    """
    tenants.hold(connection)
    template = get(connection, name)
    found = version(template, number)
    if found.state is VersionState.APPROVED:
        return found
    if found.author == actor and len(keys.approvers(connection, now)) > 1:
        raise NotAllowed("four_eyes", "another key must approve what this one wrote")
    if template.approved is not None:
        _set(connection, template.id, template.approved.number, state=str(VersionState.RETIRED), retired_at=now)
    _set(connection, template.id, number, state=str(VersionState.APPROVED), approver=actor, approved_at=now, retired_at=None)
    tenants.bump(connection)
    audit.note(connection, actor, "template.approved", _object(template), now, {"version": number})
    return version(get(connection, name), number)


def retire(connection: TenantConnection, name: str, number: int, *, actor: str, now: datetime) -> Version:
    """Take a version out of use. Retiring again changes nothing. Raises NotFound."""
    tenants.hold(connection)
    template = get(connection, name)
    found = version(template, number)
    if found.state is VersionState.RETIRED:
        return found
    _set(connection, template.id, number, state=str(VersionState.RETIRED), retired_at=now)
    tenants.bump(connection)
    audit.note(connection, actor, "template.retired", _object(template), now, {"version": number})
    return version(get(connection, name), number)


def delete(connection: TenantConnection, name: str, *, actor: str, now: datetime) -> None:
    """Take a template away; its versions stay for the messages that name them. Raises NotFound, and Conflict while a trigger
    that is not off uses it.
    """
    tenants.hold(connection)
    template = get(connection, name)
    used = [
        row.id
        for row in connection.execute(
            sa.select(schema.triggers.c.id, schema.triggers.c.definition).where(
                scope(schema.triggers), schema.triggers.c.state != "off"
            )
        )
        if row.definition.get("template") == name
    ]
    if used:
        raise Conflict(
            "template_in_use", f"{len(used)} trigger(s) use it, {show('trg', used[0])} among them; switch them off first"
        )
    connection.execute(sa.update(schema.templates).where(scope(schema.templates), _t.id == template.id).values(deleted_at=now))
    connection.execute(
        sa.update(schema.template_versions)
        .where(scope(schema.template_versions), _v.template_id == template.id, _v.state != str(VersionState.RETIRED))
        .values(state=str(VersionState.RETIRED), retired_at=now)
    )
    tenants.bump(connection)
    audit.note(connection, actor, "template.deleted", _object(template), now)


def get(connection: TenantConnection, name: str) -> Template:
    """A template by name. Raises NotFound."""
    row = _row(connection, name)
    if row is None or row.deleted_at is not None:
        raise NotFound("template", name)
    return _template(row, _versions(connection, [row.id]).get(row.id, []))


def exists(connection: TenantConnection, name: str) -> bool:
    """Whether there is a template of this name."""
    row = _row(connection, name)
    return row is not None and row.deleted_at is None


def version(template: Template, number: int) -> Version:
    """A template's version. Raises NotFound."""
    for found in template.versions:
        if found.number == number:
            return found
    raise NotFound(f"template {template.name} version", str(number))


def listed(
    connection: TenantConnection, *, limit: int, before: UUID | None = None, purpose: Purpose | None = None
) -> Page[Template]:
    """The tenant's templates, newest first."""
    statement = sa.select(schema.templates).where(scope(schema.templates), _t.deleted_at.is_(None))
    if purpose is not None:
        statement = statement.where(_t.purpose == str(purpose))
    found = page(connection, statement, _t.id, limit, before, lambda row: row)
    versions = _versions(connection, [row.id for row in found.items])
    return Page([_template(row, versions.get(row.id, [])) for row in found.items], found.next)


def _row(connection: TenantConnection, name: str) -> sa.Row[Any] | None:
    return connection.execute(sa.select(schema.templates).where(scope(schema.templates), _t.name == name)).one_or_none()


def _add(connection: TenantConnection, template_id: UUID, bodies: Mapping[str, str], actor: str, now: datetime) -> int:
    last = connection.execute(
        sa.select(sa.func.max(_v.number)).where(scope(schema.template_versions), _v.template_id == template_id)
    ).scalar()
    number = int(last or 0) + 1
    row = {
        "template_id": template_id,
        "number": number,
        "state": str(VersionState.DRAFT),
        "bodies": dict(bodies),
        "author": actor,
        "created_at": now,
    }
    connection.insert(schema.template_versions, [row])
    return number


def _set(connection: TenantConnection, template_id: UUID, number: int, **values: Any) -> None:
    connection.execute(
        sa.update(schema.template_versions)
        .where(scope(schema.template_versions), _v.template_id == template_id, _v.number == number)
        .values(**values)
    )


def _versions(connection: TenantConnection, template_ids: Sequence[UUID]) -> dict[UUID, list[Version]]:
    found: dict[UUID, list[Version]] = {}
    if not template_ids:
        return found
    statement = (
        sa.select(schema.template_versions)
        .where(scope(schema.template_versions), _v.template_id.in_(template_ids))
        .order_by(_v.number.desc())
    )
    for row in connection.execute(statement):
        found.setdefault(row.template_id, []).append(
            Version(
                number=row.number,
                state=VersionState(row.state),
                bodies=row.bodies,
                author=row.author,
                approver=row.approver,
                created_at=row.created_at,
                approved_at=row.approved_at,
                retired_at=row.retired_at,
            )
        )
    return found


def _template(row: sa.Row[Any], versions: Sequence[Version]) -> Template:
    return Template(
        id=row.id, name=row.name, purpose=Purpose(row.purpose), options=row.options, created_at=row.created_at, versions=versions
    )


def _object(template: Template) -> str:
    # the name is the tenant's own word and may hold anything: the trail has the id
    return f"template/{template.id.hex}"
