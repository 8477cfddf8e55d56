"""What happens to the shop and to our app in it: settings changed, scopes changed, app removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bellwire import Event, Installation, Json, PayloadInvalid

from .delivery import Body, Delivery, Moment, digest, stamp, text
from .domain import shop_domain, shop_of
from .shapes import country, locale


class Shop(Body):
    """The Shop body. On `app/uninstalled` most of it is null, its own domain too."""

    gid_kind = "Shop"

    name: str | None = None
    myshopify_domain: str | None = None
    primary_locale: str | None = None
    country_code: str | None = None
    iana_timezone: str | None = None  # `timezone` is a label for people
    updated_at: Moment | None = None
    # a shop has none of these: they tell other topics' bodies, which must not remove the app
    admin_graphql_api_id: str | None = None
    token: Any = None
    order_edit: Any = None
    fulfillment_order: Any = None
    sms_marketing_consent: Any = None
    admin_graphql_api_customer_kept_id: Any = None
    current: Any = None
    shop_domain: Any = None


_FOREIGN = (
    "token",
    "order_edit",
    "fulfillment_order",
    "sms_marketing_consent",
    "admin_graphql_api_customer_kept_id",
    "current",
    "shop_domain",
)


class Scopes(Body):
    """The body of `app/scopes_update`."""

    current: list[str]
    updated_at: Moment | None = None


def shop_data(installation: Installation) -> dict[str, Json]:
    """The shop's name as its owner gave it, else as it stands in its address."""
    domain = shop_of(installation)
    named = installation.settings.get("shop_name") or installation.name or domain.partition(".")[0]
    return {"shop.name": text(str(named)), "shop.domain": domain}


def uninstalled(delivery: Delivery) -> Sequence[Event]:
    """`app/uninstalled`. Its token is dead already; a later install and removal is another fact."""
    _parse(delivery)
    domain = shop_of(delivery.installation)
    since = delivery.triggered_at or delivery.installation.installed_at
    fact = f"{domain}:{stamp(since)}" if since else ""
    return [delivery.event("app.uninstalled", fact, f"shop/{domain}", at=None, data=shop_data(delivery.installation))]


def updated(delivery: Delivery) -> Sequence[Event]:
    """`shop/update`: new defaults for language, time zone and country."""
    shop = _parse(delivery)
    data: dict[str, Json] = {
        "installation.locale": locale(shop.primary_locale),
        "installation.timezone": text(shop.iana_timezone, 64),
        "installation.country": country(shop.country_code),
        "installation.shop_name": text(shop.name),
    }
    domain = shop_of(delivery.installation)
    return [
        delivery.event(
            "installation.changed",
            f"{domain}:{stamp(shop.updated_at)}:{digest(*data.values())}",
            f"shop/{domain}",
            at=shop.updated_at,
            data=data,
        )
    ]


def scopes_updated(delivery: Delivery) -> Sequence[Event]:
    """`app/scopes_update`: what the merchant lets us do now."""
    scopes = delivery.parse(Scopes)
    granted = sorted({text(scope, 100) for scope in scopes.current[:200]} - {""})
    domain = shop_of(delivery.installation)
    return [
        delivery.event(
            "installation.changed",
            f"{domain}:scopes:{stamp(scopes.updated_at)}:{digest(granted)}",
            f"shop/{domain}",
            at=scopes.updated_at,
            data={"installation.scopes": ",".join(granted)},
        )
    ]


def _parse(delivery: Delivery) -> Shop:
    """The shop of the body, which must be the installation's where it names itself."""
    shop = delivery.parse(Shop)
    foreign = next((name for name in _FOREIGN if getattr(shop, name) is not None), "")
    if foreign:
        raise delivery.contradicted(foreign)
    named = shop_domain(shop.myshopify_domain) if shop.myshopify_domain else ""
    if named and named != shop_of(delivery.installation):
        raise PayloadInvalid(f"shopify {delivery.topic}: the body is of another shop", "myshopify_domain")
    return shop
