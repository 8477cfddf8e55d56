"""Order webhooks: placed, paid, changed, cancelled, edited, and the parcels of a fulfilled order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from bellwire import Event, Installation, Json, Person

from .checkouts import checkout_subject
from .delivery import Body, Delivery, Moment, digest, gid, stamp, text, web_address
from .people import buyer, distinct, first_and_last, receiver
from .shapes import Address, Amount, Customer, LineItem, MoneySet, NoAddress, address, currency, item_count, items, locale, plain
from .shop import shop_data
from .tracking import Parcel, shipped

#: The tag write-back may set. It never makes an order look changed: our own write must not start a text.
OWN_TAG_PREFIX = "sms:"

# What an order that is paid, or fulfilled, can't say of itself. Shopify's own test notification can: it sends one voided
# order for every topic, and says in it that it is a test.
_UNPAID = frozenset({"pending", "voided"})
_UNFULFILLED = frozenset({"", "partial"})


class ShippingLine(Body):
    """How the parcel goes."""

    title: str | None = None


class Order(Body):
    """The Order body of `orders/*` (Admin API webhook reference, 2026-10), as far as it is used."""

    gid_kind = "Order"

    id: int
    admin_graphql_api_id: str | None = None
    name: str
    order_number: int | None = None
    checkout_token: str | None = None
    test: bool | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None
    cancelled_at: Moment | None = None
    cancel_reason: str | None = None
    financial_status: str | None = None
    fulfillment_status: str | None = None
    source_name: str | None = None
    tags: str | None = None
    phone: str | None = None
    email: str | None = None
    customer_locale: str | None = None
    order_status_url: str | None = None
    payment_gateway_names: list[str] | None = None
    currency: str | None = None
    total_price: Amount | None = None
    total_price_set: MoneySet | None = None
    current_total_price: Amount | None = None
    customer: Customer | None = None
    shipping_address: Address | NoAddress | None = None
    billing_address: Address | NoAddress | None = None
    line_items: list[LineItem] | None = None
    shipping_lines: list[ShippingLine] | None = None
    fulfillments: list[Parcel] | None = None

    @property
    def gid(self) -> str:
        """The order's GraphQL id."""
        return gid("Order", self.id, self.admin_graphql_api_id)


class Edit(Body):
    """What was edited; the body has ids only."""

    id: int
    order_id: int
    committed_at: Moment | None = None
    created_at: Moment | None = None


class Edited(Body):
    """`orders/edited` wraps its body, unlike all other order topics."""

    order_edit: Edit


def created(delivery: Delivery) -> Sequence[Event]:
    """`orders/create`. The order ends its checkout: a text that waits for the abandoned checkout is canceled."""
    order = delivery.parse(Order)
    return [_event(delivery, order, "order.created", order.gid, order.created_at, cancels=_checkout(order))]


def paid(delivery: Delivery) -> Sequence[Event]:
    """`orders/paid`, once an order."""
    order = delivery.parse(Order)
    if _lower(order.financial_status) in _UNPAID and not order.test:
        raise delivery.contradicted("financial_status")
    return [_event(delivery, order, "order.paid", order.gid, order.updated_at, cancels=_checkout(order))]


def updated(delivery: Delivery) -> Sequence[Event]:
    """`orders/updated`, `orders/partially_fulfilled`: once for each state that a trigger can see.

    The fact is the state and not `updated_at`: our own write-back moves `updated_at` and must not start a text again.
    """
    order = delivery.parse(Order)
    return [_event(delivery, order, "order.updated", f"{order.gid}:{_state(order)}", order.updated_at)]


def cancelled(delivery: Delivery) -> Sequence[Event]:
    """`orders/cancelled`, once an order. Texts about the order that wait are left alone: a refund's may be among them."""
    order = delivery.parse(Order)
    if order.cancelled_at is None:
        raise delivery.contradicted("cancelled_at")
    return [_event(delivery, order, "order.cancelled", order.gid, order.cancelled_at)]


def edited(delivery: Delivery) -> Sequence[Event]:
    """`orders/edited`: ids only, the order is fetched."""
    edit = delivery.parse(Edited).order_edit
    order = gid("Order", edit.order_id)
    return [
        delivery.event(
            "order.updated",
            f"{order}:edit/{edit.id}",
            f"order/{order}",
            at=edit.committed_at or edit.created_at,
            data={"order.id": order, "order.edited": True},
            fetch={"order": order},
        )
    ]


