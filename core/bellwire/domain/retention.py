"""How long what is personal is kept: a tenant's days by class, and the hold that stops all forgetting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bellwire.errors import FieldInvalid

SHORTEST_DAYS, LONGEST_DAYS = 1, 3_660


class Kept(StrEnum):
    """What is forgotten by class."""

    EVENTS = "events"  # people and data; that it came, and what was decided, stays
    MESSAGES = "messages"  # text and metadata; status, attempts and why stay
    REPLIES = "replies"
    RECEIPTS = "receipts"
    CALLBACKS = "callbacks"  # jobs that ended
    WRITE_BACKS = "write_backs"


#: A month more than most shops take returns; consent, money and the audit trail are never forgotten.
DEFAULT_DAYS: Mapping[Kept, int] = {
    Kept.EVENTS: 90,
    Kept.MESSAGES: 365,
    Kept.REPLIES: 365,
    Kept.RECEIPTS: 90,
    Kept.CALLBACKS: 30,
    Kept.WRITE_BACKS: 90,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """A tenant's rules. `legal_hold`: nothing is forgotten, and nobody is erased, until it is lifted."""

    days: Mapping[Kept, int] = field(default_factory=lambda: DEFAULT_DAYS)
    legal_hold: bool = False

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], place: str = "") -> Retention:
        """From a tenant's settings: `retention_days` by class, `legal_hold`. Raises FieldInvalid naming the setting."""
        hold = settings.get("legal_hold", False)
        if not isinstance(hold, bool):
            raise FieldInvalid(f"{place}legal_hold", "must be true or false", "wrong_type")
        raw = settings.get("retention_days")
        if raw is None:
            return cls(legal_hold=hold)
        if not isinstance(raw, Mapping):
            raise FieldInvalid(f"{place}retention_days", 'must be an object such as {"events": 90}', "wrong_type")
        days = dict(DEFAULT_DAYS)
        for name, value in raw.items():
            where = f"{place}retention_days.{str(name)[:40]}"
            if name not in set(Kept):
                raise FieldInvalid(where, f"is not kept by days; there are {', '.join(Kept)}", "unknown_field")
            if isinstance(value, bool) or not isinstance(value, int) or not SHORTEST_DAYS <= value <= LONGEST_DAYS:
                raise FieldInvalid(where, f"must be a whole number from {SHORTEST_DAYS} to {LONGEST_DAYS}", "out_of_range")
            days[Kept(name)] = value
        return cls(days=days, legal_hold=hold)

    def forget_before(self, what: Kept, now: datetime) -> datetime | None:
        """What is older goes; None while nothing may."""
        return None if self.legal_hold else now - timedelta(days=self.days[what])
