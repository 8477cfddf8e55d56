"""OAuth tokens: used while they last, renewed a little early, and once more when Zendesk refuses one.

developer.zendesk.com, "OAuth tokens for grant types": access tokens may expire and then come with a refresh token, which is
replaced when it is used. A token without an end is used until Zendesk refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
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

from .account import base_url
from .shapes import stamp, time_of

EARLY = timedelta(minutes=5)


def usable(link: Link) -> Installation:
    """The installation with a token that is good now; one that ends within five minutes is renewed first."""
    installation = link.installation
    ends = time_of(installation.credentials.get("oauth_token_expires_at"))
    if ends is None or ends - EARLY > link.now() or not can_renew(installation):
        return installation
    try:
        return renewed(link, str(installation.credentials.get("oauth_token") or ""))
    except (PlatformUnreachable, PlatformThrottled, PlatformUnavailable):
        if ends > link.now():
            return installation  # some minutes are left; the next job renews it
        raise


def can_renew(installation: Installation) -> bool:
    """Whether a new token can be had without a person."""
    return all(installation.credentials.get(name) for name in ("client_id", "client_secret", "refresh_token"))


def renewed(link: Link, seen: str) -> Installation:
    """The installation with another token than `seen`, fetched once for all who saw it."""

    def refresh(installation: Installation) -> Mapping[str, Any]:
        grant = {"grant_type": "refresh_token", "refresh_token": installation.credentials.get("refresh_token")}
        return exchange(link, installation, grant)

    return link.renew(seen, refresh)


def exchange(link: Link, installation: Installation, grant: Mapping[str, Any]) -> dict[str, Any]:
    """Credentials to store, for a code or a refresh token. Raises PlatformUnauthorized when Zendesk refuses the grant."""
    credentials = installation.credentials
    body = {"client_id": credentials.get("client_id"), "client_secret": credentials.get("client_secret"), **grant}
    now = link.now()
    try:
        answer = link.http.post(f"{base_url(installation)}/oauth/tokens", json=body, allow_redirects=False)
    except requests.RequestException as e:
        raise PlatformUnreachable(f"zendesk: the token endpoint did not answer ({type(e).__name__})") from e
    status = answer.status_code
    if status in {400, 401, 403}:
        raise PlatformUnauthorized("zendesk: the token can't be had; install the app again", http_status=status)
    if status == 429:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        raise PlatformThrottled("zendesk: too many token requests", http_status=status, retry_after_s=retry_after_s(headers))
    if status >= 500:
        raise PlatformUnavailable("zendesk: the token endpoint is down", http_status=status)
    granted = _object(answer)
    if not 200 <= status < 300 or not isinstance(granted.get("access_token"), str):
        raise PlatformRejected("zendesk: the token endpoint gave no token", http_status=status)
    kept = {"oauth_token": granted["access_token"], "oauth_token_expires_at": _ends(granted, now)}
    if isinstance(granted.get("refresh_token"), str):
        kept["refresh_token"] = granted["refresh_token"]
    return kept


def _ends(granted: Mapping[str, Any], now: datetime) -> str:
    seconds = granted.get("expires_in")
    return stamp(now + timedelta(seconds=seconds)) if isinstance(seconds, int) and 0 < seconds < 10**9 else ""


def _object(answer: Any) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
