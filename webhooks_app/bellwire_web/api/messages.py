"""Messages: looked at, taken back, settled."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from bellwire.domain import msisdn
from bellwire.domain.scopes import Scope
from bellwire.errors import FieldInvalid
from bellwire.ids import parse_id, show
from bellwire.model import Purpose, Reason, Status
from bellwire.store import messages, tenants
from bellwire.store.schema import STATUS_OF
from bellwire.store.tenancy import TenantConnection
from pydantic import Field

from bellwire_web.api.choices import SettlementChoice, statuses_of
from bellwire_web.api.sending import routes
from bellwire_web.api.shown_message import Message, is_overdue, show_message
from bellwire_web.calls import Call
from bellwire_web.fields import Answer, EventId, MessageId, Model, Number, Page, PageQuery, Time, Timestamp, next_cursor


class MessagePage(Page[Message]):
    """Messages, newest first."""


class MessageQuery(PageQuery):
    """Which messages."""

    status: Annotated[str | None, Field(max_length=200, description="One or several, with commas.")] = None
    to: Annotated[Number | None, Field(description="A number; `+` may be left out.")] = None
    trigger: Annotated[str | None, Field(max_length=200, description="A trigger's id or name.")] = None
    event: EventId | None = None
    purpose: Purpose | None = None
    since: Annotated[Timestamp | None, Field(description="Made at or after.")] = None
    until: Annotated[Timestamp | None, Field(description="Made before.")] = None


class MessageStatus(Answer):
    """A message's status alone."""

    id: MessageId
    status: Status
    reason: Reason | None
    dlr_overdue: bool
    carrier_ref: str | None
    updated_at: Time


class StatusQuery(Model):
    """Which message."""

    message_id: MessageId


class ResolveRequest(Model):
    """What became of a message that nobody knew of; `resend` sends it again, knowingly."""

    as_: Annotated[SettlementChoice, Field(alias="as")]


@routes.get("/v1/messages", scope=Scope.MESSAGES_READ)
def list_messages(call: Call, query: MessageQuery) -> MessagePage:
    """List messages, newest first."""
    with call.reading() as connection:
        found = messages.listed(
            connection,
            call.tenant.vault,
            limit=query.limit,
            before=query.before,
            statuses=statuses_of(query.status),
            to=_person(call, connection, query.to) if query.to else None,
            trigger=_trigger(query.trigger) if query.trigger else None,
            event_id=parse_id("evt", query.event, "event") if query.event else None,
            purpose=query.purpose,
            since=query.since,
            until=query.until,
        )
    return MessagePage(items=[show_message(one, call.now) for one in found.items], next=next_cursor(found.next))


@routes.get("/v1/messages/<msg:message_id>", scope=Scope.MESSAGES_READ, salesforce=True)
def get_message(call: Call, message_id: UUID) -> Message:
    """Show a message: why it was sent or not, each attempt, what was written back."""
    with call.reading() as connection:
        return show_message(messages.get(connection, call.tenant.vault, message_id), call.now)


@routes.delete("/v1/messages/<msg:message_id>", scope=Scope.MESSAGES_WRITE, audit="message.canceled", problems=(409,))
def cancel_message(call: Call, message_id: UUID) -> None:
    """Take a message back while it is scheduled or queued."""
    from bellwire.engine import settling

    settling.cancel(call.runtime.engine, call.key.tenant_id, message_id, actor=call.actor)


@routes.post(
    "/v1/messages/<msg:message_id>/resolve",
    scope=Scope.MESSAGES_WRITE,
    status=200,
    audit="message.resolved",
    problems=(409,),
    example={"as": "delivered"},
)
def resolve_message(call: Call, message_id: UUID, body: ResolveRequest) -> Message:
    """Say what became of an unknown message, or send it again knowingly."""
    from bellwire.engine import settling

    settling.resolve(call.runtime.engine, call.key.tenant_id, message_id, settling.Settlement(body.as_), actor=call.actor)
    with call.reading() as connection:
        return show_message(messages.get(connection, call.tenant.vault, message_id), call.now)


@routes.get("/v1/status", scope=Scope.MESSAGES_READ, problems=(404,))
def get_status(call: Call, query: StatusQuery) -> MessageStatus:
    """Show a message's status alone."""
    with call.reading() as connection:
        row = messages.status(connection, parse_id("msg", query.message_id, "message_id"))
    status = STATUS_OF[row.status]
    return MessageStatus(
        id=show("msg", row.id),
        status=status,
        reason=Reason(row.reason) if row.reason else None,
        dlr_overdue=is_overdue(status, row.dlr_due, call.now),
        carrier_ref=row.carrier_ref,
        updated_at=row.updated_at,
    )


def _person(call: Call, connection: TenantConnection, written: str) -> Any:
    tenant = tenants.get(connection)
    number = msisdn.parse(written.strip(), [tenant.country]) or msisdn.parse(f"+{written.strip()}")
    if number is None:
        raise FieldInvalid("to", "is not a phone number", "invalid_number")
    return number, tenants.index(connection, call.tenant.vault)


def _trigger(written: str) -> UUID | str:
    return parse_id("trg", written, "trigger") if written.startswith("trg_") else written
