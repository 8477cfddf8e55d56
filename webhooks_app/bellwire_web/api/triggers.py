"""Triggers: an event and conditions on one side, a template and a recipient on the other."""

from __future__ import annotations

import difflib
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from bellwire.domain.quiet import read_quiet
from bellwire.domain.scopes import Scope
from bellwire.domain.triggers import Op, compile_conditions
from bellwire.errors import FieldInvalid
from bellwire.ids import parse_id, show
from bellwire.model import Purpose
from bellwire.store import triggers
from bellwire.store.triggers import Draft
from bellwire.store.triggers import Trigger as Stored
from pydantic import Field, JsonValue

from bellwire_web.calls import Call
from bellwire_web.fields import (
    Answer,
    Duration,
    InstallationId,
    Model,
    Name,
    Page,
    PageQuery,
    PathName,
    Time,
    TriggerId,
    next_cursor,
)
from bellwire_web.operations import Routes

routes = Routes("triggers", "Which event texts whom, when, and with which template.")

_CART_DELAY_S = 3_600  # a checkout counts as abandoned when nothing happened for that long


class TriggerState(StrEnum):
    """`shadow` decides and counts, and sends nothing."""

    OFF = "off"
    SHADOW = "shadow"
    ON = "on"


class Role(StrEnum):
    """Whom of the event's people to text. `customer` is always the person the event is about."""

    CUSTOMER = "customer"
    RECIPIENT = "recipient"
    REQUESTER = "requester"
    AGENT = "agent"
    OWNER = "owner"
    WORKER = "worker"
    MANAGER = "manager"


class Condition(Model):
    """One line: a field of the event, a comparison, a value."""

    field: Annotated[str, Field(min_length=1, max_length=120, examples=["order.total"])]
    op: Op
    value: Annotated[JsonValue, Field(description="A text, a number, true or false; a list for `in`.", examples=["100.00"])] = None


class Cap(Model):
    """At most `count` texts of this trigger to one number in any stretch of `per`."""

    count: Annotated[int, Field(ge=1, le=1_000_000)]
    per: Duration


class TriggerRequest(Model):
    """A trigger."""

    name: Name
    connector: Annotated[str, Field(max_length=64, examples=["shopify"])]
    installation: Annotated[InstallationId | None, Field(description="Only this one; all of the connector, later ones too.")] = None
    event: Annotated[str, Field(max_length=64, examples=["order.paid"])]
    all: Annotated[list[Condition], Field(max_length=50, description="Each of these must hold.")] = []  # noqa: RUF012  # pydantic copies
    any: Annotated[list[Condition], Field(max_length=50, description="One of these must hold.")] = []  # noqa: RUF012  # pydantic copies
    template: PathName
    recipient: Role = Role.CUSTOMER
    purpose: Purpose = Purpose.TRANSACTIONAL
    delay: Annotated[Duration | None, Field(description="Sent that long after the event.")] = None
    quiet_hours: Annotated[
        JsonValue, Field(description='Own quiet hours, such as "21:00-08:00"; true: also for transactional texts.')
    ] = None
    max_age: Annotated[Duration | None, Field(description="An event older than this is refused as stale.")] = None
    collapse: Annotated[bool | None, Field(description="Of one object's waiting texts only the newest is kept.")] = None
    cap: Cap | None = None
    state: TriggerState = TriggerState.OFF


class TriggerChange(Model):
    """What to change; null sets a field back to its default."""

    name: Name | None = None
    installation: InstallationId | None = None
    event: Annotated[str | None, Field(max_length=64)] = None
    all: Annotated[list[Condition] | None, Field(max_length=50)] = None
    any: Annotated[list[Condition] | None, Field(max_length=50)] = None
    template: PathName | None = None
    recipient: Role | None = None
    purpose: Purpose | None = None
    delay: Duration | None = None
    quiet_hours: JsonValue = None
    max_age: Duration | None = None
    collapse: bool | None = None
    cap: Cap | None = None
    state: TriggerState | None = None


