"""The time zone a business keeps when it names only its country: that of the capital, or of most people."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

from bellwire.domain.country_codes import country_code
from bellwire.errors import FieldInvalid

#: Countries with several zones; the others have theirs from the time zone database (by way of CLDR).
_HOME = {
    "AR": "America/Argentina/Buenos_Aires",
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "CD": "Africa/Kinshasa",
    "CL": "America/Santiago",
    "CN": "Asia/Shanghai",
    "CY": "Asia/Nicosia",
    "DE": "Europe/Berlin",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "FM": "Pacific/Pohnpei",
    "GL": "America/Nuuk",
    "ID": "Asia/Jakarta",
    "KI": "Pacific/Tarawa",
    "KZ": "Asia/Almaty",
    "MH": "Pacific/Majuro",
    "MN": "Asia/Ulaanbaatar",
    "MX": "America/Mexico_City",
    "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland",
    "PF": "Pacific/Tahiti",
    "PG": "Pacific/Port_Moresby",
    "PS": "Asia/Hebron",
    "PT": "Europe/Lisbon",
    "RU": "Europe/Moscow",
    "UA": "Europe/Kyiv",
    "US": "America/New_York",
    "UZ": "Asia/Tashkent",
}


def home_zone(country: str, field: str = "country") -> str:
    """The IANA zone of an ISO 3166 country. Raises FieldInvalid naming `field` for what is no country."""
    from babel.core import get_global  # only who makes a tenant needs it

    code = country_code(country, field)
    zones = get_global("territory_zones").get(code) or ["Etc/UTC"]
    return _HOME.get(code) or str(zones[0])


def check_zone(name: str, field: str = "timezone") -> str:
    """An IANA time zone's name. Raises FieldInvalid naming `field`."""
    if name not in _zones():
        raise FieldInvalid(field, "must be an IANA time zone such as Asia/Tashkent", "not_one_of")
    return name


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
