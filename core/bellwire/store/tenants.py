"""Tenants: made by the command line, their settings, and the version that grows with each change of what decisions read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.country_codes import country_code
from bellwire.domain.home_zones import check_zone, home_zone
from bellwire.errors import FieldInvalid, NotFound
from bellwire.ids import new_id, show
from bellwire.store import audit, schema
from bellwire.store.tenancy import TENANT, TenantConnection
from bellwire.store.types import AnyRow
from bellwire.store.vault import BlindIndex, Vault

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)

_t = schema.tenants.c
_me = _t.id == sa.bindparam(TENANT, type_=_t.id.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One tenant. `settings`: what decisions read of it beyond the columns."""

    id: UUID
    slug: str
    name: str
    country: str
    locale: str
    timezone: str
    settings: Mapping[str, Any]
    created_at: datetime


def create(
    connection: sa.Connection,
    vault: Vault,
    *,
    slug: str,
    country: str,
    now: datetime,
    name: str = "",
    locale: str = "en",
    timezone: str = "",
    actor: str = "cli",
) -> Tenant:
    """Make a tenant. Raises FieldInvalid, also for a slug that is taken. `timezone` "": the country's own."""
    if not _SLUG.fullmatch(slug):
        raise FieldInvalid("slug", "must be lower-case letters, digits and hyphens, at most 63", "pattern")
    country = country_code(country, "country")
    zone = check_zone(timezone) if timezone else home_zone(country)
    if connection.execute(sa.select(_t.id).where(_t.slug == slug)).first() is not None:
        raise FieldInvalid("slug", "is taken", "taken")
    tenant = Tenant(
        id=new_id(), slug=slug, name=name or slug, country=country, locale=locale, timezone=zone, settings={}, created_at=now
    )
    connection.execute(
        sa.insert(schema.tenants),
        {
            "id": tenant.id,
            "slug": slug,
            "name": tenant.name,
            "country": country,
            "locale": locale,
            "timezone": zone,
            "settings": {},
            "config_version": 1,
            "index_key": vault.new_index_key(tenant.id),
            "created_at": now,
        },
    )
    audit.note(TenantConnection(connection, tenant.id), actor, "tenant.created", show("ten", tenant.id), now)
    return tenant


def get(connection: TenantConnection) -> Tenant:
    """The connection's own tenant. Raises NotFound."""
    row = connection.execute(sa.select(schema.tenants).where(_me)).one_or_none()
    if row is None:
        raise NotFound("tenant", show("ten", connection.tenant_id))
    return _tenant(row)


def listed(connection: sa.Connection) -> list[Tenant]:
    """Everybody's tenants, in order of creation (command line)."""
    return [_tenant(row) for row in connection.execute(sa.select(schema.tenants).order_by(_t.id))]


def _tenant(row: AnyRow) -> Tenant:
    return Tenant(
        id=row.id,
        slug=row.slug,
        name=row.name,
        country=row.country,
        locale=row.locale,
        timezone=row.timezone,
        settings=row.settings,
        created_at=row.created_at,
    )


def by_slug(connection: sa.Connection, slug: str) -> UUID:
    """A tenant's id (command line). Raises NotFound."""
    found = connection.execute(sa.select(_t.id).where(_t.slug == slug)).scalar_one_or_none()
    if found is None:
        raise NotFound("tenant", slug)
    return found  # type: ignore[no-any-return]  # the column's type


def change(connection: TenantConnection, changes: Mapping[str, Any], *, actor: str, now: datetime) -> Tenant:
    """Change columns and settings. Keys: name, country, locale, timezone, settings (merged; null takes one out)."""
    hold(connection)
    tenant = get(connection)
    values = dict(changes)
    if "settings" in values:
        merged = {**tenant.settings, **values["settings"]}
        values["settings"] = {name: value for name, value in merged.items() if value is not None}
    if "timezone" in values:
        check_zone(values["timezone"])
    if "country" in values:
        values["country"] = country_code(values["country"], "country")
    if values:
        connection.execute(sa.update(schema.tenants).where(_me).values(**values))
        bump(connection)
    names = [*(name for name in changes if name != "settings"), *(f"settings.{name}" for name in changes.get("settings", ()))]
    audit.note(connection, actor, "tenant.changed", show("ten", connection.tenant_id), now, audit.changed(names))
    return get(connection)


_hold = sa.select(_t.id).where(_me).with_for_update()


def hold(connection: TenantConnection) -> None:
    """Let one change of the tenant's configuration follow the other: whoever reads what it then writes calls this first."""
    connection.execute(_hold)


def bump(connection: TenantConnection) -> None:
    """Tell every process that what decisions read has changed. Belongs into the transaction of each such change."""
    connection.execute(_bump)


_bump = sa.update(schema.tenants).where(_me).values(config_version=_t.config_version + 1)
_index_key = sa.select(_t.index_key).where(_me)


def index(connection: TenantConnection, vault: Vault) -> BlindIndex:
    """The tenant's blind index, which finds its people by number."""
    return vault.index(connection.tenant_id, bytes(connection.execute(_index_key).scalar_one()))