class ShownCondition(Answer):
    """One line of the conditions."""

    field: str
    op: Op
    value: JsonValue


class ShownCap(Answer):
    """At most `count` texts to one number in any `per` seconds."""

    count: int
    per: int


class Trigger(Answer):
    """A trigger. Times are in seconds."""

    id: TriggerId
    name: str
    connector: str
    installation: InstallationId | None
    event: str
    all: list[ShownCondition]
    any: list[ShownCondition]
    template: str
    recipient: str
    purpose: Purpose
    delay: int | None
    quiet_hours: JsonValue
    max_age: int | None
    collapse: bool | None
    cap: ShownCap | None
    state: TriggerState
    active_from: Annotated[Time | None, Field(description="Events before it are not for this trigger.")]
    created_at: Time
    updated_at: Time


class TriggerPage(Page[Trigger]):
    """Triggers, newest first."""


class TriggerQuery(PageQuery):
    """Which triggers."""

    connector: Annotated[str | None, Field(max_length=64)] = None
    event: Annotated[str | None, Field(max_length=64)] = None
    state: TriggerState | None = None


_EXAMPLE = {
    "name": "Large orders",
    "connector": "shopify",
    "event": "order.paid",
    "all": [{"field": "order.total", "op": ">=", "value": "100.00"}],
    "template": "order_paid",
    "purpose": "transactional",
    "max_age": "2h",
    "state": "off",
}


@routes.post("/v1/triggers", scope=Scope.TRIGGERS_WRITE, audit="trigger.created", example=_EXAMPLE)
def create_trigger(call: Call, body: TriggerRequest) -> Trigger:
    """Make a trigger; switched on it counts from now, never from the backlog."""
    draft = draft_of(call, body)
    return call.write(lambda connection: show_trigger(triggers.create(connection, draft, actor=call.actor, now=call.now)))


@routes.get("/v1/triggers", scope=Scope.TRIGGERS_READ)
def list_triggers(call: Call, query: TriggerQuery) -> TriggerPage:
    """List triggers."""
    with call.reading() as connection:
        found = triggers.listed(
            connection, limit=query.limit, before=query.before, connector=query.connector, event=query.event, state=query.state
        )
    return TriggerPage(items=[show_trigger(one) for one in found.items], next=next_cursor(found.next))


@routes.get("/v1/triggers/<trg:trigger_id>", scope=Scope.TRIGGERS_READ)
def get_trigger(call: Call, trigger_id: UUID) -> Trigger:
    """Show a trigger."""
    with call.reading() as connection:
        return show_trigger(triggers.get(connection, trigger_id))


@routes.put("/v1/triggers/<trg:trigger_id>", scope=Scope.TRIGGERS_WRITE, audit="trigger.changed", example=_EXAMPLE)
def replace_trigger(call: Call, trigger_id: UUID, body: TriggerRequest) -> Trigger:
    """Put another trigger in its place."""
    draft = draft_of(call, body)
    return call.write(
        lambda connection: show_trigger(triggers.replace(connection, trigger_id, draft, actor=call.actor, now=call.now))
    )


@routes.patch("/v1/triggers/<trg:trigger_id>", scope=Scope.TRIGGERS_WRITE, audit="trigger.changed", example={"state": "on"})
def change_trigger(call: Call, trigger_id: UUID, body: TriggerChange) -> Trigger:
    """Change some fields of a trigger."""
    with call.reading() as connection:
        stored = triggers.get(connection, trigger_id)
    merged = TriggerRequest.model_validate(changed(stored, body), strict=False)
    draft = draft_of(call, merged)
    return call.write(
        lambda connection: show_trigger(triggers.replace(connection, trigger_id, draft, actor=call.actor, now=call.now))
    )


@routes.delete("/v1/triggers/<trg:trigger_id>", scope=Scope.TRIGGERS_WRITE, audit="trigger.deleted")
def delete_trigger(call: Call, trigger_id: UUID) -> None:
    """Delete a trigger; what it sent stays."""
    call.write(lambda connection: triggers.delete(connection, trigger_id, actor=call.actor, now=call.now))


