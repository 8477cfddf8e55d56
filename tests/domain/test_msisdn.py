"""Numbers as people write them: one normal form, or refused."""

import zoneinfo
from dataclasses import dataclass

import phonenumbers
import pytest
from bellwire.domain.msisdn import country_of, is_premium, masked, parse, tail, timezones_of
from bellwire.model import Msisdn
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType


@dataclass(frozen=True)
class Case:
    label: str
    written: str
    countries: tuple[str, ...] = ()
    msisdn: str | None = None


TASHKENT = "+998900000011"
NEW_YORK = "+12125550100"
CASES = [
    Case("E.164", "+998900000011", msisdn=TASHKENT),
    Case("00 is a plus", "00998900000011", msisdn=TASHKENT),
    Case("00 is a plus also where it is not the country's own prefix", "00 998 90 000 00 11", ("US",), TASHKENT),
    Case("a plus stands alone, whatever the countries", "+998900000011", ("US", "HR"), TASHKENT),
    Case("spaces, brackets, dashes", "+998 (90) 000-00-11", msisdn=TASHKENT),
    Case("dots", "+998.90.000.00.11", msisdn=TASHKENT),
    Case("a plus in brackets", "(+998) 90 000 00 11", msisdn=TASHKENT),
    Case("full-width digits and plus", "＋９９８９０００００011", msisdn=TASHKENT),
    Case("Arabic-Indic digits", "٠٠٩٩٨٩٠٠٠٠٠٠١١", msisdn=TASHKENT),
    Case(
        "direction marks, no-break spaces and hyphens of a copied page",
        "\u202a+998\u00a090\u202f000\u201100\u201111\u202c",
        msisdn=TASHKENT,
    ),
    Case("a line end behind it", "+998900000011\r\n", msisdn=TASHKENT),
    Case("a spreadsheet's apostrophe", "'+998900000011", msisdn=TASHKENT),
    Case("a tel: link", "tel:+1-212-555-0100", msisdn=NEW_YORK),
    Case("a trunk zero in brackets", "+44 (0)7400 123456", msisdn="+447400123456"),
    Case("national", "90 000 00 11", ("UZ",), TASHKENT),
    Case("national with a trunk zero", "091 123 4567", ("HR",), "+385911234567"),
    Case("the country in lower case", "091 123 4567", ("hr",), "+385911234567"),
    Case("UK is GB", "07400 123456", ("UK",), "+447400123456"),
    Case("the first country in which it is valid", "90 000 00 11", ("US", "HR", "UZ"), TASHKENT),
    Case("the order of the countries decides", "2125550100", ("US", "UZ"), NEW_YORK),
    Case("a country that is not known is passed over", "90 000 00 11", ("XX", "", "UZ"), TASHKENT),
    Case("no country, no plus: cannot be read", "90 000 00 11"),
    Case("a plus that got lost", "998900000011", ("UZ",), TASHKENT),
    Case("a plus that got lost, the country further down", "998900000011", ("US", "CO", "UZ"), TASHKENT),
    Case("a plus that got lost, no such country", "998900000011", ("US",)),
    Case("a mobile number that lost its plus is no landline elsewhere", "4915123456789", ("DE",), "+4915123456789"),
    Case("nor in an earlier country", "573001234567", ("DE", "CO"), "+573001234567"),
    Case("a landline stays one where nothing else fits", "030 123456", ("DE", "CO"), "+4930123456"),
    Case("a country's own international prefix", "011 998 90 000 00 11", ("US",), TASHKENT),
    Case("an extension is cut", "+1 212 555 0100 ext. 12", msisdn=NEW_YORK),
    Case("an extension with x", "212-555-0100 x12", ("US",), NEW_YORK),
    Case("an extension with #", "212-555-0100 #12", ("US",), NEW_YORK),
    Case("an extension in Russian", "+998 90 000 00 11 доб. 5", msisdn=TASHKENT),
    Case("an extension of a tel: link", "tel:+1-212-555-0100;ext=12", msisdn=NEW_YORK),
    Case("Mexico's old mobile prefix from abroad", "+52 1 55 1234 5678", msisdn="+525512345678"),
    Case("Mexico's old mobile prefix at home", "044 55 1234 5678", ("MX",), "+525512345678"),
    Case("Mexico's old prefix without the plus", "5215512345678", ("MX",), "+525512345678"),
    Case("Argentina's 15 becomes 9", "+54 11 15 2345-6789", msisdn="+5491123456789"),
    Case("Italy keeps its zero", "+39 06 1234567", msisdn="+39061234567"),
    Case("a German slash", "030/1234567", ("DE",), "+49301234567"),
    Case("a range newer than our tables, with a plus", "+1 555 555 0100", msisdn="+15555550100"),
    Case("a range that is not in our tables, without country prefix", "555 555 0100", ("US",)),
    Case("satellite", "+870773111632", msisdn="+870773111632"),
    Case("letters are not dialled", "555-555-SHIP", ("US",)),
    Case("letters behind a plus", "+1 800 FLOWERS"),
    Case("a word in front", "Mobile: +998900000011"),
    Case("a name behind", "+998900000011 (Ana)"),
    Case("another channel's address", "whatsapp:+998900000011"),
    Case("two numbers", "+998900000011, +998900000012"),
    Case("two numbers with a short second", "212-555-0100/01", ("US",)),
    Case("two pluses", "++998900000011"),
    Case("a plus inside", "998+900000011", ("UZ",)),
    Case("too short", "+99890"),
    Case("too long", "+9989000000111"),
    Case("an area code that can't be", "123-123-1234", ("US",)),
    Case("one digit repeated", "+1 111-111-1111"),
    Case("one digit repeated, in a country that has the length", "+998000000000"),
    Case("a dial code that is not given", "+999123456789"),
    Case("a short code", "4546", ("UZ",)),
    Case("empty", ""),
    Case("blank", " \t "),
    Case("a plus only", "+"),
    Case("zeros only", "00 00", ("UZ",)),
    Case("an e-mail address", "ana@example.com", ("US",)),
    Case("a decimal number", "1e10", ("US",)),
    Case("longer than any number", "+" + "1" * 1000, ("US",)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_parse(case: Case) -> None:
    assert parse(case.written, case.countries) == case.msisdn


def example(region: str) -> str | None:
    found = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    return phonenumbers.format_number(found, PhoneNumberFormat.E164) if found else None


REGIONS = sorted(region for region in phonenumbers.SUPPORTED_REGIONS if example(region))
FULL_WIDTH = str.maketrans("+0123456789", "＋０１２３４５６７８９")
SEPARATORS = ["", " ", "-", ".", "\u00a0", "\u2011", " (", ") ", "\u200e"]


@st.composite
def numbers(draw: st.DrawFn) -> tuple[str, str]:
    """A region and a valid mobile number of it: an example with other last digits."""
    region = draw(st.sampled_from(REGIONS))
    digits = str(example(region))
    changed = digits[:-4] + draw(st.text("0123456789", min_size=4, max_size=4))
    return region, changed if phonenumbers.is_valid_number(phonenumbers.parse(changed, None)) else digits


SPELLINGS = st.tuples(
    st.sampled_from(["+", "00", "", "tel:+", "\u202a+"]), st.lists(st.sampled_from(SEPARATORS), min_size=15, max_size=15)
)


@given(numbers(), SPELLINGS)
@settings(max_examples=200)
def test_other_spellings_are_the_same_number_or_refused(number: tuple[str, str], spelling: tuple[str, list[str]]) -> None:
    check_spellings(number, spelling)


@pytest.mark.proof
@given(numbers(), SPELLINGS)
@settings(max_examples=10_000, deadline=None)
def test_10000_numbers_in_other_spellings(number: tuple[str, str], spelling: tuple[str, list[str]]) -> None:
    check_spellings(number, spelling)


def check_spellings(number: tuple[str, str], spelling: tuple[str, list[str]]) -> None:
    region, e164 = number
    msisdn = parse(e164)
    assert msisdn == e164

    parsed = phonenumbers.parse(e164, None)
    head, separators = spelling
    separated = head + "".join(digit + separator for digit, separator in zip(e164[1:], separators, strict=False))
    national = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
    abroad = phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)
    for spelled in (separated, separated.translate(FULL_WIDTH), national.translate(FULL_WIDTH)):
        for countries in ((region,), ()):
            assert parse(spelled, countries) in (msisdn, None), spelled
    # and these are never refused
    for spelled in (abroad, e164.translate(FULL_WIDTH), "00" + e164[1:]):
        assert parse(spelled) == msisdn
    assert parse(national, [region]) == msisdn
    assert parse(e164[1:], [region]) == msisdn


@given(st.one_of(st.text(max_size=70), st.text("+0123456789 ()-./x#٠９", max_size=40)), st.lists(st.text(max_size=3), max_size=3))
def test_junk_never_raises_and_what_passes_is_e164(written: str, countries: list[str]) -> None:
    msisdn = parse(written, countries)
    if msisdn is not None:
        assert msisdn[0] == "+"
        assert msisdn[1:].isascii()
        assert msisdn[1:].isdigit()
        assert 7 <= len(msisdn) <= 18
        assert parse(msisdn) == msisdn
        country_of(msisdn), timezones_of(msisdn), masked(msisdn), is_premium(msisdn)


def number(written: str) -> Msisdn:
    msisdn = parse(written)
    assert msisdn is not None
    return msisdn


@dataclass(frozen=True)
class Told:
    label: str
    written: str
    country: str
    zones: set[str]
    premium: bool = False
    masked: str = ""


TOLD = [
    Told("Uzbekistan", TASHKENT, "UZ", {"Asia/Tashkent"}, masked="+998•••11"),
    Told("an area code tells the zone", NEW_YORK, "US", {"America/New_York"}, masked="+1•••00"),
    Told("Canada shares the dial code", "+16135550123", "CA", {"America/Toronto"}),
    Told("Kazakhstan shares one with Russia", "+77010000011", "KZ", {"Asia/Almaty", "Asia/Aqtobe"}, masked="+7•••11"),
    Told("Britain without its islands", "+447400123456", "GB", {"Europe/London"}),
    Told("zones by their present names", "+919876543210", "IN", {"Asia/Kolkata"}),
    Told("Ireland is not on London's zone", "+353861234567", "IE", {"Europe/Dublin"}),
    Told("a premium range", "+19005550100", "US", {"America/New_York", "America/Los_Angeles"}, premium=True),
    Told("a German premium range", "+499001234567", "DE", {"Europe/Berlin"}, premium=True),
    Told("satellite: no country, no zone", "+870773111632", "", set(), premium=True, masked="+870•••32"),
    Told("freephone of no country", "+80012345678", "", set()),
    Told("a range not in our tables: the dial code's first country", "+15555550100", "US", {"America/New_York", "America/Chicago"}),
]


@pytest.mark.parametrize("told", TOLD, ids=lambda told: told.label)
def test_what_a_number_tells(told: Told) -> None:
    msisdn = number(told.written)
    zones = timezones_of(msisdn)
    assert country_of(msisdn) == told.country
    assert told.zones <= set(zones) if len(told.zones) > 1 else told.zones == set(zones)
    assert is_premium(msisdn) is told.premium
    assert tail(msisdn) == told.written[-2:]
    if told.masked:
        assert masked(msisdn) == told.masked


def test_russian_mobiles_may_be_in_any_russian_zone_and_in_no_other() -> None:
    zones = set(timezones_of(number("+79160000011")))
    assert {"Europe/Moscow", "Asia/Vladivostok"} <= zones
    assert not zones & {"Asia/Almaty", "Europe/Bucharest"}


@pytest.mark.parametrize("region", REGIONS)
def test_every_country_has_zones_that_exist(region: str) -> None:
    msisdn = number(str(example(region)))
    zones = timezones_of(msisdn)
    assert zones
    for zone in zones:
        zoneinfo.ZoneInfo(zone)
    assert len(country_of(msisdn)) == 2
