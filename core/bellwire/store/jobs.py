"""Long work that a caller asked for, and how far it is. Nothing personal: results hold counts, line numbers and codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.errors import NotFound
from bellwire.ids import new_id, show
from bellwire.store import schema
from bellwire.store.paging import Page, page
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.types import AnyRow

RUNNING, DONE, FAILED = "running", "done", "failed"
STALE = timedelta(minutes=2)  # a running job tells of itself more often: its process is gone

_j = schema.jobs.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job. `done` of `total` rows; `result` as its kind has it."""

    id: UUID
    kind: str
    status: str
    total: int
    done: int
    result: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime

    def seen_at(self, now: datetime) -> str:
        """The status for people: a running job that has been silent for long was interrupted."""
        return FAILED if self.status == RUNNING and now - self.updated_at > STALE else self.status


def start(connection: TenantConnection, kind: str, total: int, now: datetime) -> Job:
    """A new job, running."""
    job_id = new_id()
    connection.insert(
        schema.jobs,
        [
            {
                "id": job_id,
                "kind": kind,
                "status": RUNNING,
                "total": total,
                "done": 0,
                "result": {},
                "created_at": now,
                "updated_at": now,
            }
        ],
    )
    return get(connection, job_id)


def progress(
    connection: TenantConnection, job_id: UUID, *, done: int, result: Mapping[str, Any], now: datetime, status: str = RUNNING
) -> None:
    """Note how far a job is, or that it ended."""
    connection.execute(
        sa.update(schema.jobs)
        .where(scope(schema.jobs), _j.id == job_id)
        .values(status=status, done=done, result=dict(result), updated_at=now)
    )


def get(connection: TenantConnection, job_id: UUID) -> Job:
    """A job. Raises NotFound."""
    row = connection.execute(sa.select(schema.jobs).where(scope(schema.jobs), _j.id == job_id)).one_or_none()
    if row is None:
        raise NotFound("job", show("job", job_id))
    return _job(row)


def listed(connection: TenantConnection, *, limit: int, before: UUID | None = None) -> Page[Job]:
    """The tenant's jobs, newest first."""
    return page(connection, sa.select(schema.jobs).where(scope(schema.jobs)), _j.id, limit, before, _job)


def _job(row: AnyRow) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        status=row.status,
        total=row.total,
        done=row.done,
        result=row.result,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
