"""What a carrier's JSON says, read without trust: a field of the wrong type is an absent one, nothing here raises."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic_core import from_json

_DEAREST = 1_000_000


def json_object(body: bytes) -> dict[str, Any]:
    """The object in the body, {} when there is none (no JSON, a list, nested without end)."""
    try:
        found = from_json(body, cache_strings="keys")  # values are each another's: keeping them is a megabyte of strangers' data
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def text(said: Mapping[str, Any], name: str) -> str:
    """A text or whole number as storable text, "" otherwise."""
    value = said.get(name)
    if isinstance(value, str):
        return storable(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def storable(value: str) -> str:
    """The text without NUL and halves of surrogate pairs, which databases refuse."""
    return value if value.isprintable() else value.encode("utf-8", "replace").decode().replace("\x00", "")


def money(value: object) -> Decimal | None:
    """An amount without its sign (some write costs as negative texts), None when there is none."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    try:
        amount = abs(Decimal(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount < _DEAREST else None


def count(value: object) -> int | None:
    """A number of segments, None for none, zero or nonsense."""
    said = str(value)
    return int(said) or None if said.isascii() and said.isdigit() and len(said) <= 3 else None
