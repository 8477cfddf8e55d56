"""HubSpot's three request signatures. Pure. developers.hubspot.com, "Validating requests from HubSpot"."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from datetime import datetime

from bellwire import SignatureMismatch, StaleSignature, WebhookRequest
from bellwire.signing import hmac_base64, require

V3, STAMP = "X-HubSpot-Signature-v3", "X-HubSpot-Request-Timestamp"
OLD, OLD_VERSION = "X-HubSpot-Signature", "X-HubSpot-Signature-Version"
TOLERANCE_MS = 300_000  # five minutes; HubSpot's own library does not look ahead, we do

#: Before a v3 signature is made these escapes of the URL are decoded, and no others.
ESCAPES = {
    "%3A": ":",
    "%2F": "/",
    "%3F": "?",
    "%40": "@",
    "%21": "!",
    "%24": "$",
    "%27": "'",
    "%28": "(",
    "%29": ")",
    "%2A": "*",
    "%2C": ",",
    "%3B": ";",
}
_ESCAPE = re.compile("|".join(ESCAPES), re.IGNORECASE)
_WHO = "hubspot"


def decoded(url: str) -> str:
    """The URL with the twelve escapes decoded once."""
    return _ESCAPE.sub(lambda match: ESCAPES[match[0].upper()], url)


def v3(secret: str, method: str, url: str, body: bytes, timestamp: str) -> str:
    """base64(HMAC-SHA256(secret, method + URL + body + timestamp)). `timestamp`: milliseconds since 1970."""
    return hmac_base64(secret, f"{method}{decoded(url)}".encode() + body + timestamp.encode())


def v2(secret: str, method: str, url: str, body: bytes) -> str:
    """hex(SHA-256(secret + method + URL + body))."""
    return hashlib.sha256(f"{secret}{method}{url}".encode() + body).hexdigest()


def v1(secret: str, body: bytes) -> str:
    """hex(SHA-256(secret + body))."""
    return hashlib.sha256(secret.encode() + body).hexdigest()


def check(request: WebhookRequest, secrets: Sequence[str], allowed: Collection[str], now: datetime) -> None:
    """Pass when the request is signed with one of `secrets` in a version that is allowed; v3 wins where it is given.

    v1 and v2 sign no time: a repeat is found by its ids. Raises SignatureMismatch, StaleSignature.
    """
    url, body = request.url, request.body
    if not url:
        raise SignatureMismatch("hubspot: PUBLIC_URL is not set, and the signature is over the URL")
    if request.header(V3) or not request.header(OLD):
        if "v3" not in allowed:
            raise SignatureMismatch("hubspot: settings.accept_signature_versions does not allow v3")
        timestamp = request.header(STAMP)
        expected = [v3(secret, request.method, url, body, timestamp) for secret in secrets]
        require(request.header(V3), expected, _WHO)
        _fresh(timestamp, now)
        return
    version = request.header(OLD_VERSION).lower() or "v1"
    if version not in allowed or version not in ("v1", "v2"):
        named = version if version in ("v1", "v2") else "of another version"
        raise SignatureMismatch(f"hubspot: signed with {named} only, which is not allowed for this kind of request")
    made = [v2(secret, request.method, url, body) if version == "v2" else v1(secret, body) for secret in secrets]
    require(request.header(OLD), made, _WHO)


def _fresh(timestamp: str, now: datetime) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):
        raise StaleSignature("hubspot: the timestamp is not a number of milliseconds")
    if abs(now.timestamp() * 1000 - int(timestamp)) > TOLERANCE_MS:
        raise StaleSignature("hubspot: the timestamp is outside 300 s")
