"""Installing by OAuth (authorization code grant): the merchant is sent to Shopify and comes back with a code.

Steps and checks: shopify.dev, "Authorization code grant". The state is made and kept by the web layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bellwire import (
    Installation,
    Installed,
    InstallStart,
    Link,
    PayloadInvalid,
    PlatformError,
    PlatformRejected,
    SignatureMismatch,
    StaleSignature,
    WebhookRequest,
)
from bellwire.signing import require, same

from .client import Admin
from .domain import shop_domain, shop_of
from .operations import SHOP
from .sdk import install_hmac, is_shop, missing_scopes, permission_url
from .shapes import country
from .subscriptions import WANTED_SCOPES
from .tokens import exchange
from .versions import DEFAULT_VERSION, clean_version

_PAST = timedelta(days=1)  # what Shopify's own libraries allow
_AHEAD = timedelta(minutes=5)
_OF_THE_APP = ("api_version", "scopes")  # settings that every shop of the app has in common


def begin_install(request: WebhookRequest, installation: Installation, redirect_uri: str, state: str) -> InstallStart:
    """Where to send the browser. `installation` holds the app's `client_id` and `client_secret`.

    Shopify opens the app with a signed query; without a signature only the installation's own shop can be meant (an admin
    began here). Raises SignatureMismatch, StaleSignature, PayloadInvalid, PlatformRejected.
    """
    query = dict(request.query)
    if "hmac" in query:
        _signed(request, installation)
    elif "shop" in query and shop_domain(query["shop"]) != shop_of(installation):
        raise SignatureMismatch("shopify install: another shop than the installation's, and no signature")
    shop = _shop(query["shop"]) if "shop" in query else shop_of(installation)
    client_id = str(installation.credentials.get("client_id") or "")
    if not client_id:
        raise PlatformRejected("shopify: OAuth needs credentials.client_id, the app's client id", code="no_client_id")
    if not state:
        raise PayloadInvalid("shopify install: no state", "state")
    at = replace(installation, account_ref=shop)
    return InstallStart(redirect=permission_url(at, client_id, _scopes(installation), redirect_uri, state), account_ref=shop)


def finish_install(request: WebhookRequest, installation: Installation, state: str, link: Link) -> Installed:
    """Exchange the callback's code for an expiring token and its refresh token. `state`: what `begin_install` was given.

    Raises SignatureMismatch, StaleSignature, PayloadInvalid, PlatformError.
    """
    query = dict(request.query)
    if not state or not same(query.get("state", ""), state):
        raise SignatureMismatch("shopify install: the state is not the one we gave")
    _signed(request, installation)
    shop = _shop(query.get("shop", ""))
    if not query.get("code"):
        raise PayloadInvalid("shopify install: no code", "code")
    at = replace(installation, account_ref=shop)
    granted = exchange(link, at, {"code": query["code"], "expiring": 1})
    credentials = {
        "shop": shop,
        "client_id": installation.credentials.get("client_id"),
        "client_secret": installation.credentials.get("client_secret"),
        **granted,
    }
    about = _about(link, replace(at, credentials=credentials))
    settings = {name: installation.settings[name] for name in _OF_THE_APP if installation.settings.get(name)}
    if "api_version" in settings:
        settings["api_version"] = _version(str(settings["api_version"]))
    if about.get("name"):
        settings["shop_name"] = str(about["name"])
    return Installed(
        account_ref=shop,
        credentials=credentials,
        settings=settings,
        country=country((about.get("shopAddress") or {}).get("countryCodeV2")),
        timezone=str(about.get("ianaTimezone") or ""),
        notes=_missing(granted, _scopes(installation)),
    )


def _version(given: str) -> str:
    """The app's version, if it would be stored today; one from before versions were checked must not cost the token."""
    try:
        return clean_version(given)
    except ValueError:
        return DEFAULT_VERSION


def _missing(granted: Mapping[str, Any], asked: Sequence[str]) -> Sequence[str]:
    """What the merchant did not grant: the app works on, without what needs it."""
    if "scope" not in granted:
        return ()
    missing = missing_scopes(str(granted["scope"]).split(","), asked)
    return (f"Not granted: {', '.join(missing)}. What needs them stays away until the app is granted them.",) if missing else ()


def _about(link: Link, installation: Installation) -> Mapping[str, Any]:
    """The shop's name, country and time zone. The code is spent: not knowing them must not lose the token."""
    try:
        about = Admin(link, installation).ask(SHOP).get("shop")
    except PlatformError:
        return {}
    return about if isinstance(about, Mapping) else {}


def _signed(request: WebhookRequest, installation: Installation) -> None:
    """Pass when Shopify signed the query and its time is near."""
    query = dict(request.query)
    if len(query) != len([name for name, _ in request.query if not name.endswith("[]")]) + len(
        {name for name, _ in request.query if name.endswith("[]")}
    ):
        raise SignatureMismatch("shopify install: a parameter stands twice")
    secrets = [secret for secret in installation.secrets if secret]
    require(query.get("hmac", "").lower(), [install_hmac(secret, request.query) for secret in secrets], "shopify install")
    _fresh(query.get("timestamp", ""), request.received_at)


def _fresh(timestamp: str, now: datetime) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise StaleSignature("shopify install: the timestamp is not a number of seconds")
    age_s = now.timestamp() - int(timestamp)
    if not -_AHEAD.total_seconds() <= age_s <= _PAST.total_seconds():
        raise StaleSignature("shopify install: the request is of another time")


def _shop(given: str) -> str:
    """The shop as Shopify writes it in a query; anything else is no shop. Raises PayloadInvalid."""
    if shop_domain(given) != given or not is_shop(given):
        raise PayloadInvalid("shopify install: not a shop's domain", "shop")
    return given


def _scopes(installation: Installation) -> Sequence[str]:
    asked = str(installation.settings.get("scopes") or "")
    return tuple(scope for scope in (part.strip() for part in asked.split(",")) if scope) or WANTED_SCOPES
