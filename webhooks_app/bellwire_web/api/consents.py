"""Consent: what people said, what follows from it, lists brought in."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Annotated, Any

from bellwire.domain.consent import Policy, may_text
from bellwire.domain.ledger import Source, Statement
from bellwire.domain.scopes import Scope
from bellwire.errors import FieldInvalid, StoreUnavailable
from bellwire.ids import show
from bellwire.logs import logger
from bellwire.model import ConsentState, Msisdn, Purpose, Reason
from bellwire.store import audit, consents, jobs, tenants
from bellwire.store.tenancy import TenantConnection
from pydantic import Field

from bellwire_web.api.choices import ConsentChoice
from bellwire_web.api.jobs import Job, show_job
from bellwire_web.calls import Call
from bellwire_web.fields import Answer, Model, Page, PageQuery, Time, Timestamp, next_cursor
from bellwire_web.operations import Routes
from bellwire_web.problems import Refused

_log = logger(__name__)

routes = Routes("consents", "What people said about being texted; an opt-out wins.")

_CSV_BYTES = 16 * 1024 * 1024
_IMPORTS = threading.BoundedSemaphore(2)  # of this process; the others are told to come again


class ConsentRequest(Model):
    """One statement of a person."""

    purpose: Annotated[Purpose | None, Field(description="Everything, when left out.")] = None
    state: ConsentChoice
    source: Annotated[str, Field(min_length=1, max_length=64, description="Where it was said.", examples=["web form"])]
    proof: Annotated[str | None, Field(max_length=2000, description="What shows it; kept encrypted.")] = None
    at: Annotated[Timestamp | None, Field(description="When it was said; now, when left out.")] = None


class PurposeConsent(Answer):
    """What holds for one purpose."""

    state: Annotated[ConsentState | None, Field(description="Null: the person said nothing.")]
    since: Time | None
    source: str | None
    may_text: bool
    reason: Annotated[Reason | None, Field(description="Why not.")]
    line: Annotated[str, Field(description="What decides.")]


class ConsentLine(Answer):
    """One line of the ledger, which is never overwritten."""

    purpose: Annotated[Purpose | None, Field(description="Null: everything.")]
    state: ConsentState
    source: str
    proof: str | None
    at: Time
    recorded_at: Time
    author: Annotated[str | None, Field(description="The key or command that brought it.")]


class Consent(Answer):
    """What holds for a number, and its history, newest first."""

    msisdn: str
    transactional: PurposeConsent
    marketing: PurposeConsent
    otp: PurposeConsent
    suppressed: Annotated[bool, Field(description="Never written to, whoever asks.")]
    suppressed_by: str | None
    suppressed_since: Time | None
    history: list[ConsentLine]


class Suppression(Answer):
    """A number that is not written to."""

    msisdn: Annotated[str | None, Field(description="Null after erasure: only its keyed hash is left.")]
    suppressed_by: Annotated[str | None, Field(description="Why it is never written to; null: only opted out.")]
    opted_out: list[Purpose]
    since: Time | None


class SuppressionPage(Page[Suppression]):
    """Numbers that are not written to."""


class SuppressionQuery(PageQuery):
    """Which numbers."""

    purpose: Annotated[Purpose | None, Field(description="Those that refused this, or everything.")] = None


class ImportQuery(Model):
    """What holds for rows that don't say, and whether to keep anything."""

    purpose: Purpose | None = None
    state: ConsentChoice | None = None
    source: Annotated[str, Field(min_length=1, max_length=64)] = "import"
    dry_run: Annotated[bool, Field(description="Count, and keep nothing.")] = False


_EXAMPLE = {"purpose": "marketing", "state": "opted_in", "source": "web form", "proof": "form 4711", "at": "2026-01-31T09:00:00Z"}


@routes.put("/v1/consents/<msisdn:msisdn>", scope=Scope.CONSENTS_WRITE, audit="consent.recorded", example=_EXAMPLE)
def put_consent(call: Call, msisdn: Msisdn, body: ConsentRequest) -> Consent:
    """Record what a person said.

    The newest proven statement wins, and an opt-out wins over lists. Nothing is overwritten: the answer shows what holds now.
    """
    from bellwire.engine.consents import record
    from bellwire.engine.intake import configured

    if body.at is not None and body.at > call.now:
        raise FieldInvalid("at", "lies in the future", "out_of_range")
    statement = _statement(body)
    engine, tenant_id = call.runtime.engine, call.key.tenant_id

    def run(connection: Any) -> None:
        held = configured(engine, connection, tenant_id)
        record(
            engine,
            connection,
            held,
            msisdn=msisdn,
            statement=statement,
            now=call.now,
            author=call.actor,
            word=body.source,
        )

    engine.write(run)
    engine.wake_jobs()
    return _shown(call, msisdn)


@routes.get("/v1/consents/<msisdn:msisdn>", scope=Scope.CONSENTS_READ, salesforce=True)
def get_consent(call: Call, msisdn: Msisdn) -> Consent:
    """Show whether a number may be texted, for what, since when, who said so."""
    return _shown(call, msisdn)


