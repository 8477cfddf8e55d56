"""Times and spans of requests: what is read, and what is refused at the border."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from bellwire.domain.when import MAX_DAYS, parse_since, parse_span, parse_when
from bellwire.errors import FieldInvalid
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

TAKEN: list[tuple[str, Any, datetime]] = [
    ("RFC 3339 with Z", "2026-11-22T09:00:00Z", datetime(2026, 11, 22, 9, tzinfo=UTC)),
    ("RFC 3339 with an offset", "2026-11-22T09:00:00+05:00", datetime(2026, 11, 22, 4, tzinfo=UTC)),
    ("a space for the T", " 2026-11-22 09:00:00Z ", datetime(2026, 11, 22, 9, tzinfo=UTC)),
    ("a datetime", datetime(2026, 11, 22, 9, tzinfo=timezone(timedelta(hours=1))), datetime(2026, 11, 22, 8, tzinfo=UTC)),
    ("a clock four minutes behind means now", "2026-11-21T09:56:00Z", NOW),
    ("seconds", 90, NOW + timedelta(seconds=90)),
    ("seconds as a decimal", Decimal("1.5"), NOW + timedelta(seconds=1.5)),
    ("seconds as text", "90", NOW + timedelta(seconds=90)),
    ("zero", 0, NOW),
    ("minutes", "90m", NOW + timedelta(minutes=90)),
    ("hours and minutes", "1h30m", NOW + timedelta(minutes=90)),
    ("words", "2 days", NOW + timedelta(days=2)),
    ("ISO 8601", "PT1H30M", NOW + timedelta(minutes=90)),
    ("ISO 8601 with days", "P1DT12H", NOW + timedelta(hours=36)),
    ("a timedelta", timedelta(hours=1), NOW + timedelta(hours=1)),
    ("the horizon itself", timedelta(days=MAX_DAYS), NOW + timedelta(days=MAX_DAYS)),
]

REFUSED: list[tuple[str, Any, str]] = [
    ("the year 9999", "9999-12-31T23:59:59Z", "time_too_far"),
    ("the end of time in the west", "9999-12-31T23:59:59-12:00", "time_too_far"),
    ("a day past the horizon", NOW + timedelta(days=MAX_DAYS, seconds=1), "time_too_far"),
    ("a span past the horizon", 366 * 86_400 + 1, "time_too_far"),
    ("a number of a million digits", 10**1_000_000, "time_too_far"),
    ("a large float", 1e308, "time_too_far"),
    ("a large decimal", Decimal("1e400"), "time_too_far"),
    ("many weeks", "999999w", "time_too_far"),
    ("yesterday", "2026-11-20T10:00:00Z", "time_in_past"),
    ("the year one in the east", "0001-01-01T00:00:00+14:00", "time_in_past"),
    ("no zone", "2026-11-22T09:00:00", "time_without_zone"),
    ("a date", "2026-11-22", "time_without_zone"),
    ("a naive datetime", datetime(2026, 11, 22), "time_without_zone"),  # noqa: DTZ001
    ("negative", -1, "span_negative"),
    ("negative as text", "-1", "span_negative"),
    ("minus a million digits", -(10**1_000_000), "span_negative"),
    ("NaN", float("nan"), "span_invalid"),
    ("infinite", float("inf"), "span_invalid"),
    ("a decimal NaN", Decimal("NaN"), "span_invalid"),
    ("a signalling NaN", Decimal("sNaN"), "span_invalid"),
    ("true", True, "span_invalid"),
    ("null", None, "span_invalid"),
    ("a list", [], "span_invalid"),
    ("only the letter P", "P", "span_invalid"),
    ("words that are no time", "tomorrow", "time_invalid"),
    ("empty", "", "time_invalid"),
    ("a day that is none", "2027-02-30T00:00:00Z", "time_invalid"),
    ("a leap second", "2026-12-31T23:59:60Z", "time_invalid"),
    ("a long text", "9" * 100_000, "time_invalid"),
    ("a lone surrogate", "\ud800", "time_invalid"),
]


@pytest.mark.parametrize(("label", "value", "expected"), TAKEN, ids=[row[0] for row in TAKEN])
def test_taken(label: str, value: Any, expected: datetime) -> None:
    found = parse_when(value, NOW)
    assert found == expected
    assert found.tzinfo is UTC


@pytest.mark.parametrize(("label", "value", "code"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(label: str, value: Any, code: str) -> None:
    with pytest.raises(FieldInvalid) as raised:
        parse_when(value, NOW, field="send_at")
    assert (raised.value.field, raised.value.code) == ("send_at", code)
    assert len(str(raised.value)) < 200


def test_a_span_has_its_own_bounds() -> None:
    assert parse_span("10m", field="ttl", max_days=1, min_s=60) == timedelta(minutes=10)
    for value, code in ((30, "span_too_short"), ("25h", "time_too_far")):
        with pytest.raises(FieldInvalid) as raised:
            parse_span(value, field="ttl", max_days=1, min_s=60)
        assert raised.value.code == code


def test_now_is_aware() -> None:
    with pytest.raises(ValueError, match="aware"):
        parse_when(1, NOW.replace(tzinfo=None))


@given(st.datetimes(timezones=st.timezones()) | st.floats() | st.integers() | st.decimals() | st.text() | st.timedeltas())
def test_whatever_comes_is_inside_the_horizon_or_refused(value: Any) -> None:
    try:
        found = parse_when(value, NOW, max_days=30)
    except FieldInvalid:
        return
    assert NOW <= found <= NOW + timedelta(days=30)


SINCE: list[tuple[str, str, datetime]] = [
    ("a span before now", "30d", NOW - timedelta(days=30)),
    ("hours and minutes", "1h30m", NOW - timedelta(minutes=90)),
    ("a time", "2026-01-02T03:04:05+05:00", datetime(2026, 1, 1, 22, 4, 5, tzinfo=UTC)),
    ("a date is its midnight in UTC", " 2026-01-31 ", datetime(2026, 1, 31, tzinfo=UTC)),
]
NOT_SINCE: list[tuple[str, str, str]] = [
    ("a time without a zone", "2026-01-02T03:04:05", "time_without_zone"),
    ("a time that is still to come", "2999-01-01", "time_in_future"),
    ("a span back", "-1", "span_negative"),
    ("before all calendars", "0001-01-01T00:00:00+05:00", "time_too_far"),
    ("longer than anybody kept books", "99999d", "time_too_far"),
    ("a word", "yesterday", "time_invalid"),
    ("nothing", "", "time_invalid"),
]


@pytest.mark.parametrize(("label", "value", "expected"), SINCE, ids=[row[0] for row in SINCE])
def test_since(label: str, value: str, expected: datetime) -> None:
    found = parse_since(value, NOW)
    assert found == expected
    assert found.tzinfo is UTC


@pytest.mark.parametrize(("label", "value", "code"), NOT_SINCE, ids=[row[0] for row in NOT_SINCE])
def test_not_since(label: str, value: str, code: str) -> None:
    with pytest.raises(FieldInvalid) as raised:
        parse_since(value, NOW)
    assert (raised.value.field, raised.value.code) == ("since", code)


@given(st.text())
def test_since_never_lies_ahead(value: str) -> None:
    try:
        found = parse_since(value, NOW)
    except FieldInvalid:
        return
    assert found <= NOW
