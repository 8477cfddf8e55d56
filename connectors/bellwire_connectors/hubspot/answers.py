"""What an answer of HubSpot's says: its JSON, and how long to wait."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

LONGEST_S = 86_400.0

#: policyName of a 429 → seconds until calls are taken again.
_POLICIES = {"TEN_SECONDLY_ROLLING": 10.0, "SECONDLY": 1.0}


def json_value(answer: Any) -> Any:
    """The body as JSON; None for none, and for what is none (a login page)."""
    try:
        return answer.json()
    except ValueError:
        return None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds, None when there is none."""
    try:
        seconds = float(headers.get("Retry-After") or "nan")
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_S) if math.isfinite(seconds) else None


def wait_s(policy: str, headers: Mapping[str, str], now: datetime, timezone: str) -> float:
    """Seconds until calls are taken again: as told, by the limit's name, or at midnight of the portal's zone for the daily one."""
    told = retry_after_s(headers)
    if told is not None:
        return told
    if policy == "DAILY":
        return _until_midnight_s(now, timezone)
    return _POLICIES.get(policy, 10.0)


def time_of(value: object) -> datetime | None:
    """A time of HubSpot's, ISO 8601 or milliseconds since 1970; None for anything else."""
    try:
        if isinstance(value, str) and value.isascii() and value.isdigit():
            return datetime.fromtimestamp(int(value) / 1000, UTC)
        made = datetime.fromisoformat(value) if isinstance(value, str) and value else None
    except (ValueError, OverflowError, OSError):
        return None
    return made if made is None or made.tzinfo else made.replace(tzinfo=UTC)


def millis(at: datetime) -> str:
    """Milliseconds since 1970."""
    return str(round(at.timestamp() * 1000))


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _until_midnight_s(now: datetime, timezone: str) -> float:
    try:
        there = now.astimezone(ZoneInfo(timezone or "UTC"))
    except (KeyError, ValueError, OSError):
        there = now.astimezone(UTC)
    midnight = (there + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return min(max((midnight - there).total_seconds(), 60.0), LONGEST_S)
