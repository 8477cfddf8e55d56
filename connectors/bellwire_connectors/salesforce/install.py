"""Installing in the browser (web server flow with PKCE): an admin is sent to Salesforce and comes back with a code.

help.salesforce.com, "OAuth 2.0 Web Server Flow". The state is made and kept by the web layer; the verifier is made of it and the
app's secret, so that nothing has to be kept here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
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

from . import configured, places
from .client import Org
from .hosts import domain_of, login_url
from .records import of_json
from .tokens import exchange

AUTHORIZE_PATH = "/services/oauth2/authorize"
SCOPES = "api refresh_token"
_ORGANIZATION = ("Id", "Name", "Country", "LanguageLocaleKey", "DefaultLocaleSidKey", "TimeZoneSidKey")
_OF_THE_APP = ("domain", "consumer_key", "consumer_secret")


def begin_install(request: WebhookRequest, installation: Installation, redirect_uri: str, state: str) -> InstallStart:  # noqa: ARG001  # the contract's arguments
    """Where to send the browser. Raises PayloadInvalid, PlatformRejected."""
    consumer_key, _ = _app(installation)
    if not state:
        raise PayloadInvalid("salesforce install: no state", "state")
    query = {
        "response_type": "code",
        "client_id": consumer_key,
        "redirect_uri": redirect_uri,
        "scope": SCOPES,
        "state": state,
        "code_challenge": challenge(installation, state),
        "code_challenge_method": "S256",
    }
    return InstallStart(
        redirect=f"{login_url(installation)}{AUTHORIZE_PATH}?{urlencode(query)}", account_ref=domain_of(installation)
    )


def finish_install(request: WebhookRequest, installation: Installation, state: str, link: Link) -> Installed:
    """Exchange the callback's code for tokens. `state`: what `begin_install` was given.

    Raises SignatureMismatch (also when it is another organization than before), PayloadInvalid, PlatformError.
    """
    query = dict(request.query)
    if not state or not same(query.get("state", ""), state):
        raise SignatureMismatch("salesforce install: the state is not the one we gave")
    if not query.get("code"):
        raise PayloadInvalid("salesforce install: no code", "code")
    consumer_key, consumer_secret = _app(installation)
    grant = {
        "grant_type": "authorization_code",
        "code": query["code"],
        "client_id": consumer_key,
        "client_secret": consumer_secret,
        "redirect_uri": request.url.partition("?")[0],
        "code_verifier": verifier(installation, state),
    }
    granted = exchange(link, installation, grant)
    kept = {name: installation.credentials[name] for name in _OF_THE_APP if installation.credentials.get(name)}
    credentials = {**kept, "domain": domain_of(installation), **granted}
    about = _about(link, replace(installation, credentials=credentials))
    organization = about.get("organization_id", "")
    known = configured.organization(installation)
    if known and organization and not same(organization, known):
        raise SignatureMismatch("salesforce install: it came back for another organization than the installation's")
    settings: dict[str, Any] = {
        name: value for name, value in (("organization_id", organization or known), ("shop_name", about.get("name", ""))) if value
    }
    return Installed(
        account_ref=domain_of(installation),
        credentials=credentials,
        settings=settings,
        country=about.get("country", ""),
        locale=about.get("locale", ""),
        timezone=about.get("timezone", ""),
        notes=_notes(granted, organization or known),
    )


def verifier(installation: Installation, state: str) -> str:
    """The PKCE verifier (RFC 7636): 43 characters that only who holds the app's secret and the state can make."""
    _, secret = _app(installation)
    return _base64url(hmac.digest(secret.encode(), f"pkce:{state}".encode(), "sha256"))


def challenge(installation: Installation, state: str) -> str:
    """The verifier's S256 challenge."""
    return _base64url(hashlib.sha256(verifier(installation, state).encode()).digest())


def _app(installation: Installation) -> tuple[str, str]:
    key, secret = (str(installation.credentials.get(name) or "") for name in ("consumer_key", "consumer_secret"))
    if not key or not secret:
        raise PlatformRejected("salesforce: OAuth needs credentials.consumer_key and consumer_secret, the app's", code="no_app")
    return key, secret


def _about(link: Link, installation: Installation) -> Mapping[str, str]:
    """The organization's id, name and places. The code is spent: not knowing them must not lose the token."""
    try:
        rows = list(Org(link, installation).query(f"SELECT {', '.join(_ORGANIZATION)} FROM Organization LIMIT 1"))  # noqa: S608  # names
    except PlatformError:
        return {}
    if not rows:
        return {}
    found = of_json("Organization", rows[0])
    locale = places.locale(found.text("DefaultLocaleSidKey")) or places.locale(found.text("LanguageLocaleKey"))
    return {
        "organization_id": found.id,
        "name": found.text("Name", 200),
        "country": places.country(found.text("Country")) or places.country_of_locale(locale),
        "locale": locale,
        "timezone": places.zone(found.text("TimeZoneSidKey")),
    }


def _notes(granted: Mapping[str, Any], organization: str) -> tuple[str, ...]:
    notes = []
    if not granted.get("refresh_token"):
        notes.append("Salesforce gave no refresh token: give the app the scope refresh_token, or the access ends with the session.")
    if not organization:
        notes.append("Set settings.organization_id: until then outbound messages are refused.")
    return tuple(notes)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
