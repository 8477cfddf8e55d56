"""The staff directory: workers and managers by the references that timecard and task systems know them by."""

from __future__ import annotations

import threading
from typing import Annotated, Any

from bellwire.domain.scopes import Scope
from bellwire.domain.staff import entry, ref
from bellwire.errors import StoreUnavailable
from bellwire.ids import parse_id, show
from bellwire.logs import logger
from bellwire.store import audit, jobs, staff, tenants
from bellwire.store.staff import Listed
from bellwire.store.tenancy import TenantConnection
from pydantic import Field

from bellwire_web.api.jobs import Job, show_job
from bellwire_web.calls import Call
from bellwire_web.fields import E164, Answer, Model, Number, Page, PageQuery, Time, next_cursor
from bellwire_web.operations import Routes
from bellwire_web.problems import Refused

_log = logger(__name__)

routes = Routes("workers", "Who the people are that timecard and task systems know by reference.")

_CSV_BYTES = 16 * 1024 * 1024
_IMPORTS = threading.BoundedSemaphore(2)  # of this process; the others are told to come again

Ref = Annotated[str, Field(min_length=1, max_length=128, examples=["emp-1001"])]


class WorkerChange(Model):
    """What is known of a person; what is left out stays as it is, null is not known any more."""

    name: Annotated[str | None, Field(max_length=200)] = None
    phone: Annotated[Number | None, Field(description="Read by `country`, then the tenant's, when it has no `+`.")] = None
    email: Annotated[str | None, Field(max_length=254)] = None
    locale: Annotated[str | None, Field(max_length=35, examples=["uz-Latn-UZ"])] = None
    timezone: Annotated[str | None, Field(max_length=64, examples=["Asia/Tashkent"])] = None
    country: Annotated[str | None, Field(pattern="^[A-Za-z]{2}$", examples=["UZ"])] = None
    manager: Annotated[Ref | None, Field(description="The manager's reference.")] = None
    active: Annotated[bool | None, Field(description="Who has left is not texted; true, when left out.")] = None
    external_ids: Annotated[
        dict[str, Ref] | None, Field(max_length=20, description="What other systems call the person, by connector.")
    ] = None


class WorkerRequest(WorkerChange):
    """A person; what is left out is not known."""

    ref: Ref


class Worker(Answer):
    """A person of the directory."""

    ref: Ref
    name: str | None
    phone: E164 | None
    email: str | None
    locale: str | None
    timezone: str | None
    country: str | None
    manager: str | None
    active: bool
    external_ids: dict[str, str]
    created_at: Time
    updated_at: Time


class WorkerPage(Page[Worker]):
    """People of the directory, the newest entry first."""


class WorkerQuery(PageQuery):
    """Which people."""

    active: Annotated[bool | None, Field(description="Only who is there, or who has left.")] = None


class WorkerImportQuery(Model):
    """Whether to keep anything."""

    dry_run: Annotated[bool, Field(description="Say what would come of it, and keep nothing.")] = False


_EXAMPLE = {
    "name": "Dana Sample",
    "phone": "+998900000001",
    "locale": "uz-Latn-UZ",
    "timezone": "Asia/Tashkent",
    "manager": "emp-2001",
    "external_ids": {"clockify": "5b5f0c1e0000000000000001"},
}


@routes.get("/v1/workers", scope=Scope.PEOPLE_READ)
def list_workers(call: Call, query: WorkerQuery) -> WorkerPage:
    """List the directory."""
    with call.reading() as connection:
        found = staff.listed(connection, call.tenant.vault, limit=query.limit, before=query.before, active=query.active)
    return WorkerPage(items=[_shown(one) for one in found.items], next=next_cursor(found.next))


@routes.get("/v1/workers/<rest:worker_ref>", scope=Scope.PEOPLE_READ)
def get_worker(call: Call, worker_ref: str) -> Worker:
    """Show a person."""
    with call.reading() as connection:
        return _shown(staff.get(connection, call.tenant.vault, worker_ref))


@routes.post("/v1/workers", scope=Scope.PEOPLE_WRITE, audit="worker.kept", example={"ref": "emp-1001", **_EXAMPLE})
def create_worker(call: Call, body: WorkerRequest) -> Worker:
    """Put a person into the directory, or say anew who they are.

    The number of somebody who had their data erased is not kept again.
    """
    return call.write(lambda connection: _keep(call, connection, body.ref, body.model_dump(exclude={"ref"}, exclude_none=True)))


