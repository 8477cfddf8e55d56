"""Shopify: order, parcel, checkout and consent webhooks in; message statuses and consent back to the shop."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bellwire import (
    CheckResult,
    Connector,
    ConsentChange,
    CredentialField,
    Event,
    Installation,
    Installed,
    InstallStart,
    Link,
    StatusChange,
    WebhookRequest,
    hookimpl,
)

from . import webhook
from .delivery import target_named
from .domain import clean_shop

EVENTS = (
    "order.created",
    "order.paid",
    "order.updated",
    "order.cancelled",
    "order.refunded",
    "fulfillment.shipped",
    "fulfillment.ready_for_pickup",
    "fulfillment.ready_for_delivery",
    "fulfillment.out_for_delivery",
    "fulfillment.delivered",
    "return.requested",
    "return.approved",
    "return.declined",
    "checkout.abandoned",
    "checkout.completed",
    "customer.created",
    "customer.updated",
    "customer.consent_changed",
    "person.merged",
    "message.requested",
    "app.uninstalled",
    "installation.changed",
    "installation.erase_requested",
    "person.export_requested",
    "person.erase_requested",
)

FIELDS = (
    CredentialField(name="shop", help="The shop's name at Shopify: example.myshopify.com", secret=False, clean=clean_shop),
    CredentialField(name="client_secret", help="The app's client secret; it signs every webhook"),
    CredentialField(name="access_token", help="Admin API access token (shpat_…); an OAuth install stores it", required=False),
    CredentialField(
        name="client_id", help="The app's client id; needed for OAuth and for renewing tokens", required=False, secret=False
    ),
    CredentialField(name="refresh_token", help="Stored by an OAuth install", required=False),
    CredentialField(name="access_token_expires_at", help="Stored by an OAuth install", required=False, secret=False),
    CredentialField(name="refresh_token_expires_at", help="Stored by an OAuth install", required=False, secret=False),
    CredentialField(name="scope", help="The scopes the merchant granted; stored by an OAuth install", required=False, secret=False),
)

SETTINGS = (
    CredentialField(name="api_version", help="Admin API version", required=False, secret=False, default="2026-10"),
    CredentialField(name="shop_name", help="`shop.name` in templates", required=False, secret=False),
    CredentialField(
        name="write_back_tag",
        help="Tag the order sms:failed on final failure",
        required=False,
        secret=False,
        kind=bool,
        default=False,
    ),
    CredentialField(
        name="write_back_note", help="Add a line to the order's note", required=False, secret=False, kind=bool, default=False
    ),
    CredentialField(name="scopes", help="The scopes an install asks for", required=False, secret=False),
)


def _writes_on(subject: str, customer_ref: str, _installation: Installation) -> bool:
    return bool(target_named(subject, customer_ref))


# -- what calls out: loaded on first use, so that a base installation needs neither ShopifyAPI nor an HTTP library ---------


def _enrich(event: Event, link: Link) -> Event:
    from .enrich import enrich as run

    return run(event, link)


def _write_back(changes: Sequence[StatusChange], link: Link) -> None:
    from .writeback import write_back as run

    run(changes, link)


def _write_consent(change: ConsentChange, link: Link) -> None:
    from .consent import write_consent as run

    run(change, link)


def _subscribe(link: Link) -> None:
    from .subscriptions import subscribe as run

    run(link)


def _reconcile(link: Link, since: datetime) -> Sequence[Event]:
    from .reconcile import reconcile as run

    return run(link, since)


def _check(link: Link) -> Sequence[CheckResult]:
    from .check import check as run

    return run(link)


def _begin_install(request: WebhookRequest, installation: Installation, redirect_uri: str, state: str) -> InstallStart:
    from .install import begin_install as run

    return run(request, installation, redirect_uri, state)


def _finish_install(request: WebhookRequest, installation: Installation, state: str, link: Link) -> Installed:
    from .install import finish_install as run

    return run(request, installation, state, link)


connector = Connector(
    name="shopify",
    title="Shopify",
    events=EVENTS,
    fields=FIELDS,
    settings=SETTINGS,
    secret_field="client_secret",  # noqa: S106  # the name of a field
    account_field="shop",
    shared_secret=True,
    verify=webhook.verify,
    read=webhook.read,
    sign=webhook.sign,
    account_of=webhook.account_of,
    enrich=_enrich,
    write_back=_write_back,
    writes_on=_writes_on,
    write_consent=_write_consent,
    subscribe=_subscribe,
    reconcile=_reconcile,
    check=_check,
    begin_install=_begin_install,
    finish_install=_finish_install,
    samples="bellwire_connectors.shopify",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
