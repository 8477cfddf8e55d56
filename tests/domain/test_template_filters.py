"""Amounts, numbers and dates as the recipient writes them, in characters an SMS carries cheaply."""

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal

import pytest
from bellwire.domain.segments import guilty
from bellwire.domain.template_filters import Place, date, datetime, money, number, percent, plural, time
from bellwire.errors import RenderFailed
from hypothesis import given, settings
from hypothesis import strategies as st

MONEY = [
    ("Colombia, pesos by their sign", "es-CO", "129900.5", "COP", "$129.900,50"),
    ("Colombia, a foreign currency by its code", "es-CO", "129.5", "EUR", "EUR 129,50"),
    ("Colombia, dollars are told apart", "es-CO", "129.5", "USD", "US$129,50"),
    ("Spain", "es-ES", "129900.5", "EUR", "129.900,50 €"),
    ("Spain, no decimals in yen", "es-ES", "129900", "JPY", "129.900 JPY"),
    ("the dong's sign is not in GSM-7", "es-ES", "129900", "VND", "129.900 VND"),
    ("the code does not touch the number", "en-US", "129900", "VND", "VND 129,900"),
    ("Croatia", "hr-HR", "1299.5", "EUR", "1.299,50 €"),
    ("Croatia, below nothing", "hr-HR", "-5", "EUR", "-5,00 €"),
    ("Uzbekistan in Latin letters", "uz-Latn-UZ", "129900.50", "UZS", "129 900,50 so'm"),
    ("Uzbekistan in Cyrillic letters", "uz-Cyrl-UZ", "129900.50", "UZS", "129 900,50 UZS"),
    ("Uzbekistan, yuan", "uz-Latn-UZ", "99", "CNY", "99,00 CN¥"),
    ("Russian", "ru", "1299900", "UZS", "1 299 900,00 UZS"),
    ("the rouble's sign is not in GSM-7", "ru-RU", "99.9", "RUB", "99,90 RUB"),
    ("China", "zh-CN", "1299.5", "CNY", "¥1,299.50"),
    ("China, yen", "zh-CN", "1299", "JPY", "JP¥1,299"),
    ("America", "en-US", "1299.5", "USD", "$1,299.50"),
    ("America, euros", "en-US", "1299.5", "EUR", "€1,299.50"),
    ("America, yen", "en-US", "1299.5", "JPY", "¥1,300"),
    ("America, below nothing", "en-US", "-0.5", "USD", "-$0.50"),
    ("what rounds to nothing has no sign", "en-US", "-0.001", "USD", "$0.00"),
    ("Switzerland's typographic apostrophe", "de-CH", "1299.5", "CHF", "CHF 1'299.50"),
    ("India's groups", "hi-IN", "12345678.9", "INR", "INR 1,23,45,678.90"),
    ("direction marks go", "ar-EG", "5", "USD", "5.00 US$"),
    ("a currency nobody knows", "en-US", "5", "XTS", "XTS 5.00"),
    ("small letters and blanks", "en-US", " 5 ", " usd ", "$5.00"),
    ("a locale nobody knows is written in English", "xx-XX", "5", "USD", "$5.00"),
]


@pytest.mark.parametrize(("label", "locale", "amount", "currency", "expected"), MONEY, ids=[row[0] for row in MONEY])
def test_money(label: str, locale: str, amount: str, currency: str, expected: str) -> None:
    assert money(Place(locale), amount, currency) == expected, label


def test_money_takes_numbers_of_every_kind() -> None:
    place = Place("en-US")
    assert {money(place, value, "USD") for value in ("5.50", Decimal("5.5"), 5.5)} == {"$5.50"}
    assert money(place, 5, "USD", decimals=0) == "$5"
    assert money(place, "5.555", "USD", decimals=3) == "$5.555"


def test_the_country_decides_where_the_locale_names_none() -> None:
    assert money(Place("es", country="CO"), "1299.5", "COP") == "$1.299,50"
    assert money(Place("es", country="ES"), "1299.5", "COP") == "1.299,50 COP"
    assert money(Place("es-MX", country="CO"), "1299.5", "COP") == "COP 1,299.50"
    assert money(Place("en", country="UZ"), "1299.5", "USD") == "$1,299.50"  # CLDR has no such place


