"""Access tokens: OAuth v3 by plain calls (the library knows v1 only, which ends on 16 February 2027), or a private app's own.

A token lives half an hour and is renewed a little early, by its time and not because of a 401; developers.hubspot.com,
"Working with OAuth": parameters go in the form, never in the query.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
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

from .answers import json_value, retry_after_s, stamp, time_of

EARLY = timedelta(minutes=3)
PATH = "/oauth/v3/token"
_HOST = "https://api.hubapi.com"


def usable(link: Link) -> Installation:
    """The installation with a token that is good now. Raises PlatformUnauthorized when none can be had."""
    installation = link.installation
    token = str(installation.credentials.get("access_token") or "")
    ends = time_of(installation.credentials.get("access_token_expires_at"))
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
        return installation  # HubSpot says whether it is over; nothing here could replace it
    raise PlatformUnauthorized("hubspot: the installation has no access token", code="no_token")


def can_renew(installation: Installation) -> bool:
    """Whether a new token can be had without a person."""
    credentials = installation.credentials
    return all(credentials.get(name) for name in ("client_id", "client_secret", "refresh_token"))


def renewed(link: Link, seen: str) -> Installation:
    """The installation with another token than `seen`, fetched once for all who saw it."""

    def refresh(installation: Installation) -> Mapping[str, Any]:
        grant = {"grant_type": "refresh_token", "refresh_token": str(installation.credentials["refresh_token"])}
        return exchange(link, installation, grant)

    return link.renew(seen, refresh)


def exchange(link: Link, installation: Installation, grant: Mapping[str, str]) -> dict[str, Any]:
    """Credentials to store, for a code or a refresh token. Raises PlatformUnauthorized when HubSpot refuses the grant."""
    form = {
        "client_id": str(installation.credentials.get("client_id") or ""),
        "client_secret": str(installation.credentials.get("client_secret") or ""),
        **grant,
    }
    now = link.now()
    host = str(installation.settings.get("base_url") or _HOST).rstrip("/")
    try:
        answer = link.http.post(f"{host}{PATH}", data=form, allow_redirects=False, timeout=(3.05, 15.0))
    except requests.RequestException as e:
        raise PlatformUnreachable(f"hubspot: the token endpoint did not answer ({type(e).__name__})") from e
    status, said = answer.status_code, json_value(answer)
    said = said if isinstance(said, dict) else {}
    if status == 429:
        raise PlatformThrottled("hubspot: too many token requests", http_status=status, retry_after_s=retry_after_s(answer.headers))
    if status >= 500:
        raise PlatformUnavailable("hubspot: the token endpoint is down", http_status=status)
    if status in {400, 401, 403}:
        # BAD_REFRESH_TOKEN: the app was removed from the account
        code = str(said.get("status") or said.get("error") or "")[:60]
        raise PlatformUnauthorized("hubspot: the token can't be renewed; install the app again", http_status=status, code=code)
    token, lives_s = said.get("access_token"), said.get("expires_in")
    if status != 200 or not isinstance(token, str) or not token:
        raise PlatformRejected("hubspot: the token endpoint gave no token", http_status=status)
    kept: dict[str, Any] = {"access_token": token, "access_token_expires_at": ""}
    if isinstance(lives_s, int) and 0 < lives_s < 10**8:
        kept["access_token_expires_at"] = stamp(now + timedelta(seconds=lives_s))
    if isinstance(said.get("refresh_token"), str) and said["refresh_token"]:
        kept["refresh_token"] = said["refresh_token"]
    if said.get("hub_id"):
        kept["portal_id"] = str(said["hub_id"])
    scopes = said.get("scopes")
    if isinstance(scopes, list):
        kept["scope"] = " ".join(str(one) for one in scopes)
    return kept
