"""Countries, languages and time zones as Salesforce writes them: codes where picklists are on, otherwise what people typed."""

from __future__ import annotations

import re
from functools import lru_cache

_CODE = re.compile(r"[A-Za-z]{2}", re.ASCII)
_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}", re.ASCII)
_ZONE = re.compile(r"[A-Za-z]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}", re.ASCII)

#: What people type for a country beside its English name.
_TYPED = {
    "usa": "US",
    "u.s.": "US",
    "u.s.a.": "US",
    "united states of america": "US",
    "america": "US",
    "uk": "GB",
    "u.k.": "GB",
    "great britain": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "deutschland": "DE",
    "españa": "ES",
    "italia": "IT",
    "österreich": "AT",
    "schweiz": "CH",
    "nederland": "NL",
    "holland": "NL",
    "brasil": "BR",
    "méxico": "MX",
    "czech republic": "CZ",
    "turkey": "TR",
    "russia": "RU",
    "russian federation": "RU",
    "korea": "KR",
    "republic of korea": "KR",
    "uae": "AE",
    "o'zbekiston": "UZ",
}


def country(given: str) -> str:
    """ISO 3166 alpha-2 in capitals, "" for what nobody can tell."""
    text = " ".join(given.split()).strip(" .")
    if _CODE.fullmatch(text) and text.lower() not in _TYPED:
        return text.upper()
    folded = given.strip().casefold()
    return _TYPED.get(folded) or _names().get(text.casefold(), "") if 0 < len(folded) <= 80 else ""


def locale(given: str) -> str:
    """A language tag (`en_US`, `pt-BR`), "" for anything else."""
    text = given.strip()
    return text if _LOCALE.fullmatch(text) else ""


def zone(given: str) -> str:
    """The name of a time zone (`Europe/Berlin`), "" for anything else."""
    text = given.strip()
    return text if _ZONE.fullmatch(text) else ""


def country_of_locale(given: str) -> str:
    """The country in a locale (`de_AT` → AT), "" when it names none."""
    parts = re.split(r"[-_]", given)
    return parts[-1].upper() if len(parts) > 1 and _CODE.fullmatch(parts[-1]) else ""


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """English names → codes, out of CLDR; loaded when the first typed name comes."""
    from babel import Locale

    territories = Locale("en").territories
    return {name.casefold(): code for code, name in territories.items() if _CODE.fullmatch(code)}