NUMBERS: list[tuple[str, Callable[[], str], str]] = [
    ("whole", lambda: number(Place("es-ES"), 1234567), "1.234.567"),
    ("at most three decimals", lambda: number(Place("en"), "1234.56789"), "1,234.568"),
    ("zeros behind the point go", lambda: number(Place("en"), "5.10"), "5.1"),
    ("unless they are asked for", lambda: number(Place("en"), "5", decimals=2), "5.00"),
    ("a plain space between groups", lambda: number(Place("fr-FR"), 1234567), "1 234 567"),
    ("a plain minus", lambda: number(Place("hr-HR"), -5), "-5"),
    ("percent", lambda: percent(Place("en"), "0.155"), "16%"),
    ("percent with a plain space", lambda: percent(Place("es-ES"), 0.15), "15 %"),
    ("percent, decimals", lambda: percent(Place("en"), "0.155", decimals=1), "15.5%"),
    ("percent before the number", lambda: percent(Place("tr-TR"), 0.5), "%50"),
    ("one in English", lambda: plural(Place("en"), 1, one="item", other="items"), "item"),
    ("many in English", lambda: plural(Place("en"), "2", one="item", other="items"), "items"),
    ("22 in Russian", lambda: plural(Place("ru"), 22, one="товар", few="товара", many="товаров", other="товара"), "товара"),
    ("25 in Russian", lambda: plural(Place("ru"), 25, one="товар", few="товара", many="товаров", other="товара"), "товаров"),
    ("a form nobody gave", lambda: plural(Place("hr"), 3, one="dan", other="dana"), "dana"),
]


@pytest.mark.parametrize(("label", "write", "expected"), NUMBERS, ids=[row[0] for row in NUMBERS])
def test_numbers(label: str, write: Callable[[], str], expected: str) -> None:
    assert write() == expected, label


AT = "2026-11-04T01:05:00Z"  # still the third in Bogotá
DATES = [
    ("the day moves with the zone", "es-ES", "America/Bogota", date, AT, "medium", "3 nov 2026"),
    ("and in UTC it does not", "es-ES", "UTC", date, AT, "medium", "4 nov 2026"),
    ("no zone is UTC", "es-ES", "", date, AT, "medium", "4 nov 2026"),
    ("a day alone never moves", "es-ES", "America/Bogota", date, "2026-11-04", "medium", "4 nov 2026"),
    ("a time without an offset is local and stays", "es-ES", "America/Bogota", time, "2026-11-04T01:05:00", "short", "1:05"),
    ("and is that zone's", "en-US", "America/Bogota", time, "2026-11-04T01:05:00", "H:mm xxx", "1:05 -05:00"),
    ("another offset", "es-ES", "America/Bogota", time, "2026-11-04T01:05:00+05:00", "short", "15:05"),
    ("a fraction of a second", "es-ES", "UTC", time, "2026-11-04T01:05:00.123456Z", "short", "1:05"),
    ("Colombia's p. m. has plain spaces", "es-CO", "America/Bogota", time, AT, "short", "8:05 p. m."),
    ("America's PM too", "en-US", "America/Bogota", time, AT, "short", "8:05 PM"),
    ("with seconds", "en-US", "America/Bogota", time, AT, "medium", "8:05:00 PM"),
    ("Colombia, short", "es-CO", "America/Bogota", date, AT, "short", "3/11/26"),
    ("Colombia, long", "es-CO", "America/Bogota", date, AT, "long", "3 de noviembre de 2026"),
    ("Croatia", "hr-HR", "Europe/Zagreb", date, AT, "long", "4. studenoga 2026."),
    ("Croatia, day and time", "hr-HR", "Europe/Zagreb", datetime, AT, "medium", "4. stu 2026. 02:05"),
    ("Uzbek, Latin", "uz-Latn-UZ", "Asia/Tashkent", datetime, AT, "medium", "4-noy, 2026, 06:05"),
    ("Uzbek, Cyrillic", "uz-Cyrl-UZ", "Asia/Tashkent", date, AT, "medium", "4 ноя, 2026"),
    ("Russian", "ru", "Asia/Tashkent", date, AT, "medium", "4 нояб. 2026 г."),
    ("Chinese", "zh-CN", "Asia/Shanghai", datetime, AT, "medium", "2026年11月4日 09:05"),
    ("American, full", "en-US", "UTC", date, AT, "full", "Wednesday, November 4, 2026"),
    ("day and time of a day alone", "en-US", "UTC", datetime, "2026-11-04", "medium", "Nov 4, 2026"),
    ("a CLDR pattern", "es-CO", "UTC", date, AT, "EEE d MMM", "mié 4 nov"),
    ("a CLDR pattern with a text", "en", "UTC", time, AT, "H 'o''clock'", "1 o'clock"),
    ("what Shopify's templates have", "en-US", "UTC", date, AT, "%B %-d, %Y", "November 4, 2026"),
    ("in the reader's language", "es-CO", "UTC", date, AT, "%-d de %B", "4 de noviembre"),
    ("time of day", "en-US", "America/Bogota", time, AT, "%I:%M %p", "08:05 PM"),
    ("a text with quotes", "en", "UTC", date, AT, "'%y", "'26"),
    ("a percent sign", "en", "UTC", date, AT, "%d%%", "04%"),
]


