"""Statements for a connector's way to its platform: a renewal's lease, credentials, cursor, what a person must know."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.store import schema
from bellwire.store.types import AnyRow

_i, _t = schema.installations.c, schema.tenants.c
_DETAIL_MAX = 300


def read(connection: sa.Connection, installation_id: UUID) -> AnyRow | None:
    """An installation's row as it stands now."""
    return connection.execute(sa.select(schema.installations).where(_i.id == installation_id)).one_or_none()


def lock(connection: sa.Connection, installation_id: UUID) -> AnyRow | None:
    """The same, locked until the transaction ends."""
    statement = sa.select(schema.installations).where(_i.id == installation_id)
    if connection.dialect.name == "postgresql":
        statement = statement.with_for_update()
    return connection.execute(statement).one_or_none()


def take_lease(connection: sa.Connection, installation_id: UUID, until: datetime) -> None:
    """Say who renews, by the time its lease ends. The row must be locked."""
    connection.execute(sa.update(schema.installations).where(_i.id == installation_id).values(renew_until=until))


def end_lease(connection: sa.Connection, installation_id: UUID, until: datetime) -> None:
    """Give a lease back, unless it is somebody else's by now."""
    connection.execute(
        sa.update(schema.installations).where(_i.id == installation_id, _i.renew_until == until).values(renew_until=None)
    )


def store_credentials(connection: sa.Connection, row: AnyRow, sealed: bytes, now: datetime) -> None:
    """Replace an installation's credentials, end the lease and tell every process."""
    connection.execute(
        sa.update(schema.installations).where(_i.id == row.id).values(credentials=sealed, renew_until=None, updated_at=now)
    )
    connection.execute(sa.update(schema.tenants).where(_t.id == row.tenant_id).values(config_version=_t.config_version + 1))


def merge_cursor(connection: sa.Connection, installation_id: UUID, cursor: Mapping[str, Any]) -> None:
    """Keep a connector's values for its next look; None takes one out."""
    row = lock(connection, installation_id)
    if row is not None:
        merged = {name: value for name, value in {**row.cursor, **cursor}.items() if value is not None}
        connection.execute(sa.update(schema.installations).where(_i.id == installation_id).values(cursor=merged))


def describe(connection: sa.Connection, installation_id: UUID, detail: str) -> AnyRow | None:
    """Say what a person must know of an installation ("": nothing); its row when that is news.

    `updated_at` stays: it tells when a person or a renewal changed something.
    """
    return connection.execute(
        sa.update(schema.installations)
        .where(_i.id == installation_id, _i.status_detail != detail[:_DETAIL_MAX], _i.status != "removed")
        .values(status_detail=detail[:_DETAIL_MAX])
        .returning(_i.id, _i.tenant_id)
    ).one_or_none()


# -- reconciling --------------------------------------------------------------------------------------------------


def due_for_reconcile(connection: sa.Connection, now: datetime, limit: int) -> list[UUID]:
    """Active installations whose look is due, the longest waiting first."""
    statement = (
        sa.select(_i.id).where(_i.reconcile_due <= now, _i.status == "active").order_by(_i.reconcile_due, _i.id).limit(limit)
    )
    return [row.id for row in connection.execute(statement)]


def take_reconcile(connection: sa.Connection, installation_id: UUID, now: datetime, again_at: datetime) -> AnyRow | None:
    """Take one that is due: whoever dies with it leaves it due at `again_at`. None: somebody else was first."""
    return connection.execute(
        sa.update(schema.installations)
        .where(_i.id == installation_id, _i.reconcile_due <= now, _i.status == "active")
        .values(reconcile_due=again_at)
        .returning(schema.installations)
    ).one_or_none()


def end_reconcile(connection: sa.Connection, installation_id: UUID, taken_until: datetime, due: datetime) -> None:
    """Say when the next look is due, unless somebody asked for one meanwhile."""
    connection.execute(
        sa.update(schema.installations).where(_i.id == installation_id, _i.reconcile_due == taken_until).values(reconcile_due=due)
    )


def ask_for_reconcile(connection: sa.Connection, tenant_id: UUID, installation_id: UUID, now: datetime) -> bool:
    """Make the next look due now; False when there is no such active installation."""
    changed = connection.execute(
        sa.update(schema.installations)
        .where(_i.id == installation_id, _i.tenant_id == tenant_id, _i.status == "active")
        .values(reconcile_due=now)
    )
    return changed.rowcount == 1


def mended(connection: sa.Connection, installation_id: UUID, now: datetime) -> None:
    """Take back what was said of an installation; its new `updated_at` has waiting jobs tried at once."""
    connection.execute(
        sa.update(schema.installations)
        .where(_i.id == installation_id, _i.status == "active")
        .values(status_detail="", updated_at=now)
    )