def changed(stored: Stored, change: TriggerChange) -> dict[str, Any]:
    """A stored trigger as its request, with the given fields changed."""
    shown = show_trigger(stored).model_dump(exclude={"id", "active_from", "created_at", "updated_at"})
    given = change.model_dump(exclude_unset=True)
    for name, value in given.items():
        if value is None and name in ("name", "event", "template"):
            raise FieldInvalid(name, "can't be taken out", "required")
    merged = {name: value for name, value in {**shown, **given}.items() if value is not None}
    for lines in (merged.get("all", ()), merged.get("any", ())):
        for line in lines:
            if line.get("value", ...) is None:
                del line["value"]
    return merged


def draft_of(call: Call, body: TriggerRequest) -> Draft:
    """The trigger as it is stored. Raises FieldInvalid naming the field and the cure."""
    _check_event(call, body.connector, body.event)
    all_of, any_of = [_line(one) for one in body.all], [_line(one) for one in body.any]
    compile_conditions(all_of, any_of)
    read_quiet(body.quiet_hours, trigger=body.purpose)
    if body.cap is not None and body.cap.per < 1:
        raise FieldInvalid("cap.per", "must be at least one second", "out_of_range")
    delay = body.delay if body.delay is not None or body.event != "checkout.abandoned" else _CART_DELAY_S
    definition = {
        "all": all_of,
        "any": any_of,
        "template": body.template,
        "recipient": str(body.recipient),
        "purpose": str(body.purpose),
        "delay_s": delay,
        "quiet_hours": body.quiet_hours,
        "max_age_s": body.max_age,
        "collapse": body.collapse,
        "cap": {"count": body.cap.count, "window_s": body.cap.per} if body.cap is not None else None,
    }
    return Draft(
        name=body.name,
        connector=body.connector,
        installation_id=parse_id("ins", body.installation, "installation") if body.installation else None,
        event=body.event,
        definition={name: value for name, value in definition.items() if value is not None},
        state=str(body.state),
    )


def _check_event(call: Call, connector: str, event: str) -> None:
    connectors = call.runtime.plugins.connectors
    if connector not in connectors:
        known = ", ".join(sorted(connectors)) or "none"
        raise FieldInvalid("connector", f"is not installed; there are {known}", "unknown_connector")
    events = connectors[connector].events
    if events and event not in events:
        near = difflib.get_close_matches(event, events, n=1)
        cure = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(events))}"
        raise FieldInvalid("event", f"{connector} never reports it; {cure}", "unknown_event")


def _line(condition: Condition) -> dict[str, Any]:
    return condition.model_dump(mode="json", exclude_unset=True)


def show_trigger(stored: Stored) -> Trigger:
    """A trigger as it is answered."""
    definition = stored.definition
    cap = definition.get("cap")
    return Trigger(
        id=show("trg", stored.id),
        name=stored.name,
        connector=stored.connector,
        installation=show("ins", stored.installation_id) if stored.installation_id else None,
        event=stored.event,
        all=[_shown_line(one) for one in definition.get("all", ())],
        any=[_shown_line(one) for one in definition.get("any", ())],
        template=definition["template"],
        recipient=definition.get("recipient", "customer"),
        purpose=Purpose(definition.get("purpose", "transactional")),
        delay=definition.get("delay_s"),
        quiet_hours=definition.get("quiet_hours"),
        max_age=definition.get("max_age_s"),
        collapse=definition.get("collapse"),
        cap=ShownCap(count=cap["count"], per=cap["window_s"]) if cap else None,
        state=TriggerState(stored.state),
        active_from=stored.active_from,
        created_at=stored.created_at,
        updated_at=stored.updated_at,
    )


def _shown_line(line: dict[str, Any]) -> ShownCondition:
    return ShownCondition(field=line["field"], op=Op(line["op"]), value=line.get("value"))
