"""Every country has a home zone, and it is one of its own."""

from __future__ import annotations

import phonenumbers
import pytest
from babel.core import get_global
from bellwire.domain import home_zones
from bellwire.domain.home_zones import check_zone, home_zone
from bellwire.errors import FieldInvalid


@pytest.mark.parametrize("country", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_each_country_has_one_of_its_own_zones(country: str) -> None:
    zone = home_zone(country)
    assert check_zone(zone) == zone
    assert zone in get_global("territory_zones").get(country, ["Etc/UTC"])


def test_no_country_with_several_zones_is_left_to_chance() -> None:
    several = {code for code, zones in get_global("territory_zones").items() if len(zones) > 1}
    assert several & set(phonenumbers.SUPPORTED_REGIONS) <= set(home_zones._HOME)


@pytest.mark.parametrize(("country", "zone"), [("US", "America/New_York"), ("UZ", "Asia/Tashkent"), ("HR", "Europe/Zagreb")])
def test_home_zone(country: str, zone: str) -> None:
    assert home_zone(country) == zone


@pytest.mark.parametrize("country", ["", "XX", "UZB", "UK"])
def test_what_is_no_country_is_refused(country: str) -> None:
    with pytest.raises(FieldInvalid, match="country"):
        home_zone(country)


def test_what_is_no_zone_is_refused() -> None:
    with pytest.raises(FieldInvalid, match="timezone"):
        check_zone("Mars/Olympus")
