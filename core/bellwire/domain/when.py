"""Times and spans that come in with a request: read at the border, so that nothing absurd is ever scheduled."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bellwire.errors import FieldInvalid

#: How far a `send_at` may lie in the past and still mean now: clocks differ.
SKEW = timedelta(seconds=300)
MAX_DAYS = 366

# `90m`, `1h30m`, `2 days` are what people write, `PT1H30M` is ISO 8601.
_SPAN = re.compile(
    r"p?\s*(?:(\d{1,6})\s*w(?:eeks?)?)?\s*(?:(\d{1,6})\s*d(?:ays?)?)?\s*t?\s*(?:(\d{1,6})\s*h(?:ours?)?)?"
    r"\s*(?:(\d{1,6})\s*m(?:in(?:utes?)?)?)?\s*(?:(\d{1,9})\s*s(?:ec(?:onds?)?)?)?",
    re.ASCII,
)
_NUMBER = re.compile(r"[+-]?\d{1,12}(?:\.\d{1,6})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LONGEST_AGO = 36_500  # days
_MAX_WRITTEN = 64
_HUGE = 10**18  # a number of a million digits is too far as well, and no conversion of this one overflows


def parse_when(
    value: object, now: datetime, *, field: str = "send_at", max_days: float = MAX_DAYS, cure: str = "leave it out to send now"
) -> datetime:
    """The instant (aware UTC) a request means: an RFC 3339 time, or a span from now as `parse_span` takes it.

    `now`: aware. What lies up to five minutes in the past is now. Raises FieldInvalid naming `field` for a time without a zone,
    in the past, more than `max_days` ahead, or unreadable. `cure`: what somebody may do who gave a time in the past.
    """
    if now.tzinfo is None:
        raise ValueError("now must be aware")
    if isinstance(value, str) and not _is_span(value):
        value = _read_time(value, field)
    if not isinstance(value, datetime):
        return _shifted(now, parse_span(value, field=field, max_days=max_days), field)
    if value.tzinfo is None or value.utcoffset() is None:
        raise FieldInvalid(field, "has no time zone; end it with Z or an offset such as +05:00", "time_without_zone")
    if value.year < now.year - 1:
        raise _in_past(field, cure)
    try:
        at = value.astimezone(UTC)
        ahead = at - now
    except OverflowError as error:
        raise _too_far(field, max_days) from error
    if ahead > timedelta(days=max_days):
        raise _too_far(field, max_days)
    if ahead < -SKEW:
        raise _in_past(field, cure)
    return max(at, now.astimezone(UTC))


def parse_since(value: str, now: datetime, *, field: str = "since") -> datetime:
    """The instant (aware UTC) from which somebody wants to look back: a time, a date (its midnight in UTC), or a span before now.

    `now`: aware. Raises FieldInvalid naming `field` for a time without a zone, one that is still to come, or what is unreadable.
    """
    if _is_span(value):
        try:
            return now.astimezone(UTC) - parse_span(value, field=field, max_days=_LONGEST_AGO)
        except OverflowError as error:
            raise FieldInvalid(field, "lies before what a calendar can hold", "time_too_far") from error
    at = _read_time(f"{value.strip()}T00:00:00Z" if _DATE.fullmatch(value.strip()) else value, field)
    if at.tzinfo is None or at.utcoffset() is None:
        raise FieldInvalid(field, "has no time zone; end it with Z or an offset such as +05:00", "time_without_zone")
    if at > now:
        raise FieldInvalid(field, "is still to come; give a time in the past", "time_in_future")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise FieldInvalid(field, "lies before what a calendar can hold", "time_too_far") from error


def parse_span(value: object, *, field: str, max_days: float = MAX_DAYS, min_s: float = 0) -> timedelta:
    """A length of time: seconds as a number, `"90m"`, `"1h30m"`, `"2d"` or ISO 8601 `"PT1H30M"`.

    Raises FieldInvalid naming `field` when it is negative, shorter than `min_s` seconds, longer than `max_days`, or unreadable.
    """
    seconds = _seconds(value, field)
    if seconds < 0:
        raise FieldInvalid(field, "must not be negative", "span_negative")
    if seconds < min_s:
        raise FieldInvalid(field, f"must be at least {min_s:g} s", "span_too_short")
    if seconds > max_days * 86_400:
        raise _too_far(field, max_days)
    return timedelta(seconds=float(seconds))


def _seconds(value: object, field: str) -> float | Decimal:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        text = value.strip().lower()
        if len(text) <= _MAX_WRITTEN and _NUMBER.fullmatch(text):
            return Decimal(text)
        parts = _SPAN.fullmatch(text) if _is_span(value) else None
        if parts and any(parts.groups()):
            weeks, days, hours, minutes, rest = (int(part or 0) for part in parts.groups())
            return (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + rest
    elif isinstance(value, int) and not isinstance(value, bool):
        return max(min(value, _HUGE), -_HUGE)
    elif (isinstance(value, float) and math.isfinite(value)) or (isinstance(value, Decimal) and value.is_finite()):
        return value
    raise FieldInvalid(
        field, 'must be seconds as a number, or a length of time such as "90m", "1h30m" or "PT1H30M"', "span_invalid"
    )


def _is_span(text: str) -> bool:
    plain = text.strip().lower()
    return len(plain) <= _MAX_WRITTEN and bool(_NUMBER.fullmatch(plain) or (plain and _SPAN.fullmatch(plain)))


def _read_time(text: str, field: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip()[:_MAX_WRITTEN])
    except ValueError as error:
        raise FieldInvalid(field, "must be a time such as 2027-01-31T09:30:00Z", "time_invalid") from error


def _shifted(now: datetime, span: timedelta, field: str) -> datetime:
    try:
        return now.astimezone(UTC) + span
    except OverflowError as error:
        raise FieldInvalid(field, "lies beyond what a calendar can hold", "time_too_far") from error


def _in_past(field: str, cure: str) -> FieldInvalid:
    return FieldInvalid(field, f"lies in the past; {cure}", "time_in_past")


def _too_far(field: str, max_days: float) -> FieldInvalid:
    return FieldInvalid(field, f"lies more than {max_days:g} days ahead, the most that is allowed here", "time_too_far")
