"""Trying triggers: on one event, and on the tenant's own past. Nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from bellwire.domain import pricing
from bellwire.domain.scopes import Scope
from bellwire.domain.tenant import Trigger as Rule
from bellwire.errors import FieldInvalid, NotFound
from bellwire.ids import parse_id, show
from bellwire.model import Encoding, Reason
from bellwire.store import events, triggers
from bellwire.store.triggers import Draft
from bellwire.store.triggers import Trigger as Stored
from pydantic import Field

from bellwire_web.api.events import Outcome
from bellwire_web.api.triggers import TriggerChange, TriggerRequest, changed, draft_of, routes
from bellwire_web.calls import Call
from bellwire_web.fields import AccountId, Answer, EventId, Model, Money, Time, Timestamp

if TYPE_CHECKING:
    from bellwire.engine.trials import Tally as Counted
    from bellwire.engine.trials import Trial as Tried

_DEFAULT_SPAN = timedelta(days=30)


class TriggerTestRequest(Model):
    """What to try it on: an event that came in, or a sample of the connector. The newest event when nothing is said."""

    event: EventId | None = None
    sample: Annotated[str | None, Field(max_length=100, examples=["order_paid"])] = None


class TestLine(Answer):
    """One condition, with the value it saw."""

    place: Annotated[str, Field(examples=["all.0"])]
    matched: bool
    text: str


class TriggerTest(Answer):
    """What a trigger would make of an event."""

    event: Annotated[EventId | None, Field(description="Null: a sample.")]
    outcome: Outcome
    reason: Reason | None
    line: Annotated[str | None, Field(description="What decided.")]
    conditions: list[TestLine]
    to: str | None
    text: str | None
    locale: str | None
    encoding: Encoding | None
    segments: int | None
    cost: Money | None
    currency: str | None
    carrier_account: AccountId | None
    sender_id: str | None
    send_at: Time | None


class BacktestRequest(Model):
    """Over which events, and with which changes."""

    since: Annotated[Timestamp | None, Field(description="30 days ago, when left out.")] = None
    changes: Annotated[TriggerChange | None, Field(description="Fields of the trigger as they might be.")] = None


class OutcomeCount(Answer):
    """How often a trigger would have done that."""

    outcome: Outcome
    count: int


class ReasonCount(Answer):
    """How often policy would have forbidden it for that."""

    reason: Reason
    count: int


class Cost(Answer):
    """What the texts would have cost, in one currency."""

    amount: Money
    currency: str


class BacktestTally(Answer):
    """What a version of the trigger would have made of the events."""

    outcomes: list[OutcomeCount]
    reasons: list[ReasonCount]
    texts: int
    segments: int
    costs: list[Cost]


class BacktestText(Answer):
    """A text that would have been sent."""

    event: EventId
    to: str | None
    text: str
    segments: int | None


class BacktestDifference(Answer):
    """An event of which the versions make something else."""

    event: EventId
    live: Outcome
    live_reason: Reason | None
    changed: Outcome
    changed_reason: Reason | None
    text: Annotated[str | None, Field(description="What the changed version would have said.")]


class Backtest(Answer):
    """What would have become of the tenant's own past events."""

    since: Time
    events: int
    truncated: Annotated[bool, Field(description="There were more; the newest were looked at.")]
    live: BacktestTally
    changed: BacktestTally | None
    differences: list[BacktestDifference]
    texts: list[BacktestText]


@routes.post(
    "/v1/triggers/<trg:trigger_id>/test",
    scope=Scope.TRIGGERS_READ,
    status=200,
    body_optional=True,
    example={"sample": "order_paid"},
)
def test_trigger(call: Call, trigger_id: UUID, body: TriggerTestRequest) -> TriggerTest:
    """Say what a trigger would make of an event if it came now: each condition, the text, its cost. Sends nothing."""
    from bellwire.engine import trials

    engine, tenant_id = call.runtime.engine, call.key.tenant_id
    if body.event is not None and body.sample is not None:
        raise FieldInvalid("event", "give either event or sample", "event_or_sample")
    with call.reading() as connection:
        rule = rule_of(triggers.get(connection, trigger_id))
        row = None
        if body.event is not None:
            try:
                row = events.row(connection, parse_id("evt", body.event, "event"))
            except NotFound as e:
                raise FieldInvalid("event", "there is no such event", "unknown_event") from e
        elif body.sample is None:
            found = trials.rows_of(connection.bare, tenant_id, rule, call.now - _DEFAULT_SPAN, 1)
            if not found:
                raise FieldInvalid("event", f"no {rule.event} has come in the last 30 days; try a sample", "no_event")
            row = found[0]
    if row is not None and (row.connector, row.type) != (rule.connector, rule.event):
        raise FieldInvalid("event", f"is {row.connector}'s {row.type}; the trigger listens to {rule.event}", "other_event")
    if row is not None:
        event = trials.stored_event(engine, row)
    else:
        event = trials.sample_event(engine, rule.connector, body.sample or "", rule.event)
    installation_id = row.installation_id if row is not None else rule.installation_id
    (tried,) = trials.try_event(engine, tenant_id, [rule], event, installation_id)
    return _tried(tried, show("evt", row.id) if row is not None else None)


