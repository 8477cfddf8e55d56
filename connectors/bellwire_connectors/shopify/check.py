"""An installation's check: token, scopes, subscriptions, API version, and whether Shopify hides its customers from us."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from bellwire import CheckResult, Link, PlatformError

from .client import Admin
from .domain import shop_of
from .operations import PROTECTED_DATA, SHOP
from .sdk import api_version, missing_scopes
from .subscriptions import WANTED_SCOPES, by_scope, enum_of, ours
from .tokens import ends_at

_SOON = timedelta(days=7)


def check(link: Link) -> Sequence[CheckResult]:
    """One line each, whatever Shopify answers. Never raises for what the platform does."""
    try:
        admin = Admin(link)
        found = admin.ask(SHOP)
    except PlatformError as e:
        return [CheckResult(name="token", ok=False, detail=str(e))]
    results = [CheckResult(name="token", ok=True, detail="Shopify answers"), _shop(found, link), *_refresh_token(link)]
    granted = [str(scope.get("handle")) for scope in (found.get("currentAppInstallation") or {}).get("accessScopes") or []]
    results += [_scopes(granted), _version(found, link)]
    for part in (_subscriptions, _protected_data):
        try:
            results += part(admin, link, granted)
        except PlatformError as e:
            results.append(CheckResult(name=part.__name__.removeprefix("_"), ok=False, detail=str(e)))
    return results


def _shop(found: Mapping[str, Any], link: Link) -> CheckResult:
    domain = str((found.get("shop") or {}).get("myshopifyDomain") or "")
    expected = shop_of(link.installation)
    if domain == expected:
        return CheckResult(name="shop", ok=True, detail=domain)
    return CheckResult(name="shop", ok=False, detail=f"the token belongs to {domain or 'no shop'}, credentials.shop is {expected}")


def _refresh_token(link: Link) -> Iterator[CheckResult]:
    ends = ends_at(link.installation, "refresh_token")
    if ends is None:
        return
    left = ends - link.now()
    detail = f"good until {ends.date().isoformat()}"
    if left > _SOON:
        yield CheckResult(name="refresh_token", ok=True, detail=detail)
    else:
        yield CheckResult(name="refresh_token", ok=False, detail=f"{detail}: open the app in Shopify to install it again")


def _scopes(granted: Sequence[str]) -> CheckResult:
    lacking = missing_scopes(granted, WANTED_SCOPES)
    if not lacking:
        return CheckResult(name="scopes", ok=True, detail=", ".join(sorted(granted)))
    return CheckResult(
        name="scopes", ok=False, detail=f"not granted: {', '.join(lacking)}; add them to the app and install it again"
    )


def _version(found: Mapping[str, Any], link: Link) -> CheckResult:
    version = api_version(link.installation)
    supported = {str(one.get("handle")) for one in found.get("publicApiVersions") or [] if one.get("supported")}
    if version in supported or version == "unstable":
        return CheckResult(name="api_version", ok=True, detail=version)
    return CheckResult(
        name="api_version", ok=False, detail=f"{version} is not supported; set settings.api_version to {max(supported, default='')}"
    )


def _subscriptions(admin: Admin, link: Link, granted: Sequence[str]) -> Iterator[CheckResult]:
    url = link.installation.webhook_url
    if not url:
        yield CheckResult(name="subscriptions", ok=False, detail="no webhook URL; set PUBLIC_URL")
        return
    wanted, not_granted = by_scope(granted)
    present, _ = ours(admin, url)
    gone = [topic for topic in wanted if enum_of(topic) not in present]
    if gone:
        yield CheckResult(name="subscriptions", ok=False, detail=f"missing: {', '.join(gone)}; reconcile makes them")
    else:
        without = f"; without scope: {', '.join(not_granted)}" if not_granted else ""
        yield CheckResult(name="subscriptions", ok=True, detail=f"{len(present)} topics{without}")
    # the app's own setting decides it, a subscription can't: https://shopify.dev/docs/apps/build/webhooks/subscribe/use-newer-api-version
    versions = {str((one.get("apiVersion") or {}).get("handle")) for one in present.values()}
    other = sorted(versions - {api_version(link.installation)})
    if other:
        yield CheckResult(
            name="webhook_version", ok=False, detail=f"webhooks come as {', '.join(other)}; set [webhooks] api_version in the app"
        )


def _protected_data(admin: Admin, link: Link, granted: Sequence[str]) -> Iterator[CheckResult]:
    del link, granted
    nodes = ((admin.ask(PROTECTED_DATA).get("orders")) or {}).get("nodes") or []
    if not nodes:
        yield CheckResult(name="protected_data", ok=True, detail="no orders yet to see it by")
    elif any(_tells_somebody(node) for node in nodes):
        yield CheckResult(name="protected_data", ok=True, detail="names and phones are readable")
    else:
        yield CheckResult(
            name="protected_data",
            ok=False,
            detail="recent orders have null names and phones: the app needs approval for protected customer data, level 2",
        )


def _tells_somebody(order: Mapping[str, Any]) -> bool:
    customer, to = order.get("customer") or {}, order.get("shippingAddress") or {}
    return any((order.get("email"), order.get("phone"), customer.get("firstName"), to.get("phone"), to.get("name")))
