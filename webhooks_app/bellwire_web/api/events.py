"""Events: what came in, and what was decided about each."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from bellwire.domain.scopes import Scope
from bellwire.errors import Conflict
from bellwire.ids import parse_id, show
from bellwire.model import Reason
from bellwire.store import audit, events, pending
from bellwire.store.events import Event as Stored
from bellwire.store.tenancy import TenantConnection
from pydantic import Field, JsonValue

from bellwire_web.calls import Call
from bellwire_web.fields import (
    Answer,
    EventId,
    InstallationId,
    MessageId,
    Model,
    Page,
    PageQuery,
    Time,
    Timestamp,
    TriggerId,
    next_cursor,
)
from bellwire_web.operations import Routes

routes = Routes("events", "What platforms reported, and what was decided about each.")


class EventState(StrEnum):
    """`dead`: given up after its tries; the error says why."""

    PENDING = "pending"
    DECIDED = "decided"
    DEAD = "dead"


class Outcome(StrEnum):
    """What a trigger made of an event; `no_trigger`: none listens to it."""

    SENT = "sent"
    HELD = "held"
    REFUSED = "refused"
    NOT_MATCHED = "not_matched"
    SHADOW = "shadow"
    NO_TRIGGER = "no_trigger"


class Decision(Answer):
    """What one trigger made of the event."""

    trigger: Annotated[str | None, Field(description="The trigger's name.")]
    trigger_id: TriggerId | None
    outcome: Outcome
    reason: Reason | None
    line: Annotated[str | None, Field(description="What decided.")]
    message: MessageId | None


class Event(Answer):
    """An event with its decisions. Its people and data are personal: only `GET` of one event shows them."""

    id: EventId
    type: str
    connector: str
    installation: InstallationId | None
    subject: str
    status: EventState
    error: str | None
    occurred_at: Time
    received_at: Time
    decisions: list[Decision]


class FullEvent(Event):
    """An event with what it said."""

    data: Annotated[dict[str, JsonValue] | None, Field(description="Null after erasure.")]
    people: Annotated[list[str], Field(description="The roles of the people it names.")]
    test: bool


class ReplayRequest(Model):
    """How to judge it again."""

    dry_run: Annotated[bool, Field(description="Only say what would become of it.")] = True


class Replay(Answer):
    """What would become of an event, or that it is tried again."""

    dry_run: bool
    event: EventId
    decisions: list[Decision]


class EventPage(Page[Event]):
    """Events, newest first."""


class EventQuery(PageQuery):
    """Which events."""

    connector: Annotated[str | None, Field(max_length=64)] = None
    type: Annotated[str | None, Field(max_length=64)] = None
    installation: InstallationId | None = None
    status: EventState | None = None
    subject: Annotated[str | None, Field(max_length=300)] = None
    since: Annotated[Timestamp | None, Field(description="Received at or after.")] = None


@routes.get("/v1/events", scope=Scope.EVENTS_READ)
def list_events(call: Call, query: EventQuery) -> EventPage:
    """List events, each with its decisions."""
    with call.reading() as connection:
        found = events.listed(
            connection,
            limit=query.limit,
            before=query.before,
            connector=query.connector,
            type_=query.type,
            installation_id=parse_id("ins", query.installation, "installation") if query.installation else None,
            status=query.status,
            subject=query.subject,
            since=query.since,
        )
    return EventPage(items=[Event(**_shown(one)) for one in found.items], next=next_cursor(found.next))


@routes.get("/v1/events/<evt:event_id>", scope=Scope.EVENTS_READ)
def get_event(call: Call, event_id: UUID) -> FullEvent:
    """Show an event: what it said, and what was decided."""
    with call.reading() as connection:
        stored = events.get(connection, event_id)
        content = events.content(connection, call.tenant.vault, event_id)
    return FullEvent(
        **_shown(stored),
        data=content["data"] if content is not None else None,
        people=sorted(content["people"]) if content is not None else [],
        test=bool(content and content.get("test")),
    )


@routes.post(
    "/v1/events/<evt:event_id>/replay",
    scope=Scope.EVENTS_WRITE,
    status=200,
    audit="event.replayed",
    problems=(409,),
    body_optional=True,
    keeps_answer=False,
    example={"dry_run": True},
)
def replay_event(call: Call, event_id: UUID, body: ReplayRequest) -> Replay:
    """Judge an event by the present rules.

    A dry run sends and changes nothing. Otherwise a dead event gets its five tries again; one that was decided stays as it is.
    """
    if body.dry_run:
        return Replay(dry_run=True, event=show("evt", event_id), decisions=_dry(call, event_id))
    with call.reading() as connection:
        status = events.get(connection, event_id).status
    if status != EventState.DEAD:
        raise Conflict("not_dead", f"the event is {status}: only dead ones are tried again; look at others with dry_run")
    revived = call.tenant.write(lambda connection: _revive(call, connection, event_id))
    call.runtime.engine.wake_jobs()
    return revived


def _revive(call: Call, connection: TenantConnection, event_id: UUID) -> Replay:
    if not pending.revive(connection.bare, connection.tenant_id, event_id, call.now):
        raise Conflict("not_dead", "somebody else has revived the event")
    audit.note(connection, call.actor, "event.replayed", show("evt", event_id), call.now)
    return Replay(dry_run=False, event=show("evt", event_id), decisions=[])


def _dry(call: Call, event_id: UUID) -> list[Decision]:
    from bellwire.engine import trials

    with call.reading() as connection:
        row = events.row(connection, event_id)
    event = trials.stored_event(call.runtime.engine, row)
    found = trials.try_event(call.runtime.engine, call.key.tenant_id, None, event, row.installation_id)
    call.tenant.write(
        lambda connection: audit.note(connection, call.actor, "event.replayed", show("evt", event_id), call.now, {"dry_run": True})
    )
    return [
        Decision(
            trigger=one.trigger.name if one.trigger else None,
            trigger_id=show("trg", one.trigger.id) if one.trigger else None,
            outcome=Outcome(one.outcome),
            reason=Reason(one.reason) if one.reason else None,
            line=one.line or None,
            message=None,
        )
        for one in found
    ]


def _shown(stored: Stored) -> dict[str, Any]:
    return {
        "id": show("evt", stored.id),
        "type": stored.type,
        "connector": stored.connector,
        "installation": show("ins", stored.installation_id) if stored.installation_id else None,
        "subject": stored.subject,
        "status": EventState(stored.status),
        "error": stored.error,
        "occurred_at": stored.occurred_at,
        "received_at": stored.received_at,
        "decisions": [show_decision(one) for one in stored.decisions],
    }


def show_decision(entry: Any) -> Decision:
    """An entry of an event's decisions as it is answered."""
    return Decision(
        trigger=entry.get("trigger"),
        trigger_id=entry.get("trigger_id"),
        outcome=Outcome(entry["outcome"]),
        reason=Reason(entry["reason"]) if entry.get("reason") else None,
        line=entry.get("line"),
        message=entry.get("message"),
    )
