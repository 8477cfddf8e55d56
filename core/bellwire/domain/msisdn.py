"""Phone numbers as people write them, parsed once at the edge into an `Msisdn`, and what can be told from one.

Numbering plans come from `phonenumbers` (Google's libphonenumber), imported with the first number: 6 MB that a command line
seldom needs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from bellwire.model import Msisdn

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

MAX_WRITTEN = 64  # E.164 has 15 digits; brackets, spaces and an extension fit too
_CACHED = 4096

# Left where a number was copied from a page or a chat: direction marks, joiners, soft hyphen, BOM.
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_EXTENSION = re.compile(r"\s*(?:;ext=|[,;]?\s*(?:extension|extn?|ext|anexo|доб|int|x|#)[.:]?\s*)\d{1,7}\s*$", re.IGNORECASE)
_SCHEME = re.compile(r"\s*(?:tel|sms):", re.IGNORECASE)  # RFC 3966, RFC 5724
# One plus, in front; digits; what separates them. A comma, a semicolon or a letter is another number, or none.
_NUMBER = re.compile(r"[\s'(\[]*(\+?)[\s(]*([0-9][0-9\s().\[\]/'-]*)")
_SHORT_AFTER_SLASH = 4  # 030/1234567 is one number, 1234567/68 are two
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−⁃·•"), "-")

#: ISO 3166 says GB; people write UK.
_ALSO_CALLED = {"UK": "GB"}

# Mexico dropped the mobile prefixes 1, 044 and 045 in August 2019 (IFT numbering plan): old address books still have them.
_MEXICO_ABROAD = re.compile(r"521(\d{10})")
_MEXICO_AT_HOME = re.compile(r"(?:1|01|044|045)(\d{10})")

#: Satellite and international networks: no country, and calls and texts cost like premium ones.
_COSTLY_CODES = frozenset({870, 878, 881, 882, 883, 888, 979})


def parse(written: str, countries: Sequence[str] = ()) -> Msisdn | None:
    """The number in E.164, or None when it can't be one. Never raises.

    With `+` or `00` in front it stands alone: valid, or as long as a mobile number there (ranges may be newer than our tables).
    Otherwise it is read by the first of `countries` (ISO 3166 alpha-2) in which it is valid; else as an international number
    without its plus, when it begins with the dial code of one of them. An extension is cut. Letters are not dialled.
    """
    if not written or len(written) > MAX_WRITTEN:
        return None
    return _parse(written, tuple(countries))


def country_of(msisdn: Msisdn) -> str:
    """ISO 3166 alpha-2 of the number's country, the first of its dial code for a range unknown to us; "" for none (satellite)."""
    return _region(msisdn)


def timezones_of(msisdn: Msisdn) -> tuple[str, ...]:
    """IANA names of the zones in which the number may be at home: by its area code where the plan has them, else by its country."""
    return _timezones(msisdn)


def tail(msisdn: Msisdn) -> str:
    """The last two digits, all that a platform or a log gets to see."""
    return msisdn[-2:]


def masked(msisdn: Msisdn) -> str:
    """For people's eyes: dial code and last two digits, `+998•••67`."""
    return f"+{_dial_code(msisdn)}•••{tail(msisdn)}"


def is_premium(msisdn: Msisdn) -> bool:
    """Whether texts to it cost out of the ordinary: premium-rate and shared-cost ranges, satellite and international networks."""
    import phonenumbers

    costly = (phonenumbers.PhoneNumberType.PREMIUM_RATE, phonenumbers.PhoneNumberType.SHARED_COST)
    return _dial_code(msisdn) in _COSTLY_CODES or _type(msisdn) in costly


@lru_cache(maxsize=_CACHED)
def _parse(written: str, countries: tuple[str, ...]) -> Msisdn | None:
    plus, digits = _digits(written)
    if digits.startswith("00") and not plus:  # ITU-T E.123: the international prefix of most countries
        plus, digits = True, digits[2:]
    if plus:
        return _international(digits)
    regions = [_ALSO_CALLED.get(country.upper(), country.upper()) for country in countries]
    return _national(digits, regions) if digits else None


def _national(digits: str, regions: Sequence[str]) -> Msisdn | None:
    """The number as the first country reads it, or with the dial code of one of them.

    A reading as a landline gives way to a mobile number that lost its plus: `4915123456789` is no landline of area code 4915.
    """
    import phonenumbers

    landline: Msisdn | None = None
    for region in regions:
        number = _read(_at_home(digits, region), region)
        kind = phonenumbers.PhoneNumberType.UNKNOWN if number is None else _type(_e164(number))
        if number is None or kind == phonenumbers.PhoneNumberType.UNKNOWN:
            continue
        if kind != phonenumbers.PhoneNumberType.FIXED_LINE:
            return _e164(number)
        landline = _e164(number)
        break
    for region in regions:
        code = phonenumbers.country_code_for_region(region)
        msisdn = _international(digits) if code and digits.startswith(str(code)) else None
        if msisdn and (landline is None or _type(msisdn) == phonenumbers.PhoneNumberType.MOBILE):
            return msisdn
    return landline