@routes.post(
    "/v1/triggers/<trg:trigger_id>/backtest",
    scope=Scope.TRIGGERS_READ,
    status=200,
    body_optional=True,
    example={"since": "2026-01-31T09:00:00Z", "changes": {"delay": "30m"}},
)
def backtest_trigger(call: Call, trigger_id: UUID, body: BacktestRequest) -> Backtest:
    """Judge the events that came in since a time: how many texts, what they cost, and what a change would make of them."""
    from bellwire.engine import trials

    since = body.since or call.now - _DEFAULT_SPAN
    with call.reading() as connection:
        stored = triggers.get(connection, trigger_id)
    other = None
    if body.changes is not None:
        request = TriggerRequest.model_validate(changed(stored, body.changes), strict=False)
        other = rule_of(stored, draft_of(call, request))
        if (other.connector, other.event) != (stored.connector, stored.event):
            raise FieldInvalid("changes.event", "can't be changed here: other events would be judged", "other_event")
    made = trials.backtest(call.runtime.engine, call.key.tenant_id, rule_of(stored), other, since)
    return Backtest(
        since=since,
        events=made.events,
        truncated=made.truncated,
        live=_tally(made.live),
        changed=_tally(made.changed) if made.changed is not None else None,
        differences=[
            BacktestDifference(
                event=show("evt", one.event_id),
                live=Outcome(one.live.outcome),
                live_reason=Reason(one.live.reason) if one.live.reason else None,
                changed=Outcome(one.changed.outcome),
                changed_reason=Reason(one.changed.reason) if one.changed.reason else None,
                text=(one.changed.planned.draft.text or None) if one.changed.planned else None,
            )
            for one in made.differences
        ],
        texts=[
            BacktestText(
                event=show("evt", event_id),
                to=one.planned.draft.msisdn,
                text=one.planned.draft.text,
                segments=one.planned.segments,
            )
            for event_id, one in made.texts
            if one.planned is not None
        ],
    )


def rule_of(stored: Stored, draft: Draft | None = None) -> Rule:
    """A stored trigger (or another version of it) as decisions read it."""
    version = draft or stored
    return Rule(
        id=stored.id,
        name=version.name,
        connector=version.connector,
        installation_id=version.installation_id,
        event=version.event,
        definition=version.definition,
        state=version.state,
        active_from=stored.active_from,
    )


def _tried(tried: Tried, event: str | None) -> TriggerTest:
    planned = tried.planned
    draft = planned.draft if planned is not None else None
    return TriggerTest(
        event=event,
        outcome=Outcome(tried.outcome),
        reason=Reason(tried.reason) if tried.reason else None,
        line=tried.line or None,
        conditions=[TestLine(place=one.place, matched=one.matched, text=one.text) for one in tried.lines],
        to=draft.msisdn if draft else None,
        text=(draft.text or None) if draft else None,
        locale=(draft.locale or None) if draft else None,
        encoding=planned.encoding if planned else None,
        segments=planned.segments if planned else None,
        cost=pricing.shown(tried.price) if tried.price is not None else None,
        currency=tried.currency or None,
        carrier_account=(planned.account or None) if planned else None,
        sender_id=(planned.sender_id or None) if planned else None,
        send_at=planned.due if planned and not planned.reason else None,
    )


def _tally(counted: Counted) -> BacktestTally:
    return BacktestTally(
        outcomes=[OutcomeCount(outcome=one, count=counted.outcomes[one]) for one in Outcome if counted.outcomes[one]],
        reasons=[ReasonCount(reason=one, count=counted.reasons[one]) for one in Reason if counted.reasons[one]],
        texts=counted.texts,
        segments=counted.segments,
        costs=_costs(counted.costs),
    )


def _costs(costs: Mapping[str, Decimal]) -> list[Cost]:
    return [Cost(amount=pricing.shown(amount), currency=currency) for currency, amount in sorted(costs.items())]
