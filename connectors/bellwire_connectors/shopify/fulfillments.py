"""Parcel webhooks: shipped, out for delivery, delivered, ready for pickup or local delivery."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bellwire import Event, Person

from .delivery import Body, Delivery, Moment, gid, gid_of, text
from .people import countries, distinct, full_name
from .shapes import Address, NoAddress, address
from .shop import shop_data
from .tracking import Parcel, shipped

#: FulfillmentEvent.status → our event. Label printed, in transit, delayed, failed attempts… are no news for a text.
STATES = {
    "out_for_delivery": "fulfillment.out_for_delivery",
    "delivered": "fulfillment.delivered",
}


class Fulfillment(Parcel):
    """The Fulfillment body: has the destination's phone, neither customer nor locale nor currency."""

    gid_kind = "Fulfillment"

    admin_graphql_api_id: str | None = None
    order_id: int
    destination: Address | NoAddress | None = None


class ParcelEvent(Body):
    """The FulfillmentEvent body: a carrier's scan, without any phone."""

    gid_kind = "FulfillmentEvent"

    id: int
    admin_graphql_api_id: str | None = None
    fulfillment_id: int
    order_id: int
    status: str
    happened_at: Moment | None = None
    created_at: Moment | None = None


class _Method(Body):
    method_type: str | None = None


class _Prepared(Body):
    id: str
    delivery_method: _Method | None = None


class Prepared(Body):
    """`fulfillment_orders/line_items_prepared_for_…`: the id of a fulfillment order and nothing of the order itself."""

    fulfillment_order: _Prepared


def moved(delivery: Delivery) -> Sequence[Event]:
    """`fulfillments/create`, `fulfillments/update`."""
    parcel = delivery.parse(Fulfillment)
    if not parcel.left:
        return []
    order = gid("Order", parcel.order_id)
    to = address(parcel.destination)
    recipient = Person(
        name=full_name(to),
        phones=distinct(to.phone if to else None),
        marketing_phones=(),
        locale=delivery.installation.locale,
        countries=countries(to, installation=delivery.installation),
    )
    return [
        shipped(
            delivery,
            parcel,
            order=order,
            people={"recipient": recipient} if recipient.phones else {},
            data={
                "order.id": order,
                "recipient.first_name": text(to.first_name) if to else "",
                "shipping.city": text(to.city) if to else "",
                **shop_data(delivery.installation),
            },
            at=parcel.updated_at or parcel.created_at,
            fetch={"order": order, "fulfillment": gid("Fulfillment", parcel.id)},
        )
    ]


def scanned(delivery: Delivery) -> Sequence[Event]:
    """`fulfillment_events/create`. Delivered once a parcel; out for delivery once a parcel and day (a second attempt)."""
    scan = delivery.parse(ParcelEvent)
    event_type = STATES.get(scan.status.lower())
    if event_type is None:
        return []
    order, parcel = gid("Order", scan.order_id), gid("Fulfillment", scan.fulfillment_id)
    at = scan.happened_at or scan.created_at
    return [
        delivery.event(
            event_type,
            f"{parcel}:{day(at)}" if event_type == "fulfillment.out_for_delivery" else parcel,
            f"order/{order}",
            at=at,
            data={
                "order.id": order,
                "fulfillment.id": parcel,
                "fulfillment.status": scan.status.lower(),
                **shop_data(delivery.installation),
            },
            fetch={"order": order, "fulfillment": parcel},
        )
    ]


def ready_for_pickup(delivery: Delivery) -> Sequence[Event]:
    """`fulfillment_orders/line_items_prepared_for_pickup`."""
    return [_ready(delivery, "fulfillment.ready_for_pickup", other="local")]


def ready_for_delivery(delivery: Delivery) -> Sequence[Event]:
    """`fulfillment_orders/line_items_prepared_for_local_delivery`."""
    return [_ready(delivery, "fulfillment.ready_for_delivery", other="pickup")]


def day(at: datetime | None) -> str:
    """The UTC day of a scan, so that a webhook and a poll name the same one."""
    return at.date().isoformat() if at else ""


def _ready(delivery: Delivery, event_type: str, *, other: str) -> Event:
    """`other`: the way to the buyer that the other topic is for."""
    prepared = delivery.parse(Prepared).fulfillment_order
    if prepared.delivery_method and text(prepared.delivery_method.method_type).lower() == other:
        raise delivery.contradicted("fulfillment_order.delivery_method.method_type")
    number = gid_of("FulfillmentOrder", prepared.id, "fulfillment_order.id", delivery.topic)
    return delivery.event(
        event_type,
        number,
        f"fulfillment_order/{number}",  # `enrich` puts the order here
        at=None,
        data=shop_data(delivery.installation),
        fetch={"fulfillment_order": number},
    )
