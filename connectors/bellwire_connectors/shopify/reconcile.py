"""The look back: subscriptions made again, and what happened meanwhile read out of the shop as events.

Only facts with a time of their own are told (placed, paid, cancelled, refunded, shipped, delivered, consent): what came by
webhook has the same fact and is a duplicate. A changed tag or a parcel on its last day can't be told from a poll.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bellwire import Event, Installation, Link, PlatformRejected, PlatformUnauthorized

from . import checkouts, customers, fulfillments, orders, refunds, tracking
from .answers import time_of
from .bodies import checkout_body, consent_body, customer_body, encoded, order_body, parcel_body, refund_body
from .client import Admin
from .delivery import Delivery, stamp
from .operations import CHECKOUTS, CUSTOMERS, ORDERS, Operation
from .subscriptions import repair
from .webhook import Reader

#: Facts are kept 30 days; what is older could not be told from news.
LONGEST = timedelta(days=29)
#: Clocks differ, and an object is searchable a moment after it changed.
OVERLAP = timedelta(minutes=5)

_PAGES = 200
_PAID = frozenset({"PAID", "PARTIALLY_REFUNDED", "REFUNDED"})
_MONEY_IN = frozenset({"SALE", "CAPTURE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one poll asks for. `facts_from`: facts older than this are not news. `query_from`: where the reading goes on."""

    facts_from: datetime
    query_from: datetime

    def news(self, at: datetime | None) -> bool:
        """Whether something that happened then is to be told."""
        return at is not None and at >= self.facts_from


Teller = Callable[[Mapping[str, Any], Window, "Source"], Iterator[Event]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Makes deliveries of polled objects."""

    installation: Installation
    now: datetime

    def read(self, reader: Reader, topic: str, body: Mapping[str, Any], at: datetime | None) -> Sequence[Event]:
        """The events that the topic's reader makes of a body."""
        return reader(
            Delivery(topic=topic, body=encoded(body), installation=self.installation, received_at=self.now, triggered_at=at)
        )


def reconcile(link: Link, since: datetime) -> Sequence[Event]:
    """Repair the subscriptions, then read what changed since then (or since the last look, if that is earlier).

    A part for which the scope is missing is left out; `check` tells. Raises PlatformError.
    """
    admin = Admin(link)
    with suppress(PlatformRejected):  # without a public URL nothing can be subscribed, and polling is all there is
        repair(admin, link)
    events: list[Event] = []
    for name, operation, tell in POLLS:
        try:
            events.extend(_poll(admin, link, since, name, operation, tell))
        except PlatformUnauthorized as e:
            if e.code != "ACCESS_DENIED":
                raise
    return events


def _poll(admin: Admin, link: Link, since: datetime, name: str, operation: Operation, tell: Teller) -> list[Event]:
    started = link.now()
    window = _window(link, since, name)
    source = Source(installation=link.installation, now=started)
    events: list[Event] = []
    last, cut = stamp(window.query_from), False
    for nodes, more in admin.pages(operation, most=_PAGES, filter=f"updated_at:>='{stamp(window.query_from)}'"):
        for node in nodes:
            events.extend(tell(node, window, source))
            last = str(node.get("updatedAt") or last)
        cut = more
    if cut:
        link.remember(**{name: {"since": stamp(window.facts_from), "after": last}})
    else:
        link.remember(**{name: {"since": stamp(started - OVERLAP)}})
    return events


def _window(link: Link, since: datetime, name: str) -> Window:
    kept = link.installation.cursor.get(name)
    kept = kept if isinstance(kept, Mapping) else {}
    from_last, after = time_of(kept.get("since")), time_of(kept.get("after"))
    facts_from = min(since, from_last) if from_last else since
    floor = link.now() - LONGEST
    if link.installation.installed_at:
        floor = max(floor, link.installation.installed_at)  # what was before us is not ours to tell
    facts_from = max(facts_from, floor)
    goes_on = after is not None and from_last is not None and from_last <= since
    return Window(facts_from=facts_from, query_from=max(after, floor) if goes_on and after else facts_from)


def _order(order: Mapping[str, Any], window: Window, source: Source) -> Iterator[Event]:
    body = order_body(order)
    created, cancelled = time_of(order.get("createdAt")), time_of(order.get("cancelledAt"))
    if window.news(created):
        yield from source.read(orders.created, "orders/create", body, created)
    paid = _paid_at(order)
    if window.news(paid):
        yield from source.read(orders.paid, "orders/paid", body, paid)
    for parcel in order.get("fulfillments") or []:
        yield from _parcel(parcel, body, window, source)
    for refund in order.get("refunds") or []:
        refunded = time_of(refund.get("createdAt"))
        if window.news(refunded):
            yield from source.read(refunds.refunded, "refunds/create", refund_body(refund, order), refunded)
    if window.news(cancelled):
        yield from source.read(orders.cancelled, "orders/cancelled", body, cancelled)


def _parcel(parcel: Mapping[str, Any], order: Mapping[str, Any], window: Window, source: Source) -> Iterator[Event]:
    one = parcel_body(parcel)
    shipped, delivered = time_of(parcel.get("createdAt")), time_of(parcel.get("deliveredAt"))
    if window.news(shipped) and one["status"] not in tracking.NOT_SHIPPED:
        yield from source.read(orders.fulfilled, "orders/fulfilled", {**order, "fulfillments": [one]}, shipped)
    if window.news(delivered):
        scan = {"id": 0, "fulfillment_id": one["id"], "order_id": order["id"], "status": "delivered"}
        yield from source.read(fulfillments.scanned, "fulfillment_events/create", scan, delivered)


def _checkout(checkout: Mapping[str, Any], window: Window, source: Source) -> Iterator[Event]:
    body = checkout_body(checkout)
    updated = time_of(checkout.get("updatedAt"))
    if body["token"] and window.news(updated):
        yield from source.read(checkouts.changed, "checkouts/update", body, updated)


def _customer(customer: Mapping[str, Any], window: Window, source: Source) -> Iterator[Event]:
    created = time_of(customer.get("createdAt"))
    if window.news(created):
        yield from source.read(customers.created, "customers/create", customer_body(customer), created)
    said = time_of((customer.get("defaultPhoneNumber") or {}).get("marketingUpdatedAt"))
    if window.news(said):
        yield from source.read(customers.consented, "customers_marketing_consent/update", consent_body(customer), said)


def _paid_at(order: Mapping[str, Any]) -> datetime | None:
    """When the last money came in; a free order is paid when it is placed."""
    if order.get("displayFinancialStatus") not in _PAID:
        return None
    moved = [
        time_of(one.get("processedAt"))
        for one in order.get("transactions") or []
        if one.get("kind") in _MONEY_IN and one.get("status") == "SUCCESS"
    ]
    times = [at for at in moved if at is not None]
    return max(times) if times else time_of(order.get("createdAt"))


#: Cursor's name, what to ask for, what to tell of each object.
POLLS: Sequence[tuple[str, Operation, Teller]] = (
    ("orders", ORDERS, _order),
    ("checkouts", CHECKOUTS, _checkout),
    ("customers", CUSTOMERS, _customer),
)