@routes.get("/v1/suppressions", scope=Scope.CONSENTS_READ)
def list_suppressions(call: Call, query: SuppressionQuery) -> SuppressionPage:
    """List the numbers that are not written to."""
    with call.reading() as connection:
        found = consents.suppressions(connection, call.tenant.vault, limit=query.limit, before=query.before, purpose=query.purpose)
    items = [
        Suppression(msisdn=one.msisdn, suppressed_by=one.why, opted_out=[Purpose(word) for word in one.opted_out], since=one.since)
        for one in found.items
    ]
    return SuppressionPage(items=items, next=next_cursor(found.next))


@routes.post(
    "/v1/consents/import", scope=Scope.CONSENTS_WRITE, status=202, audit="consents.imported", takes="text/csv", max_bytes=_CSV_BYTES
)
def import_consents(call: Call, body: bytes, query: ImportQuery) -> Job:
    """Bring in a list, as CSV with a header: msisdn, and purpose, state, source, at, proof as they are known.

    The work goes on after the answer; the job tells how far it is and which lines could not be used. A list never lifts an
    opt-out without a newer proof, and may be sent again. A form's file is taken as well, as `curl -F file=@list.csv` sends it.
    """
    from bellwire.engine import imports, lists

    rows = imports.read_csv(lists.decoded(body))
    if not _IMPORTS.acquire(blocking=False):
        raise Refused(429, "busy", "other imports are under way", headers={"Retry-After": "30"})
    started = False
    try:

        def start(connection: TenantConnection) -> Job:
            job = jobs.start(connection, "consent_import", len(rows), call.now)
            audit.note(connection, call.actor, "consents.imported", show("job", job.id), call.now, {"rows": len(rows)})
            return show_job(job, call.now)

        job = call.write(start)
        threading.Thread(target=_import, args=(call, job.id, rows, query), name="import", daemon=True).start()
        started = True
        return job
    finally:
        if not started:
            _IMPORTS.release()


def _import(call: Call, shown: str, rows: Any, query: ImportQuery) -> None:
    """The job's own thread."""
    from bellwire.engine import imports
    from bellwire.ids import parse_id

    job_id, engine = parse_id("job", shown), call.runtime.engine

    def note(done: int, result: imports.Result, status: str = jobs.RUNNING) -> None:
        document, now = result.document(), call.runtime.now()
        call.tenant.write(lambda connection: jobs.progress(connection, job_id, done=done, result=document, now=now, status=status))

    result = imports.Result()
    try:
        result = imports.import_consents(
            engine,
            call.key.tenant_id,
            rows,
            defaults=imports.Defaults(
                purpose=query.purpose, state=ConsentState(query.state) if query.state else None, source=query.source
            ),
            author=call.actor,
            dry_run=query.dry_run,
            progress=note,
        )
        note(len(rows), result, jobs.DONE)
        engine.wake_jobs()
    except StoreUnavailable as e:  # a job that says nothing for two minutes counts as failed
        _log.warning("import.interrupted", job=shown, error=e)
    finally:
        _IMPORTS.release()


def _statement(body: ConsentRequest) -> Statement:
    source = Source.read(body.source)
    try:
        return Statement(purpose=body.purpose, state=ConsentState(body.state), source=source, at=body.at, proof=body.proof or "")
    except ValueError as e:
        raise FieldInvalid("source", str(e), "source_state") from e


def _shown(call: Call, msisdn: Msisdn) -> Consent:
    with call.reading() as connection:
        person = consents.person(connection, call.tenant.vault, msisdn)
        policy = Policy.from_settings(tenants.get(connection).settings)
    standing = person.standing
    suppression = standing.suppression
    return Consent(
        msisdn=msisdn,
        transactional=_purpose(Purpose.TRANSACTIONAL, person, policy),
        marketing=_purpose(Purpose.MARKETING, person, policy),
        otp=_purpose(Purpose.OTP, person, policy),
        suppressed=standing.suppressed,
        suppressed_by=str(suppression.source) if suppression else None,
        suppressed_since=suppression.at if suppression else None,
        history=[
            ConsentLine(
                purpose=Purpose(one.purpose) if one.purpose else None,
                state=ConsentState(one.state),
                source=one.source,
                proof=one.proof,
                at=one.at,
                recorded_at=one.recorded_at,
                author=one.author,
            )
            for one in person.history
        ],
    )


def _purpose(purpose: Purpose, person: consents.Person, policy: Policy) -> PurposeConsent:
    record = person.standing.record(purpose)
    verdict = may_text(purpose, person.standing, policy, basis="api")
    return PurposeConsent(
        state=record.state if record else None,
        since=record.at if record else None,
        source=_word(purpose, record, person.history) if record else None,
        may_text=verdict.allowed,
        reason=verdict.reason,
        line=verdict.line,
    )


def _word(purpose: Purpose, record: Statement, history: Sequence[consents.Line]) -> str:
    """Who said it, in the words it was recorded with; the kind of source, where the line is too old to be among the history."""
    for line in history:
        if line.at == record.at and line.state == record.state and line.purpose in (None, purpose):
            return line.source
    return str(record.source)
