"""Clockify webhooks: one event type a webhook, proved by the webhook's own token. Pure.

docs.clockify.me, "Webhooks". The token is a shared one, not an HMAC: it says who sent a body, not that it is unaltered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from bellwire import Event, Installation, Person, SignatureMismatch, WebhookRequest
from bellwire.signing import require, sha256_hex

from bellwire_connectors.translating import happenings
from bellwire_connectors.translating.bodies import Body, Id, Line, Moment, digest, moment, read_body, stamp

from .tokens import tokens_for

HEADER, EVENT_HEADER = "Clockify-Signature", "Clockify-Webhook-Event-Type"

#: status.state → our event; PENDING is told by NEW_APPROVAL_REQUEST already.
STATES = {
    "APPROVED": "timecard.approved",
    "REJECTED": "timecard.rejected",
    "WITHDRAWN_SUBMISSION": "timecard.reopened",  # by the worker
    "WITHDRAWN_APPROVAL": "timecard.reopened",  # by a manager
}


class Period(Body):
    """UTC instants of local midnights."""

    start: Moment = None
    end: Moment = None


class Owner(Body):
    """Whose time it is."""

    userId: Id  # noqa: N815  # the platform's name
    userName: Line = ""  # noqa: N815  # as above
    timezone: Line = ""


class State(Body):
    """What was decided, and when."""

    state: Line = ""
    updatedAt: Line = ""  # noqa: N815  # as above
    note: Line = ""


class Approval(Body):
    """A timesheet handed in."""

    id: Id
    owner: Owner
    dateRange: Period = Period()  # noqa: N815  # as above
    status: State


class Assignment(Body):
    """A shift: ids only."""

    assignmentId: Id  # noqa: N815  # as above
    userId: Id  # noqa: N815  # as above


class Task(Body):
    """A task of a project."""

    id: Id
    name: Line = ""
    status: Line = ""
    assigneeIds: list[Id] | None = None  # noqa: N815  # as above


def sign(request: WebhookRequest, installation: Installation) -> WebhookRequest:
    """The request with the newest token that proves its event."""
    tokens = tokens_for(request.header(EVENT_HEADER), installation.secrets)
    if not tokens:
        raise SignatureMismatch("clockify: the installation has no token for this event")
    return request.with_headers(Clockify_Signature=tokens[0])


def verify(request: WebhookRequest, installation: Installation, now: datetime) -> None:  # noqa: ARG001  # no signed time here
    """Pass when the request carries a token of a webhook for its event. Raises SignatureMismatch."""
    require(request.header(HEADER), tokens_for(request.header(EVENT_HEADER), installation.secrets), "clockify")


def read(request: WebhookRequest, installation: Installation) -> Sequence[Event]:
    """The events of a delivery, [] for one we don't serve. Raises PayloadInvalid."""
    reader = READERS.get(request.header(EVENT_HEADER))
    return [] if reader is None else reader(request, installation)


def _submitted(request: WebhookRequest, _: Installation) -> Sequence[Event]:
    return [_approval(request, read_body(Approval, request.body, "clockify NEW_APPROVAL_REQUEST"), "timecard.submitted")]


def _decided(request: WebhookRequest, _: Installation) -> Sequence[Event]:
    approval = read_body(Approval, request.body, "clockify APPROVAL_REQUEST_STATUS_UPDATED")
    kind = STATES.get(approval.status.state)
    return [_approval(request, approval, kind)] if kind else []


def _approval(request: WebhookRequest, approval: Approval, kind: str) -> Event:
    owner, status = approval.owner, approval.status
    fact = f"{approval.id}:{status.updatedAt}"
    zone = owner.timezone if happenings.zone_of(owner.timezone) else ""
    return happenings.event(
        kind,
        id=digest(request.header(EVENT_HEADER), approval.id, status.state, status.updatedAt),
        fact=fact,
        subject=f"timecard/{approval.id}",
        at=moment(status.updatedAt) or request.received_at,
        worker=Person(ref=owner.userId, name=owner.userName, timezone=zone),
        data=happenings.timecard(
            id=approval.id,
            status=kind.partition(".")[2],
            period_start=_day(approval.dateRange.start, zone),
            period_end=_day(approval.dateRange.end, zone),
            timezone=zone,
            reason=status.note,
        ),
    )


def _shift(kind: str) -> Callable[[WebhookRequest, Installation], Sequence[Event]]:
    def reader(request: WebhookRequest, installation: Installation) -> Sequence[Event]:
        event = request.header(EVENT_HEADER)
        found = read_body(Assignment, request.body, f"clockify {event}")
        # a body of ids only, without any time: an hour tells one change from the next, and a repeat from a change
        when = stamp(request.received_at)[:13] if kind == "shift.changed" else ""
        readable = bool(installation.credentials.get("api_key")) and kind != "shift.cancelled"
        return [
            happenings.event(
                kind,
                id=digest(event, found.assignmentId, when),
                fact=f"{found.assignmentId}:{when}",
                subject=f"shift/{found.assignmentId}",
                at=request.received_at,
                worker=Person(ref=found.userId),
                data=happenings.shift(id=found.assignmentId),
                fetch={"assignment": found.assignmentId} if readable else {},
            )
        ]

    return reader


def _task_created(request: WebhookRequest, _: Installation) -> Sequence[Event]:
    return _task(request, "task.assigned")


def _task_updated(request: WebhookRequest, _: Installation) -> Sequence[Event]:
    """Only DONE: the body doesn't tell what else an update changed."""
    return _task(request, "task.status_changed")


def _task(request: WebhookRequest, kind: str) -> Sequence[Event]:
    event = request.header(EVENT_HEADER)
    task = read_body(Task, request.body, f"clockify {event}")
    if kind == "task.status_changed" and task.status != "DONE":
        return []
    return [
        happenings.event(
            kind,
            id=digest(event, task.id, assignee, sha256_hex(request.body)),
            fact=f"{task.id}:{assignee}:{task.status}",
            subject=f"task/{task.id}",
            at=request.received_at,
            worker=Person(ref=assignee),
            data=happenings.task(id=task.id, title=task.name, status=task.status),
            changed=("task.status",) if kind == "task.status_changed" else (),
        )
        for assignee in dict.fromkeys(task.assigneeIds or ())
    ]


#: Every event we serve; any other is answered 200 and makes none.
READERS: Mapping[str, Callable[[WebhookRequest, Installation], Sequence[Event]]] = {
    "NEW_APPROVAL_REQUEST": _submitted,
    "APPROVAL_REQUEST_STATUS_UPDATED": _decided,
    "ASSIGNMENT_PUBLISHED": _shift("shift.published"),
    "ASSIGNMENT_UPDATED": _shift("shift.changed"),
    "ASSIGNMENT_DELETED": _shift("shift.cancelled"),
    "NEW_TASK": _task_created,
    "TASK_UPDATED": _task_updated,
}


def _day(at: datetime | None, zone: str) -> str:
    """The day in the worker's own zone: 23:00 UTC on Saturday is Sunday in Berlin."""
    return at.astimezone(happenings.zone_of(zone)).date().isoformat() if at and zone else at.date().isoformat() if at else ""
