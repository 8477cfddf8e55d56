"""What there is to read: replies, the audit trail."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from bellwire.domain import msisdn
from bellwire.domain.scopes import Scope
from bellwire.errors import FieldInvalid, NotFound
from bellwire.ids import show
from bellwire.store import audit, inbox, tenants
from bellwire.store.inbox import Reply as Stored
from bellwire.store.tenancy import TenantConnection
from pydantic import Field, JsonValue

from bellwire_web.calls import Call
from bellwire_web.fields import (
    AccountId,
    Answer,
    AuditId,
    InstallationId,
    MessageId,
    Number,
    Page,
    PageQuery,
    ReplyId,
    Time,
    Timestamp,
    next_cursor,
)
from bellwire_web.operations import Routes

routes = Routes("records", "Replies from handsets, and the trail of who changed what.")


class ReplyKind(StrEnum):
    """A keyword that was understood."""

    STOP = "stop"
    START = "start"
    HELP = "help"


class Passed(StrEnum):
    """What became of handing a reply to the platform of its conversation."""

    WAITING = "waiting"
    TAKEN = "taken"
    DEAD = "dead"


class Reply(Answer):
    """A text from a handset."""

    id: ReplyId
    msisdn: str
    to: Annotated[str, Field(description="The number or code that it was sent to.")]
    text: str
    kind: Annotated[ReplyKind | None, Field(description="Null: no keyword.")]
    rule: Annotated[str | None, Field(description="How the keyword was recognised.")]
    status: str
    message: Annotated[
        MessageId | None, Field(description="The text that it answers: the last one to that person, or the one that asked.")
    ]
    answer: Annotated[
        str | None, Field(description="The word by which it answers a question. Null: it answers none.", examples=["YES"])
    ]
    answers: Annotated[str | None, Field(description="The object of that question.", examples=["shift/55"])]
    carrier_account: AccountId
    received_at: Time
    passed: Annotated[Passed | None, Field(description="`dead`: nobody took it. Null: it was handed to no platform.")]
    passed_to: Annotated[InstallationId | None, Field(description="Who has it, or had it last.")]
    error: Annotated[str, Field(description="Why nobody took it.")]


class ReplyPage(Page[Reply]):
    """Replies, newest first."""


class ReplyQuery(PageQuery):
    """Which replies."""

    msisdn: Annotated[Number | None, Field(description="Of this number.")] = None
    kind: ReplyKind | None = None
    passed: Annotated[Passed | None, Field(description="`dead`: what nobody took.")] = None
    since: Annotated[Timestamp | None, Field(description="Received at or after.")] = None


class AuditEntry(Answer):
    """One line of the trail: ids and field names only."""

    id: AuditId
    at: Time
    actor: Annotated[str, Field(description="A key, cli or worker.")]
    action: Annotated[str, Field(examples=["trigger.changed"])]
    object: str
    details: dict[str, JsonValue]
    sealed: Annotated[bool, Field(description="Linked into the chain; the newest seconds may not be yet.")]


class AuditPage(Page[AuditEntry]):
    """The trail, newest first."""


class AuditQuery(PageQuery):
    """Which lines."""

    action: Annotated[str | None, Field(max_length=100)] = None
    actor: Annotated[str | None, Field(max_length=100)] = None
    object: Annotated[str | None, Field(max_length=200)] = None
    since: Timestamp | None = None


@routes.get("/v1/replies", scope=Scope.MESSAGES_READ)
def list_replies(call: Call, query: ReplyQuery) -> ReplyPage:
    """List replies."""
    with call.reading() as connection:
        contact_id = None
        if query.msisdn is not None:
            number = msisdn.parse(query.msisdn, [tenants.get(connection).country]) or msisdn.parse(f"+{query.msisdn.strip()}")
            if number is None:
                raise FieldInvalid("msisdn", "is not a phone number", "invalid_number")
            index = tenants.index(connection, call.tenant.vault)
            contact_id = index.contact_id(index.of(number))
        found = inbox.listed(
            connection,
            call.tenant.vault,
            limit=query.limit,
            before=query.before,
            contact_id=contact_id,
            kind=query.kind,
            passed=query.passed,
            since=query.since,
        )
    return ReplyPage(items=[_reply(one) for one in found.items], next=next_cursor(found.next))


@routes.get("/v1/replies/<rpl:reply_id>", scope=Scope.MESSAGES_READ)
def get_reply(call: Call, reply_id: UUID) -> Reply:
    """Show a reply."""
    with call.reading() as connection:
        return _reply(inbox.get(connection, call.tenant.vault, reply_id))


@routes.post("/v1/replies/<rpl:reply_id>/retry", scope=Scope.MESSAGES_WRITE, status=202, audit="reply.retried", problems=(409,))
def retry_reply(call: Call, reply_id: UUID) -> Reply:
    """Hand a reply that nobody took to those who take replies now."""
    from bellwire.engine import passing

    engine = call.runtime.engine

    def run(connection: TenantConnection) -> Reply:
        held = engine.configs.get(connection.bare, connection.tenant_id, call.now)
        if held is None:
            raise NotFound("tenant", show("ten", connection.tenant_id))
        passing.retry(engine, connection, held, reply_id, actor=call.actor, now=call.now)
        return _reply(inbox.get(connection, call.tenant.vault, reply_id))

    made = call.write(run)
    engine.wake_jobs()
    return made


@routes.get("/v1/audit", scope=Scope.AUDIT_READ)
def list_audit(call: Call, query: AuditQuery) -> AuditPage:
    """List who changed what: people, keys, configuration, consent."""
    with call.reading() as connection:
        found = audit.listed(
            connection,
            limit=query.limit,
            before=query.before,
            action=query.action,
            actor=query.actor,
            object_=query.object,
            since=query.since,
        )
    items = [
        AuditEntry(
            id=show("aud", one.id),
            at=one.at,
            actor=one.actor,
            action=one.action,
            object=one.object,
            details=dict(one.details),
            sealed=one.sealed,
        )
        for one in found.items
    ]
    return AuditPage(items=items, next=next_cursor(found.next))


def _reply(stored: Stored) -> Reply:
    return Reply(
        id=show("rpl", stored.id),
        msisdn=stored.msisdn,
        to=stored.to,
        text=stored.text,
        kind=ReplyKind(stored.kind) if stored.kind else None,
        rule=stored.rule,
        status=stored.status,
        message=show("msg", stored.message_id) if stored.message_id else None,
        answer=stored.answer,
        answers=stored.answers,
        carrier_account=show("acc", stored.account_id),
        received_at=stored.received_at,
        passed=Passed(stored.passed) if stored.passed else None,
        passed_to=show("ins", stored.passed_to) if stored.passed_to else None,
        error=stored.error,
    )
