"""Who sent a request: Standard Webhooks (https://www.standardwebhooks.com), two secrets while one is being replaced. Pure.

The signature covers id, time and body, no other header: what CloudEvents' binary mode says in `ce-*` headers is bound to it by
`ce-id`, which must be the signed `webhook-id`, and may not ask for what changes people.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from bellwire import Installation, SignatureMismatch, StaleSignature, WebhookRequest
from bellwire.signing import sha256_hex, standard_webhooks_secret, standard_webhooks_sign, standard_webhooks_verify

WHO = "timecard"
MAX_SECRETS = 2  # the present one, and the one before or after it
_SHORTEST, _LONGEST = 24, 64  # bytes: Standard Webhooks, "Signature scheme"

_ID = re.compile(r"[\x21-\x7e]{1,255}")
_TOKEN = r"[a-z0-9]{1,8},[A-Za-z0-9+/]{1,200}={0,2}"  # noqa: S105  # the form of a signature
_SIGNATURES = re.compile(rf"{_TOKEN}(?: {_TOKEN}){{0,9}}")


def clean_secrets(given: Sequence[str]) -> list[str]:
    """The secrets as they are stored. Raises ValueError, which tells the form and never the secret."""
    if len(given) > MAX_SECRETS:
        raise ValueError(f"has {len(given)} secrets; {MAX_SECRETS} at most, while one is being replaced")
    for one in given:
        key = standard_webhooks_secret(one)
        if not one.startswith("whsec_") or not _SHORTEST <= len(key) <= _LONGEST:
            raise ValueError(f"a secret is whsec_ and the base64 of {_SHORTEST} to {_LONGEST} random bytes")
    return list(dict.fromkeys(given))


def is_binary(request: WebhookRequest) -> bool:
    """Whether the event's attributes stand in headers (CloudEvents HTTP binding 1.0.2, 3.1)."""
    return bool(request.header("ce-specversion")) and not request.header("content-type").lower().startswith(
        "application/cloudevents"
    )


def sign(request: WebhookRequest, installation: Installation) -> WebhookRequest:
    """The request as a producer sends it: signed with the newest secret, at its `received_at`."""
    given = request.header("ce-id") if is_binary(request) else request.header("webhook-id")
    message_id = given or "msg_" + sha256_hex(request.body)[:24]
    headers = standard_webhooks_sign(_secrets(installation)[0], message_id, int(request.received_at.timestamp()), request.body)
    return request.with_headers(**{name.replace("-", "_"): value for name, value in headers.items()})


def verify(request: WebhookRequest, installation: Installation, now: datetime) -> None:
    """Pass when the request is signed with one of the secrets within five minutes of `now`. Raises SignatureMismatch."""
    message_id, signatures = request.header("webhook-id"), request.header("webhook-signature")
    if not _ID.fullmatch(message_id) or not _SIGNATURES.fullmatch(signatures):
        raise _mismatch("a signature header is missing or of another form")
    try:
        standard_webhooks_verify(
            message_id, request.header("webhook-timestamp"), signatures, request.body, _secrets(installation), now, WHO
        )
    except StaleSignature as e:
        told = now.isoformat(timespec="seconds").replace("+00:00", "Z")
        raise StaleSignature(f"{e}; here it is {told}", code="stale_timestamp") from e
    except SignatureMismatch as e:
        raise _mismatch("the signature does not match") from e
    except ValueError as e:  # a secret that was stored without `clean_secrets`
        raise _mismatch("the installation has a secret of another form") from e
    if is_binary(request) and request.header("ce-id") != message_id:
        raise _mismatch("in binary mode ce-id must be the signed webhook-id")


def _mismatch(why: str) -> SignatureMismatch:
    return SignatureMismatch(f"{WHO}: {why}", code="bad_signature")


def _secrets(installation: Installation) -> Sequence[str]:
    secrets = [secret for secret in installation.secrets if secret]
    if not secrets:
        raise _mismatch("the installation has no secret")
    return secrets