def fulfilled(delivery: Delivery) -> Sequence[Event]:
    """`orders/fulfilled`: one event a parcel, the same facts as `fulfillments/create` tells."""
    order = delivery.parse(Order)
    parcels: Sequence[Parcel | None] = [parcel for parcel in order.fulfillments or [] if parcel.left] or [None]
    if parcels == [None] and _lower(order.fulfillment_status) in _UNFULFILLED and not order.test:
        raise delivery.contradicted("fulfillment_status")
    people, data = people_of(order, delivery.installation), data_of(order, delivery.installation)
    return [
        shipped(delivery, parcel, order=order.gid, people=people, data=data, at=order.updated_at, test=bool(order.test))
        for parcel in parcels
    ]


def completed(delivery: Delivery) -> tuple[Mapping[str, Person], Mapping[str, Json], bool]:
    """People, data and the test mark of an order body: what `enrich` adds to an event that had ids only."""
    order = delivery.parse(Order)
    return people_of(order, delivery.installation), data_of(order, delivery.installation), bool(order.test)


def people_of(order: Order, installation: Installation) -> dict[str, Person]:
    """The buyer, and who gets the parcel."""
    shipping, billing = address(order.shipping_address), address(order.billing_address)
    return {
        "customer": buyer(
            phone=order.phone,
            email=order.email,
            customer=order.customer,
            shipping=shipping,
            billing=billing,
            language=order.customer_locale,
            installation=installation,
        ),
        "recipient": receiver(
            phone=order.phone,
            shipping=shipping,
            billing=billing,
            customer=order.customer,
            language=order.customer_locale,
            installation=installation,
        ),
    }


def data_of(order: Order, installation: Installation) -> dict[str, Json]:
    """The documented fields of an order event. Notes, note attributes and payment details are never taken."""
    shipping, billing = address(order.shipping_address), address(order.billing_address)
    first, last = first_and_last(order.customer, billing, shipping)
    total, money = _total(order)
    return {
        "order.id": order.gid,
        "order.name": text(order.name),
        "order.number": order.order_number,
        "order.total": total,
        "order.currency": money,
        "order.status_url": web_address(order.order_status_url),
        "order.item_count": item_count(order.line_items),
        "order.items": items(order.line_items),
        "order.financial_status": text(order.financial_status),
        "order.fulfillment_status": text(order.fulfillment_status),
        "order.cancel_reason": text(order.cancel_reason),
        "order.cancelled_at": stamp(order.cancelled_at),
        "order.created_at": stamp(order.created_at),
        "order.source": text(order.source_name),
        "order.tags": _tags(order),
        "order.payment_gateways": [text(name) for name in (order.payment_gateway_names or [])[:10]],
        "order.shipping_method": text(order.shipping_lines[0].title) if order.shipping_lines else "",
        "order.locale": locale(order.customer_locale),
        "order.test": bool(order.test),
        "checkout.token": text(order.checkout_token),
        "customer.first_name": first,
        "customer.last_name": last,
        "recipient.first_name": text(shipping.first_name) if shipping else "",
        "shipping.city": text(shipping.city) if shipping else "",
        **shop_data(installation),
    }


def _event(
    delivery: Delivery, order: Order, event_type: str, fact: str, at: datetime | None, *, cancels: Sequence[str] = ()
) -> Event:
    return delivery.event(
        event_type,
        fact,
        f"order/{order.gid}",
        at=at,
        people=people_of(order, delivery.installation),
        data=data_of(order, delivery.installation),
        cancels=cancels,
        test=bool(order.test),
    )


def _checkout(order: Order) -> Sequence[str]:
    subject = checkout_subject(order.checkout_token)
    return (subject,) if subject else ()


def _total(order: Order) -> tuple[str, str]:
    shown = order.total_price_set.shown if order.total_price_set else None
    if shown:
        return plain(shown.amount), currency(shown.currency_code)
    if order.total_price is None:
        return "", ""
    # without the pair, the plain field is in the shop's currency
    return plain(order.total_price), currency(order.currency)


def _tags(order: Order) -> list[str]:
    return [tag for tag in (text(part) for part in (order.tags or "").split(",")[:250]) if tag]


def _state(order: Order) -> str:
    shipping = address(order.shipping_address)
    return digest(
        order.financial_status,
        order.fulfillment_status,
        stamp(order.cancelled_at),
        _amount(order.total_price),
        _amount(order.current_total_price),
        sorted(tag for tag in _tags(order) if not tag.startswith(OWN_TAG_PREFIX)),
        distinct(order.phone, shipping.phone if shipping else None, order.customer.phone if order.customer else None),
        [(line.title, line.quantity) for line in order.line_items or []],
        [(parcel.id, parcel.status, parcel.shipment_status, parcel.number) for parcel in order.fulfillments or []],
    )


def _lower(state: str | None) -> str:
    return text(state).lower()


def _amount(amount: Decimal | None) -> str:
    return "" if amount is None else plain(amount.normalize())
