"""Access tokens: used while they last, renewed a little early, and once more when Shopify refuses one.

Expiring offline tokens live one hour and their refresh token 90 days; it is replaced when used (shopify.dev, "Offline access
tokens"). The previous refresh token stays good until its replacement was used (changelog of 2026-08-28), so an answer that
got lost on the way does not lose the shop.
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

from .answers import json_object, retry_after_s, time_of
from .delivery import stamp
from .sdk import token_url

#: A token that ends within this time is renewed before it is used.
EARLY = timedelta(minutes=5)


def usable(link: Link) -> Installation:
    """The installation with a token that is good now. Raises PlatformUnauthorized when there is none and none can be had."""
    installation = link.installation
    token = str(installation.credentials.get("access_token") or "")
    ends = ends_at(installation, "access_token")
    if token and (ends is None or ends - EARLY > link.now()):
        return installation
    if can_renew(installation):
        try:
            return renewed(link, token)
        except (PlatformUnreachable, PlatformThrottled, PlatformUnavailable):
            if token and ends is not None and ends > link.now():
                return installation  # some minutes are left; the next job renews it
            raise
    if token:
        return installation  # Shopify says whether it is over; nothing here could replace it
    raise PlatformUnauthorized("shopify: the installation has no access token", code="no_token")


def can_renew(installation: Installation) -> bool:
    """Whether a new token can be had without the merchant."""
    credentials = installation.credentials
    return bool(credentials.get("client_id") and credentials.get("client_secret"))


def renewed(link: Link, seen: str) -> Installation:
    """The installation with another token than `seen`, fetched once for all who saw it."""

    def refresh(installation: Installation) -> Mapping[str, Any]:
        credentials = installation.credentials
        grant = (
            {"grant_type": "refresh_token", "refresh_token": credentials["refresh_token"]}
            if credentials.get("refresh_token")
            # an app that the shop's owner made in the Dev Dashboard: tokens of a day, no refresh token
            else {"grant_type": "client_credentials"}
        )
        return exchange(link, installation, grant)

    return link.renew(seen, refresh)


def exchange(link: Link, installation: Installation, grant: Mapping[str, Any]) -> dict[str, Any]:
    """Credentials to store, for a code or a refresh token. Raises PlatformUnauthorized when Shopify refuses the grant."""
    body = {
        "client_id": installation.credentials.get("client_id"),
        "client_secret": installation.credentials.get("client_secret"),
        **grant,
    }
    now = link.now()
    try:
        answer = link.http.post(token_url(installation), json=body, allow_redirects=False)
    except requests.RequestException as e:
        raise PlatformUnreachable(f"shopify: the token endpoint did not answer ({type(e).__name__})") from e
    status = answer.status_code
    if status == 429:
        raise PlatformThrottled("shopify: too many token requests", http_status=status, retry_after_s=retry_after_s(answer.headers))
    if status >= 500:
        raise PlatformUnavailable("shopify: the token endpoint is down", http_status=status)
    if status in {400, 401, 403}:
        raise PlatformUnauthorized(
            "shopify: the token can't be renewed; install the app again",
            http_status=status,
            code=str(json_object(answer).get("error", ""))[:80],
        )
    granted = json_object(answer)
    if status != 200 or not isinstance(granted.get("access_token"), str):
        raise PlatformRejected("shopify: the token endpoint gave no token", http_status=status)
    return _credentials(granted, now)


def _credentials(granted: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    kept: dict[str, Any] = {"access_token": granted["access_token"], "access_token_expires_at": _until(granted, "expires_in", now)}
    if isinstance(granted.get("refresh_token"), str):
        kept["refresh_token"] = granted["refresh_token"]
        kept["refresh_token_expires_at"] = _until(granted, "refresh_token_expires_in", now)
    if isinstance(granted.get("scope"), str):
        kept["scope"] = granted["scope"]
    return kept


def _until(granted: Mapping[str, Any], name: str, now: datetime) -> str:
    """When it ends, RFC 3339; "" for a token without an end."""
    seconds = granted.get(name)
    return stamp(now + timedelta(seconds=seconds)) if isinstance(seconds, int) and 0 < seconds < 10**9 else ""


def ends_at(installation: Installation, which: str) -> datetime | None:
    """When the `access_token` or the `refresh_token` ends, None when nobody said."""
    return time_of(installation.credentials.get(f"{which}_expires_at"))
