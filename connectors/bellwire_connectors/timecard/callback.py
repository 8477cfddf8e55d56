"""What goes back to the producer: our signed CloudEvents, POSTed to `settings.callback_url`. Nothing goes out without one.

The same fact has the same `id` and `webhook-id` however often it is sent: a producer that keeps them takes each once. Facts
about one object are ordered by `sequence`, not by their arrival.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import requests
from bellwire import (
    ConsentChange,
    Json,
    Link,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
    PlatformUnreachable,
    ReplyNote,
    Status,
    StatusChange,
)
from bellwire.signing import sha256_hex, standard_webhooks_sign

from bellwire_connectors.retry_after import retry_after_s

from .address import address
from .events import stamp
from .signature import WHO

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
_TIMEOUT = (3.05, 5.0)
_AGAIN = frozenset({408, 409, 425})

#: Our status → the contract's. Not told: that a message is at its carrier this moment.
TOLD: Mapping[Status, str] = {
    Status.SCHEDULED: "queued",
    Status.QUEUED: "queued",
    Status.SENT: "sent",
    Status.DELIVERED: "delivered",
    Status.UNDELIVERED: "undelivered",
    Status.FAILED: "failed",
    Status.EXPIRED: "expired",
    Status.CANCELED: "canceled",
    Status.UNKNOWN: "unknown",
    Status.REFUSED: "refused",
}


def write_back(changes: Sequence[StatusChange], link: Link) -> None:
    """Tell what became of messages, in order. Raises PlatformError; what was told before it is told again under the same id."""
    for change in changes:
        told = TOLD.get(change.status)
        if told is None:
            continue
        error = {"code": change.error_code or None, "class": change.error_class or None}
        _post(
            link,
            f"bellwire.message.{told}",
            f"{change.message_id}-{told}",
            change.subject,
            change.at,
            {
                "message_id": change.message_id,
                "event_id": change.event_id or None,
                "recipient_ref": change.customer_ref or None,
                "status": told,
                "reason": change.reason or None,
                "error": error if any(error.values()) else None,
                "segments": change.segments,
                "trigger": change.trigger or None,
                "text": change.text or None,
                "at": stamp(change.at),
            },
        )


def write_consent(change: ConsentChange, link: Link) -> None:
    """Tell what a person said about texts: whose, never to which number. Raises PlatformError."""
    if not change.customer_ref:
        return  # the producer has no name for them
    fact = sha256_hex(f"{change.customer_ref}\n{change.purpose}\n{change.state}\n{change.at.isoformat()}".encode())[:32]
    _post(
        link,
        "bellwire.consent.changed",
        f"cns_{fact}",
        f"worker/{change.customer_ref}",
        change.at,
        {
            "recipient_ref": change.customer_ref,
            "purpose": str(change.purpose),
            "state": str(change.state),
            "source": change.source or None,
            "at": stamp(change.at),
        },
    )


def write_reply(note: ReplyNote, link: Link) -> None:
    """Hand a person's reply on, and what it answers. Raises PlatformError."""
    _post(
        link,
        "bellwire.reply.received",
        note.reply_id,
        note.answers or note.subject,
        note.at,
        {
            "reply_id": note.reply_id,
            "in_reply_to": note.message_id or None,
            "event_id": note.event_id or None,
            "recipient_ref": note.customer_ref or None,
            "text": note.text,
            "keyword": note.answer or None,
            "answers": note.answers or None,
            "kind": note.kind or None,
            "at": stamp(note.at),
        },
    )


def ping(link: Link) -> None:
    """Ask the producer whether it hears and believes us. Raises PlatformError."""
    at = link.now()
    _post(link, "bellwire.ping", f"ping_{round(at.timestamp() * 1_000_000)}", "", at, {"at": stamp(at)})


def _post(link: Link, kind: str, fact: str, subject: str, at: datetime, data: Mapping[str, Json]) -> None:
    installation = link.installation
    url = address(installation)
    if not url:
        return
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": fact,
        "source": f"/installations/ins_{installation.id.hex}",
        "type": kind,
        "subject": subject or None,
        "time": stamp(at),
        "datacontenttype": "application/json",
        "sequence": f"{round(at.timestamp() * 1_000_000):020d}",
        "data": {name: value for name, value in data.items() if value is not None},
    }
    body = json.dumps({name: value for name, value in event.items() if value is not None}, ensure_ascii=False).encode()
    secrets = [secret for secret in installation.secrets if secret]
    if not secrets:
        raise PlatformUnauthorized(f"{WHO}: the installation has no secret to sign with")
    headers = standard_webhooks_sign(secrets[0], fact, int(link.now().timestamp()), body)
    headers |= {"Content-Type": CONTENT_TYPE, "Idempotency-Key": fact}
    try:
        answer = link.http.post(url, data=body, headers=headers, timeout=_TIMEOUT)
    except requests.RequestException as e:  # the producer takes an id once: whether it was heard does not matter
        raise PlatformUnreachable(f"{WHO}: the callback was not answered ({type(e).__name__})") from e
    _judge(answer)


def _judge(answer: Any) -> None:
    """2xx: taken. Otherwise the error that says whether to try again; the producer's words are not kept."""
    status = answer.status_code
    if 200 <= status < 300:
        return
    told = f"{WHO}: the callback was answered {status}"
    wait_s = retry_after_s({name.lower(): value for name, value in answer.headers.items()})
    if status == 429:
        raise PlatformThrottled(told, http_status=status, retry_after_s=wait_s)
    if status >= 500 or status in _AGAIN:
        raise PlatformUnavailable(told, http_status=status, retry_after_s=wait_s)
    if status in (401, 403):
        raise PlatformUnauthorized(told, http_status=status)
    raise PlatformRejected(told, http_status=status)