@pytest.mark.parametrize(("label", "locale", "zone", "write", "value", "form", "expected"), DATES, ids=[row[0] for row in DATES])
def test_dates(label: str, locale: str, zone: str, write: Callable[..., str], value: str, form: str, expected: str) -> None:
    assert write(Place(locale, zone), value, form) == expected, label


def test_the_hour_that_daylight_saving_skips_and_repeats() -> None:
    place = Place("es-ES", "Europe/Madrid")
    assert time(place, "2026-03-29T00:59:00Z") == "1:59"
    assert time(place, "2026-03-29T01:00:00Z") == "3:00"
    assert time(place, "2026-10-25T00:30:00Z") == time(place, "2026-10-25T01:30:00Z") == "2:30"


EN = Place("en-US", "UTC")
REFUSED: list[tuple[str, Callable[[], str], str]] = [
    ("an amount that is none", lambda: money(EN, "abc", "USD"), "is not a number"),
    ("an amount with a comma", lambda: money(EN, "1,50", "USD"), "is not a number"),
    ("an infinite amount", lambda: money(EN, float("inf"), "USD"), "is not a number"),
    ("an amount nobody has", lambda: money(EN, Decimal("1e400"), "USD"), "is not a number"),
    ("a flag", lambda: number(EN, True), "is not a number"),
    ("a list", lambda: number(EN, [1]), "is not a number"),
    ("no currency", lambda: money(EN, "5", ""), "needs its currency"),
    ("a currency's name", lambda: money(EN, "5", "euro"), "needs its currency"),
    ("a currency that is a number", lambda: money(EN, "5", 978), "needs its currency"),
    ("too many decimals", lambda: number(EN, "5", decimals=7), "0 to 6 decimals"),
    ("half a decimal", lambda: number(EN, "5", decimals=1.5), "0 to 6 decimals"),
    ("a date that is none", lambda: date(EN, "tomorrow"), "is not a date"),
    ("the 31st of February", lambda: date(EN, "2026-02-31"), "is not a date"),
    ("a number of seconds", lambda: date(EN, 1_760_000_000), "is not a date"),
    ("the end of time, in another zone", lambda: date(Place("en", "Asia/Tashkent"), "9999-12-31T23:59:59Z"), "is not a date"),
    ("a very long date", lambda: date(EN, "2026-11-03T00:00:00" + "0" * 100), "is not a date"),
    ("a day's time", lambda: time(EN, "2026-11-03"), "is a day without a time"),
    ("a pattern of a day's time", lambda: date(EN, "2026-11-03", "H:mm"), "can't be written in this form"),
    ("a form nobody knows", lambda: date(EN, "2026-11-03", "MMMMMM"), "can't be written in this form"),
    ("a strftime directive without an equal", lambda: date(EN, "2026-11-03", "%U"), "can't be written in this form"),
    ("a pattern that is too long", lambda: date(EN, "2026-11-03", "y" * 65), "needs a form"),
    ("no pattern", lambda: date(EN, "2026-11-03", ""), "needs a form"),
    ("a pattern that is a number", lambda: date(EN, "2026-11-03", 5), "needs a form"),
    ("a zone nobody knows", lambda: time(Place("en", "Mars/Base"), AT), "time zone 'Mars/Base'"),
    ("a folder of zones", lambda: time(Place("en", "America"), AT), "time zone 'America'"),
    ("a path as zone", lambda: time(Place("en", "../../etc/passwd"), AT), "time zone"),
]


