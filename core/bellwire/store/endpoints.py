"""Callback endpoints: a tenant's own URLs that get signed events, each with a secret of its own."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.errors import NotFound
from bellwire.ids import new_id, show
from bellwire.model import Status
from bellwire.store import audit, schema, tenants
from bellwire.store.paging import Page, page
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.vault import Vault

_e, _c = schema.callback_endpoints.c, schema.callbacks.c
ACTIVE, DISABLED = "active", "disabled"
_SECRET_BYTES = 32  # Standard Webhooks: 24 to 64

#: What can be called back.
TYPES = (
    *(f"message.{status}" for status in Status if status not in (Status.SCHEDULED, Status.SENDING)),
    "reply.received",
    "consent.changed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One URL. `failing_since`: nothing was delivered since then."""

    id: UUID
    url: str
    types: Sequence[str]
    status: str
    failing_since: datetime | None
    created_at: datetime


def create(
    connection: TenantConnection, vault: Vault, *, url: str, types: Sequence[str], actor: str, now: datetime
) -> tuple[Endpoint, str]:
    """Store an endpoint; the second value is its secret, shown this once. `url` was checked by `domain.addresses`."""
    endpoint_id, secret = new_id(), new_secret()
    connection.insert(
        schema.callback_endpoints,
        [
            {
                "id": endpoint_id,
                "url": url,
                "types": sorted(set(types)),
                "secret": vault.seal(secret, connection.tenant_id, "callback_endpoints.secret", endpoint_id),
                "status": ACTIVE,
                "created_at": now,
            }
        ],
    )
    tenants.bump(connection)
    audit.note(connection, actor, "callback.created", show("cbk", endpoint_id), now, {"types": sorted(set(types))})
    return get(connection, endpoint_id), secret


def new_secret() -> str:
    """`whsec_` and base64 (Standard Webhooks, "Signature scheme")."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def change(
    connection: TenantConnection,
    endpoint_id: UUID,
    *,
    actor: str,
    now: datetime,
    url: str | None = None,
    types: Sequence[str] | None = None,
    status: str | None = None,
) -> Endpoint:
    """Change an endpoint; switching it on again forgets its failures. Raises NotFound."""
    get(connection, endpoint_id)
    values: dict[str, Any] = {}
    if url is not None:
        values["url"] = url
    if types is not None:
        values["types"] = sorted(set(types))
    if status is not None:
        values |= {"status": status, "failing_since": None}
    if values:
        connection.execute(
            sa.update(schema.callback_endpoints).where(scope(schema.callback_endpoints), _e.id == endpoint_id).values(**values)
        )
        tenants.bump(connection)
    audit.note(connection, actor, "callback.changed", show("cbk", endpoint_id), now, audit.changed(set(values) - {"failing_since"}))
    return get(connection, endpoint_id)


def delete(connection: TenantConnection, endpoint_id: UUID, *, actor: str, now: datetime) -> None:
    """Take an endpoint away, and what waits for it. Raises NotFound."""
    get(connection, endpoint_id)
    connection.execute(sa.delete(schema.callbacks).where(scope(schema.callbacks), _c.endpoint_id == endpoint_id))
    connection.execute(sa.delete(schema.callback_endpoints).where(scope(schema.callback_endpoints), _e.id == endpoint_id))
    tenants.bump(connection)
    audit.note(connection, actor, "callback.deleted", show("cbk", endpoint_id), now)


def redeliver(
    connection: TenantConnection, endpoint_id: UUID, *, since: datetime, only_failed: bool, actor: str, now: datetime
) -> int:
    """Queue again what was made since then (only what failed, if asked), and how many those are. Raises NotFound.

    What failed and waits hours for its next try is among them: whoever asks has mended the endpoint.
    """
    get(connection, endpoint_id)
    again = (schema.JOB_FAILED,) if only_failed else (schema.JOB_FAILED, schema.JOB_DONE)
    waits = sa.and_(_c.status == schema.JOB_QUEUED, _c.attempts > 0, _c.due > now)
    count = connection.execute(
        sa.update(schema.callbacks)
        .where(
            scope(schema.callbacks),
            _c.endpoint_id == endpoint_id,
            _c.created_at >= since,
            sa.or_(_c.status.in_(again), waits),
        )
        .values(status=schema.JOB_QUEUED, attempts=0, due=now, error=None, owner=None)
    ).rowcount
    audit.note(connection, actor, "callback.redelivered", show("cbk", endpoint_id), now, {"count": count})
    return count


def get(connection: TenantConnection, endpoint_id: UUID) -> Endpoint:
    """An endpoint. Raises NotFound."""
    row = connection.execute(
        sa.select(schema.callback_endpoints).where(scope(schema.callback_endpoints), _e.id == endpoint_id)
    ).one_or_none()
    if row is None:
        raise NotFound("callback", show("cbk", endpoint_id))
    return _endpoint(row)


def listed(connection: TenantConnection, *, limit: int, before: UUID | None = None) -> Page[Endpoint]:
    """The tenant's endpoints, newest first."""
    statement = sa.select(schema.callback_endpoints).where(scope(schema.callback_endpoints))
    return page(connection, statement, _e.id, limit, before, _endpoint)


def _endpoint(row: sa.Row[Any]) -> Endpoint:
    return Endpoint(
        id=row.id,
        url=row.url,
        types=row.types,
        status=row.status,
        failing_since=row.failing_since,
        created_at=row.created_at,
    )
