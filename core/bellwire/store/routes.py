"""Route policies: every change is a new version; the newest holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bellwire.errors import NotFound
from bellwire.ids import show
from bellwire.store import audit, carrier_accounts, schema, tenants
from bellwire.store.tenancy import TenantConnection, scope

_r = schema.route_policies.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of the tenant's policy. `author`: an actor."""

    version: int
    policy: Mapping[str, Any]
    author: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Versions:
    """Some versions, newest first, and the number before which older ones stand; None when there are none."""

    items: tuple[Version, ...]
    next: int | None


def put(connection: TenantConnection, policy: Mapping[str, Any], *, actor: str, now: datetime) -> Version:
    """Add a version, which holds from now. `policy` was checked by `domain.route_policy`."""
    tenants.hold(connection)
    last = connection.execute(sa.select(sa.func.max(_r.version)).where(scope(schema.route_policies))).scalar()
    made = Version(version=int(last or 0) + 1, policy=policy, author=actor, created_at=now)
    row = {"version": made.version, "policy": dict(policy), "author": actor, "created_at": now}
    connection.insert(schema.route_policies, [row])
    tenants.bump(connection)
    audit.note(connection, actor, "route_policy.changed", show("ten", connection.tenant_id), now, {"version": made.version})
    return made


def rollback(connection: TenantConnection, version: int, *, actor: str, now: datetime) -> Version:
    """Make an earlier version's policy the newest again, under a new number. Raises NotFound."""
    return put(connection, get(connection, version).policy, actor=actor, now=now)


def current(connection: TenantConnection) -> Version | None:
    """The policy that holds; None when there never was one."""
    found = versions(connection, limit=1).items
    return found[0] if found else None


def get(connection: TenantConnection, version: int) -> Version:
    """A version. Raises NotFound."""
    row = connection.execute(
        sa.select(schema.route_policies).where(scope(schema.route_policies), _r.version == version)
    ).one_or_none()
    if row is None:
        raise NotFound("route policy version", str(version))
    return _version(row)


def versions(connection: TenantConnection, *, limit: int, before: int | None = None) -> Versions:
    """The versions, newest first."""
    statement = sa.select(schema.route_policies).where(scope(schema.route_policies)).order_by(_r.version.desc()).limit(limit + 1)
    if before is not None:
        statement = statement.where(_r.version < before)
    rows = connection.execute(statement).all()
    return Versions(tuple(_version(row) for row in rows[:limit]), rows[limit - 1].version if len(rows) > limit else None)


def accounts(connection: TenantConnection) -> frozenset[str]:
    """The accounts that a policy may name, as shown ids."""
    c = schema.carrier_accounts.c
    rows = connection.execute(sa.select(c.id).where(scope(schema.carrier_accounts), c.status != carrier_accounts.REMOVED))
    return frozenset(show("acc", row.id) for row in rows)


def _version(row: sa.Row[Any]) -> Version:
    return Version(version=row.version, policy=row.policy, author=row.author, created_at=row.created_at)
