"""What an answer of Shopify's says beside its data: a JSON object or none, a time, how long to wait."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .delivery import utc

#: Longer than this nobody waits for a shop; the job comes again.
LONGEST_S = 3600.0


def json_object(answer: Any) -> dict[str, Any]:
    """The body as a JSON object; {} for anything else (a login page, an empty answer)."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds. Shopify writes a fraction (`2.0`), which RFC 9110 does not know."""
    try:
        seconds = float(headers.get("Retry-After") or "nan")
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_S) if math.isfinite(seconds) else None


def time_of(value: object) -> datetime | None:
    """A time of Shopify's (ISO 8601) in UTC, None for anything else."""
    try:
        return utc(datetime.fromisoformat(value)) if isinstance(value, str) and value else None
    except (ValueError, OverflowError):
        return None
