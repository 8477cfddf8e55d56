"""Parcels: what a fulfillment says about tracking, and the one event that three topics tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bellwire import Event, Json, Person

from .delivery import Body, Delivery, Moment, text, web_address

#: Fulfillment states in which nothing is on its way (FulfillmentStatus in the Admin API).
NOT_SHIPPED = frozenset({"cancelled", "error", "failure"})


class Parcel(Body):
    """A fulfillment, alone or inside an order."""

    id: int
    status: str | None = None
    shipment_status: str | None = None
    tracking_company: str | None = None
    tracking_number: str | None = None
    tracking_numbers: list[str | None] | None = None
    tracking_url: str | None = None
    tracking_urls: list[str | None] | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None

    @property
    def left(self) -> bool:
        """Whether it is on its way: not cancelled, not failed."""
        return (self.status or "").lower() not in NOT_SHIPPED

    @property
    def number(self) -> str:
        """The first tracking number."""
        return text(self.tracking_number or next(filter(None, self.tracking_numbers or []), ""), 100)

    @property
    def url(self) -> str:
        """Where the first tracking number is followed."""
        return web_address(self.tracking_url or next(filter(None, self.tracking_urls or []), ""))


def tracking_of(parcel: Parcel) -> dict[str, Json]:
    """The documented fields of a parcel."""
    return {
        "tracking.number": parcel.number,
        "tracking.url": parcel.url,
        "tracking.company": text(parcel.tracking_company),
        "fulfillment.id": f"gid://shopify/Fulfillment/{parcel.id}",
        "fulfillment.status": text(parcel.shipment_status or parcel.status).lower(),
    }


def shipped(
    delivery: Delivery,
    parcel: Parcel | None,
    *,
    order: str,
    people: Mapping[str, Person],
    data: Mapping[str, Json],
    at: datetime | None,
    fetch: Mapping[str, str] | None = None,
    test: bool = False,
) -> Event:
    """`fulfillment.shipped`, once a parcel and tracking number: a number that comes later is news, the rest is not.

    Without a parcel (a fulfilled order that lists none) the order is the fact.
    """
    return delivery.event(
        "fulfillment.shipped",
        f"fulfillment/{parcel.id}:{parcel.number}" if parcel else f"order/{order}",
        f"order/{order}",
        at=at,
        people=people,
        data={**data, **(tracking_of(parcel) if parcel else {})},
        fetch=fetch,
        test=test,
        part=str(parcel.id) if parcel and delivery.topic == "orders/fulfilled" else "",
    )
