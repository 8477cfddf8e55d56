"""Shopify webhooks: proves who sent one, and sends it to the reader of its topic. Pure.

Signature and headers: shopify.dev, "Deliver webhooks through HTTPS" and "Verify webhook deliveries".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from bellwire import Event, Installation, SignatureMismatch, WebhookRequest
from bellwire.signing import hmac_base64, require, sha256_hex

from . import checkouts, customers, flow, fulfillments, orders, privacy, refunds, returns, shop
from .delivery import Delivery, utc
from .domain import shop_of

Reader = Callable[[Delivery], Sequence[Event]]

#: Every topic we serve. Any other is answered 200 and makes no event.
TOPICS: Mapping[str, Reader] = {
    "orders/create": orders.created,
    "orders/paid": orders.paid,
    "orders/updated": orders.updated,
    "orders/partially_fulfilled": orders.updated,
    "orders/edited": orders.edited,
    "orders/cancelled": orders.cancelled,
    "orders/fulfilled": orders.fulfilled,
    "refunds/create": refunds.refunded,
    "fulfillments/create": fulfillments.moved,
    "fulfillments/update": fulfillments.moved,
    "fulfillment_events/create": fulfillments.scanned,
    "fulfillment_orders/line_items_prepared_for_pickup": fulfillments.ready_for_pickup,
    "fulfillment_orders/line_items_prepared_for_local_delivery": fulfillments.ready_for_delivery,
    "returns/request": returns.reader("return.requested"),
    "returns/approve": returns.reader("return.approved"),
    "returns/decline": returns.reader("return.declined"),
    "checkouts/create": checkouts.changed,
    "checkouts/update": checkouts.changed,
    "customers/create": customers.created,
    "customers/update": customers.updated,
    "customers/merge": customers.merged,
    "customers_marketing_consent/update": customers.consented,
    "app/uninstalled": shop.uninstalled,
    "app/scopes_update": shop.scopes_updated,
    "shop/update": shop.updated,
    "customers/data_request": privacy.export_requested,
    "customers/redact": privacy.erase_requested,
    "shop/redact": privacy.shop_erase_requested,
}

_DELIVERY_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)


def sign(request: WebhookRequest, installation: Installation) -> WebhookRequest:
    """The request as Shopify would send it to this installation: signed with the newest secret, its shop named."""
    shop_named = {} if request.header("X-Shopify-Shop-Domain") else {"X_Shopify_Shop_Domain": shop_of(installation)}
    signature = hmac_base64(_secrets(installation)[0], request.body)
    return request.with_headers(X_Shopify_Hmac_Sha256=signature, **shop_named)


def verify(request: WebhookRequest, installation: Installation, now: datetime) -> None:  # noqa: ARG001  # no signed time here
    """Pass when the body is signed with one of the app's secrets and meant for this installation's shop.

    Shopify signs the body only, and nothing of the time: a repeat is found by its ids. One client secret signs for all
    shops of an app, so the shop header must be the installation's; requests to the app-wide URL name their shop in the
    signed body instead (`account_of`). Raises SignatureMismatch.
    """
    secrets = _secrets(installation)
    require(_header(request, "Hmac-Sha256"), [hmac_base64(secret, request.body) for secret in secrets], "shopify")
    if _is_app_wide(request):
        return
    shop = shop_of(installation)
    if not shop or _header(request, "Shop-Domain").lower() != shop:
        raise SignatureMismatch("shopify: the delivery is for another shop than the installation's")


def account_of(request: WebhookRequest) -> str:
    """The shop that a request to the app-wide URL is for, "" for the installation of the URL. Ask after `verify`."""
    return privacy.account_in(request.body) if _is_app_wide(request) else ""


def read(request: WebhookRequest, installation: Installation) -> Sequence[Event]:
    """The events of a delivery, [] for a topic we don't serve. Raises PayloadInvalid."""
    topic = request.header("X-Shopify-Topic")
    if not topic:
        if request.header("Shopify-Topic"):
            return []  # the next generation of webhooks ("Events"): another body, not served yet
        return flow.requested(_delivery(request, "flow action", installation))
    reader = TOPICS.get(topic)
    return [] if reader is None else reader(_delivery(request, topic, installation))


def _delivery(request: WebhookRequest, topic: str, installation: Installation) -> Delivery:
    given = request.header("X-Shopify-Webhook-Id")
    return Delivery(
        topic=topic,
        # without an id (a replay by hand) the same body under the same topic is the same delivery
        id=given if _DELIVERY_ID.fullmatch(given) else sha256_hex(f"{topic}\n".encode() + request.body),
        body=request.body,
        installation=installation,
        received_at=request.received_at,
        triggered_at=_time(request.header("X-Shopify-Triggered-At")),
        test=request.header("X-Shopify-Test").lower() == "true",
    )


def _time(given: str) -> datetime | None:
    try:
        return utc(datetime.fromisoformat(given)) if given else None
    except (ValueError, OverflowError):
        return None  # the header is not signed and not needed: the body's own time serves


def _is_app_wide(request: WebhookRequest) -> bool:
    """Compliance topics, and Flow actions, which have no topic: one URL an app, the body names the shop."""
    if _is_next_generation(request):
        return False
    topic = request.header("X-Shopify-Topic")
    return not topic or topic in privacy.TOPICS


def _is_next_generation(request: WebhookRequest) -> bool:
    return bool(request.header("Shopify-Topic")) and not request.header("X-Shopify-Topic")


def _header(request: WebhookRequest, name: str) -> str:
    return request.header(f"X-Shopify-{name}") or request.header(f"Shopify-{name}")


def _secrets(installation: Installation) -> Sequence[str]:
    secrets = [secret for secret in installation.secrets if secret]
    if not secrets:
        raise SignatureMismatch("shopify: the installation has no client_secret")
    return secrets
