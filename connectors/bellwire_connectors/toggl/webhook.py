"""Toggl Track webhooks: proves who sent one, flags time entries that ran too long, answers the validation. Pure.

engineering.toggl.com, "Webhooks": "Validating received events", "URL endpoint validation".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from bellwire import Event, HttpReply, Installation, Person, SignatureMismatch, WebhookRequest
from bellwire.signing import hmac_hex, require
from pydantic import Field

from bellwire_connectors.translating import happenings
from bellwire_connectors.translating.bodies import Body, Id, Line, Moment, json_object, read_body, stamp

HEADER = "X-Webhook-Signature-256"
FLAG_AFTER_HOURS = 12.0
_CODE_MAX = 512


class Metadata(Body):
    """What the event is about."""

    model: Line = ""
    action: Line = ""


class Envelope(Body):
    """Any delivery."""

    event_id: Id
    subscription_id: Id
    created_at: Moment = None
    metadata: Metadata = Metadata()


class Entry(Body):
    """A time entry. `duration` in seconds, negative (minus the time it began) while it runs."""

    id: Id
    user_id: Id
    start: Moment = None
    stop: Moment = None
    duration: int = Field(default=0, ge=-(10**11), le=10**9)
    description: Line | None = None


class EntryEvent(Envelope):
    """A delivery about a time entry."""

    payload: Entry


def sign(request: WebhookRequest, installation: Installation) -> WebhookRequest:
    """The request as Toggl would send it: signed with the newest secret."""
    secrets = [secret for secret in installation.secrets if secret]
    if not secrets:
        raise SignatureMismatch("toggl: the installation has no secret")
    return request.with_headers(X_Webhook_Signature_256=f"sha256={hmac_hex(secrets[0], request.body)}")


def verify(request: WebhookRequest, installation: Installation, now: datetime) -> None:  # noqa: ARG001  # no signed time here
    """Pass when the body is signed with one of the secrets; PINGs are signed, too. Raises SignatureMismatch."""
    expected = [f"sha256={hmac_hex(secret, request.body)}" for secret in installation.secrets if secret]
    require(request.header(HEADER), expected, "toggl")


def read(request: WebhookRequest, installation: Installation) -> Sequence[Event]:
    """A flagged time entry, [] for any other delivery. Raises PayloadInvalid."""
    about = read_body(Envelope, request.body, "toggl").metadata
    if about.model != "time_entry" or about.action not in ("created", "updated"):
        return []
    found = read_body(EntryEvent, request.body, "toggl time_entry")
    entry, limit = found.payload, _limit_s(installation)
    if entry.stop is None or entry.duration <= limit:
        return []  # it still runs, or is as long as entries are
    minutes = entry.duration // 60
    return [
        happenings.event(
            "timecard.entry_flagged",
            id=f"{found.subscription_id}:{found.event_id}",
            fact=entry.id,  # once an entry, however often it is edited
            subject=f"entry/{entry.id}",
            at=found.created_at or request.received_at,
            worker=Person(ref=entry.user_id),
            data={
                **happenings.timecard(id=entry.id, minutes=minutes, reason=f"longer than {limit / 3600:g} h"),
                "entry.started_at": stamp(entry.start),
                "entry.stopped_at": stamp(entry.stop),
                "entry.description": entry.description,
            },
        )
    ]


def answer(request: WebhookRequest, events: Sequence[str]) -> HttpReply:
    """A PING's validation code, given back; any other delivery's events. Asked after `verify`: only Toggl's own PINGs count."""
    found = json_object(request.body)
    code = found.get("validation_code")
    if found.get("payload") == "ping" and isinstance(code, str) and 0 < len(code) <= _CODE_MAX:
        return HttpReply(body=json.dumps({"validation_code": code}).encode())
    return HttpReply(body=json.dumps({"events": list(events), "duplicate": not events}).encode())


def _limit_s(installation: Installation) -> float:
    given = installation.settings.get("flag_after_hours")
    hours = float(given) if isinstance(given, int | float) and given > 0 else FLAG_AFTER_HOURS
    return hours * 3600
