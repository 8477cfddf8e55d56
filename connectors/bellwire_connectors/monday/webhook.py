"""monday webhooks: the URL challenge, a signed token, items as tasks. Pure.

developer.monday.com, "Webhooks" and "Advanced concepts" (tokens). The name of a subscription is not the `type` that is delivered:
`change_column_value` comes as `update_column_value`, `create_item` as `create_pulse`; items are "pulses".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from bellwire import Event, HttpReply, Installation, Person, SignatureMismatch, WebhookRequest

from bellwire_connectors.translating import happenings
from bellwire_connectors.translating.bodies import Body, Id, Line, Moment, day_or_time, digest, json_object, one_line, read_body
from bellwire_connectors.translating.tokens import bearer, fresh_claims, sign_token, verify_token

HEADER = "Authorization"
_CHALLENGE_MAX = 1_024
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?", re.ASCII)
_PEOPLE_MAX = 50


class Kind(Body):
    """Any event."""

    type: Line = ""


class AnyDelivery(Body):
    """Any delivery."""

    event: Kind


class Pulse(Kind):
    """What happened to an item. Ids are texts or numbers; `value` is the column's own form, null where it was emptied."""

    pulseId: Id  # noqa: N815  # the platform's name
    pulseName: Line = ""  # noqa: N815  # as above
    boardId: Id | None = None  # noqa: N815  # as above
    userId: Id | None = None  # noqa: N815  # as above
    columnId: Line = ""  # noqa: N815  # as above
    columnType: Line = ""  # noqa: N815  # as above
    columnTitle: Line = ""  # noqa: N815  # as above
    value: Any = None
    previousValue: Any = None  # noqa: N815  # as above
    triggerUuid: Line = ""  # noqa: N815  # as above
    triggerTime: Moment = None  # noqa: N815  # as above
    changedAt: Moment = None  # noqa: N815  # as above


class Delivery(Body):
    """A delivery about an item."""

    event: Pulse


def probe(request: WebhookRequest, installation: Installation) -> HttpReply | None:  # noqa: ARG001  # the same for each
    """The challenge of a URL that is being registered, given back. Nothing is learnt from it."""
    if request.method != "POST" or len(request.body) > 2 * _CHALLENGE_MAX:
        return None
    found = json_object(request.body)
    challenge = found.get("challenge")
    if list(found) != ["challenge"] or not isinstance(challenge, str) or not 0 < len(challenge) <= _CHALLENGE_MAX:
        return None
    return HttpReply(body=json.dumps({"challenge": challenge}).encode())


def sign(request: WebhookRequest, installation: Installation) -> WebhookRequest:
    """The request as monday would send it for an app: with a token for our URL, signed with the newest secret."""
    secrets = [secret for secret in installation.secrets if secret]
    if not secrets:
        raise SignatureMismatch("monday: the installation has no signing_secret")
    return request.with_headers(Authorization=sign_token(secrets[0], fresh_claims(request.received_at, aud=audience(installation))))


def verify(request: WebhookRequest, installation: Installation, now: datetime) -> None:
    """Pass when the token is signed with one of the secrets, has not ended, and is for our URL.

    Without a token only where `settings.accept_unsigned` says so. Raises SignatureMismatch, StaleSignature.
    """
    given = request.header(HEADER)
    if not given and installation.settings.get("accept_unsigned") is True:
        return
    claims = verify_token(bearer(given), [secret for secret in installation.secrets if secret], now, "monday")
    if claims.get("aud") != audience(installation):
        raise SignatureMismatch("monday: the token is for another URL; set settings.callback_url to the one given to monday")


def audience(installation: Installation) -> str:
    """The URL that monday was given. Raises SignatureMismatch where none is known."""
    known = str(installation.settings.get("callback_url") or installation.webhook_url)
    if not known:
        raise SignatureMismatch("monday: PUBLIC_URL is not set, so the token's audience is not known")
    return known


