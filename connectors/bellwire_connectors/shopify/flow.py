"""Shopify Flow's action "Send SMS": an admin's workflow asks for one template to one person.

Request and answer: shopify.dev, "Create Flow action endpoints". Flow sends again with the same `action_run_id`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

from bellwire import Event, Json, PayloadInvalid, Person
from pydantic import Field

from .delivery import Body, Delivery, text
from .domain import shop_domain
from .people import countries, distinct
from .shapes import locale
from .shop import shop_data

_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_RUN = re.compile(r"[\w.:-]{1,128}", re.ASCII)

Value = str | int | float | bool | None


class Action(Body):
    """The body of an action's run. `properties` are the fields of the action that the admin filled in."""

    shopify_domain: str
    action_run_id: str
    properties: Annotated[dict[str, Value | list[Value]], Field(max_length=100)]


def requested(delivery: Delivery) -> Sequence[Event]:
    """A run of the action: `template`, and `phone` or `customer_id` (fetched), maybe `order_id` and more fields."""
    action = delivery.parse(Action)
    domain = shop_domain(action.shopify_domain)
    if not domain:
        raise PayloadInvalid("shopify flow action: not a shop's name", "shopify_domain")
    if not _RUN.fullmatch(action.action_run_id):
        raise PayloadInvalid("shopify flow action: not a run's id", "action_run_id")
    fields = {name: value for name, value in action.properties.items() if _FIELD.fullmatch(name)}
    template = _text(fields, "template")
    if not template:
        raise PayloadInvalid("shopify flow action: the action has no template", "properties.template")
    customer, order = _gid(fields, "Customer", "customer_id"), _gid(fields, "Order", "order_id")
    phones = distinct(_text(fields, "phone"))
    person = Person(
        ref=customer,
        phones=phones,
        locale=locale(_text(fields, "locale")) or delivery.installation.locale,
        countries=countries(installation=delivery.installation),
    )
    subject = f"order/{order}" if order else f"customer/{customer}" if customer else ""
    fetch = {"order": order} if order else {"customer": customer} if customer and not phones else {}
    return [
        delivery.event(
            "message.requested",
            action.action_run_id,
            subject,
            at=None,
            people={"customer": person},
            data={**_plain(fields), "template": template, **shop_data(delivery.installation)},
            fetch=fetch,
            account=domain,
        )
    ]


def _plain(fields: Mapping[str, Value | list[Value]]) -> dict[str, Json]:
    return {name: text(value, 1000) if isinstance(value, str) else value for name, value in fields.items() if name != "phone"}


def _text(fields: Mapping[str, Value | list[Value]], name: str) -> str:
    value = fields.get(name)
    return text(value) if isinstance(value, str) else ""


def _gid(fields: Mapping[str, Value | list[Value]], kind: str, name: str) -> str:
    """Flow gives an object's id as a number, as text or as a gid."""
    digits = str(fields.get(name) or "").removeprefix(f"gid://shopify/{kind}/")
    return f"gid://shopify/{kind}/{digits}" if digits.isascii() and digits.isdigit() and len(digits) <= 20 else ""
