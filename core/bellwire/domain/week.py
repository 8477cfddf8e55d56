"""The hours of a week in which texts may go, as minutes of the local day: read, intersected, shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from bellwire.errors import FieldInvalid

#: One local day: windows [start, end) in minutes since midnight, sorted, apart from each other.
Day: TypeAlias = tuple[tuple[int, int], ...]
#: Monday to Sunday.
Week: TypeAlias = tuple[Day, ...]

SUNDAY = 6
MINUTES = 1440
ALWAYS: Week = (((0, MINUTES),),) * 7

_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NUMBERS = {name: place for place, name in enumerate(_NAMES)} | {
    str(place + 1): place for place in range(7)
}  # ISO 8601: Monday is 1
_WINDOW = re.compile(r"\s*(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})\s*", re.ASCII)
_CURE = 'write hours as "09:00-20:00", days as "mon-fri", "sat", "1-7" or "daily"'


def read_week(value: object, field: str) -> Week:
    """Windows from `{"mon-fri": ["09:00-20:00"], "sat": "10:00-14:00"}`, or one window or a list of them for every day.

    A day that is not named is closed. A window over midnight ends on the next day. Raises FieldInvalid naming `field`.
    """
    days: list[list[tuple[int, int]]] = [[] for _ in range(7)]
    named = value if isinstance(value, Mapping) else {"daily": value}
    for name, windows in named.items():
        for day in _days(name, field):
            for start, end in _windows(windows, f"{field}.{name}" if isinstance(value, Mapping) else field):
                _open(days, day, start, end)
    return tuple(_merged(day) for day in days)


def intersect(one: Week, other: Week) -> Week:
    """What is open in both."""
    return tuple(
        tuple((max(a, c), min(b, d)) for a, b in mine for c, d in theirs if max(a, c) < min(b, d))
        for mine, theirs in zip(one, other, strict=True)
    )


def invert(week: Week) -> Week:
    """What is closed: quiet hours become the hours in which texts may go, and back."""
    return tuple(_inverted(day) for day in week)


def show(day: Day) -> str:
    """`09:00-13:00, 16:00-20:00`, or `none`."""
    return ", ".join(f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}" for start, end in day) or "none"


def _days(name: object, field: str) -> Sequence[int]:
    text = str(name).strip().lower()
    if text == "daily":
        return range(7)
    first, _, last = text.partition("-")
    start, end = _NUMBERS.get(first.strip()[:3]), _NUMBERS.get((last or first).strip()[:3])
    if start is None or end is None:
        raise FieldInvalid(field, f"{text[:20]!r} is no day of the week; {_CURE}", "invalid_hours")
    return range(start, end + 1) if start <= end else (*range(start, 7), *range(end + 1))


def _windows(value: object, field: str) -> Sequence[tuple[int, int]]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, Sequence) or len(texts) > 12:
        raise FieldInvalid(field, f"must be a list of windows; {_CURE}", "invalid_hours")
    return [_window(text, field) for text in texts]


def _window(text: object, field: str) -> tuple[int, int]:
    match = _WINDOW.fullmatch(text) if isinstance(text, str) else None
    if match:
        hour, minute, end_hour, end_minute = map(int, match.groups())
        start, end = hour * 60 + minute, end_hour * 60 + end_minute
        if minute < 60 and end_minute < 60 and start < MINUTES and end <= MINUTES and start != end:
            return start, end
    raise FieldInvalid(field, f"{str(text)[:40]!r} is no window of a day; {_CURE}", "invalid_hours")


def _open(days: list[list[tuple[int, int]]], day: int, start: int, end: int) -> None:
    if start < end:
        days[day].append((start, end))
        return
    days[day].append((start, MINUTES))
    if end:
        days[(day + 1) % 7].append((0, end))


def _merged(windows: list[tuple[int, int]]) -> Day:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _inverted(day: Day) -> Day:
    edges = [0, *(edge for window in day for edge in window), MINUTES]
    return tuple((start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end)