def _digits(written: str) -> tuple[bool, str]:
    """Whether there is a plus in front, and the digits; no digits when it is not written like a number."""
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", written)).translate(_DASHES)
    text = "".join([str(unicodedata.decimal(char, char)) for char in text])  # NFKC leaves Arabic-Indic and the like
    text = _SCHEME.sub("", _EXTENSION.sub("", text), count=1)
    found = _NUMBER.fullmatch(text)
    if found is None:
        return False, ""
    digits = re.sub(r"\D", "", found[2])
    _, slash, last = found[2].rpartition("/")
    if slash and sum(map(str.isdigit, last)) <= _SHORT_AFTER_SLASH:
        return False, ""
    return bool(found[1]), digits


def _international(digits: str) -> Msisdn | None:
    """A number with its dial code: valid, or as long as a mobile number there and not plainly made up."""
    import phonenumbers

    abroad = _MEXICO_ABROAD.fullmatch(digits)
    number = _read(f"+52{abroad[1]}" if abroad else f"+{digits}", None)
    if number is None:
        return None
    msisdn = _e164(number)
    if _type(msisdn) == phonenumbers.PhoneNumberType.UNKNOWN:
        mobile = phonenumbers.PhoneNumberType.MOBILE
        if phonenumbers.is_possible_number_for_type_with_reason(number, mobile) != phonenumbers.ValidationResult.IS_POSSIBLE:
            return None
        national = phonenumbers.national_significant_number(number)
        # a trunk zero or one digit repeated is no subscriber; area codes of the North American plan begin with 2 to 9
        if national.startswith("0") or len(set(national)) == 1 or (number.country_code == 1 and national.startswith("1")):
            return None
    return msisdn


def _at_home(digits: str, region: str) -> str:
    old = _MEXICO_AT_HOME.fullmatch(digits) if region == "MX" else None
    return old[1] if old else digits


def _read(digits: str, region: str | None) -> PhoneNumber | None:
    import phonenumbers

    try:
        return phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return None


def _e164(number: PhoneNumber) -> Msisdn:
    import phonenumbers

    return Msisdn(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@lru_cache(maxsize=_CACHED)
def _number(msisdn: Msisdn) -> PhoneNumber:
    """The number in the library's form. Taken apart here: the library's parser looks for much that E.164 does not have."""
    import phonenumbers

    codes = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    end = next((end for end in (2, 3, 4) if msisdn[1:end].isdigit() and int(msisdn[1:end]) in codes), 0)
    national = msisdn[end:]
    if not (end and national.isdigit()):
        return phonenumbers.parse(msisdn, None)
    zeros = min(len(national) - len(national.lstrip("0")), len(national) - 1)  # Italy's numbers keep theirs
    return phonenumbers.PhoneNumber(
        country_code=int(msisdn[1:end]),
        national_number=int(national),
        italian_leading_zero=True if zeros else None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )


@lru_cache(maxsize=_CACHED)
def _type(msisdn: Msisdn) -> int:
    """What kind of number it is, UNKNOWN when it is not valid."""
    import phonenumbers

    return phonenumbers.number_type(_number(msisdn))


def _dial_code(msisdn: Msisdn) -> int:
    return _number(msisdn).country_code or 0


@lru_cache(maxsize=_CACHED)
def _region(msisdn: Msisdn) -> str:
    import phonenumbers

    number = _number(msisdn)
    region = phonenumbers.region_code_for_number(number) or phonenumbers.region_code_for_country_code(number.country_code or 0)
    return region if region.isalpha() and region != phonenumbers.UNKNOWN_REGION else ""


@lru_cache(maxsize=_CACHED)
def _timezones(msisdn: Msisdn) -> tuple[str, ...]:
    import phonenumbers
    from phonenumbers import timezone

    region, number = _region(msisdn), _number(msisdn)
    if not region:
        return ()
    is_placed = phonenumbers.is_number_type_geographical(_type(msisdn), _dial_code(msisdn))
    named = timezone.time_zones_for_geographical_number(number) if is_placed else timezone.time_zones_for_number(number)
    return _at_home_in(region, tuple(named))


@lru_cache(maxsize=_CACHED)
def _at_home_in(region: str, named: tuple[str, ...]) -> tuple[str, ...]:
    """Of the zones that the library names those of the number's country: it knows some by old names, and all of a dial code."""
    from babel.core import get_global

    current = get_global("zone_aliases")
    owners = get_global("zone_territories")
    zones = [str(current.get(zone, zone)) for zone in named if zone != "Etc/Unknown"]
    own = [zone for zone in zones if owners.get(zone) == region]
    return tuple(own or get_global("territory_zones").get(region, zones))  # Kosovo has a dial code and no zone of its own
