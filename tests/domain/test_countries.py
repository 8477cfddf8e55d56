"""Countries: their rules as data, the words of the way out, and the holidays that the law computes."""

from __future__ import annotations

from datetime import date

import pytest
from bellwire.domain import holidays
from bellwire.domain.countries import listed, rules
from bellwire.domain.schedule import zones_of
from bellwire.domain.week import read_week
from hypothesis import given
from hypothesis import strategies as st

# -- the data -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("country", ["", "default", "ZZ", "about"])
def test_an_unknown_country_has_the_cautious_default(country: str) -> None:
    found = rules(country)
    assert found.hours.week == read_week({"1-5": "09:00-20:00", "6": "10:00-18:00"}, "x")
    assert found.sender.alpha == "preregister"


# label, country, text, whether it names the way out
OPT_OUTS = [
    ("the word", "US", "Sale today. Reply stop to opt out.", True),
    ("the word inside another", "US", "Our nonstop sale", False),
    ("the word joined by a hyphen", "US", "A non-stop sale", False),
    ("no way out", "US", "Sale today!", False),
    ("a shop's link is no way out", "UZ", "Chegirma! https://example.uz", False),
    ("a link that is", "UZ", "Chegirma! Rad etish: https://example.uz/x", True),
    ("a number to call", "UZ", "Скидка! Отказ: +998 90 000 00 01", True),
    ("a variable named after it", "UZ", "Chegirma! {{ unsubscribe_url }}", True),
    ("a variable does not make a US sender's texts answerable", "CO", "Oferta {{ unsubscribe_url }}", False),
    ("any apostrophe", "UZ", "Chegirma! SMS: TOʻXTA", True),
    ("Chinese has no spaces", "CN", "【示例】新品上市，拒收请回复R", True),
    ("Chinese without it", "CN", "【示例】新品上市", False),
    ("Spanish", "CO", "Oferta. Responda BAJA para cancelar", True),
]


@pytest.mark.parametrize(("label", "country", "text", "expected"), OPT_OUTS, ids=[row[0] for row in OPT_OUTS])
def test_opt_out_text(label: str, country: str, text: str, expected: bool) -> None:
    assert rules(country).opt_out.stands_in(text) == expected


@pytest.mark.parametrize("country", ["", *listed()])
def test_each_countrys_entry_is_whole(country: str) -> None:
    found = rules(country)
    assert found.name or not country
    assert bool(found.timezones) == bool(country)
    assert list(found.timezones) == list(zones_of(country))
    assert any(found.hours.week)
    assert {"hours", "sender"} <= found.certainty.keys()
    assert set(found.certainty.values()) <= {"documented", "custom", "unverified"}
    for text in found.opt_out.texts.values():
        assert found.opt_out.stands_in(text.replace("{link}", "https://example.com/o"))


# -- holidays -----------------------------------------------------------------------------------------------------


def test_colombias_festivos_of_2026() -> None:
    first_half = "01-01 01-12 03-23 04-02 04-03 05-01 05-18 06-08 06-15 06-29"  # as printed, after Ley 51 de 1983
    written = f"{first_half} 07-20 08-07 08-17 10-12 11-02 11-16 12-08 12-25"
    assert holidays.dates("CO", 2026) == {date.fromisoformat(f"2026-{day}") for day in written.split()}


@pytest.mark.parametrize(
    ("year", "expected"),
    [(1961, "04-02"), (2000, "04-23"), (2008, "03-23"), (2024, "03-31"), (2025, "04-20"), (2038, "04-25"), (2285, "03-22")],
)
def test_easter(year: int, expected: str) -> None:
    assert holidays.easter(year) == date.fromisoformat(f"{year}-{expected}")


@given(st.integers(1984, 9999))
def test_festivos_that_move_are_mondays(year: int) -> None:
    days = holidays.dates("CO", year)
    assert days
    assert 16 <= len(days) <= 18  # two may fall on one day
    mondays = [day for day in days if day.weekday() == 0]
    assert len(mondays) >= 8
