"""Checkout webhooks. Shopify has no "abandoned" event: every unfinished checkout is one, held by its trigger's delay."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bellwire import ConsentHint, ConsentState, Event, PayloadInvalid, Purpose

from .delivery import Body, Delivery, Moment, stamp, text, web_address
from .people import buyer, first_and_last, receiver
from .shapes import Address, Amount, Customer, LineItem, NoAddress, address, currency, item_count, items, locale, plain
from .shop import shop_data

_TOKEN = re.compile(r"[\w-]{1,128}", re.ASCII)


class Checkout(Body):
    """The Checkout body. Its `id` is gone since 2026-04; the token names it."""

    gid_kind = "Checkout"

    token: str
    admin_graphql_api_id: str | None = None  # a checkout has none: an order has a token, too
    created_at: Moment | None = None
    updated_at: Moment | None = None
    completed_at: Moment | None = None
    closed_at: Moment | None = None
    phone: str | None = None
    email: str | None = None
    customer_locale: str | None = None
    abandoned_checkout_url: str | None = None
    currency: str | None = None
    total_price: Amount | None = None
    buyer_accepts_sms_marketing: bool | None = None
    sms_marketing_phone: str | None = None
    customer: Customer | None = None
    shipping_address: Address | NoAddress | None = None
    billing_address: Address | NoAddress | None = None
    line_items: list[LineItem] | None = None


def checkout_subject(token: str | None) -> str:
    """`checkout/<token>`, "" when there is none or it can't be one."""
    return f"checkout/{token}" if token and _TOKEN.fullmatch(token) else ""


def changed(delivery: Delivery) -> Sequence[Event]:
    """`checkouts/create`, `checkouts/update`: abandoned for as long as nothing completes it."""
    checkout = delivery.parse(Checkout)
    subject = checkout_subject(checkout.token)
    if not subject:
        raise PayloadInvalid(f"shopify {delivery.topic}: not a checkout's token", "token")
    if checkout.completed_at or checkout.closed_at:
        # no text of its own; it ends what waits, also when the order's webhook is late or lost
        return [delivery.event("checkout.completed", checkout.token, subject, at=checkout.updated_at, cancels=(subject,))]
    shipping, billing = address(checkout.shipping_address), address(checkout.billing_address)
    first, last = first_and_last(checkout.customer, billing, shipping)
    return [
        delivery.event(
            "checkout.abandoned",
            f"{checkout.token}:{stamp(checkout.updated_at)}",
            subject,
            at=checkout.updated_at or checkout.created_at,
            people={
                "customer": buyer(
                    phone=checkout.phone,
                    email=checkout.email,
                    customer=checkout.customer,
                    shipping=shipping,
                    billing=billing,
                    language=checkout.customer_locale,
                    installation=delivery.installation,
                    marketing=(checkout.sms_marketing_phone,),
                    consents=_consents(checkout, delivery),
                ),
                "recipient": receiver(
                    phone=checkout.phone,
                    shipping=shipping,
                    billing=billing,
                    customer=checkout.customer,
                    language=checkout.customer_locale,
                    installation=delivery.installation,
                ),
            },
            data={
                "checkout.token": checkout.token,
                "checkout.url": web_address(checkout.abandoned_checkout_url),
                "checkout.total": None if checkout.total_price is None else plain(checkout.total_price),
                # the amount is in the shop's currency, `presentment_currency` only names the buyer's
                "checkout.currency": currency(checkout.currency),
                "checkout.item_count": item_count(checkout.line_items),
                "checkout.items": items(checkout.line_items),
                "checkout.locale": locale(checkout.customer_locale),
                "checkout.accepts_sms": bool(checkout.buyer_accepts_sms_marketing),
                "customer.first_name": first,
                "customer.last_name": last,
                **shop_data(delivery.installation),
            },
        )
    ]


def _consents(checkout: Checkout, delivery: Delivery) -> Sequence[ConsentHint]:
    """The ticked SMS box. One left empty says nothing, and `buyer_accepts_marketing` is e-mail."""
    if not (checkout.buyer_accepts_sms_marketing and text(checkout.sms_marketing_phone)):
        return ()
    return (
        ConsentHint(
            purpose=Purpose.MARKETING,
            state=ConsentState.OPTED_IN,
            at=checkout.updated_at or delivery.triggered_at or delivery.received_at,
            source="shopify checkout",
            proof=f"checkout/{checkout.token} buyer_accepts_sms_marketing",
        ),
    )
