"""Privacy requests that platforms send: kept until the jobs have done them; an export until it is too old."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.errors import NotFound
from bellwire.ids import new_id, show
from bellwire.store import audit, schema
from bellwire.store.many import picked
from bellwire.store.paging import Page, page
from bellwire.store.schema import JOB_DONE, JOB_FAILED, JOB_QUEUED
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.types import AnyRow
from bellwire.store.vault import Vault

ERASE_PERSON, EXPORT_PERSON, ERASE_INSTALLATION = "erase_person", "export_person", "erase_installation"
EXPORT_KEPT = timedelta(days=30)

_WORDS = {JOB_QUEUED: "queued", schema.JOB_WORKING: "queued", JOB_DONE: "done", JOB_FAILED: "failed"}
_p = schema.privacy_requests.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request. `has_export`: its result can be fetched."""

    id: UUID
    kind: str
    status: str
    installation_id: UUID | None
    event_id: UUID | None
    has_export: bool
    error: str | None
    created_at: datetime
    done_at: datetime | None


def request(
    connection: TenantConnection,
    vault: Vault,
    kind: str,
    *,
    installation_id: UUID | None,
    event_id: UUID | None,
    wanted: Mapping[str, Any] | None,
    now: datetime,
) -> UUID:
    """Keep a request for the jobs; whom it is about is sealed."""
    row_id, tenant_id = new_id(), connection.tenant_id
    sealed = vault.seal_json(wanted, tenant_id, "privacy_requests.wanted", row_id) if wanted is not None else None
    connection.insert(
        schema.privacy_requests,
        [
            {
                "id": row_id,
                "installation_id": installation_id,
                "event_id": event_id,
                "kind": kind,
                "status": JOB_QUEUED,
                "wanted": sealed,
                "attempts": 0,
                "due": now,
                "created_at": now,
            }
        ],
    )
    details = {"kind": kind, "installation": show("ins", installation_id) if installation_id else None}
    audit.note(connection, "platform", "privacy.requested", show("prv", row_id), now, details)
    return row_id


def due(connection: sa.Connection, now: datetime, again_at: datetime, limit: int = 4) -> Sequence[AnyRow]:
    """Take due requests; each is due again at `again_at`, so that a process that dies with it loses nothing."""
    found = sa.select(_p.id).where(sa.text("privacy_requests.status < 2"), _p.due <= now).order_by(_p.due).limit(limit)
    return connection.execute(
        sa.update(schema.privacy_requests)
        .where(picked(connection, _p.id, found))
        .values(attempts=_p.attempts + 1, due=again_at)
        .returning(*schema.privacy_requests.c)
    ).all()


def any_due(connection: sa.Connection, now: datetime) -> bool:
    """Whether a request is due (an index probe)."""
    found = sa.select(_p.id).where(sa.text("privacy_requests.status < 2"), _p.due <= now).limit(1)
    return connection.execute(found).first() is not None


def put_off(connection: sa.Connection, request_id: UUID, due: datetime, error: str) -> None:
    """A try failed, or may not be done yet."""
    connection.execute(sa.update(schema.privacy_requests).where(_p.id == request_id).values(due=due, error=error[:200]))


def done(connection: TenantConnection, request_id: UUID, now: datetime, *, result: bytes | None = None) -> None:
    """A request is done. Whom an erasure was about goes with it; an export keeps it, so that erasing finds the export."""
    values: dict[str, Any] = {"status": JOB_DONE, "done_at": now, "error": None, "result": result}
    if result is None:
        values["wanted"] = None
    connection.execute(
        sa.update(schema.privacy_requests).where(scope(schema.privacy_requests), _p.id == request_id).values(**values)
    )


def exports(connection: TenantConnection, vault: Vault) -> dict[UUID, dict[str, Any]]:
    """Whom each export that is still kept is about."""
    rows = connection.execute(
        sa.select(_p.id, _p.wanted).where(scope(schema.privacy_requests), _p.result.is_not(None), _p.wanted.is_not(None))
    )
    return {row.id: vault.open_json(row.wanted, connection.tenant_id, "privacy_requests.wanted", row.id) for row in rows}


def forget(connection: TenantConnection, request_ids: Sequence[UUID]) -> None:
    """Remove requests with what they brought."""
    connection.execute(sa.delete(schema.privacy_requests).where(scope(schema.privacy_requests), _p.id.in_(request_ids)))


def forget_of(connection: TenantConnection, installation_id: UUID) -> None:
    """Whom the requests of an account were about, and what they brought, is gone."""
    where = (scope(schema.privacy_requests), _p.installation_id == installation_id)
    connection.execute(sa.update(schema.privacy_requests).where(*where).values(wanted=None, result=None))


def get(connection: TenantConnection, request_id: UUID) -> Request:
    """A request. Raises NotFound."""
    return _request(_row(connection, request_id))


def listed(connection: TenantConnection, *, limit: int, before: UUID | None = None) -> Page[Request]:
    """The tenant's requests, newest first."""
    statement = sa.select(schema.privacy_requests).where(scope(schema.privacy_requests))
    return page(connection, statement, _p.id, limit, before, _request)


def fetch(connection: TenantConnection, vault: Vault, request_id: UUID, *, actor: str, now: datetime) -> dict[str, Any]:
    """The export a request brought; that it was fetched is noted. Raises NotFound where there is none (any more)."""
    row = _row(connection, request_id)
    if row.result is None:
        raise NotFound("export", show("prv", request_id))
    audit.note(connection, actor, "privacy.fetched", show("prv", request_id), now)
    found: dict[str, Any] = vault.open_json(row.result, connection.tenant_id, "privacy_requests.result", request_id)
    return found


def _row(connection: TenantConnection, request_id: UUID) -> AnyRow:
    row = connection.execute(
        sa.select(schema.privacy_requests).where(scope(schema.privacy_requests), _p.id == request_id)
    ).one_or_none()
    if row is None:
        raise NotFound("privacy request", show("prv", request_id))
    return row


def _request(row: AnyRow) -> Request:
    return Request(
        id=row.id,
        kind=row.kind,
        status=_WORDS[row.status],
        installation_id=row.installation_id,
        event_id=row.event_id,
        has_export=row.result is not None,
        error=row.error,
        created_at=row.created_at,
        done_at=row.done_at,
    )
