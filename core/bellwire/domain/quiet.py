"""Whose hours hold for a text: the country's, the tenant's, the trigger's, and which of them may be loosened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from bellwire.domain import holidays
from bellwire.domain.countries import CountryRules, rules
from bellwire.domain.week import ALWAYS, SUNDAY, Day, Week, intersect, invert, read_week
from bellwire.errors import FieldInvalid
from bellwire.model import Purpose

_KEYS = frozenset({"quiet", "windows", "start", "end", "transactional", "loosen", "note", "holidays"})
_MAX_NOTE = 500
_MAX_HOLIDAYS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """A tenant's or a trigger's own hours.

    `week`: when its texts may arrive, None = as the country says. `loosen`: `week` replaces the country's custom hours instead of
    narrowing them; a law's bounds stay, and `note` says why (for the audit). `transactional`: transactional texts wait too.
    `holidays`: the tenant's own calendar, days that count as Sundays.
    """

    week: Week | None = None
    transactional: bool = False
    loosen: bool = False
    note: str = ""
    holidays: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The hours that hold for one text. `source` names them, for people."""

    week: Week
    source: str
    calendar: str = ""
    strict: bool = False  # a day nobody can judge is closed: the hours are law
    holidays: frozenset[date] = frozenset()

    def day(self, local: date) -> Day:
        """The windows of one local day."""
        if local in self.holidays:
            return self.week[SUNDAY]
        if self.calendar:
            known = holidays.dates(self.calendar, local.year)
            if known is None:
                return () if self.strict else self.week[local.weekday()]
            if local in known:
                return self.week[SUNDAY]
        return self.week[local.weekday()]


def read_quiet(value: object, field: str = "quiet_hours", *, trigger: Purpose | None = None) -> QuietHours | None:
    """A tenant's `quiet_hours` setting, or the field of a trigger whose purpose is `trigger`.

    None and False: none of its own. True: transactional texts keep to the country's hours too. `"21:00-08:00"` or
    `{"start": "21:00", "end": "08:00"}`: quiet in these hours every day. `{"quiet": …}` or `{"windows": …}` (when texts may
    arrive) per day as `read_week` takes it, with `transactional`, `holidays` (dates) and `loosen` + `note`.
    A transactional trigger's hours hold for its transactional texts unless it says otherwise; a trigger can't loosen.
    Raises FieldInvalid naming the place.
    """
    if value is None or value is False:
        return None
    if value is True:
        return QuietHours(transactional=True)
    raw = value if isinstance(value, Mapping) else {"quiet": value}
    unknown = sorted(str(key)[:40] for key in raw.keys() - _KEYS)
    if unknown:
        raise FieldInvalid(f"{field}.{unknown[0]}", f"is not known here; use {', '.join(sorted(_KEYS))}", "unknown_field")
    week = _own_week(raw, field, named=isinstance(value, Mapping))
    note, loosen = raw.get("note", ""), _flag(raw, "loosen", field, default=False)
    if not isinstance(note, str) or len(note) > _MAX_NOTE:
        raise FieldInvalid(f"{field}.note", f"must be a text of at most {_MAX_NOTE} characters")
    if loosen and trigger is not None:
        raise FieldInvalid(f"{field}.loosen", "a trigger can only narrow the hours; loosen them in the tenant's settings")
    if loosen and not note.strip():
        raise FieldInvalid(f"{field}.note", "say why the country's hours are loosened; the audit log keeps it", "note_missing")
    return QuietHours(
        week=week,
        transactional=_flag(raw, "transactional", field, default=trigger is Purpose.TRANSACTIONAL),
        loosen=loosen,
        note=note.strip(),
        holidays=_dates(raw.get("holidays", ()), f"{field}.holidays"),
    )


