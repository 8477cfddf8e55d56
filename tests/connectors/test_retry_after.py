"""Retry-After and a carrier's own words: what every carrier's answers have in common."""

from __future__ import annotations

import pytest
from bellwire_connectors.redaction import without_numbers
from bellwire_connectors.retry_after import retry_after_s
from hypothesis import given, settings
from hypothesis import strategies as st

DATE = "Mon, 05 Jan 2026 09:00:00 GMT"


@pytest.mark.parametrize(
    ("said", "date", "expected"),
    [
        ("", DATE, None),
        ("0", "", 0.0),
        ("30", "", 30.0),
        (" 30 ", "", 30.0),
        ("999999999999999", "", 86_400.0),
        ("-5", "", None),
        ("1.5", "", None),
        ("٣", "", None),
        ("soon", DATE, None),
        ("Mon, 05 Jan 2026 09:00:30 GMT", DATE, 30.0),
        ("Mon, 05 Jan 2026 08:59:30 GMT", DATE, 0.0),
        ("Mon, 05 Jan 2026 10:00:30 +0100", DATE, 30.0),
        ("Tue, 05 Jan 2027 09:00:00 GMT", DATE, 86_400.0),
        ("Mon, 05 Jan 2026 09:00:30 GMT", "", None),
        ("Mon, 05 Jan 2026 09:00:30 -0000", DATE, None),
        ("Mon, 99 Jan 2026 09:00:30 GMT", DATE, None),
    ],
)
def test_retry_after(said: str, date: str, expected: float | None) -> None:
    assert retry_after_s({"retry-after": said, "date": date}) == expected


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_header_is_read(said: str, date: str) -> None:
    found = retry_after_s({"retry-after": said, "date": date})
    assert found is None or 0 <= found <= 86_400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The 'To' number +12025550143 is not valid", "The 'To' number …43 is not valid"),
        ("call (202) 555-0143", "call (…43"),
        ("998 90 000 00 07", "…07"),
        ("error 21610 in 3 of 5", "error 21610 in 3 of 5"),
        ("x" * 500, "x" * 200),
        ("", ""),
    ],
)
def test_numbers_are_left_out(text: str, expected: str) -> None:
    assert without_numbers(text) == expected


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30), st.integers(10**8, 10**14), st.text(max_size=30))
def test_no_number_stands_in_what_is_left(before: str, number: int, after: str) -> None:
    assert str(number) not in without_numbers(f"{before} +{number} {after}")
