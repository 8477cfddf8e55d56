"""Installing by OAuth (authorization code grant): the admin is sent to Zendesk and comes back with a code.

developer.zendesk.com, "Using OAuth authentication with your application". The state is made and kept by the web layer.
"""

from __future__ import annotations

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

from .account import base_url, clean_subdomain, id_of, subdomain_of
from .client import Desk
from .sdk import Reader
from .shapes import text
from .tokens import exchange


def begin_install(request: WebhookRequest, installation: Installation, redirect_uri: str, state: str) -> InstallStart:
    """Where to send the browser: to the installation's own account, as Zendesk's way back does not say which one it is from.

    Raises PayloadInvalid, PlatformRejected.
    """
    subdomain = _account(subdomain_of(installation))
    if dict(request.query).get("subdomain", subdomain) != subdomain:
        raise PayloadInvalid("zendesk install: another account than the installation's", "subdomain")
    client_id = str(installation.credentials.get("client_id") or "")
    if not client_id:
        raise PlatformRejected("zendesk: OAuth needs credentials.client_id, the client's unique identifier", code="no_client_id")
    if not state:
        raise PayloadInvalid("zendesk install: no state", "state")
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": _scopes(installation),
        "state": state,
    }
    where = base_url(replace(installation, account_ref=subdomain))
    return InstallStart(redirect=f"{where}/oauth/authorizations/new?{urlencode(query)}", account_ref=subdomain)


def finish_install(request: WebhookRequest, installation: Installation, state: str, link: Link) -> Installed:
    """Exchange the callback's code for a token. `state`: what `begin_install` was given.

    Zendesk's callback does not say which account it is from: it is the one that the browser was sent to, as the code is good
    nowhere else. Raises SignatureMismatch, PayloadInvalid, PlatformError.
    """
    query = dict(request.query)
    if not state or not same(query.get("state", ""), state):
        raise SignatureMismatch("zendesk install: the state is not the one we gave")
    if query.get("error") or not query.get("code"):
        raise PayloadInvalid("zendesk install: access was not granted", "code")
    subdomain = _account(subdomain_of(installation))
    at = replace(installation, account_ref=subdomain)
    grant = {
        "grant_type": "authorization_code",
        "code": query["code"],
        "redirect_uri": request.url.partition("?")[0],
        "scope": _scopes(installation),
    }
    granted = exchange(link, at, grant)
    own = {name: installation.credentials.get(name) for name in ("client_id", "client_secret")}
    credentials: dict[str, Any] = {"subdomain": subdomain, **own, **granted}
    me = _me(link, replace(at, credentials=credentials))
    settings = dict(installation.settings)
    if id_of(me.get("id")):
        settings["bot_user_id"] = id_of(me["id"])
    return Installed(
        account_ref=subdomain,
        credentials=credentials,
        settings=settings,
        locale=text(me.get("locale"), 35),
        timezone=text(me.get("iana_time_zone"), 64),
        notes=() if me.get("role") == "admin" else ("You are no admin: the webhooks and fields must be made by one.",),
    )


def _me(link: Link, installation: Installation) -> dict[str, Any]:
    """Who we act as. The code is spent: not knowing must not lose the token."""
    try:
        return Reader(Desk(link, installation)).me()
    except PlatformError:
        return {}


def _account(given: str) -> str:
    try:
        return clean_subdomain(given)
    except ValueError as e:
        raise PayloadInvalid("zendesk install: not an account's name", "subdomain") from e


def _scopes(installation: Installation) -> str:
    return str(installation.settings.get("scopes") or "read write")
