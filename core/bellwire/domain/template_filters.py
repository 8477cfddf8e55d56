"""Filters that write amounts, numbers, percentages, dates and counts as the recipient does, in characters an SMS can carry cheaply.

CLDR's own texts hold no-break spaces, typographic apostrophes, minus signs and direction marks; one of them turns a text of 160
characters into segments of 70. Here they are plain: space, `'`, `-`. Babel is imported when the first such filter runs.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bellwire.domain.alphabet import GSM7
from bellwire.domain.locales import chain, normalize
from bellwire.domain.smart import typographic
from bellwire.domain.template_values import Unusable, decimal_of
from bellwire.errors import RenderFailed

if TYPE_CHECKING:
    from babel import Locale
    from babel.dates import DateTimePattern
    from babel.numbers import NumberPattern

MAX_PATTERN = 64  # characters
_LENGTHS = frozenset({"short", "medium", "long", "full"})
_CURRENCY = re.compile(r"[A-Z]{3}")  # ISO 4217


@dataclass(frozen=True, slots=True)
class Place:
    """Whose habits decide: the text's locale, the recipient's time zone (IANA name) and country (ISO 3166 alpha-2, "" unknown)."""

    locale: str
    timezone: str = "UTC"
    country: str = ""


# -- numbers ------------------------------------------------------------------------------------------------------


def money(place: Place, value: object, currency: object, *, decimals: object = None) -> str:
    """An amount with its currency: `129.900,50 €`. `value`: number or decimal text; `currency`: ISO 4217.

    The symbol where it is in GSM-7, else the code. `decimals`: instead of the currency's own number.
    """
    code = currency.strip().upper() if isinstance(currency, str) else ""
    if not _CURRENCY.fullmatch(code):
        raise Unusable("needs its currency as three letters, as in {{ order.total | money: order.currency }}")
    return _amounts(place.locale, place.country, code, _places(decimals)).write(decimal_of(value))


def number(place: Place, value: object, *, decimals: object = None) -> str:
    """A number in groups: `129.900,5`. At most three decimals, or exactly `decimals`."""
    return _numbers(place.locale, place.country, _places(decimals)).write(decimal_of(value))


def percent(place: Place, value: object, *, decimals: object = 0) -> str:
    """A share: `0.15` → `15%`, `15 %`."""
    return _shares(place.locale, place.country, _places(decimals)).write(decimal_of(value) * 100)


def plural(place: Place, value: object, *, other: str, **forms: str) -> str:
    """The form that goes with a count by CLDR's rules: `{{ n | plural: one: "товар", few: "товара", other: "товаров" }}`."""
    return forms.get(_locale(place.locale, place.country).plural_form(decimal_of(value).copy_abs()), other)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    """How numbers are written somewhere. `affixes`: before and after, for positive and for negative ones."""

    affixes: tuple[tuple[str, str], tuple[str, str]]
    point: str
    group: str
    groups: tuple[int, int]  # digits of the last group, of the others
    least: int
    most: int

    def write(self, value: Decimal) -> str:
        shown = f"{value.copy_abs():.{self.most}f}"  # rounds half to even, as CLDR
        whole, _, fraction = shown.partition(".")
        while len(fraction) > self.least and fraction[-1] == "0":
            fraction = fraction[:-1]
        before, after = self.affixes[value.is_signed() and shown.strip("0.") != ""]
        last, others = self.groups
        parts = [whole[-last:]]
        rest = whole[:-last]
        while rest:
            parts.insert(0, rest[-others:])
            rest = rest[:-others]
        return f"{before}{self.group.join(parts)}{self.point if fraction else ''}{fraction}{after}"


@lru_cache(maxsize=1024)
def _amounts(name: str, country: str, currency: str, decimals: int | None) -> _Style:
    from babel.numbers import get_currency_precision

    locale = _locale(name, country)
    digits = get_currency_precision(currency) if decimals is None else decimals
    return _style(locale, locale.currency_formats["standard"], (digits, digits), _symbol(locale, currency))


@lru_cache(maxsize=256)
def _numbers(name: str, country: str, decimals: int | None) -> _Style:
    locale = _locale(name, country)
    return _style(locale, locale.decimal_formats[None], (0, 3) if decimals is None else (decimals, decimals))


@lru_cache(maxsize=256)
def _shares(name: str, country: str, decimals: int | None) -> _Style:
    locale = _locale(name, country)
    digits = decimals or 0
    return _style(locale, locale.percent_formats[None], (digits, digits))


def _style(locale: Locale, pattern: NumberPattern, digits: tuple[int, int], symbol: str = "") -> _Style:
    from babel.numbers import get_decimal_symbol, get_group_symbol

    def affix(text: str, *, leading: bool) -> str:
        text = plain(re.sub(r"'([^']*)'", lambda quoted: quoted[1] or "'", text)).replace("¤", symbol)
        beside = text[-1:] if leading else text[:1]
        # CLDR currencySpacing: a letter does not touch a digit
        return text if not beside.isalpha() else f"{text} " if leading else f" {text}"

    def affixes(sign: int) -> tuple[str, str]:
        return affix(pattern.prefix[sign], leading=True), affix(pattern.suffix[sign], leading=False)

    return _Style(
        affixes=(affixes(0), affixes(1)),
        point=plain(get_decimal_symbol(locale)),
        group=plain(get_group_symbol(locale)),
        groups=pattern.grouping,
        least=digits[0],
        most=digits[1],
    )


