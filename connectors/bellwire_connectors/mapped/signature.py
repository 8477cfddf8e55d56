"""How a mapped platform proves who it is: an HMAC in a header, a shared token in a header, or Standard Webhooks. Pure.

Nothing is taken unsigned: an installation without a scheme can't be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

from bellwire import Installation, SignatureMismatch, WebhookRequest
from bellwire.signing import (
    fresh,
    hmac_base64,
    hmac_hex,
    require,
    sha256_hex,
    standard_webhooks_secret,
    standard_webhooks_sign,
    standard_webhooks_verify,
)
from pydantic import AfterValidator, Field

from .mapping import checked
from .specs import HeaderName, Strict

WHO = "mapped"
SHORTEST = 16  # characters of a secret: what can be guessed proves nothing


def _short(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be printable")
    return value


class Hmac(Strict):
    """HMAC of the body, or of a time, a separator and the body."""

    scheme: Literal["hmac"]
    header: HeaderName
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: Annotated[str, AfterValidator(_short), Field(max_length=20)] = ""
    timestamp_header: HeaderName | None = None
    separator: Annotated[str, AfterValidator(_short), Field(max_length=5)] = "."

    def signatures(self, request: WebhookRequest, secrets: Sequence[str]) -> list[str]:
        """What each secret would have signed."""
        signed = request.body
        if self.timestamp_header:
            signed = f"{request.header(self.timestamp_header)}{self.separator}".encode("utf-8", "surrogatepass") + signed
        make = hmac_hex if self.encoding == "hex" else hmac_base64
        return [self.prefix + make(secret, signed, self.algorithm) for secret in secrets]


class Token(Strict):
    """The secret itself in a header. It says who sent a body, not that it is unaltered: prefer one of the others."""

    scheme: Literal["token"]
    header: HeaderName
    prefix: Annotated[str, AfterValidator(_short), Field(max_length=20)] = ""


class StandardWebhooks(Strict):
    """https://www.standardwebhooks.com: `webhook-id`, `webhook-timestamp`, `webhook-signature`; the secret is `whsec_…`."""

    scheme: Literal["standard_webhooks"]


_SCHEMES: dict[str, type[Hmac | Token | StandardWebhooks]] = {
    "hmac": Hmac,
    "token": Token,
    "standard_webhooks": StandardWebhooks,
}


def scheme_of(given: Any) -> Hmac | Token | StandardWebhooks:
    """The scheme. Raises ValueError naming field and fix."""
    name = given.get("scheme") if isinstance(given, dict) else None
    model = _SCHEMES.get(name) if isinstance(name, str) else None
    if model is None:
        raise ValueError(f"scheme: must be one of {', '.join(_SCHEMES)}")
    made: Hmac | Token | StandardWebhooks = checked(model, given, "signature")
    return made


def clean_signature(given: Any) -> Any:
    """A scheme as it is stored. Raises ValueError naming field and fix."""
    scheme_of(given)
    return given


def clean_secret(given: Any) -> Any:
    """A secret as it is stored. Raises ValueError, which never holds it."""
    if len(given) < SHORTEST:
        raise ValueError(f"must have at least {SHORTEST} characters: what can be guessed proves nothing")
    return given


def sign(request: WebhookRequest, installation: Installation) -> WebhookRequest:
    """The request as the platform would send it: signed with the newest secret."""
    secrets, scheme = _secrets(installation), _scheme(installation)
    if not secrets:
        raise SignatureMismatch(f"{WHO}: the installation has no secret")
    if isinstance(scheme, StandardWebhooks):
        stamp, body = int(request.received_at.timestamp()), request.body
        made = standard_webhooks_sign(_usable(secrets)[0], f"msg_{sha256_hex(body)[:24]}", stamp, body)
        return replace(request, headers={**request.headers, **made})
    if isinstance(scheme, Hmac) and scheme.timestamp_header and not request.header(scheme.timestamp_header):
        stamp_header = {scheme.timestamp_header.lower(): str(int(request.received_at.timestamp()))}
        request = replace(request, headers={**request.headers, **stamp_header})
    value = _expected(scheme, request, secrets)[0]
    return replace(request, headers={**request.headers, scheme.header.lower(): value})


def verify(request: WebhookRequest, installation: Installation, now: datetime) -> None:
    """Pass when the request proves itself by the installation's scheme and one of its secrets.

    Raises SignatureMismatch, StaleSignature.
    """
    secrets, scheme = _secrets(installation), _scheme(installation)
    if isinstance(scheme, StandardWebhooks):
        header = request.header
        standard_webhooks_verify(
            header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"), request.body, _usable(secrets), now, WHO
        )
        return
    require(request.header(scheme.header), _expected(scheme, request, secrets), WHO)
    if isinstance(scheme, Hmac) and scheme.timestamp_header:
        fresh(request.header(scheme.timestamp_header), now, WHO)


def _expected(scheme: Hmac | Token, request: WebhookRequest, secrets: Sequence[str]) -> list[str]:
    if isinstance(scheme, Hmac):
        return scheme.signatures(request, secrets)
    return [scheme.prefix + secret for secret in secrets]


def _scheme(installation: Installation) -> Hmac | Token | StandardWebhooks:
    try:
        return scheme_of(installation.settings.get("signature"))
    except ValueError as e:
        raise SignatureMismatch(f"{WHO}: settings.signature can't be used: nothing is believed") from e


def _secrets(installation: Installation) -> list[str]:
    return [secret for secret in installation.secrets if len(secret) >= SHORTEST]


def _usable(secrets: Sequence[str]) -> list[str]:
    """Those that are base64, as Standard Webhooks' secrets are. Raises SignatureMismatch when there is none."""
    found = []
    for secret in secrets:
        try:
            standard_webhooks_secret(secret)
        except ValueError:
            continue
        found.append(secret)
    if not found:
        raise SignatureMismatch(f"{WHO}: the secret is not whsec_ and base64")
    return found
