"""What a message costs by its account's price list, and which lists are refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from bellwire.domain.pricing import parse_prices, price, shown
from bellwire.errors import FieldInvalid
from hypothesis import given, settings
from hypothesis import strategies as st

LIST = {"prices": {"CO": "0.012", "uz": "0", "default": "0.05"}, "currency": "USD"}

PRICES: list[tuple[str, dict[str, Any], int, str, str | None]] = [
    ("a country with a price of its own", LIST, 1, "CO", "0.012"),
    ("each segment counts", LIST, 3, "CO", "0.036"),
    ("any other country", LIST, 2, "HR", "0.10"),
    ("a number without a country", LIST, 1, "", "0.05"),
    ("small letters are taken as capital ones", LIST, 4, "UZ", "0"),
    ("a country that is not listed, without a default", {"prices": {"CO": "1"}, "currency": "COP"}, 1, "UZ", None),
    ("no list", {}, 1, "CO", None),
    ("a number is read as it is written", {"prices": {"CO": 0.012}, "currency": "USD"}, 10, "CO", "0.12"),
]


@pytest.mark.parametrize(("account", "segments", "country", "cost"), [row[1:] for row in PRICES], ids=[row[0] for row in PRICES])
def test_price(account: dict[str, Any], segments: int, country: str, cost: str | None) -> None:
    assert price(segments, parse_prices(account), country) == (None if cost is None else Decimal(cost))


def test_the_currency_is_the_tenants_where_the_account_names_none() -> None:
    prices = parse_prices({"prices": {"default": "0.05"}}, currency="UZS")
    assert prices is not None
    assert prices.currency == "UZS"


@settings(max_examples=100)
@given(
    each=st.decimals(0, 1000, places=8, allow_nan=False, allow_infinity=False),
    segments=st.lists(st.integers(1, 10), min_size=1, max_size=20),
)
def test_prices_add_up_exactly(each: Decimal, segments: list[int]) -> None:
    prices = parse_prices({"prices": {"default": str(each)}, "currency": "EUR"})
    assert sum((price(count, prices, "HR") or Decimal(0) for count in segments), Decimal(0)) == price(sum(segments), prices, "HR")


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("a list", {"prices": [1]}, "settings.prices"),
    ("no currency", {"prices": {"CO": "1"}}, "settings.currency"),
    ("a currency that is a sign", {"prices": {"CO": "1"}, "currency": "$"}, "settings.currency"),
    ("a country that is none", {"prices": {"ZZ": "1"}, "currency": "USD"}, "settings.prices.ZZ"),
    ("a country's name", {"prices": {"Colombia": "1"}, "currency": "USD"}, "settings.prices.Colombia"),
    ("UK for GB", {"prices": {"UK": "1"}, "currency": "USD"}, "settings.prices.UK"),
    ("a negative price", {"prices": {"CO": "-1"}, "currency": "USD"}, "settings.prices.CO"),
    ("a price above 1,000", {"prices": {"CO": "1000.01"}, "currency": "USD"}, "settings.prices.CO"),
    ("nine decimals", {"prices": {"CO": "0.000000001"}, "currency": "USD"}, "settings.prices.CO"),
    ("an absurd exponent", {"prices": {"CO": "1e-999999"}, "currency": "USD"}, "settings.prices.CO"),
    ("an endless exponent", {"prices": {"CO": "1e999999"}, "currency": "USD"}, "settings.prices.CO"),
    ("not a number", {"prices": {"CO": "NaN"}, "currency": "USD"}, "settings.prices.CO"),
    ("a signalling NaN", {"prices": {"CO": "sNaN"}, "currency": "USD"}, "settings.prices.CO"),
    ("a comma", {"prices": {"CO": "0,05"}, "currency": "USD"}, "settings.prices.CO"),
    ("a boolean", {"prices": {"default": True}, "currency": "USD"}, "settings.prices.default"),
    ("nothing", {"prices": {"default": None}, "currency": "USD"}, "settings.prices.default"),
    ("a country twice, in two spellings", {"prices": {"CO": "1", "co": "2"}, "currency": "USD"}, "settings.prices.co"),
]


@pytest.mark.parametrize(("account", "place"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(account: dict[str, Any], place: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        parse_prices(account)
    assert caught.value.field == place


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("5", "5.00"),
        ("0", "0.00"),
        ("-0.5", "-0.50"),
        ("0.0750", "0.075"),
        ("1E-8", "0.00000001"),
        ("1E+2", "100.00"),
        ("1000.10", "1000.10"),
    ],
)
def test_money_is_shown_in_one_way(amount: str, written: str) -> None:
    assert shown(Decimal(amount)) == shown(amount) == written
