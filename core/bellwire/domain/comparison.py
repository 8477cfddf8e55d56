"""How event values compare, the same for every operator of a condition.

- A number and a text that is written like one (`"129.50"`; no leading zero, no +, no exponent) compare as Decimal.
- Two texts that are RFC 3339 times compare as instants; a date alone is its midnight in UTC.
- Any other text compares in Unicode's caseless form, so that case and composed or decomposed accents make no difference.
- A boolean is also its JSON word, `"true"` or `"false"`.
- Missing, null, "" and an empty list or object are empty, and empty equals nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from bellwire.model import Json

_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,29})(?:\.\d{1,30})?", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d))?", re.ASCII)
_FLAGS = {"true": True, "false": False}


def caseless(text: str) -> str:
    """The text's form for comparing (Unicode D145, composed)."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def number_of(value: object) -> Decimal | None:
    """The amount a value stands for, None when it is none (booleans, NaN and infinity are none)."""
    if isinstance(value, str):
        return Decimal(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = Decimal(value) if isinstance(value, int) else Decimal(str(value))
    return number if number.is_finite() else None


def instant_of(value: object) -> datetime | None:
    """The instant a text stands for in UTC, None when it is none."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return None
    try:
        at = datetime.fromisoformat(value.upper())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # 31 February; year 1 with an offset
        return None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A condition's value in every form it can be compared in."""

    key: str
    number: Decimal | None = None
    instant: datetime | None = None
    flag: bool | None = None

    @classmethod
    def of(cls, value: str | float | bool) -> Wanted:
        """A single value of a request; NaN and infinity have no number."""
        if isinstance(value, str):
            key = caseless(value)
            return cls(key, number_of(value), instant_of(value), _FLAGS.get(key))
        return cls(text_of(value), number_of(value), None, value if isinstance(value, bool) else None)

    def equals(self, seen: Json) -> bool:
        """True when an event's value is this one. A list or an object never is."""
        if isinstance(seen, str):
            if self.number is not None and (number := number_of(seen)) is not None:
                return number == self.number
            if self.instant is not None and (at := instant_of(seen)) is not None:
                return at == self.instant
            return caseless(seen) == self.key
        if isinstance(seen, bool):
            return seen is self.flag
        return self.number is not None and number_of(seen) == self.number


def text_of(value: Json) -> str:
    """A single value as caseless text, "" for lists, objects and null."""
    if isinstance(value, str):
        return caseless(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(Decimal(value))  # str(int) raises beyond 4,300 digits
    return str(value) if isinstance(value, float) else ""


def is_empty(value: Json) -> bool:
    """True for missing, null, "" and an empty list or object; 0 and false are values."""
    return value is None or (not isinstance(value, int | float) and not value)


def items_of(value: Json) -> Sequence[Json] | None:
    """The items of a list, None when it is none."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else None
