"""Access tokens: used until Salesforce refuses one, then had anew, once for all processes.

Three ways: a refresh token (web server flow), a JWT signed with the app's key, the app's own credentials. Passwords with security
tokens are not one: SOAP login ends with Summer '27 (developer.salesforce.com, "login()"). A token's life is the session policy's;
nobody tells it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import requests
from bellwire import (
    Installation,
    Link,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
    PlatformUnreachable,
)

from bellwire_connectors.retry_after import retry_after_s

from .hosts import audience, login_url
from .ids import long_id

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105  # an address
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_JWT_LIFE_S = 180  # the longest that Salesforce takes
_KEPT = ("access_token", "refresh_token", "instance_url", "scope")
#: Connect and read, in seconds; the session's own bounds may be shorter.
TIMEOUT_S = (3.05, 15.0)


def usable(link: Link) -> Installation:
    """The installation with a token. Raises PlatformUnauthorized when there is none and none can be had."""
    installation = link.installation
    return installation if installation.credentials.get("access_token") else renewed(link, "")


def can_renew(installation: Installation) -> bool:
    """Whether a token can be had without a person."""
    return _flow(installation) != ""


def renewed(link: Link, seen: str) -> Installation:
    """The installation with another token than `seen`, fetched once for all who saw it."""
    if not can_renew(link.installation):
        raise PlatformUnauthorized("salesforce: the installation has nothing to get a token with", code="no_token")
    return link.renew(seen, lambda installation: exchange(link, installation, grant_of(installation, link.now().timestamp())))


def grant_of(installation: Installation, now_s: float) -> dict[str, str]:
    """What is posted to the token endpoint for this installation's kind of credentials."""
    credentials = installation.credentials
    match _flow(installation):
        case "refresh_token":
            return {"grant_type": "refresh_token", "refresh_token": str(credentials["refresh_token"]), **_client(installation)}
        case "jwt":
            return {"grant_type": JWT_GRANT, "assertion": assertion(installation, now_s)}
        case _:
            return {"grant_type": "client_credentials", **_client(installation)}


def exchange(link: Link, installation: Installation, grant: Mapping[str, str]) -> dict[str, Any]:
    """Credentials to store, for a code, a JWT, a refresh token or the app's own credentials.

    Raises PlatformUnauthorized when Salesforce refuses the grant; other PlatformError.
    """
    try:
        answer = link.http.post(
            login_url(installation) + TOKEN_PATH,
            data=dict(grant),
            headers={"Accept": "application/json"},
            timeout=TIMEOUT_S,
            allow_redirects=False,
        )
    except requests.RequestException as e:
        raise PlatformUnreachable(f"salesforce: the token endpoint did not answer ({type(e).__name__})") from None
    status = answer.status_code
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if status == 429:
        raise PlatformThrottled("salesforce: too many token requests", http_status=status, retry_after_s=retry_after_s(headers))
    if status >= 500:
        raise PlatformUnavailable("salesforce: the token endpoint is down", http_status=status)
    try:
        granted = answer.json()
    except ValueError:
        granted = {}
    granted = granted if isinstance(granted, dict) else {}
    if status in (400, 401, 403):
        code = str(granted.get("error") or "")[:40]
        raise PlatformUnauthorized(f"salesforce: no token ({code or status}); {_cure(code)}", http_status=status, code=code)
    if status != 200 or not isinstance(granted.get("access_token"), str):
        raise PlatformRejected("salesforce: the token endpoint gave no token", http_status=status)
    kept = {name: granted[name] for name in _KEPT if isinstance(granted.get(name), str)}
    user = identity(granted)[1]
    return {**kept, "user_id": user} if user else kept


def identity(granted: Mapping[str, Any]) -> tuple[str, str]:
    """Organization and user of a token's identity URL, `https://login.salesforce.com/id/00D…/005…`; "" for what is missing."""
    parts = str(granted.get("id") or "").rstrip("/").split("/")
    return (long_id(parts[-2]), long_id(parts[-1])) if len(parts) > 2 else ("", "")


def assertion(installation: Installation, now_s: float) -> str:
    """The JWT that proves the app (RFC 7523), signed with RS256. Raises PlatformRejected for a key that is none."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    credentials = installation.credentials
    try:
        key = load_pem_private_key(str(credentials.get("private_key") or "").encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise PlatformRejected("salesforce: credentials.private_key is no RSA key in PEM", code="private_key")
    claims = {
        "iss": credentials.get("consumer_key"),
        "sub": credentials.get("username"),
        "aud": audience(installation),
        "exp": int(now_s) + _JWT_LIFE_S,
    }
    signed = ".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in ({"alg": "RS256"}, claims))
    return f"{signed}.{_base64url(key.sign(signed.encode(), PKCS1v15(), hashes.SHA256()))}"


def _flow(installation: Installation) -> str:
    has = installation.credentials.get
    if has("refresh_token") and has("consumer_key"):
        return "refresh_token"
    if has("private_key") and has("username") and has("consumer_key"):
        return "jwt"
    return "client_credentials" if has("consumer_key") and has("consumer_secret") else ""


def _client(installation: Installation) -> dict[str, str]:
    pairs = {"client_id": "consumer_key", "client_secret": "consumer_secret"}
    return {name: str(value) for name, field in pairs.items() if (value := installation.credentials.get(field))}


def _cure(code: str) -> str:
    return {
        "invalid_client_id": "is credentials.consumer_key the app's?",
        "invalid_client": "is credentials.consumer_secret the app's?",
        "invalid_app_access": "the user is not allowed to use the app",
        "inactive_org": "the organization is locked",
    }.get(code, "install it again or look at the app's policies")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
