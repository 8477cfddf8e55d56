"""Public holidays by law, computed for any year: which days count as Sundays for marketing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache

# Ley 51 de 1983 ("Ley Emiliani") art. 1, in force since 1984: these move to the Monday on or after them.
_COLOMBIA_FIXED = ((1, 1), (5, 1), (7, 20), (8, 7), (12, 8), (12, 25))
_COLOMBIA_TO_MONDAY = ((1, 6), (3, 19), (6, 29), (8, 15), (10, 12), (11, 1), (11, 11))
# Days after Easter Sunday: Holy Thursday, Good Friday; Ascension, Corpus Christi and Sacred Heart on their Mondays.
_COLOMBIA_BY_EASTER = (-3, -2, 43, 64, 71)
_COLOMBIA_SINCE = 1984


@lru_cache(maxsize=256)
def dates(calendar: str, year: int) -> frozenset[date] | None:
    """The holidays of a year, None when the calendar does not cover it: nobody guesses then."""
    compute = _CALENDARS.get(calendar)
    return compute(year) if compute else None


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus, Jones and Butcher's rule)."""
    golden, (century, rest) = year % 19, divmod(year, 100)
    skipped, corrected = divmod(century, 4)
    moon = (19 * golden + century - skipped - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    leap, short = divmod(rest, 4)
    weekday = (32 + 2 * corrected + 2 * leap - moon - short) % 7
    late = (golden + 11 * moon + 22 * weekday) // 451
    month, day = divmod(moon + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _colombia(year: int) -> frozenset[date] | None:
    if year < _COLOMBIA_SINCE:
        return None
    fixed = [date(year, month, day) for month, day in _COLOMBIA_FIXED]
    moved = [_monday(date(year, month, day)) for month, day in _COLOMBIA_TO_MONDAY]
    return frozenset((*fixed, *moved, *(easter(year) + timedelta(days=days) for days in _COLOMBIA_BY_EASTER)))


def _monday(day: date) -> date:
    return day + timedelta(days=-day.weekday() % 7)


_CALENDARS: dict[str, Callable[[int], frozenset[date] | None]] = {"CO": _colombia}
