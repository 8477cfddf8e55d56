"""Webhook subscriptions of one shop: made at install, found missing and made again by the daily look.

Shopify deletes a shop's subscriptions after eight failed deliveries in four hours. Compliance topics are declared in the
app's `shopify.app.toml` and can't be made here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bellwire import Link, PlatformRejected

from .client import Admin
from .operations import SHOP, SUBSCRIBE, SUBSCRIPTIONS, UNSUBSCRIBE
from .privacy import TOPICS as COMPLIANCE
from .sdk import missing_scopes
from .webhook import TOPICS

#: Which scope a topic needs; any one of them will do. Topics that are not named need none.
SCOPES: Mapping[str, Sequence[str]] = {
    "orders": ("read_orders",),
    "refunds": ("read_orders",),
    "checkouts": ("read_orders",),
    "fulfillments": ("read_fulfillments",),
    "fulfillment_events": ("read_fulfillments",),
    "fulfillment_orders": (
        "read_merchant_managed_fulfillment_orders",
        "read_assigned_fulfillment_orders",
        "read_third_party_fulfillment_orders",
    ),
    "returns": ("read_returns",),
    "customers": ("read_customers",),
    "customers_marketing_consent": ("read_customers",),
    "customers/merge": ("read_customer_merge",),
}

#: What an install asks for. Merging is left out: it needs an approval of its own.
WANTED_SCOPES = (
    "read_orders",
    "write_orders",
    "read_customers",
    "write_customers",
    "read_fulfillments",
    "read_returns",
    "read_merchant_managed_fulfillment_orders",
)

_PAGES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What the subscriptions were like and what was done: topics in their webhook spelling."""

    stood: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    not_granted: tuple[str, ...] = ()
    failed: Mapping[str, str] | None = None


def enum_of(topic: str) -> str:
    """`orders/paid` → `ORDERS_PAID`."""
    return topic.upper().replace("/", "_").replace(".", "_")


def subscribe(link: Link) -> None:
    """Make the installation's subscriptions. Raises PlatformError; PlatformRejected names the topics that can't be had."""
    repaired = repair(Admin(link), link)
    if repaired.failed:
        topic, why = next(iter(repaired.failed.items()))
        raise PlatformRejected(f"shopify: {len(repaired.failed)} topics are not subscribed, {topic}: {why}", code="subscribe")


def repair(admin: Admin, link: Link) -> Repair:
    """List the subscriptions to our URL and make those that are missing. One topic's refusal leaves the others be."""
    url = link.installation.webhook_url
    if not url:
        raise PlatformRejected("shopify: no webhook URL; set PUBLIC_URL", code="no_public_url")
    granted = granted_scopes(admin)
    wanted, not_granted = by_scope(granted)
    present, unreadable = ours(admin, url)
    for subscription in unreadable:
        admin.change(UNSUBSCRIBE, id=subscription)
    made, failed = [], {}
    for topic in wanted:
        if enum_of(topic) in present:
            continue
        try:
            admin.change(SUBSCRIBE, topic=enum_of(topic), uri=url)
            made.append(topic)
        except PlatformRejected as e:
            if "already been taken" in str(e):
                continue  # somebody else was quicker, or our answer got lost
            failed[topic] = str(e)
    stood = tuple(topic for topic in wanted if enum_of(topic) in present)
    return Repair(stood=stood, made=tuple(made), not_granted=not_granted, failed=failed)


def granted_scopes(admin: Admin) -> tuple[str, ...]:
    """What the merchant lets us do."""
    installed: Any = admin.ask(SHOP).get("currentAppInstallation") or {}
    return tuple(str(scope.get("handle")) for scope in installed.get("accessScopes") or [])


def ours(admin: Admin, url: str) -> tuple[Mapping[str, Mapping[str, Any]], Sequence[str]]:
    """The shop's subscriptions that lead to `url`, by topic, and the ids of those in a format we can't read."""
    found: dict[str, Mapping[str, Any]] = {}
    unreadable = []
    for nodes, _ in admin.pages(SUBSCRIPTIONS, most=_PAGES):
        for node in nodes:
            if node.get("uri") != url:
                continue
            if node.get("format") == "JSON":
                found[str(node.get("topic"))] = node
            else:
                unreadable.append(str(node.get("id")))
    return found, unreadable


def by_scope(granted: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The topics we want and may have, and those whose scope was not granted."""
    wanted: list[str] = []
    not_granted: list[str] = []
    for topic in TOPICS:
        if topic in COMPLIANCE:
            continue
        needs = SCOPES.get(topic) or SCOPES.get(topic.partition("/")[0]) or ()
        covered = not needs or len(missing_scopes(granted, needs)) < len(needs)
        (wanted if covered else not_granted).append(topic)
    return tuple(wanted), tuple(not_granted)
