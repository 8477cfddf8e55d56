"""When a text may arrive: each country's hours, the tenant's own, clock changes, holidays, and the next opening."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from bellwire.domain.schedule import (
    HORIZON,
    QuietHours,
    both,
    held,
    is_quiet,
    missing_calendar,
    next_allowed,
    read_quiet,
    zones_of,
)
from bellwire.domain.week import ALWAYS, intersect, invert, read_week
from bellwire.errors import FieldInvalid
from bellwire.model import Purpose
from hypothesis import given, settings
from hypothesis import strategies as st

MARKETING, TRANSACTIONAL, OTP = Purpose.MARKETING, Purpose.TRANSACTIONAL, Purpose.OTP


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


# label, country, zone of the times, now, when it may go ("" = now)
COUNTRIES = [
    ("Uzbekistan on a weekday evening", "UZ", "Asia/Tashkent", "2026-11-19T20:59:59", ""),
    ("Uzbekistan when the window has ended", "UZ", "Asia/Tashkent", "2026-11-19T21:00", "2026-11-20T09:00"),
    ("Uzbekistan on a Sunday morning", "UZ", "Asia/Tashkent", "2026-11-22T09:30", "2026-11-22T10:00"),
    ("Colombia before seven", "CO", "America/Bogota", "2026-11-19T06:59", "2026-11-19T07:00"),
    ("Colombia on a Saturday afternoon, Sunday is closed", "CO", "America/Bogota", "2026-11-21T15:00", "2026-11-23T07:00"),
    ("Colombia on the Friday before a Monday festivo", "CO", "America/Bogota", "2026-10-31T15:00", "2026-11-03T07:00"),
    ("Colombia on Good Friday", "CO", "America/Bogota", "2027-03-26T10:00", "2027-03-27T08:00"),
    ("Croatia on a Sunday", "HR", "Europe/Zagreb", "2026-11-22T12:00", "2026-11-23T08:00"),
    ("Spain: Madrid waits until the Canaries have opened", "ES", "Europe/Madrid", "2026-11-19T09:30", "2026-11-19T10:00"),
    ("Spain: Madrid has closed, the Canaries not yet", "ES", "Europe/Madrid", "2026-11-19T21:00", "2026-11-20T10:00"),
    ("China on a Sunday", "CN", "Asia/Shanghai", "2026-11-22T20:59", ""),
    ("Mexico: Cancun closes an hour before the capital", "MX", "America/Mexico_City", "2026-11-19T19:30", "2026-11-20T11:00"),
    ("US: the east coast has opened, the west not yet", "US", "America/New_York", "2026-11-19T09:00", "2026-11-19T11:00"),
    ("US on a Sunday: noon on the west coast", "US", "America/New_York", "2026-11-22T12:30", "2026-11-22T15:00"),
    ("US: the east coast has closed", "US", "America/New_York", "2026-11-19T20:00", "2026-11-20T11:00"),
    ("United Kingdom on a Sunday evening", "GB", "Europe/London", "2026-11-22T18:00", "2026-11-23T08:00"),
    ("Germany on a Saturday evening", "DE", "Europe/Berlin", "2026-11-21T18:00", "2026-11-23T08:00"),
    (
        "a country that is not listed has the default and its own zones",
        "FR",
        "Europe/Paris",
        "2026-11-19T08:59",
        "2026-11-19T09:00",
    ),
    ("a lower-case code", "uz", "Asia/Tashkent", "2026-11-19T08:59", "2026-11-19T09:00"),
]


@pytest.mark.parametrize(("label", "country", "zone", "now", "expected"), COUNTRIES, ids=[row[0] for row in COUNTRIES])
def test_marketing_keeps_to_the_countrys_hours(label: str, country: str, zone: str, now: str, expected: str) -> None:
    moment = at(now, zone)
    until = next_allowed(moment, purpose=MARKETING, country=country)
    assert until == (at(expected, zone) if expected else None)
    assert is_quiet(moment, purpose=MARKETING, country=country) == bool(expected)


NIGHT = at("2026-11-19T23:30", "America/Bogota")
TENANT_NIGHT = QuietHours(week=read_week("08:00-22:00", "x"), transactional=True)

# label, purpose, country, own hours, collection, waits
PURPOSES: list[tuple[str, Purpose, str, QuietHours | None, bool, bool]] = [
    ("otp never waits", OTP, "CO", TENANT_NIGHT, True, False),
    ("an order text may arrive at night", TRANSACTIONAL, "CO", None, False, False),
    ("debt collection waits where the law says so", TRANSACTIONAL, "CO", None, True, True),
    ("debt collection goes where no rule forbids it", TRANSACTIONAL, "MX", None, True, False),
    ("an order text waits where the tenant says so", TRANSACTIONAL, "CO", TENANT_NIGHT, False, True),
    ("a tenant's hours for marketing leave order texts alone", TRANSACTIONAL, "CO", QuietHours(week=ALWAYS), False, False),
    ("a tenant without hours of its own uses the country's for order texts", TRANSACTIONAL, "CO", read_quiet(True), False, True),
    ("marketing waits", MARKETING, "CO", None, False, True),
]


@pytest.mark.parametrize(
    ("label", "purpose", "country", "quiet", "collection", "waits"), PURPOSES, ids=[row[0] for row in PURPOSES]
)
def test_purpose_decides(
    label: str, purpose: Purpose, country: str, quiet: QuietHours | None, collection: bool, waits: bool
) -> None:
    assert is_quiet(NIGHT, purpose=purpose, country=country, quiet=quiet, collection=collection) == waits
    # a row of the store brings the purpose as a plain string
    assert is_quiet(NIGHT, purpose=str(purpose), country=country, quiet=quiet, collection=collection) == waits  # type: ignore[arg-type]


def week(value: Any, **more: Any) -> QuietHours | None:
    return read_quiet({"windows": value, **more})


# label, country, own hours, now in the country, when it may go
OWN = [
    ("own hours narrow the country's", "UZ", week("10:00-18:00"), "2026-11-19T09:30", "2026-11-19T10:00"),
    ("own hours can't widen them by themselves", "UZ", week("06:00-23:00"), "2026-11-19T08:00", "2026-11-19T09:00"),
    ("custom hours can be loosened with a note", "UZ", week("06:00-23:00", loosen=True, note="bakery"), "2026-11-19T06:30", ""),
    ("a law's hours can't", "CO", week("06:00-23:00", loosen=True, note="x"), "2026-11-19T06:30", "2026-11-19T07:00"),
    (
        "the US federal bound is wider than the strict states'",
        "US",
        week("00:00-24:00", loosen=True, note="no FL"),
        "2026-11-19T20:30",
        "",
    ),
    ("but no further", "US", week("00:00-24:00", loosen=True, note="no FL"), "2026-11-19T21:00", "2026-11-20T08:00"),
    (
        "a festivo is closed also when loosened",
        "CO",
        week("00:00-24:00", loosen=True, note="x"),
        "2026-11-02T10:00",
        "2026-11-03T07:00",
    ),
    (
        "the tenant's own holiday counts as a Sunday",
        "DE",
        read_quiet({"holidays": ["2026-12-24"]}),
        "2026-12-24T10:00",
        "2026-12-25T08:00",
    ),
    ("quiet hours over midnight", "CN", read_quiet("19:00-10:00"), "2026-11-19T19:30", "2026-11-20T10:00"),
    ("quiet hours as start and end", "CN", read_quiet({"start": "19:00", "end": "10:00"}), "2026-11-19T09:59", "2026-11-19T10:00"),
    ("quiet at noon", "CN", read_quiet({"quiet": {"mon-fri": "12:00-13:00"}}), "2026-11-19T12:30", "2026-11-19T13:00"),
]
LOCAL = {"UZ": "Asia/Tashkent", "CO": "America/Bogota", "US": "America/New_York", "DE": "Europe/Berlin", "CN": "Asia/Shanghai"}


@pytest.mark.parametrize(("label", "country", "quiet", "now", "expected"), OWN, ids=[row[0] for row in OWN])
def test_own_hours(label: str, country: str, quiet: QuietHours | None, now: str, expected: str) -> None:
    zone = LOCAL[country]
    until = next_allowed(at(now, zone), purpose=MARKETING, country=country, timezones=[zone], quiet=quiet)
    assert until == (at(expected, zone) if expected else None)


def test_a_trigger_narrows_the_tenants_hours_and_loosens_nothing() -> None:
    tenant, trigger = week("08:00-18:00"), week({"mon-fri": "10:00-20:00"})
    assert tenant
    assert trigger
    joined = both(tenant, trigger)
    assert joined
    assert joined.week == read_week({"mon-fri": "10:00-18:00"}, "x")
    assert both(tenant, None) == tenant
    loose = week("00:00-24:00", loosen=True, note="x")
    alone = both(None, loose)
    assert alone
    assert not alone.loosen
    assert both(None, None) is None
    with_loose_tenant = both(loose, trigger)
    assert with_loose_tenant
    assert with_loose_tenant.loosen
    assert with_loose_tenant.week == trigger.week


BAD: list[tuple[str, Any, str]] = [
    ("no hours", "sometimes", "quiet_hours"),
    ("an hour that is none", {"windows": "25:00-26:00"}, "quiet_hours.windows"),
    ("a minute that is none", {"windows": ["09:00-20:61"]}, "quiet_hours.windows"),
    ("an empty window", "09:00-09:00", "quiet_hours"),
    ("a day that is none", {"windows": {"someday": "09:00-10:00"}}, "quiet_hours.windows"),
    ("a number", 9, "quiet_hours"),
    ("quiet all the time", "00:00-24:00", "quiet_hours"),
    ("no window at all", {"windows": []}, "quiet_hours.windows"),
    ("two ways at once", {"windows": "09:00-10:00", "quiet": "21:00-08:00"}, "quiet_hours"),
    ("a start without an end", {"start": "21:00"}, "quiet_hours"),
    ("an end without a start", {"end": "21:00"}, "quiet_hours.start"),
    ("an unknown key", {"hours": "09:00-10:00"}, "quiet_hours.hours"),
    ("a flag that is none", {"transactional": "yes"}, "quiet_hours.transactional"),
    ("loosened without a note", {"windows": "09:00-10:00", "loosen": True}, "quiet_hours.note"),
    ("a note that is none", {"note": 5}, "quiet_hours.note"),
    ("holidays that are none", {"holidays": ["easter"]}, "quiet_hours.holidays"),
    ("holidays as text", {"holidays": "2026-12-25"}, "quiet_hours.holidays"),
]


@pytest.mark.parametrize(("label", "value", "field"), BAD, ids=[row[0] for row in BAD])
def test_bad_hours_name_their_field(label: str, value: Any, field: str) -> None:
    with pytest.raises(FieldInvalid) as raised:
        read_quiet(value)
    assert raised.value.field == field


def test_a_triggers_hours_hold_for_its_own_purpose_and_never_loosen() -> None:
    assert read_quiet("21:00-08:00", trigger=TRANSACTIONAL) == QuietHours(week=read_week("08:00-21:00", "x"), transactional=True)
    assert read_quiet("21:00-08:00", trigger=MARKETING) == QuietHours(week=read_week("08:00-21:00", "x"))
    assert read_quiet(None) is read_quiet(False) is None
    with pytest.raises(FieldInvalid, match="only narrow"):
        read_quiet({"windows": "00:00-24:00", "loosen": True, "note": "x"}, trigger=MARKETING)


def test_weeks_are_read_in_several_spellings() -> None:
    expected = read_week({"1-5": ["09:00-20:00"], "6": "10:00-14:00"}, "x")
    assert read_week({"Mon-Fri": "9:00 - 20:00", "Saturday": ["10:00–12:00", "12:00-14:00"]}, "x") == expected
    assert read_week({"sat-mon": "09:00-10:00"}, "x") == read_week(
        {"6": "09:00-10:00", "7": "09:00-10:00", "1": "09:00-10:00"}, "x"
    )
    assert read_week({"sun": "22:00-02:00"}, "x") == read_week({"sun": "22:00-24:00", "mon": "00:00-02:00"}, "x")
    assert invert(invert(expected)) == expected
    assert intersect(expected, ALWAYS) == expected


# -- zones --------------------------------------------------------------------------------------------------------


def test_the_profiles_zone_wins_and_a_wrong_one_is_passed_over() -> None:
    assert zones_of("US", ["Pacific/Honolulu"]) == ("Pacific/Honolulu",)
    assert zones_of("CO", ["Mars/Olympus"]) == ("America/Bogota",)
    for bad in ("", "../etc/passwd", "Europe", "x" * 5000, "\ud800", "/UTC"):
        assert zones_of("CO", [bad]) == ("America/Bogota",)


def test_a_guess_by_the_number_is_cut_to_the_countrys_own_zones() -> None:
    assert zones_of("CN", ["Asia/Shanghai", "Asia/Urumqi"]) == ("Asia/Shanghai",)
    assert zones_of("US", ["America/New_York", "Pacific/Guam", "America/Denver"]) == ("America/New_York", "America/Denver")
    assert zones_of("US", ["Pacific/Guam", "Pacific/Honolulu"]) == ("Pacific/Guam", "Pacific/Honolulu")
    assert len(zones_of("RU")) > 20


def test_without_any_zone_marketing_waits_instead_of_guessing() -> None:
    now = at("2026-11-19T12:00")
    wait = held(now, purpose=MARKETING, country="")
    assert wait
    assert wait.until == now + HORIZON
    assert "time zone is not known" in wait.line
    assert is_quiet(now, purpose=MARKETING, country="")
    assert not is_quiet(now, purpose=TRANSACTIONAL, country="")


def test_hours_that_never_meet_are_asked_again_at_the_horizon() -> None:
    now = at("2026-11-19T12:00")
    zones = ["Pacific/Kiritimati", "Pacific/Pago_Pago"]  # a day and an hour apart
    until = next_allowed(now, purpose=MARKETING, country="HR", timezones=zones, quiet=week({"mon": "09:00-10:00"}))
    assert until == now + HORIZON


def test_the_line_says_whose_hours_and_what_time_it_is() -> None:
    wait = held(at("2026-11-21T16:00", "America/Bogota"), purpose=MARKETING, country="CO")
    assert wait
    assert wait.line == (
        "marketing keeps to the hours of Colombia (Ley 2300 de 2023 art. 3 and 5): "
        "Saturday 08:00-15:00, it is 16:00 in America/Bogota"
    )


@pytest.mark.parametrize("bad", [datetime(2026, 11, 19, 12), datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)])  # noqa: DTZ001
def test_a_time_that_cannot_be_judged_is_refused(bad: datetime) -> None:
    with pytest.raises(ValueError, match=r"zone|year"):
        next_allowed(bad, purpose=MARKETING, country="CO")


# -- clock changes ------------------------------------------------------------------------------------------------

# label, zone, hours, now (UTC), next opening (UTC)
CLOCKS = [
    (
        "a window that starts in the gap starts when the clock has jumped",
        "Europe/Berlin",
        "02:30-05:00",
        "2027-03-28T00:00",
        "2027-03-28T01:00",
    ),
    ("a window lost in the gap is the next day's", "Europe/Berlin", "02:15-02:45", "2027-03-28T00:00", "2027-03-29T00:15"),
    ("the hour that comes twice opens at its first time", "Europe/Berlin", "02:30-02:45", "2027-10-31T00:00", "2027-10-31T00:30"),
    ("and at its second", "Europe/Berlin", "02:30-02:45", "2027-10-31T00:45", "2027-10-31T01:30"),
    ("the clock is set back into a window that had ended", "Europe/Berlin", "02:00-02:20", "2027-10-31T00:40", "2027-10-31T01:00"),
    ("a gap at midnight", "America/Santiago", "00:00-06:00", "2027-09-05T03:30", "2027-09-05T04:00"),
    ("a gap of half an hour", "Australia/Lord_Howe", "02:00-02:40", "2027-10-02T15:00", "2027-10-02T15:30"),
    ("a day that was left out", "Pacific/Apia", "09:00-10:00", "2011-12-29T21:00", "2011-12-30T19:00"),
]


@pytest.mark.parametrize(("label", "zone", "hours", "now", "expected"), CLOCKS, ids=[row[0] for row in CLOCKS])
def test_clock_changes(label: str, zone: str, hours: str, now: str, expected: str) -> None:
    quiet = week(hours, transactional=True)
    assert next_allowed(at(now), purpose=TRANSACTIONAL, country="ZZ", timezones=[zone], quiet=quiet) == at(expected)


ODD_ZONES = ["Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu", "Africa/Casablanca"]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(ODD_ZONES), min_size=1, max_size=3),
    st.integers(0, 365 * 24 * 60),
    st.sampled_from(["01:10-03:05", "00:00-02:20", "02:15-02:45", "09:00-20:00", "22:00-02:30"]),
)
def test_no_minute_before_the_opening_would_have_done(zones: list[str], minute: int, hours: str) -> None:
    now = at("2027-01-01T00:00") + timedelta(minutes=minute)
    quiet = week(hours, transactional=True)

    def quiet_at(moment: datetime) -> bool:
        return is_quiet(moment, purpose=TRANSACTIONAL, country="ZZ", timezones=zones, quiet=quiet)

    until = next_allowed(now, purpose=TRANSACTIONAL, country="ZZ", timezones=zones, quiet=quiet)
    if until is None:
        assert not quiet_at(now)
        return
    assert until == now + HORIZON or not quiet_at(until)
    waited = min(int((until - now) / timedelta(minutes=1)), 3 * 1440)
    assert all(quiet_at(now + timedelta(minutes=step)) for step in range(waited))


def clock_changes(zone: ZoneInfo, year: int) -> list[date]:
    """The days of a year on which the zone's clock changes, else its solstices."""
    noons = [datetime(year, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(365)]
    found = [after.date() for before, after in pairwise(noons) if zone.utcoffset(before) != zone.utcoffset(after)]
    return (found or [date(year, 6, 21), date(year, 12, 21)])[:2]


def test_no_marketing_in_quiet_hours_on_any_zones_clock_change() -> None:
    """50,000 instants in all zones on their two days; the wall clock is the judge, not the code under test."""
    chance = random.Random(5)
    default = {0: (9, 20), 1: (9, 20), 2: (9, 20), 3: (9, 20), 4: (9, 20), 5: (10, 18)}
    zones = sorted(available_timezones() - {"localtime", "posixrules", "Factory"})
    judged = 0
    for name in zones:
        zone = ZoneInfo(name)
        for day in clock_changes(zone, 2027):
            start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=18)
            for minute in chance.sample(range(60 * 60), 42):
                now = start + timedelta(minutes=minute)
                goes = next_allowed(now, purpose=MARKETING, country="", timezones=[name]) or now
                wall = datetime.fromtimestamp(goes.timestamp(), zone)
                first, last = default.get(wall.weekday(), (0, 0))
                assert first <= wall.hour < last, (name, now)
                judged += 1
    assert judged > 45_000


