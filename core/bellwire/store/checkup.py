"""What `doctor` looks at, over all tenants: who works, what waits where, what was given up. Nothing personal is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.ids import first_id
from bellwire.model import Status
from bellwire.store import schema
from bellwire.store.schema import STATUS_CODES
from bellwire.store.types import Instant

_m, _a, _i, _t = schema.messages.c, schema.carrier_accounts.c, schema.installations.c, schema.tenants.c
_e, _c, _l = schema.callback_endpoints.c, schema.contacts.c, schema.balances.c

RECENT = timedelta(days=30)  # how far back what was given up is counted
_RECEIPTS = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A carrier account, and what is due there. `receipts_late`: texts of the last day whose receipt should have come."""

    tenant_id: UUID
    tenant: str
    id: UUID
    carrier: str
    name: str
    status: str
    status_detail: str
    settings: Mapping[str, Any]
    due: int
    oldest_due: datetime | None
    receipts_late: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An installation that was not removed."""

    tenant_id: UUID
    tenant: str
    id: UUID
    connector: str
    account_ref: str
    name: str
    status: str
    status_detail: str
    reconcile_due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """What nobody tries any more and a person should look at, of the last 30 days."""

    unknown: int
    events: int
    write_backs: int
    callbacks: int
    privacy_requests: int
    endpoints_disabled: int


def processes(connection: sa.Connection) -> tuple[int, datetime | None]:
    """How many processes are registered, and the newest beat of all."""
    w = schema.workers.c
    rows = connection.execute(sa.select(w.host, w.pid, sa.func.max(w.beat_at, type_=Instant).label("last")).group_by(w.host, w.pid))
    found = list(rows)
    return len(found), max((row.last for row in found), default=None)


def accounts(connection: sa.Connection, now: datetime) -> list[Account]:
    """Every carrier account, by tenant."""
    due = {
        row.account_id: row
        for row in connection.execute(
            sa.select(_m.account_id, sa.func.count().label("many"), sa.func.min(_m.due, type_=Instant).label("oldest"))
            .where(sa.text("messages.status < 2"), _m.due <= now)
            .group_by(_m.account_id)
        )
    }
    late = {
        row.account_id: row.many
        for row in connection.execute(
            sa.select(_m.account_id, sa.func.count().label("many"))
            .where(_m.id >= first_id(now - _RECEIPTS), _m.status == STATUS_CODES[Status.SENT], _m.dlr_due <= now)
            .group_by(_m.account_id)
        )
    }
    rows = connection.execute(
        sa.select(_a.tenant_id, _t.slug, _a.id, _a.carrier, _a.name, _a.status, _a.status_detail, _a.settings)
        .select_from(schema.carrier_accounts.join(schema.tenants, _t.id == _a.tenant_id))
        .where(_a.status != "removed")
        .order_by(_t.slug, _a.id)
    )
    return [
        Account(
            tenant_id=row.tenant_id,
            tenant=row.slug,
            id=row.id,
            carrier=row.carrier,
            name=row.name,
            status=row.status,
            status_detail=row.status_detail,
            settings=row.settings,
            due=due[row.id].many if row.id in due else 0,
            oldest_due=due[row.id].oldest if row.id in due else None,
            receipts_late=late.get(row.id, 0),
        )
        for row in rows
    ]


def installations(connection: sa.Connection) -> list[Installed]:
    """Every installation that was not removed, by tenant."""
    rows = connection.execute(
        sa.select(
            _i.tenant_id,
            _t.slug,
            _i.id,
            _i.connector,
            _i.account_ref,
            _i.name,
            _i.status,
            _i.status_detail,
            _i.reconcile_due,
        )
        .select_from(schema.installations.join(schema.tenants, _t.id == _i.tenant_id))
        .where(_i.status != "removed")
        .order_by(_t.slug, _i.id)
    )
    return [
        Installed(
            tenant_id=row.tenant_id,
            tenant=row.slug,
            id=row.id,
            connector=row.connector,
            account_ref=row.account_ref,
            name=row.name,
            status=row.status,
            status_detail=row.status_detail,
            reconcile_due=row.reconcile_due,
        )
        for row in rows
    ]


def given_up(connection: sa.Connection, now: datetime) -> GivenUp:
    """Counts over all tenants."""
    since = first_id(now - RECENT)

    def count(table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one())

    def failed(table: sa.Table) -> int:
        return count(table, table.c.id >= since, table.c.status == schema.JOB_FAILED)

    return GivenUp(
        unknown=count(schema.messages, _m.id >= since, _m.status == STATUS_CODES[Status.UNKNOWN]),
        events=count(schema.events, schema.events.c.id >= since, schema.events.c.status == schema.EVENT_DEAD),
        write_backs=failed(schema.write_backs),
        callbacks=failed(schema.callbacks),
        privacy_requests=failed(schema.privacy_requests),
        endpoints_disabled=count(schema.callback_endpoints, _e.status == "disabled"),
    )


def countries(connection: sa.Connection) -> dict[UUID, frozenset[str]]:
    """Where each tenant's people are, by their numbers."""
    found: dict[UUID, set[str]] = {}
    for row in connection.execute(sa.select(_c.tenant_id, _c.country).distinct()):
        found.setdefault(row.tenant_id, set()).add(row.country)
    return {key: frozenset(some - {""}) for key, some in found.items()}


def empty_balances(connection: sa.Connection) -> list[str]:
    """The tenants that were given credit and have none left."""
    rows = connection.execute(
        sa.select(_t.slug).select_from(schema.balances.join(schema.tenants, _t.id == _l.tenant_id)).where(_l.micros <= 0)
    )
    return [row.slug for row in rows]


def clock(connection: sa.Connection) -> datetime | None:
    """What time it is at the database; None where that is this machine."""
    if connection.dialect.name != "postgresql":
        return None
    at = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    return at.astimezone(UTC)  # type: ignore[no-any-return]  # psycopg gives datetime


def try_writing(connection: sa.Connection) -> None:
    """Write something that changes nothing. Raises what the driver says of a database that takes no writes."""
    connection.execute(sa.update(schema.meta).values(name=schema.meta.c.name).where(schema.meta.c.name == "key_check"))
