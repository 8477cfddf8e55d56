"""Zendesk webhooks: proves who sent one, and reads what our trigger or an event subscription says. Pure.

Signature and headers: developer.zendesk.com, "Verifying webhook authenticity", "Anatomy of a webhook request".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from bellwire import Event, Installation, SignatureMismatch, StaleSignature, WebhookRequest
from bellwire.signing import hmac_base64, require, same, sha256_hex

from . import events, triggers
from .shapes import json_object, stamp, time_of

SIGNATURE, TIMESTAMP = "x-zendesk-webhook-signature", "x-zendesk-webhook-signature-timestamp"
INVOCATION, WEBHOOK = "x-zendesk-webhook-invocation-id", "x-zendesk-webhook-id"

#: What the test button signs with before a webhook exists. Zendesk published it: believed only where the setting says so.
TEST_SECRET = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="  # noqa: S105  # not a secret

_EVENT_TYPE = re.compile(r"zen:event-type[:/]([a-z_.]{1,80})", re.ASCII)  # the documents write some types with a slash
_INVOCATION = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_TOLERANCE_MAX_S = 3600


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """base64(HMAC-SHA256(secret, timestamp + body)); the secret is the text as shown, not what it may be base64 of."""
    return hmac_base64(secret, timestamp.encode() + body)


def sign(request: WebhookRequest, installation: Installation) -> WebhookRequest:
    """The request as Zendesk would send it to this installation, signed with the newest secret at `received_at`."""
    timestamp = stamp(request.received_at)
    made = signature(_secrets(installation)[0], timestamp, request.body)
    return request.with_headers(x_zendesk_webhook_signature=made, x_zendesk_webhook_signature_timestamp=timestamp)


def verify(request: WebhookRequest, installation: Installation, now: datetime) -> None:
    """Pass when time and body are signed with one of the secrets and the time is near. Raises SignatureMismatch.

    The time is signed as it stands; it is ISO 8601, not a number of seconds.
    """
    timestamp = request.header(TIMESTAMP)
    known = [signature(secret, timestamp, request.body) for secret in _secrets(installation)]
    require(request.header(SIGNATURE), known, "zendesk")
    at = time_of(timestamp)
    if at is None or abs((now - at).total_seconds()) > _tolerance_s(installation):
        raise StaleSignature("zendesk: the signed time is not near")
    wanted = str(installation.settings.get("webhook_id") or "")
    if wanted and not same(request.header(WEBHOOK), wanted):
        raise SignatureMismatch("zendesk: the request is another webhook's than settings.webhook_id says")


def read(request: WebhookRequest, installation: Installation) -> Sequence[Event]:
    """The events of a request, [] for what we don't serve. Raises PayloadInvalid."""
    body = json_object(request.body)
    given = body.get("type")
    kind = _EVENT_TYPE.fullmatch(given) if isinstance(given, str) else None
    if kind is not None:
        return events.read(kind[1], body, installation)
    invocation = request.header(INVOCATION)
    delivery = invocation if _INVOCATION.fullmatch(invocation) else sha256_hex(request.body)
    return triggers.read(body, delivery, installation, request.received_at)


def _secrets(installation: Installation) -> Sequence[str]:
    secrets = [secret for secret in installation.secrets if secret]
    if secrets or installation.settings.get("accept_test_secret") is True:
        second = str(installation.credentials.get("event_signing_secret") or "")
        found = [*secrets, second, TEST_SECRET if installation.settings.get("accept_test_secret") is True else ""]
        return [one for one in found if one]
    raise SignatureMismatch("zendesk: the installation has no signing secret; its check or reconcile fetches it")


def _tolerance_s(installation: Installation) -> int:
    asked = installation.settings.get("signature_tolerance_s")
    return min(max(asked, 0), _TOLERANCE_MAX_S) if isinstance(asked, int) and not isinstance(asked, bool) else 300
