"""One record as we read it, whether a notification or a query brought it: an object's name, an id, and fields as texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from .ids import long_id

# joiners belong to emoji and to Persian and Indic words: only what steers a terminal goes
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LONGEST = 1_000

#: ISO 4217 currencies without a minor unit that Salesforce offers.
_WHOLE = frozenset(["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"])
_DEAREST = Decimal(10) ** 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """`kind`: the object's API name (`Lead`, `SMS_Request__c`). A field that is null or was not chosen is absent."""

    kind: str
    id: str
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)

    def text(self, name: str, limit: int = 255) -> str:
        """The field in one line, "" when it is absent."""
        return one_line(self.fields.get(name, ""), limit)

    def ref(self, name: str) -> str:
        """The id that a look-up field holds, "" when it holds none."""
        return long_id(self.fields.get(name, ""))

    def flag(self, name: str) -> bool | None:
        """A checkbox, None when it is absent."""
        return {"true": True, "1": True, "false": False, "0": False}.get(self.fields.get(name, "").strip().lower())

    def time(self, name: str) -> datetime | None:
        """A date and time in UTC, None when it is absent or none."""
        return time_of(self.fields.get(name, ""))

    def money(self, name: str, currency: str = "") -> str:
        """An amount as a decimal text with the digits of its currency; Salesforce writes `50000.0`, and `5.0E7` for more."""
        try:
            amount = Decimal(self.fields.get(name, "").strip())
        except InvalidOperation:
            return ""
        if not amount.is_finite() or abs(amount) >= _DEAREST:
            return ""
        return f"{amount:.0f}" if currency in _WHOLE else f"{amount:.2f}"


def of_json(kind: str, row: Mapping[str, object]) -> Record:
    """A row of a query as a record: null is absent, everything else is text as a notification would have it."""
    fields = {name: made for name, value in row.items() if (made := _told(value)) is not None}
    return Record(kind=kind, id=long_id(fields.get("Id", "")), fields=fields)


def _told(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def one_line(value: str, limit: int = 255) -> str:
    """A text from outside in one line: no control characters, no blanks around it, cut at `limit`."""
    value = value[: min(limit, _LONGEST) + 1]
    value = (value if value.isprintable() else _CONTROL.sub(" ", value)).strip()
    return value[:limit].rstrip()


def time_of(value: object) -> datetime | None:
    """A time of Salesforce's (`2026-01-05T08:59:58.000Z`, in queries `+0000`) in UTC, None for anything else."""
    if not isinstance(value, str) or "T" not in value:
        return None
    try:
        made = datetime.fromisoformat(value.strip())
    except (ValueError, OverflowError):
        return None
    if not 1970 < made.year < 2200:
        return None
    return made.replace(tzinfo=UTC) if made.tzinfo is None else made.astimezone(UTC)


def stamp(value: datetime | None) -> str:
    """RFC 3339 in UTC to the millisecond, "" when there is no time."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if value else ""