@routes.patch("/v1/workers/<rest:worker_ref>", scope=Scope.PEOPLE_WRITE, audit="worker.kept", example=_EXAMPLE)
def change_worker(call: Call, worker_ref: str, body: WorkerChange) -> Worker:
    """Change what is known of a person."""

    def run(connection: TenantConnection) -> Worker:
        before = _shown(staff.get(connection, call.tenant.vault, worker_ref)).model_dump(
            exclude={"ref", "created_at", "updated_at"}
        )
        given = {**before, **body.model_dump(include=body.model_fields_set)}
        return _keep(call, connection, worker_ref, {name: value for name, value in given.items() if value is not None})

    return call.write(run)


@routes.delete("/v1/workers/<rest:worker_ref>", scope=Scope.PEOPLE_WRITE, audit="worker.removed")
def delete_worker(call: Call, worker_ref: str) -> None:
    """Take a person out. What was texted stays; erasing it is another call."""

    def run(connection: TenantConnection) -> None:
        kept = staff.get(connection, call.tenant.vault, worker_ref)
        staff.remove(connection, worker_ref)
        audit.note(connection, call.actor, "worker.removed", show("stf", kept.id), call.now)

    call.write(run)


@routes.post(
    "/v1/workers/import", scope=Scope.PEOPLE_WRITE, status=202, audit="workers.imported", takes="text/csv", max_bytes=_CSV_BYTES
)
def import_workers(call: Call, body: bytes, query: WorkerImportQuery) -> Job:
    """Bring in a list, as CSV with a header: ref, and name, phone, email, locale, timezone, country, manager, active.

    A column external_ids.clockify holds what that system calls the person. The work goes on after the answer; the job tells how
    far it is and which lines could not be used. A list may be sent again.
    """
    from bellwire.engine import lists, staff_imports

    rows = staff_imports.read_csv(lists.decoded(body), call.runtime.plugins.connectors)
    if not _IMPORTS.acquire(blocking=False):
        raise Refused(429, "busy", "other imports are under way", headers={"Retry-After": "30"})
    started = False
    try:

        def start(connection: TenantConnection) -> Job:
            job = jobs.start(connection, "worker_import", len(rows), call.now)
            audit.note(connection, call.actor, "workers.imported", show("job", job.id), call.now, {"rows": len(rows)})
            return show_job(job, call.now)

        job = call.write(start)
        threading.Thread(target=_import, args=(call, job.id, rows, query.dry_run), name="staff-import", daemon=True).start()
        started = True
        return job
    finally:
        if not started:
            _IMPORTS.release()


def _import(call: Call, shown: str, rows: Any, dry_run: bool) -> None:
    """The job's own thread."""
    from bellwire.engine import staff_imports

    job_id, engine = parse_id("job", shown), call.runtime.engine

    def note(done: int, result: staff_imports.Result, status: str = jobs.RUNNING) -> None:
        document, now = result.document(), call.runtime.now()
        call.tenant.write(lambda connection: jobs.progress(connection, job_id, done=done, result=document, now=now, status=status))

    try:
        result = staff_imports.import_staff(engine, call.key.tenant_id, rows, dry_run=dry_run, progress=note)
        note(len(rows), result, jobs.DONE)
    except StoreUnavailable as e:  # a job that says nothing for two minutes counts as failed
        _log.warning("import.interrupted", job=shown, error=e)
    finally:
        _IMPORTS.release()


def _keep(call: Call, connection: TenantConnection, worker_ref: str, given: dict[str, Any]) -> Worker:
    vault, country = call.tenant.vault, tenants.get(connection).country
    systems, active = given.pop("external_ids", {}), given.pop("active", True)
    values = {**given, "ref": ref(worker_ref, "ref"), "active": "yes" if active else "no"}
    made = entry(values, [country] if country else [], systems)
    staff.keep(connection, vault, tenants.index(connection, vault), made, now=call.now, told_at=call.now)
    kept = staff.get(connection, vault, made.ref)
    audit.note(connection, call.actor, "worker.kept", show("stf", kept.id), call.now)
    return _shown(kept)


def _shown(kept: Listed) -> Worker:
    one = kept.entry
    return Worker(
        ref=one.ref,
        name=one.name or None,
        phone=one.msisdn,
        email=one.email or None,
        locale=one.locale or None,
        timezone=one.timezone or None,
        country=one.country or None,
        manager=one.manager_ref or None,
        active=one.active,
        external_ids=dict(one.systems),
        created_at=kept.created_at,
        updated_at=kept.updated_at,
    )