def both(tenant: QuietHours | None, trigger: QuietHours | None) -> QuietHours | None:
    """A tenant's hours and a trigger's together: the trigger narrows, it can't loosen what the tenant did not."""
    if tenant is None or trigger is None:
        return tenant or (trigger and QuietHours(week=trigger.week, transactional=trigger.transactional, holidays=trigger.holidays))
    return QuietHours(
        week=intersect(tenant.week, trigger.week) if tenant.week and trigger.week else tenant.week or trigger.week,
        transactional=tenant.transactional or trigger.transactional,
        loosen=tenant.loosen and tenant.week is not None,
        note=tenant.note,
        holidays=tenant.holidays | trigger.holidays,
    )


@lru_cache(maxsize=4096)
def plan(purpose: Purpose, country: str, quiet: QuietHours | None, *, collection: bool) -> Plan | None:
    """The hours a text keeps to, None when it may go at any time.

    otp never waits; marketing always keeps to the hours; transactional where the country's rule or the tenant says so, and debt
    collection (a template's mark) where the country's rule does.
    """
    purpose, there = Purpose(purpose), rules(country)
    own_days = quiet.holidays if quiet else frozenset()
    if purpose is Purpose.MARKETING:
        return _country_plan(there, _marketing_week(there, quiet), own_days)
    if purpose is Purpose.OTP:
        return None
    own = (quiet.week or there.hours.week) if quiet and quiet.transactional else None
    if not there.transactional_exempt or (collection and there.hours.collection):
        return _country_plan(there, intersect(there.hours.week, own or ALWAYS), own_days)
    return Plan(week=own, source="the tenant's quiet hours", holidays=own_days) if own is not None else None


def missing_calendar(country: str, year: int, quiet: QuietHours | None = None) -> bool:
    """Whether holidays count in this country and nobody has told us which days these are: something to alert about."""
    hours = rules(country).hours
    own = quiet is not None and any(day.year == year for day in quiet.holidays)
    return hours.holidays and not own and (not hours.calendar or holidays.dates(hours.calendar, year) is None)


def _marketing_week(there: CountryRules, quiet: QuietHours | None) -> Week:
    if quiet is None or quiet.week is None:
        return there.hours.week
    if quiet.loosen:
        return intersect(quiet.week, there.hours.bounds or ALWAYS)
    return intersect(quiet.week, there.hours.week)


def _country_plan(there: CountryRules, week: Week, own_days: frozenset[date]) -> Plan:
    hours = there.hours
    return Plan(
        week=week,
        source=(f"the hours of {there.name}" if there.listed else "the default hours") + (f" ({hours.law})" if hours.law else ""),
        calendar=hours.calendar if hours.holidays else "",
        strict=bool(hours.law),
        holidays=own_days,
    )


def _own_week(raw: Mapping[object, object], field: str, *, named: bool) -> Week | None:
    given = [name for name in ("quiet", "windows", "start") if name in raw]
    if not given:
        if "end" in raw:
            raise FieldInvalid(f"{field}.start", "is missing beside end")
        return None
    if len(given) > 1 or ("end" in raw) != (given[0] == "start"):
        raise FieldInvalid(field, "give one of quiet, windows, or start and end", "invalid_hours")
    place = f"{field}.{given[0]}" if named else field
    if given[0] == "windows":
        week = read_week(raw["windows"], place)
    elif given[0] == "quiet":
        week = invert(read_week(raw["quiet"], place))
    else:
        week = invert(read_week(f"{raw['start']}-{raw['end']}", field))
    if not any(week):
        raise FieldInvalid(place, "leaves no time at which a text may go", "invalid_hours")
    return week


def _flag(raw: Mapping[object, object], name: str, field: str, *, default: bool) -> bool:
    value = raw.get(name, default)
    if not isinstance(value, bool):
        raise FieldInvalid(f"{field}.{name}", "must be true or false")
    return value


def _dates(value: object, field: str) -> frozenset[date]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > _MAX_HOLIDAYS:
        raise FieldInvalid(field, f"must be a list of at most {_MAX_HOLIDAYS} dates, YYYY-MM-DD")
    try:
        return frozenset(date.fromisoformat(str(item)) for item in value)
    except ValueError as error:
        raise FieldInvalid(field, "must be dates, YYYY-MM-DD") from error