def read(request: WebhookRequest, installation: Installation) -> Sequence[Event]:
    """The events of a delivery, [] for one we don't serve. Raises PayloadInvalid."""
    kind = read_body(AnyDelivery, request.body, "monday").event.type
    if kind not in ("create_pulse", "update_column_value"):
        return []  # updates, ours among them, moved, archived and renamed items, subitems
    found = read_body(Delivery, request.body, f"monday {kind}").event
    own = installation.settings.get("integration_user")
    if own and found.userId == own:
        return []
    readable = bool(installation.credentials.get("api_token"))
    if kind == "create_pulse":
        return [_event(found, request.received_at, "task.assigned", fetch=readable)] if readable else []
    return list(_changed(found, request.received_at, installation.timezone, readable=readable))


def _changed(found: Pulse, received_at: datetime, zone: str, *, readable: bool) -> Iterator[Event]:
    match found.columnType:
        case "multiple-person" | "people" | "person":
            before, after = people_in(found.previousValue), people_in(found.value)
            gone = [("task.unassigned", one) for one in before if one not in after]
            # who is gone first: it ends the task's deadlines, which begin anew with who has it now
            for kind, who in [*gone, *(("task.assigned", one) for one in after if one not in before)]:
                yield _event(found, received_at, kind, worker=who, changed="task.assignee", fetch=readable)
        case "color" | "status":
            status, previous = _label(found.value), _label(found.previousValue)
            if status != previous:
                yield _event(
                    found,
                    received_at,
                    "task.status_changed",
                    status=status,
                    previous=previous,
                    changed="task.status",
                    fetch=readable,
                )
        case "date" if due := _date(found.value):
            yield _event(found, received_at, "task.due", due_at=due, zone=zone, changed="task.due_at", fetch=readable)


def people_in(value: object) -> list[str]:
    """The user ids of a people column; teams are nobody's phone."""
    listed = value.get("personsAndTeams") if isinstance(value, dict) else None
    people = [one for one in listed if isinstance(one, dict) and one.get("kind") == "person"] if isinstance(listed, list) else []
    return list(dict.fromkeys(ref for one in people if (ref := _user(one.get("id")))))[:_PEOPLE_MAX]


def _user(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**20:
        return str(value)
    return one_line(value, 40)


def _label(value: object) -> str:
    label = value.get("label") if isinstance(value, dict) else None
    return one_line(label.get("text")) if isinstance(label, dict) else ""


def _date(value: object) -> str:
    """`2026-01-07`, with its time (UTC) where the column has one."""
    if not isinstance(value, dict):
        return ""
    day, clock = one_line(value.get("date"), 10), one_line(value.get("time"), 8)
    return day_or_time(f"{day}T{clock}+00:00") if _CLOCK.fullmatch(clock) else day_or_time(day)


def _event(
    found: Pulse,
    received_at: datetime,
    kind: str,
    *,
    worker: str = "",
    status: str = "",
    previous: str = "",
    due_at: str = "",
    zone: str = "",
    changed: str = "",
    fetch: bool = False,
) -> Event:
    at = found.triggerTime or found.changedAt or received_at
    state = json.dumps([found.value, found.previousValue, str(found.changedAt)], sort_keys=True, default=str)
    delivery = found.triggerUuid or digest(found.type, found.pulseId, found.columnId, state)
    part = kind.partition(".")[2] + (f":{worker}" if worker else "")
    fields = happenings.task(
        id=found.pulseId, title=found.pulseName, status=status, previous_status=previous, due_at=due_at, zones=(zone,)
    )
    data = {**fields, "task.column": found.columnTitle, "task.board_id": found.boardId}
    return happenings.event(
        kind,
        id=f"{delivery}:{part}",
        fact=f"{found.pulseId}:{found.columnId}:{delivery}:{part}",
        subject=f"task/{found.pulseId}",
        at=at,
        worker=Person(ref=worker) if worker else None,
        actor=Person(ref=found.userId) if found.userId else None,
        data=happenings.new_date(data) if kind == "task.due" else data,
        changed=(changed,) if changed else (),
        fetch={"item": found.pulseId} if fetch else {},
    )