def test_a_year_without_a_calendar_is_told_and_never_guessed_where_the_law_counts() -> None:
    assert not missing_calendar("CO", 2026)
    assert missing_calendar("CO", 1980)
    assert missing_calendar("FR", 2026)  # the default closes on holidays, and we hold no French calendar
    assert not missing_calendar("FR", 2026, QuietHours(holidays=frozenset({date(2026, 7, 14)})))
    assert not missing_calendar("HR", 2026)
    wednesday = at("1980-06-04T10:00", "America/Bogota")
    assert next_allowed(wednesday, purpose=MARKETING, country="CO") == wednesday + HORIZON


DAY_OFF = date(2026, 12, 24)
EIGHT, NINE = read_quiet({"windows": "08:00-20:00"}), read_quiet({"windows": "09:00-21:00"})
LOOSE = read_quiet({"loosen": True, "note": "asked for"})
FREE = read_quiet({"holidays": [DAY_OFF.isoformat()]})
assert EIGHT
assert NINE
assert FREE
TOGETHER = [
    ("neither", None, None, None),
    ("the tenant's alone", EIGHT, None, EIGHT),
    ("the trigger's alone", None, NINE, NINE),
    ("both narrow", EIGHT, NINE, read_quiet({"windows": "09:00-20:00"})),
    ("one says nothing of hours", EIGHT, FREE, replace(EIGHT, holidays=frozenset({DAY_OFF}))),
    ("nor does the other", FREE, NINE, replace(NINE, holidays=frozenset({DAY_OFF}))),
    ("a trigger's hours are never the tenant's loosened ones", LOOSE, NINE, replace(NINE, note="asked for")),
    (
        "a trigger alone loosens nothing",
        None,
        replace(NINE, loosen=True, holidays=FREE.holidays),
        replace(NINE, holidays=FREE.holidays),
    ),
    ("transactional by either", EIGHT, read_quiet(True), replace(EIGHT, transactional=True)),
]


@pytest.mark.parametrize(("label", "tenant", "trigger", "hours"), TOGETHER, ids=[row[0] for row in TOGETHER])
def test_the_tenant_s_hours_and_the_trigger_s(
    label: str, tenant: QuietHours | None, trigger: QuietHours | None, hours: QuietHours | None
) -> None:
    assert both(tenant, trigger) == hours


def test_true_is_the_country_s_hours_for_transactional_texts_too() -> None:
    assert read_quiet(True) == QuietHours(transactional=True)
    assert read_quiet({"loosen": True, "note": " why "}) == QuietHours(loosen=True, note="why")
