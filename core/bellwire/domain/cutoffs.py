"""When a week's timecards must be there: the same weekday and hour for everybody, each in their own zone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bellwire.errors import FieldInvalid

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOUR = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoff:
    """`weekday` and `at`: when it is too late. `week_starts`: the period's first day. `this_week`: the week under way is due,
    otherwise the one that has ended.
    """

    weekday: int
    at: time
    week_starts: int = 0
    this_week: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One worker's next cutoff: the period by its first and last day in the worker's zone, and the instant."""

    start: date
    end: date
    at: datetime


def read_cutoff(given: object, place: str) -> Cutoff | None:
    """The cutoff behind a setting. Raises FieldInvalid naming the place."""
    if given is None:
        return None
    if not isinstance(given, Mapping) or set(given) - {"weekday", "at", "week_starts", "period"}:
        raise FieldInvalid(place, 'must be an object such as {"weekday": "mon", "at": "12:00"}', "wrong_type")
    at = given.get("at")
    found = _HOUR.fullmatch(at) if isinstance(at, str) else None
    if found is None:
        raise FieldInvalid(f"{place}.at", "must be an hour such as 12:00", "pattern")
    period = given.get("period", "last_week")
    if period not in ("last_week", "this_week"):
        raise FieldInvalid(f"{place}.period", "must be last_week or this_week", "not_one_of")
    return Cutoff(
        weekday=_weekday(given.get("weekday"), f"{place}.weekday"),
        at=time(int(found[1]), int(found[2])),
        week_starts=_weekday(given.get("week_starts", "mon"), f"{place}.week_starts"),
        this_week=period == "this_week",
    )


def _weekday(value: object, place: str) -> int:
    if not isinstance(value, str) or value not in WEEKDAYS:
        raise FieldInvalid(place, f"must be one of {', '.join(WEEKDAYS)}", "not_one_of")
    return WEEKDAYS.index(value)


def next_cutoff(rule: Cutoff, zone: str, now: datetime) -> Due:
    """The first cutoff after `now` in a zone. An hour that the clocks skip is taken as the same instant after them."""
    here = ZoneInfo(zone)
    day = now.astimezone(here).date()
    day += timedelta(days=(rule.weekday - day.weekday()) % 7)
    while (at := datetime.combine(day, rule.at, here).astimezone(UTC)) <= now:
        day += timedelta(days=7)
    start = day - timedelta(days=(day.weekday() - rule.week_starts) % 7)
    if not rule.this_week:
        start -= timedelta(days=7)
    return Due(start=start, end=start + timedelta(days=6), at=at)
