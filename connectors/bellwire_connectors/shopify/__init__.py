"""Shopify: order, parcel, checkout and consent webhooks in; message statuses and consent back to the shop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bellwire import Connector, CredentialField, Installation, hookimpl, loaded_on_call

from . import webhook
from .delivery import target_named
from .domain import clean_shop
from .versions import DEFAULT_VERSION, clean_version

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
    CredentialField(
        name="api_version",
        help=f"Admin API version, such as {DEFAULT_VERSION}",
        required=True,  # it may be left out, not emptied
        secret=False,
        default=DEFAULT_VERSION,
        clean=clean_version,
    ),
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

if TYPE_CHECKING:
    from . import check, consent, enrich, install, reconcile, subscriptions, writeback
else:
    check = loaded_on_call(f"{__name__}.check")
    consent = loaded_on_call(f"{__name__}.consent")
    enrich = loaded_on_call(f"{__name__}.enrich")
    install = loaded_on_call(f"{__name__}.install")
    reconcile = loaded_on_call(f"{__name__}.reconcile")
    subscriptions = loaded_on_call(f"{__name__}.subscriptions")
    writeback = loaded_on_call(f"{__name__}.writeback")

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
    enrich=enrich.enrich,
    write_back=writeback.write_back,
    write_back_objects=25,  # metafieldsSet takes so many
    writes_on=_writes_on,
    write_consent=consent.write_consent,
    subscribe=subscriptions.subscribe,
    reconcile=reconcile.reconcile,
    check=check.check,
    begin_install=install.begin_install,
    finish_install=install.finish_install,
    samples="bellwire_connectors.shopify",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
