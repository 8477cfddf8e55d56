"""Signatures: HMAC in the forms that platforms use, compared in constant time, and Standard Webhooks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime

from bellwire.errors import SignatureMismatch, StaleSignature

TOLERANCE_S = 300  # https://github.com/standard-webhooks/standard-webhooks: five minutes either way


def hmac_base64(secret: str | bytes, body: bytes, digest: str = "sha256") -> str:
    """base64(HMAC(secret, body))."""
    return base64.b64encode(hmac.digest(_bytes(secret), body, digest)).decode()


def hmac_hex(secret: str | bytes, body: bytes, digest: str = "sha256") -> str:
    """HMAC(secret, body) in lower-case hexadecimal."""
    return hmac.digest(_bytes(secret), body, digest).hex()


def same(given: str, expected: str) -> bool:
    """Whether two signatures are equal, in time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass"))


def require(given: str, expected: Iterable[str], who: str) -> None:
    """Pass when `given` is one of `expected`; every candidate is compared. Raises SignatureMismatch naming `who`.

    Without a candidate nothing passes, and the comparison is made all the same.
    """
    good = False
    for one in (*expected, ""):
        good |= same(given, one)
    if not good or not given:
        raise SignatureMismatch(f"{who}: the signature does not match")


def fresh(timestamp: str, now: datetime, who: str, *, tolerance_s: int = TOLERANCE_S) -> None:
    """Pass when `timestamp` (seconds since 1970) is within the tolerance of `now`. Raises StaleSignature."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise StaleSignature(f"{who}: the timestamp is not a number of seconds")
    if abs(now.timestamp() - int(timestamp)) > tolerance_s:
        raise StaleSignature(f"{who}: the timestamp is outside {tolerance_s} s")


def standard_webhooks_secret(shown: str) -> bytes:
    """The key behind `whsec_…` (Standard Webhooks, "Signature scheme"). Raises ValueError."""
    try:
        return base64.b64decode(shown.removeprefix("whsec_"), validate=True)
    except binascii.Error as e:
        raise ValueError("a signing secret is whsec_ and base64") from e


def standard_webhooks_sign(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a Standard Webhooks delivery."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + hmac_base64(standard_webhooks_secret(secret), signed),
    }


def standard_webhooks_verify(
    message_id: str, timestamp: str, signatures: str, body: bytes, secrets: Sequence[str], now: datetime, who: str
) -> None:
    """Pass when one of the space-separated `v1,…` signatures is right under one of `secrets`, and the time is fresh.

    Raises SignatureMismatch, StaleSignature.
    """
    if not message_id or not signatures:
        raise SignatureMismatch(f"{who}: a signature header is missing")
    fresh(timestamp, now, who)
    given = [part[3:] for part in signatures.split(" ") if part.startswith("v1,")]
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = [hmac_base64(standard_webhooks_secret(secret), signed) for secret in secrets]
    good = False
    for one in given:
        for other in expected:
            good |= same(one, other)
    if not good:
        raise SignatureMismatch(f"{who}: the signature does not match")


def _bytes(secret: str | bytes) -> bytes:
    return secret.encode() if isinstance(secret, str) else secret


def sha256_hex(body: bytes) -> str:
    """SHA-256 in lower-case hexadecimal."""
    return hashlib.sha256(body).hexdigest()
