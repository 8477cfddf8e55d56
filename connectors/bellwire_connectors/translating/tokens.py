"""JSON Web Tokens signed with a shared secret (RFC 7515, RFC 7519; HS256 only), as Jira and monday send them. Pure.

A token proves who called and when; it does not cover the body. No library: one algorithm, and none other is ever accepted.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bellwire import SignatureMismatch, StaleSignature
from bellwire.signing import TOLERANCE_S, hmac_base64, same

#: How far a platform's clock may run ahead of ours when its token has just ended.
LEEWAY_S = 60
_LONGEST = 8_192
_HEADER = {"alg": "HS256", "typ": "JWT"}


def sign_token(secret: str, claims: Mapping[str, Any]) -> str:
    """A compact token."""
    signed = f"{_part(_HEADER)}.{_part(claims)}"
    return f"{signed}.{_signature(secret, signed)}"


def verify_token(token: str, secrets: Sequence[str], now: datetime, who: str) -> dict[str, Any]:
    """The claims of a token that is signed with one of `secrets` and has not ended.

    `exp` is required; a token issued (`iat`) or valid (`nbf`) more than five minutes ahead of us is refused.
    Raises SignatureMismatch, StaleSignature.
    """
    signed, _, given = token.rpartition(".") if len(token) <= _LONGEST and token.isascii() else ("", "", "")
    good = False
    for secret in (*secrets, ""):
        good |= same(given, _signature(secret, signed)) and bool(secret)
    if not good or signed.count(".") != 1:
        raise SignatureMismatch(f"{who}: the token is not signed with a secret of this installation")
    header, claims = (_opened(part) for part in signed.split("."))
    if header.get("alg") != "HS256":
        raise SignatureMismatch(f"{who}: the token is not HS256")
    ends = _seconds(claims.get("exp"))
    if ends is None:
        raise SignatureMismatch(f"{who}: the token has no end")
    if now.timestamp() > ends + LEEWAY_S:
        raise StaleSignature(f"{who}: the token has ended")
    for name in ("iat", "nbf"):
        begins = _seconds(claims.get(name))
        if begins is not None and begins > now.timestamp() + TOLERANCE_S:
            raise StaleSignature(f"{who}: the token is from the future")
    return claims


def fresh_claims(now: datetime, **more: Any) -> dict[str, Any]:
    """Claims of a token that is issued now and believed for five minutes."""
    issued = int(now.timestamp())
    return {**more, "iat": issued, "exp": issued + TOLERANCE_S - LEEWAY_S}


def bearer(header: str) -> str:
    """The token in an Authorization header, with or without `Bearer` before it."""
    scheme, _, token = header.partition(" ")
    return token if scheme.lower() == "bearer" else header


def _signature(secret: str, signed: str) -> str:
    return hmac_base64(secret, signed.encode()).rstrip("=").replace("+", "-").replace("/", "_")


def _part(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


def _opened(part: str) -> dict[str, Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10**12 else None
