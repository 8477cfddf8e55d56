"""Events whose request had only ids, completed: the order (or customer) is fetched and read like a webhook's body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bellwire import Event, Installation, Json, Link, Person, PlatformRejected, PlatformUnauthorized

from . import customers, orders
from .bodies import amount, customer_body, encoded, order_body, parcel_body, shown
from .client import Admin
from .delivery import Delivery, text, without_blanks
from .operations import CUSTOMER, FULFILLMENT_ORDER, ORDER, REFUND, RETURN
from .shapes import currency
from .tracking import Parcel, tracking_of


def enrich(event: Event, link: Link) -> Event:
    """The event with people and data. One that has somebody to text already goes on when Shopify won't tell more.

    Raises PlatformError.
    """
    try:
        return _completed(event, Admin(link), link)
    except (PlatformRejected, PlatformUnauthorized):
        if any(person.phones for person in event.people.values()):
            return replace(event, fetch={})
        raise


def _completed(event: Event, admin: Admin, link: Link) -> Event:
    wanted = event.fetch
    if "customer" in wanted:
        return _with_customer(event, _found(admin.ask(CUSTOMER, id=wanted["customer"]), "customer", wanted["customer"]), link)
    if "fulfillment_order" in wanted:
        parent = _found(
            admin.ask(FULFILLMENT_ORDER, id=wanted["fulfillment_order"]), "fulfillmentOrder", wanted["fulfillment_order"]
        )
        order = _found(parent, "order", wanted["fulfillment_order"])
    else:
        order = _found(admin.ask(ORDER, id=wanted["order"]), "order", wanted["order"])
    return _with_order(event, order, {**_parcel(order, wanted), **_details(admin, wanted)}, link)


def _with_order(event: Event, order: Mapping[str, Any], more: Mapping[str, Json], link: Link) -> Event:
    people, data, test = orders.completed(_delivery("orders", order_body(order), link))
    merged: dict[str, Person] = {**people, **event.people}
    if "customer" in event.people and not event.people["customer"].phones:
        merged["customer"] = people["customer"]  # a Flow action that named the order only
    return replace(
        event,
        subject=f"order/{order['id']}",
        people=merged,
        data=without_blanks({**data, **event.data, **{name: value for name, value in more.items() if value}}),
        fetch={},
        test=event.test or test,
    )


def _with_customer(event: Event, customer: Mapping[str, Any], link: Link) -> Event:
    delivery = _delivery("customers", customer_body(customer), link)
    account = delivery.parse(customers.Account)
    number = str(customer["id"])
    data = customers.data_of(account, number, link.installation)
    return replace(
        event,
        people={**event.people, "customer": customers.person_of(account, number, link.installation)},
        data=without_blanks({**data, **event.data}),
        fetch={},
    )


def _parcel(order: Mapping[str, Any], wanted: Mapping[str, str]) -> Mapping[str, Json]:
    """Tracking of the parcel that the event is about."""
    for parcel in order.get("fulfillments") or []:
        if wanted.get("fulfillment") and parcel.get("id") == wanted["fulfillment"]:
            told = tracking_of(Parcel.model_validate(parcel_body(parcel)))
            return {name: value for name, value in told.items() if name.startswith("tracking.")}
    return {}


def _details(admin: Admin, wanted: Mapping[str, str]) -> Mapping[str, Json]:
    if "refund" in wanted:
        money = shown((admin.ask(REFUND, id=wanted["refund"]).get("refund") or {}).get("totalRefundedSet"))
        return {"refund.amount": amount(money) if money else "", "refund.currency": currency(money.get("currencyCode"))}
    if "return" in wanted:
        return _return(admin.ask(RETURN, id=wanted["return"]).get("return") or {})
    return {}


def _return(returned: Mapping[str, Any]) -> Mapping[str, Json]:
    lines = (returned.get("returnLineItems") or {}).get("nodes") or []
    handles = [(line.get("returnReasonDefinition") or {}).get("handle") for line in lines]
    reason = (returned.get("decline") or {}).get("reason") or next(filter(None, handles), "")
    return {"return.name": text(returned.get("name")), "return.reason": text(reason).lower().replace("-", "_")}


def _found(data: Mapping[str, Any], name: str, what: str) -> Mapping[str, Any]:
    found = data.get(name)
    if not isinstance(found, Mapping):
        raise PlatformRejected(f"shopify: {what} is not there (or older than the 60 days that read_orders shows)", code="not_found")
    return found


def _delivery(topic: str, body: Mapping[str, Any], link: Link) -> Delivery:
    installation: Installation = link.installation
    return Delivery(topic=f"{topic} (fetched)", body=encoded(body), installation=installation, received_at=link.now())