def _symbol(locale: Locale, currency: str) -> str:
    from babel.numbers import get_currency_symbol

    symbol = get_currency_symbol(currency, locale)
    # soʻm is a word with typographic marks; ₹ or ₽ are signs, for which the code is clearer than a replacement
    written = plain(symbol) if symbol[:1].isalpha() else symbol
    return written if GSM7.fits(written) else currency


def _places(decimals: object) -> int | None:
    if decimals is None:
        return None
    count = decimal_of(decimals)
    if count != count.to_integral_value() or not 0 <= count <= 6:
        raise Unusable("can be written with 0 to 6 decimals")
    return int(count)


# -- dates --------------------------------------------------------------------------------------------------------


def date(place: Place, value: object, form: object = "medium") -> str:
    """The day, in the recipient's time zone: `3 nov 2026`.

    `value`: an ISO 8601 text; one without an offset is taken as local time and not moved. `form`: short, medium, long, full, a CLDR
    pattern (`d MMM`) or the strftime format that Shopify's templates use (`%d %b`).
    """
    return _written(place, value, form, _day_alone)


def time(place: Place, value: object, form: object = "short") -> str:
    """The time of day, in the recipient's time zone: `15:05`. Arguments as `date`."""
    if not isinstance(_instant(value, place.timezone), dt.datetime):
        raise Unusable("is a day without a time")
    return _written(place, value, form, _time_alone)


def datetime(place: Place, value: object, form: object = "medium") -> str:
    """Day and time, hours and minutes: `3 nov 2026, 15:05`. Arguments as `date`; the length is that of the day."""
    timed = isinstance(_instant(value, place.timezone), dt.datetime)
    return _written(place, value, form, _day_and_time if timed else _day_alone)


def _day_alone(locale: Locale, length: str) -> str:
    return str(locale.date_formats[length])


def _time_alone(locale: Locale, length: str) -> str:
    return str(locale.time_formats[length])


def _day_and_time(locale: Locale, length: str) -> str:
    glue = str(locale.datetime_formats[length])
    return glue.replace("{1}", _day_alone(locale, length)).replace("{0}", _time_alone(locale, "short"))


def _written(place: Place, value: object, form: object, named: Callable[[Locale, str], str]) -> str:
    at = _instant(value, place.timezone)
    if not isinstance(form, str) or not 0 < len(form) <= MAX_PATTERN:
        raise Unusable("needs a form: short, medium, long, full, or a pattern such as d MMM")
    locale = _locale(place.locale, place.country)
    try:
        pattern = _pattern(place.locale, place.country, form, named)
        return plain(pattern.apply(at, locale))
    except (KeyError, ValueError, AttributeError, TypeError):
        raise Unusable(
            "can't be written in this form: use short, medium, long, full or a pattern such as d MMM"
        ) from None  # what was raised may hold the value


@lru_cache(maxsize=512)
def _pattern(name: str, country: str, form: str, named: Callable[[Locale, str], str]) -> DateTimePattern:
    from babel.dates import parse_pattern

    if form in _LENGTHS:
        return parse_pattern(named(_locale(name, country), form))
    return parse_pattern(_from_strftime(form) if "%" in form else form)


def _from_strftime(form: str) -> str:
    """`%d de %B` → `dd' de 'MMMM`. Raises KeyError for a directive that has no equal."""

    def replace(found: re.Match[str]) -> str:
        if found[1]:
            return _DIRECTIVES[found[1]]
        doubled = found[0].replace("'", "''")
        return f"'{doubled}'" if found[0].strip("'") else doubled

    return re.sub(r"%([-^]?.)|[^%]+", replace, form)


_EQUALS = """
    d=dd -d=d e=d m=MM -m=M b=MMM h=MMM B=MMMM y=yy Y=y j=DDD a=EEE A=EEEE H=HH -H=H k=H I=hh -I=h l=h M=mm S=ss p=a P=a
    Z=zzz z=xx F=y-MM-dd D=MM/dd/yy R=HH:mm T=HH:mm:ss %='%'
"""
_DIRECTIVES = dict(pair.split("=") for pair in _EQUALS.split())


def _instant(value: object, timezone: str) -> dt.date:
    if not isinstance(value, str) or len(value) > 40:
        raise Unusable("is not a date: write it as 2026-11-03 or 2026-11-03T15:05:00Z")
    text = value.strip()
    try:
        if len(text) <= len("2026-11-03"):
            return dt.date.fromisoformat(text)
        at = dt.datetime.fromisoformat(text)
        zone = _zone(timezone)
        return at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)
    except (ValueError, OverflowError):
        raise Unusable("is not a date: write it as 2026-11-03 or 2026-11-03T15:05:00Z") from None


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (LookupError, ValueError, OSError) as e:  # OSError: a folder's name, as "America"
        raise RenderFailed(f"the time zone {name!r} is not in the IANA list", "timezone") from e


# -- locales ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _locale(name: str, country: str) -> Locale:
    """CLDR's data for a locale, with the country's habits where the locale names none. English when it knows neither."""
    from babel import Locale, UnknownLocaleError

    wanted = normalize(name)
    here = normalize(f"{wanted}-{country}") if country else ""
    for candidate in (*(chain(here) if here.count("-") > wanted.count("-") else ()), *chain(wanted), "en"):
        try:
            return Locale.parse(candidate, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    raise AssertionError("CLDR has English")


def plain(text: str) -> str:
    """The text with typographic characters replaced and direction marks dropped."""
    return text if text.isascii() else typographic(text).replace("\u061c", "")


LOCALIZED: Mapping[str, Callable[..., Any]] = {
    "money": money,
    "number": number,
    "percent": percent,
    "plural": plural,
    "date": date,
    "time": time,
    "datetime": datetime,
}
