"""Quiet hours: whether a text may arrive now, and if not, the next instant at which it may. Asked at intake and at every claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bellwire.domain.countries import CountryRules, rules
from bellwire.domain.quiet import Plan, QuietHours, both, missing_calendar, plan, read_quiet
from bellwire.domain.week import show
from bellwire.domain.when import parse_span, parse_when
from bellwire.model import Purpose

__all__ = [
    "CountryRules",
    "Held",
    "QuietHours",
    "both",
    "held",
    "is_quiet",
    "missing_calendar",
    "next_allowed",
    "parse_span",
    "parse_when",
    "read_quiet",
    "rules",
    "zones_of",
]

#: How far ahead an opening is looked for. Where there is none, the text is judged again then; its expiry ends it before.
HORIZON = timedelta(days=14)
_LAST_YEAR = 9990  # what `datetime` can still move across zones and days
_MINUTE = timedelta(minutes=1)
_MARGIN = timedelta(hours=3)  # a change of the clock at midnight belongs to both days


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A text must wait until `until` (aware UTC). `line` says why, with no personal value in it."""

    until: datetime
    line: str


def is_quiet(
    now: datetime,
    *,
    purpose: Purpose,
    country: str,
    timezones: Sequence[str] = (),
    quiet: QuietHours | None = None,
    collection: bool = False,
) -> bool:
    """Whether a text of this purpose must not arrive now. Arguments and errors as `held`."""
    hours = plan(purpose, country, quiet, collection=collection)
    if hours is None:
        return False
    at = _checked(now)
    zones = _zones(country, tuple(timezones))
    return not zones or not all(_is_open(hours, zone, at) for zone in zones)


def next_allowed(
    now: datetime,
    *,
    purpose: Purpose,
    country: str,
    timezones: Sequence[str] = (),
    quiet: QuietHours | None = None,
    collection: bool = False,
) -> datetime | None:
    """None when the text may go now, else the next instant (aware UTC) at which it may. Arguments and errors as `held`."""
    wait = held(now, purpose=purpose, country=country, timezones=timezones, quiet=quiet, collection=collection)
    return wait.until if wait else None


def held(
    now: datetime,
    *,
    purpose: Purpose,
    country: str,
    timezones: Sequence[str] = (),
    quiet: QuietHours | None = None,
    collection: bool = False,
) -> Held | None:
    """None when the text may go now, else until when it waits and why.

    `timezones`: the recipient's zone by profile, or all that the number may be in; none = the country's. With several, the text
    goes when it is allowed in all of them. `quiet`: the tenant's and the trigger's own hours (`both`). `collection`: the
    template's mark for debt collection. With no zone at all it waits for `HORIZON`: nobody's local time is guessed.
    Raises ValueError for a naive time or one beyond the year 9990.
    """
    hours = plan(purpose, country, quiet, collection=collection)
    if hours is None:
        return None
    at = _checked(now)
    zones = _zones(country, tuple(timezones))
    if not zones:
        return Held(until=at + HORIZON, line=f"{purpose} keeps to local hours, and the recipient's time zone is not known")
    closed = next((zone for zone in zones if not _is_open(hours, zone, at)), None)
    if closed is None:
        return None
    local = at.astimezone(closed)
    today = f"{local:%A} {show(hours.day(local.date()))}"
    return Held(
        until=_opening(hours, zones, at), line=f"{purpose} keeps to {hours.source}: {today}, it is {local:%H:%M} in {closed.key}"
    )


def zones_of(country: str, timezones: Sequence[str] = ()) -> Sequence[str]:
    """The zones a text's hours are judged in: those given that exist, else the country's, none where nobody knows.

    Several given are a guess by the number: where the country's own list has some of them, these decide.
    """
    return tuple(zone.key for zone in _zones(country, tuple(timezones)))


@lru_cache(maxsize=4096)
def _zones(country: str, timezones: tuple[str, ...]) -> tuple[ZoneInfo, ...]:
    known = rules(country).timezones
    given = [zone for zone in map(_zone, dict.fromkeys(timezones)) if zone is not None]
    if len(given) > 1:
        given = [zone for zone in given if zone.key in known] or given
    return tuple(given or filter(None, map(_zone, known)))


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown; not a relative path; a folder or an overlong name
        return None


def _checked(now: datetime) -> datetime:
    if now.tzinfo is None or now.utcoffset() is None:
        raise ValueError("a time without a zone can't be judged; give aware UTC")
    if not 1 < now.year <= _LAST_YEAR:
        raise ValueError(f"the year {now.year} is outside what can be scheduled")
    return now.astimezone(UTC)


def _is_open(hours: Plan, zone: ZoneInfo, at: datetime) -> bool:
    local = at.astimezone(zone)
    minute = local.hour * 60 + local.minute
    return any(start <= minute < end for start, end in hours.day(local.date()))


def _opening(hours: Plan, zones: Sequence[ZoneInfo], at: datetime) -> datetime:
    """The next instant at which all zones are open: each closed zone moves it on until none is closed."""
    end = at + HORIZON
    while at < end:
        closed = next((zone for zone in zones if not _is_open(hours, zone, at)), None)
        if closed is None:
            return at
        at = next((edge for edge in _edges(hours, closed, at, end) if edge > at and _is_open(hours, closed, edge)), end)
    return end


def _edges(hours: Plan, zone: ZoneInfo, at: datetime, end: datetime) -> Iterator[datetime]:
    """The instants at which a zone may open: starts of windows, and changes of its clock; by day, in order."""
    day, last = at.astimezone(zone).date(), end.astimezone(zone).date()
    while day <= last:
        change = _clock_change(zone, day)
        starts = [edge for start, _ in hours.day(day) for edge in _instants(zone, day, start)]
        yield from sorted([*starts, change] if change else starts)
        day += timedelta(days=1)


def _instants(zone: ZoneInfo, day: date, minute: int) -> Iterator[datetime]:
    """When a zone's clock shows this minute: once, twice where it is set back, never where it is set forward over it."""
    wall = datetime.combine(day, time(minute // 60, minute % 60), tzinfo=zone)
    first = wall.astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        yield first
    again = wall.replace(fold=1).astimezone(UTC)
    if again != first and again.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        yield again


@lru_cache(maxsize=4096)
def _clock_change(zone: ZoneInfo, day: date) -> datetime | None:
    """The instant, to the minute, at which a zone's offset changes on or around a local day; None on most days."""
    noon = datetime.combine(day, time(12), tzinfo=zone).astimezone(UTC)
    before, after = noon - timedelta(hours=12) - _MARGIN, noon + timedelta(hours=12) + _MARGIN
    offset = before.astimezone(zone).utcoffset()
    if after.astimezone(zone).utcoffset() == offset:
        return None
    while after - before > _MINUTE:
        middle = before + (after - before) // _MINUTE // 2 * _MINUTE
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
