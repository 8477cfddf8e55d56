"""The app installed in the stand-in shop, as the engine would hand it to the connector."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bellwire import Installation
from bellwire.testing import installation
from bellwire_connectors.shopify import connector
from standins.shopify import Shop

WEBHOOK_URL = "https://bellwire.example/hooks/shopify/KEY"


def installed(shop: Shop, *, settings: dict[str, Any] | None = None, **credentials: Any) -> Installation:
    """The app in this shop, with a token that does not end unless `credentials` bring another."""
    given = credentials or {"access_token": shop.custom_app_token()}
    made = installation(connector, secrets=(shop.client_secret,), webhook_url=WEBHOOK_URL)
    return replace(
        made,
        account_ref=shop.domain,
        credentials={"shop": shop.domain, "client_secret": shop.client_secret, **given},
        settings={**made.settings, "base_url": shop.url, **(settings or {})},
    )
