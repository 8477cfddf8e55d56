"""What ShopifyAPI is used for: the Admin API's address, scope arithmetic, and OAuth's HMAC and URL. The only file that imports it.

Nothing here touches the library's global session: each app gets its own subclass, so that one tenant's secret or shop is
never another's (its `activate_session`, `Session.temp` and `GraphQL().execute` are not called anywhere).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from bellwire import Installation, PlatformRejected

from .domain import shop_of
from .versions import DEFAULT_VERSION

# the library takes any YYYY-MM, "2099-13" too; and what was stored before versions were checked need not be one
_VERSION = re.compile(r"20\d\d-(01|04|07|10)|unstable", re.ASCII)
_SCOPE = re.compile(r"(unauthenticated_)?(read|write)_\w{1,80}", re.ASCII)


def graphql_url(installation: Installation) -> str:
    """Where the shop's Admin API is called. Raises PlatformRejected for a version or shop that can't be one."""
    version = api_version(installation)
    return _at(installation, f"{urlsplit(_session(installation, version).site).path}/graphql.json")


def token_url(installation: Installation) -> str:
    """Where codes and refresh tokens are exchanged."""
    _shopify()
    return _at(installation, "/admin/oauth/access_token")


def api_version(installation: Installation) -> str:
    """`settings.api_version`, checked: the library would take any."""
    version = str(installation.settings.get("api_version") or DEFAULT_VERSION)
    if not _VERSION.fullmatch(version):
        raise PlatformRejected(f"shopify: settings.api_version is {version!r}; it looks like {DEFAULT_VERSION}", code="api_version")
    return version


def permission_url(installation: Installation, client_id: str, scopes: Sequence[str], redirect_uri: str, state: str) -> str:
    """Where a merchant grants the app its scopes."""
    session = _session(installation, api_version(installation), {"api_key": client_id})
    # by name: the order of the arguments flips in the library's next release
    url: str = session.create_permission_url(scope=list(scopes), redirect_uri=redirect_uri, state=state)
    asked = urlsplit(url)
    return _at(installation, f"{asked.path}?{asked.query}")


def install_hmac(secret: str, query: Iterable[tuple[str, str]]) -> str:
    """The hexadecimal HMAC of an install request's query, as Shopify computes it."""
    params: dict[str, Any] = {}
    for name, value in query:
        if name.endswith("[]"):
            params.setdefault(name, []).append(value)
        else:
            params[name] = value
    made: str = _app({"secret": secret}).calculate_hmac(params)
    return made


def missing_scopes(granted: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """The wanted scopes that the granted ones don't cover; writing implies reading."""
    access = _shopify().ApiAccess
    have = access([scope for scope in granted if _SCOPE.fullmatch(scope)])
    return tuple(scope for scope in wanted if not have.covers(access([scope])))


def is_shop(domain: str) -> bool:
    """Whether this is a shop's own domain and nothing else."""
    from shopify.utils import shop_url

    return bool(domain == shop_url.sanitize_shop_domain(domain))


def _at(installation: Installation, path: str) -> str:
    base = str(installation.settings.get("base_url") or f"https://{_shop(installation)}").rstrip("/")
    return base + path


def _shop(installation: Installation) -> str:
    shop = shop_of(installation)
    if not shop or not is_shop(shop):
        raise PlatformRejected("shopify: credentials.shop is not a shop's name; it looks like example.myshopify.com", code="shop")
    return shop


def _session(installation: Installation, version: str, own: Mapping[str, str] | None = None) -> Any:
    kind = _app(own) if own else _nobodys(_shopify().Session)
    return kind(_shop(installation), version)


@cache
def _nobodys(library: Any) -> Any:
    """The class of sessions with nothing of an app's: made once, as a class takes 5 kB and goes by a full collection only."""
    return _subclass(library, {})


def _app(own: Mapping[str, str]) -> Any:
    """The library's Session with its "global" settings in a class of our own."""
    return _subclass(_shopify().Session, own)


def _subclass(library: Any, own: Mapping[str, str]) -> Any:
    return type("AppSession", (library,), {"protocol": "https", "myshopify_domain": "myshopify.com", "port": None, **own})


def _shopify() -> Any:
    try:
        import shopify
    except ImportError as e:
        raise PlatformRejected(
            "shopify: calling Shopify needs the extra `shopify`: pip install 'bellwire[shopify]'", code="extra_missing"
        ) from e
    return shopify
