"""The shop's name at Shopify: `example.myshopify.com`, whatever way somebody typed it."""

from __future__ import annotations

import re

from bellwire import Installation

_SHOP = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\.myshopify\.com", re.ASCII)
_BARE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


def shop_domain(typed: str) -> str:
    """`Example`, `https://example.myshopify.com/admin` → `example.myshopify.com`; "" when it is no shop's name.

    The part after the scheme must be the host itself: `evil.com/example.myshopify.com` and user parts give "".
    """
    host = typed.strip().lower().removeprefix("https://").removeprefix("http://").partition("/")[0]
    if _BARE.fullmatch(host):
        host += ".myshopify.com"
    return host if _SHOP.fullmatch(host) else ""


def clean_shop(typed: str) -> str:
    """The shop's name as it is stored. Raises ValueError for what can't be one."""
    found = shop_domain(typed)
    if not found:
        raise ValueError("must be the shop's own name at Shopify, such as example.myshopify.com (not its public domain)")
    return found


def shop_of(installation: Installation) -> str:
    """The installation's shop, "" when none is set."""
    return shop_domain(installation.account_ref or str(installation.credentials.get("shop", "")))
