"""Words that callers may choose from where the domain has no closed set of its own."""

from __future__ import annotations

from enum import StrEnum

from bellwire.errors import FieldInvalid
from bellwire.model import Status


class EncodingChoice(StrEnum):
    """`auto`: GSM-7 where the whole text fits it."""

    AUTO = "auto"
    GSM7 = "gsm7"
    UCS2 = "ucs2"


class SettlementChoice(StrEnum):
    """What a person says of a message that is unknown."""

    DELIVERED = "delivered"
    FAILED = "failed"
    RESEND = "resend"


class ConsentChoice(StrEnum):
    """What a person said."""

    OPTED_IN = "opted_in"
    OPTED_OUT = "opted_out"


def statuses_of(written: str | None) -> list[Status]:
    """The statuses of a filter such as `sent,delivered`. Raises FieldInvalid."""
    found = []
    for word in (written or "").split(","):
        if word.strip() not in list(Status) and word.strip():
            raise FieldInvalid("status", f"{word.strip()[:20]} is none; there are {', '.join(Status)}", "not_one_of")
        if word.strip():
            found.append(Status(word.strip()))
    return found
