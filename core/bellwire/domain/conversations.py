"""Who is handed a person's reply: whose conversation it is, then the others that take replies, in the tenant's order."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bellwire.errors import FieldInvalid
from bellwire.ids import show

CONVERSATION, DESKS = "conversation", "desks"
DEFAULT_ORDER = (CONVERSATION, DESKS)
_MOST = 20
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}|ins_[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Taker:
    """An installation that takes replies. `is_desk`: people answer customers there."""

    id: UUID
    connector: str
    is_desk: bool


def serves_tickets(events: Collection[str]) -> bool:
    """Whether a connector with these events is a support desk."""
    return any(event.startswith("ticket.") for event in events)


def in_order(
    order: Sequence[str], conversation: UUID | None, takers: Sequence[Taker], tried: Collection[UUID] = ()
) -> tuple[UUID, ...]:
    """Who is asked, one after the other, each once. `takers`: the oldest installation first; who is no taker is left out.

    `order`: `conversation`, `desks`, a connector's name, or an installation's id.
    """
    found: dict[UUID, None] = {}
    for word in order:
        for taker in takers:
            named = word in (taker.connector, show("ins", taker.id))
            if named or (word == DESKS and taker.is_desk) or (word == CONVERSATION and taker.id == conversation):
                found.setdefault(taker.id)
    return tuple(one for one in found if one not in tried)


def order_of(settings: Any) -> tuple[str, ...]:
    """The order that a tenant's settings ask for."""
    asked = (settings.get("replies") or {}).get("order")
    return DEFAULT_ORDER if asked is None else tuple(asked)


def check_setting(value: Any, field: str) -> dict[str, Any]:
    """`settings.replies` in its stored form. Raises FieldInvalid naming the place."""
    if not isinstance(value, dict) or set(value) - {"order"}:
        raise FieldInvalid(field, 'must be an object such as {"order": ["conversation", "desks"]}', "wrong_type")
    order = value.get("order", list(DEFAULT_ORDER))
    if not isinstance(order, list) or len(order) > _MOST:
        raise FieldInvalid(f"{field}.order", f"must be a list of at most {_MOST} names", "wrong_type")
    for number, word in enumerate(order):
        if not isinstance(word, str) or not _NAME.fullmatch(word):
            raise FieldInvalid(
                f"{field}.order.{number}", "must be conversation, desks, a connector's name or an installation's id", "pattern"
            )
    return {"order": list(dict.fromkeys(order))}
