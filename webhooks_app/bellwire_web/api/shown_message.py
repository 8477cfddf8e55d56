"""A message as it is answered: what it is, why, its attempts, what was written back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from bellwire.domain import pricing
from bellwire.errors import ErrorClass
from bellwire.ids import show
from bellwire.model import Encoding, Purpose, Reason, Status
from bellwire.store.messages import Message as Stored
from pydantic import Field, JsonValue

from bellwire_web.fields import AccountId, Answer, EventId, MessageId, Money, Time, TriggerId


class WhyStep(Answer):
    """One step of what led to a message, or stopped it."""

    at: Time
    step: str
    outcome: str
    reason: str | None
    detail: str | None


class Attempt(Answer):
    """One try at one carrier."""

    carrier: str
    account: AccountId
    started_at: Time
    ended_at: Time | None
    outcome: str
    error_class: ErrorClass | None
    code: str | None
    http_status: int | None
    carrier_ref: str | None


class WriteBack(Answer):
    """The outcome on its way to a platform."""

    platform: str
    target: str
    status: Annotated[str, Field(description="queued, done or failed.")]
    at: Time


class Message(Answer):
    """A message with the trail of decisions that led to it, its attempts, and what was written back."""

    id: MessageId
    status: Status
    reason: Annotated[Reason | None, Field(description="Why it was refused.")]
    to: Annotated[str | None, Field(description="Null after erasure, or when there was no usable number.")]
    text: str | None
    encoding: Encoding | None
    segments: int | None
    purpose: Purpose
    lane: Purpose
    locale: str | None
    template: str | None
    template_version: int | None
    sender_id: str | None
    carrier: str | None
    carrier_account: AccountId | None
    carrier_ref: str | None
    country: str | None
    event: EventId | None
    trigger: Annotated[str | None, Field(description="The trigger's name.")]
    trigger_id: TriggerId | None
    reference: str | None
    metadata: dict[str, JsonValue] | None
    price: Money | None
    currency: str | None
    dlr_overdue: bool
    created_at: Time
    send_at: Time
    expires_at: Time
    updated_at: Time
    why: list[WhyStep]
    attempts: list[Attempt]
    write_backs: list[WriteBack]


def is_overdue(status: Status, dlr_due: datetime | None, now: datetime) -> bool:
    """Whether a receipt should have come by now."""
    return status is Status.SENT and dlr_due is not None and dlr_due < now


def show_message(stored: Stored, now: datetime) -> Message:
    """A message as it is answered."""
    return Message(
        id=show("msg", stored.id),
        status=stored.status,
        reason=Reason(stored.reason) if stored.reason in _REASONS else None,
        to=stored.to,
        text=stored.text,
        encoding=Encoding(stored.encoding) if stored.encoding else None,
        segments=stored.segments,
        purpose=stored.purpose,
        lane=stored.lane,
        locale=stored.locale,
        template=stored.template,
        template_version=stored.template_version,
        sender_id=stored.sender_id,
        carrier=stored.carrier,
        carrier_account=show("acc", stored.account_id) if stored.account_id else None,
        carrier_ref=stored.carrier_ref,
        country=stored.country,
        event=show("evt", stored.event_id) if stored.event_id else None,
        trigger=stored.trigger,
        trigger_id=show("trg", stored.trigger_id) if stored.trigger_id else None,
        reference=stored.reference,
        metadata=dict(stored.metadata) if stored.metadata is not None else None,
        price=pricing.shown(stored.price) if stored.price is not None else None,
        currency=stored.currency,
        dlr_overdue=is_overdue(stored.status, stored.dlr_due, now),
        created_at=stored.created_at,
        send_at=stored.send_at,
        expires_at=stored.expires_at,
        updated_at=stored.updated_at,
        why=[WhyStep(at=one.at, step=one.step, outcome=one.outcome, reason=one.reason, detail=one.detail) for one in stored.why],
        attempts=[
            Attempt(
                carrier=one.carrier,
                account=show("acc", one.account_id),
                started_at=one.started_at,
                ended_at=one.ended_at,
                outcome=one.outcome,
                error_class=ErrorClass(one.error_class) if one.error_class else None,
                code=one.code,
                http_status=one.http_status,
                carrier_ref=one.carrier_ref,
            )
            for one in stored.attempts
        ],
        write_backs=[
            WriteBack(platform=one.platform, target=one.target, status=one.status, at=one.at) for one in stored.write_backs
        ],
    )


_REASONS = frozenset(Reason)