@pytest.mark.parametrize(("label", "write", "why"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(label: str, write: Callable[[], str], why: str) -> None:
    with pytest.raises(RenderFailed, match=re.escape(why)):
        write()


LATIN = ["es-CO", "es-ES", "es-MX", "en-US", "en-GB", "uz-Latn-UZ", "de-CH", "de-DE", "it-IT", "fr-FR", "nl-NL", "sv-SE", "fi-FI"]
CURRENCIES = ["UZS", "COP", "VND", "JPY", "EUR", "USD", "CNY", "RUB", "GBP", "TRY", "INR", "MXN", "CHF"]


@pytest.mark.parametrize("locale", [*LATIN, "hr-HR", "ru-RU", "uz-Cyrl-UZ", "zh-CN", "ar-EG", "fa-IR", "hi-IN", "he-IL", "pl-PL"])
def test_amounts_are_gsm7_everywhere(locale: str) -> None:
    place = Place(locale, "Asia/Tashkent")
    written = [money(place, amount, currency) for currency in CURRENCIES for amount in ("-1234567.89", "0.5", "12")]
    written += [number(place, "-1234567.891"), percent(place, "-12.5", decimals=1)]
    assert {text: guilty(text) for text in written if guilty(text)} == {}


# what CLDR's dates hold beside letters: no-break and narrow spaces, typographic marks, direction marks
_TYPOGRAPHIC = re.compile("[\u00a0\u2000-\u206f\u02bb\u02bc\u2212\u061c]")


@pytest.mark.parametrize("locale", [*LATIN, "hr-HR", "ru-RU", "uz-Cyrl-UZ", "zh-CN", "zh-TW", "ar-EG", "fa-IR", "bg-BG", "uk-UA"])
@pytest.mark.parametrize("length", ["short", "medium", "long", "full"])
def test_dates_hold_the_language_s_letters_and_nothing_typographic(locale: str, length: str) -> None:
    place = Place(locale, "America/Bogota")
    for month in range(1, 13):
        at = f"2026-{month:02}-14T21:05:09Z"
        for text in (date(place, at, length), time(place, at, length), datetime(place, at, length)):
            assert not _TYPOGRAPHIC.search(text), ascii(text)
            # letters with their marks, and the Arabic comma
            assert all(unicodedata.category(one.char)[0] in "LM" or one.char == "،" for one in guilty(text)), ascii(text)


@pytest.mark.parametrize("locale", ["en-US", "en-GB", "de-DE", "it-IT", "nl-NL", "es-CO"])
def test_english_german_and_medium_spanish_dates_are_gsm7(locale: str) -> None:
    place = Place(locale, "America/Bogota")
    for month in range(1, 13):
        assert not guilty(datetime(place, f"2026-{month:02}-14T21:05:09Z", "medium"))


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12), st.sampled_from(LATIN))
def test_no_digit_is_lost(amount: Decimal, locale: str) -> None:
    shown = money(Place(locale), amount, "EUR")
    digits = re.sub(r"\D", "", shown)
    assert digits == re.sub(r"\D", "", f"{amount:.2f}")
    assert ("-" in shown) == (amount < 0)
