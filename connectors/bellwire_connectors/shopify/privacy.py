"""The three compliance topics: a person's data out, a person erased, a shop erased. One URL serves all shops of an app.

Topic headers are not signed, and these bodies are alike: each must have the shape of its topic, so that a signed
`customers/redact` can't be sent again as `shop/redact`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bellwire import Event, Person
from pydantic import BaseModel, ValidationError

from .delivery import Body, Delivery, gid, text
from .domain import shop_domain
from .people import countries, distinct

TOPICS = frozenset({"customers/data_request", "customers/redact", "shop/redact"})


class Subject(Body):
    """The person; may have an e-mail only."""

    id: int | None = None
    email: str | None = None
    phone: str | None = None


class DataRequest(Body):
    """The number of a data request."""

    id: int


class Compliance(Body):
    """The three bodies together; which parts stand there tells them apart."""

    shop_domain: str
    customer: Subject | None = None
    orders_requested: list[int] | None = None
    orders_to_redact: list[int] | None = None
    data_request: DataRequest | None = None


class _Account(BaseModel):
    shop_domain: Any = None
    shopify_domain: Any = None  # Flow's spelling


def account_in(body: bytes) -> str:
    """The shop that a body of an app-wide URL is for, "" when it names none."""
    try:
        named = _Account.model_validate_json(body)
    except ValidationError:
        return ""
    given = named.shop_domain or named.shopify_domain
    return _named(given) if isinstance(given, str) else ""


def export_requested(delivery: Delivery) -> Sequence[Event]:
    """`customers/data_request`: to be answered within 30 days."""
    request = _parse(delivery, orders=False)
    if request.data_request is None or request.orders_to_redact is not None:
        raise delivery.contradicted("data_request")
    return [_event(delivery, request, "person.export_requested", request.orders_requested, str(request.data_request.id))]


def erase_requested(delivery: Delivery) -> Sequence[Event]:
    """`customers/redact`. Every delivery counts: erasing twice harms nobody, missing one does."""
    request = _parse(delivery, orders=True)
    if request.data_request is not None or request.orders_requested is not None:
        raise delivery.contradicted("orders_to_redact")
    return [_event(delivery, request, "person.erase_requested", request.orders_to_redact, "")]


def shop_erase_requested(delivery: Delivery) -> Sequence[Event]:
    """`shop/redact`, 48 hours after the app was removed."""
    request = delivery.parse(Compliance)
    if any(
        part is not None for part in (request.customer, request.orders_requested, request.orders_to_redact, request.data_request)
    ):
        raise delivery.contradicted("customer")
    domain = _named(request.shop_domain)
    return [
        delivery.event("installation.erase_requested", "", f"shop/{domain}", at=None, data={"shop.domain": domain}, account=domain)
    ]


def _parse(delivery: Delivery, *, orders: bool) -> Compliance:
    request = delivery.parse(Compliance)
    if request.customer is None:
        raise delivery.contradicted("customer")
    if orders and request.orders_to_redact is None:
        raise delivery.contradicted("orders_to_redact")
    return request


def _event(delivery: Delivery, request: Compliance, event_type: str, orders: list[int] | None, number: str) -> Event:
    domain = _named(request.shop_domain)
    subject = request.customer or Subject()
    ref = gid("Customer", subject.id) if subject.id is not None else ""
    return delivery.event(
        event_type,
        f"{domain}:{number}" if number else "",
        f"customer/{ref}" if ref else f"shop/{domain}",
        at=None,
        people={
            "customer": Person(
                ref=ref,
                phones=distinct(subject.phone),
                email=text(subject.email),
                countries=countries(installation=delivery.installation),
            )
        },
        data={
            "request.id": number,
            "request.orders": [gid("Order", order) for order in (orders or [])[:10_000]],
            "shop.domain": domain,
        },
        account=domain,
    )


def _named(given: str) -> str:
    """The shop as we write it; what can't be one stands as it came and is nobody's account."""
    return shop_domain(given) or text(given, 100)
