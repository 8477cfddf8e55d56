"""The sandbox's vocabulary in our words: it is our own carrier, so its error codes are our error classes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from bellwire import Dlr, ErrorClass, Status

#: Raw status → our status, and whether an operator has it.
STATUSES: Mapping[str, tuple[Status, bool]] = {
    "accepted": (Status.SENT, False),
    "handed_over": (Status.SENT, True),
    "delivered": (Status.DELIVERED, True),
    "undelivered": (Status.UNDELIVERED, True),
    "failed": (Status.FAILED, False),
    "expired": (Status.EXPIRED, False),
}

_UNHAPPY = frozenset({Status.UNDELIVERED, Status.FAILED})


def class_of(code: str) -> ErrorClass:
    """The class that a code names."""
    try:
        return ErrorClass(code)
    except ValueError:
        return ErrorClass.UNKNOWN


def receipt(
    carrier_ref: str,
    raw: str,
    code: str = "",
    *,
    message_ref: str = "",
    words: str = "",
    at: str = "",
    price: Decimal | None = None,
    currency: str = "",
    segments: int | None = None,
) -> Dlr:
    """A receipt of the sandbox, from whichever way it came."""
    status, handed_over = STATUSES.get(raw, (None, False))
    error = class_of(code) if status in _UNHAPPY else ErrorClass.EXPIRED if status is Status.EXPIRED else None
    return Dlr(
        carrier_ref=carrier_ref,
        status=status,
        raw_status=raw,
        raw_code=code,
        raw_text=words,
        error_class=error,
        handed_over=handed_over,
        message_ref=message_ref,
        occurred_raw=at,
        price=price,
        currency=currency if price is not None else "",
        segments=segments,
    )
