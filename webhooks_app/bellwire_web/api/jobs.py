"""Jobs: long work that was asked for, and how far it is."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from bellwire.domain.scopes import Scope
from bellwire.ids import show
from bellwire.store import jobs
from bellwire.store.jobs import Job as Stored
from pydantic import Field

from bellwire_web.calls import Call
from bellwire_web.fields import Answer, JobId, Page, PageQuery, Time, next_cursor
from bellwire_web.operations import Routes

routes = Routes("jobs", "Long work and how far it is.")


class JobState(StrEnum):
    """Where a job stands. One whose process ended is failed; it may be asked for again."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class JobError(Answer):
    """A line that could not be used."""

    line: int
    field: str
    code: str
    message: str


class Job(Answer):
    """A job and its counts."""

    id: JobId
    kind: str
    status: JobState
    total: int
    done: int
    imported: int
    duplicates: int
    refused: Annotated[int, Field(description="Opt-ins that did not win against what the person said.")]
    invalid: int
    errors: Annotated[list[JobError], Field(description="The first thousand.")]
    created_at: Time
    updated_at: Time


class JobPage(Page[Job]):
    """Jobs, newest first."""


@routes.get("/v1/jobs", scope=Scope.CONSENTS_READ)
def list_jobs(call: Call, query: PageQuery) -> JobPage:
    """List jobs."""
    with call.reading() as connection:
        found = jobs.listed(connection, limit=query.limit, before=query.before)
    return JobPage(items=[show_job(one, call.now) for one in found.items], next=next_cursor(found.next))


@routes.get("/v1/jobs/<job:job_id>", scope=Scope.CONSENTS_READ)
def get_job(call: Call, job_id: UUID) -> Job:
    """Show a job."""
    with call.reading() as connection:
        return show_job(jobs.get(connection, job_id), call.now)


def show_job(stored: Stored, now: datetime) -> Job:
    """A job as it is answered."""
    result = stored.result
    return Job(
        id=show("job", stored.id),
        kind=stored.kind,
        status=JobState(stored.seen_at(now)),
        total=stored.total,
        done=stored.done,
        imported=result.get("imported", 0),
        duplicates=result.get("duplicates", 0),
        refused=result.get("refused", 0),
        invalid=result.get("invalid", 0),
        errors=[JobError(**one) for one in result.get("errors", ())],
        created_at=stored.created_at,
        updated_at=stored.updated_at,
    )
