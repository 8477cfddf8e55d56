"""Finds people by their number, and the ticket that a conversation goes on in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .account import id_of
from .client import Desk

OPEN = frozenset({"new", "open", "pending", "hold"})
_NOT_DIGITS = re.compile(r"\D")


def users_by_phone(desk: Desk, msisdn: str) -> list[dict[str, Any]]:
    """The active users who have this number, however it is written there. A user of some minutes ago may not be found yet."""
    # quoted: without quotes `+` is a search operator
    listed = desk.get("users/search.json", query=f'phone:"{msisdn}"').get("users")
    users = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return [one for one in users if one.get("active") is not False and id_of(one.get("id")) and _has(one, msisdn)]


def _has(user: Mapping[str, Any], msisdn: str) -> bool:
    """The search is loose: it also finds parts of numbers. A profile without a phone was found by a direct line."""
    return not _NOT_DIGITS.sub("", str(user.get("phone") or "")) or is_same(user.get("phone"), msisdn)


def is_same(written: object, msisdn: str) -> bool:
    """Whether a number as somebody typed it is this one; without a dial code its end must fit, at least seven digits."""
    digits, wanted = _NOT_DIGITS.sub("", str(written or "")).lstrip("0"), msisdn.lstrip("+")
    return digits == wanted or (len(digits) >= 7 and wanted.endswith(digits))


def open_ticket(desk: Desk, user_id: str) -> dict[str, Any] | None:
    """The ticket of this requester that was updated last and is not solved."""
    found = desk.get(f"users/{user_id}/tickets/requested.json", sort_by="updated_at", sort_order="desc", per_page=25)
    listed = found.get("tickets")
    tickets = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    waiting = [one for one in tickets if one.get("status") in OPEN]
    return max(waiting, key=lambda one: str(one.get("updated_at") or ""), default=None)
