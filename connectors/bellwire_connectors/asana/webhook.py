"""Asana webhooks: the handshake, the signature, and events that hold ids only. Pure.

developers.asana.com, "Webhooks" and "Establish a webhook".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from bellwire import Event, HttpReply, Installation, Person, SignatureMismatch, WebhookRequest
from bellwire.signing import hmac_hex, require
from pydantic import Field

from bellwire_connectors.translating import happenings
from bellwire_connectors.translating.bodies import Body, Id, Line, Moment, digest, read_body, stamp

HEADER, HANDSHAKE = "X-Hook-Signature", "X-Hook-Secret"
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)


class Thing(Body):
    """A compact record."""

    gid: Id
    resource_type: Line = ""


class Change(Body):
    """What changed; `new_value` only where it is a record."""

    field: Line = ""
    new_value: Thing | None = None


class Happening(Body):
    """One entry of `events`."""

    action: Line = ""
    created_at: Moment = None
    user: Thing | None = None
    resource: Thing | None = None
    parent: Thing | None = None
    change: Change | None = None


class Delivery(Body):
    """A delivery; a heartbeat has no events, or no list of them."""

    events: list[Happening] = Field(default_factory=list, max_length=1000)


def probe(request: WebhookRequest, installation: Installation) -> HttpReply | None:  # noqa: ARG001  # the same for each
    """The handshake: the secret is given back, and not kept.

    Who may set the secret is not asked here, so nothing is learnt from it: the secret of a webhook that we made comes in the
    answer to our own call. A handshake that somebody else caused changes nothing, its deliveries are refused.
    """
    given = request.header(HANDSHAKE)
    if request.method != "POST" or request.header(HEADER) or not _SECRET.fullmatch(given):
        return None
    return HttpReply(headers={HANDSHAKE: given})


def sign(request: WebhookRequest, installation: Installation) -> WebhookRequest:
    """The request as Asana would send it: signed with the newest webhook's secret."""
    secrets = [secret for secret in installation.secrets if secret]
    if not secrets:
        raise SignatureMismatch("asana: the installation has no webhook's secret")
    return request.with_headers(X_Hook_Signature=hmac_hex(secrets[0], request.body))


def verify(request: WebhookRequest, installation: Installation, now: datetime) -> None:  # noqa: ARG001  # no signed time here
    """Pass when the body is signed with one of the webhooks' secrets. Raises SignatureMismatch."""
    expected = [hmac_hex(secret, request.body) for secret in installation.secrets if secret]
    require(request.header(HEADER), expected, "asana")


def read(request: WebhookRequest, installation: Installation) -> Sequence[Event]:
    """The events of a delivery, [] for a heartbeat and what we don't serve. Raises PayloadInvalid."""
    found = read_body(Delivery, request.body, "asana").events
    own = installation.settings.get("integration_user")
    readable = bool(installation.credentials.get("access_token"))
    told = [one for one in found if one.resource and one.resource.resource_type == "task"]
    told = [one for one in told if not (own and one.user and one.user.gid == own)]
    assigned = {one.resource.gid for one in told if one.resource and _field(one) == "assignee"}
    made: dict[str, Event] = {}
    for one in told:
        if one.action == "added" and one.resource and one.resource.gid in assigned:
            continue  # the task was made for somebody: one text, not two
        event = _event(one, request.received_at, readable=readable)
        if event is not None:
            made.setdefault(event.id, event)  # the same change bubbles up through each parent
    return list(made.values())


#: change.field → our event, and our names of what changed.
FIELDS = {
    "assignee": ("task.assigned", "task.assignee"),
    "completed": ("task.status_changed", "task.status"),
    "due_on": ("task.due", "task.due_at"),
    "due_at": ("task.due", "task.due_at"),
}


def _field(one: Happening) -> str:
    return one.change.field if one.action == "changed" and one.change else ""


def _event(one: Happening, received_at: datetime, *, readable: bool) -> Event | None:
    """One entry as an event, None for what we don't serve."""
    if one.resource is None:
        return None
    kind, changed = FIELDS.get(_field(one), ("", ""))
    taker = one.change.new_value if one.change else None
    if one.action == "added" and one.parent and one.parent.resource_type == "project":
        kind = "task.assigned"
    elif kind == "task.assigned" and taker is None:
        return None  # nobody has it now, and the one who had it is not named
    if not kind:
        return None
    gid = one.resource.gid
    who = taker.gid if kind == "task.assigned" and taker else ""
    when = stamp(one.created_at)
    data = happenings.task(id=gid, url=f"https://app.asana.com/0/0/{gid}" if gid.isdigit() else "")
    return happenings.event(
        kind,
        id=digest(kind, gid, who, when),
        fact=f"{gid}:{who}:{when}",
        subject=f"task/{gid}",
        at=one.created_at or received_at,
        worker=Person(ref=who) if who else None,
        actor=Person(ref=one.user.gid) if one.user else None,
        data=happenings.new_date(data) if kind == "task.due" else data,
        changed=(changed,) if changed else (),
        fetch={"task": gid} if readable else {},
    )
