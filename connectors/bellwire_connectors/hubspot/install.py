"""Installing by OAuth: an admin is sent to HubSpot, chooses a portal there, and comes back with a code.

developers.hubspot.com, "Working with OAuth". The state is made and kept by the web layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from bellwire import (
    Installation,
    Installed,
    InstallStart,
    Link,
    PayloadInvalid,
    PlatformError,
    PlatformRejected,
    SignatureMismatch,
    WebhookRequest,
)
from bellwire.signing import same

from .client import Hub, mapping
from .records import text
from .tokens import exchange

WANTED_SCOPES = (
    "oauth",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.schemas.contacts.read",
    "crm.schemas.contacts.write",
    "automation",
)
#: What a portal may lack: then deals, tickets, owners and conversations stay away.
OPTIONAL_SCOPES = ("crm.objects.deals.read", "crm.objects.owners.read", "tickets", "conversations.read")
_AUTHORIZE = "https://app.hubspot.com"
_OF_THE_APP = ("app_id", "api_path", "scopes")  # settings that every portal of the app has in common


def begin_install(request: WebhookRequest, installation: Installation, redirect_uri: str, state: str) -> InstallStart:
    """Where to send the browser. `installation` holds the app's `client_id`. Raises PlatformRejected, PayloadInvalid."""
    del request  # HubSpot sends nobody here: an admin begins
    client_id = str(installation.credentials.get("client_id") or "")
    if not client_id:
        raise PlatformRejected("hubspot: OAuth needs credentials.client_id, the app's client id", code="no_client_id")
    if not state:
        raise PayloadInvalid("hubspot install: no state", "state")
    query = {
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(_scopes(installation)),
        "optional_scope": " ".join(OPTIONAL_SCOPES),
        "state": state,
    }
    host = str(installation.settings.get("base_url") or _AUTHORIZE).rstrip("/")
    return InstallStart(redirect=f"{host}/oauth/authorize?{urlencode(query)}", account_ref="")


def finish_install(request: WebhookRequest, installation: Installation, state: str, link: Link) -> Installed:
    """Exchange the callback's code for tokens. `state`: what `begin_install` was given. Raises SignatureMismatch, PayloadInvalid,
    PlatformError.
    """
    query = dict(request.query)
    if not state or not same(query.get("state", ""), state):
        raise SignatureMismatch("hubspot install: the state is not the one we gave")
    code = query.get("code", "")
    if not code:
        raise PayloadInvalid("hubspot install: no code", "code")
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": request.url.partition("?")[0]}
    granted = exchange(link, installation, grant)
    credentials = {
        "client_id": installation.credentials.get("client_id"),
        "client_secret": installation.credentials.get("client_secret"),
        **granted,
    }
    about = _about(link, replace(installation, credentials=credentials))
    portal = str(granted.get("portal_id") or about.get("portalId") or "")
    if not portal.isdigit():
        raise PlatformRejected("hubspot install: HubSpot did not say which portal it is", code="no_portal")
    credentials["portal_id"] = portal
    settings = {name: installation.settings[name] for name in _OF_THE_APP if installation.settings.get(name)}
    return Installed(
        account_ref=portal,
        credentials=credentials,
        settings=settings,
        timezone=text(about.get("timeZone"), 60),
        notes=_missing(granted, _scopes(installation)),
    )


def details(hub: Hub) -> dict[str, Any]:
    """The account behind the token: `portalId`, `timeZone`. Raises PlatformError."""
    return mapping(hub.get("/account-info/v3/details"))


def _about(link: Link, installation: Installation) -> Mapping[str, Any]:
    """The code is spent: not knowing the portal's zone must not lose the token."""
    try:
        return details(Hub(link, installation))
    except PlatformError:
        return {}


def _missing(granted: Mapping[str, Any], asked: Sequence[str]) -> Sequence[str]:
    given = str(granted.get("scope") or "").split()
    missing = [scope for scope in asked if scope not in given]
    if not given or not missing:
        return ()
    return (f"Not granted: {', '.join(missing)}. What needs them stays away until the app is granted them.",)


def _scopes(installation: Installation) -> Sequence[str]:
    asked = str(installation.settings.get("scopes") or "")
    return tuple(asked.replace(",", " ").split()) or WANTED_SCOPES
