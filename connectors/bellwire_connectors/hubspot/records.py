"""HubSpot records as people and data: phones in order of preference, locale, time zone, consent. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from bellwire import ConsentHint, ConsentState, Installation, Json, Person, Purpose

#: What sensitive properties show instead of their value.
REDACTED = "REDACTED"

#: HubSpot's read-only E.164 guess of a typed number, which goes before it.
_CALCULATED = {"mobilephone": "hs_calculated_mobile_number", "phone": "hs_calculated_phone_number"}

#: A property's name → ours, by kind of record. Other properties keep their name: `deal.hs_priority`.
FIELDS: Mapping[str, Mapping[str, str]] = {
    "contact": {
        "firstname": "first_name",
        "lastname": "last_name",
        "lifecyclestage": "lifecycle_stage",
        "hubspot_owner_id": "owner",
    },
    "deal": {"dealname": "name", "dealstage": "stage", "deal_currency_code": "currency", "hubspot_owner_id": "owner"},
    "ticket": {
        "hs_pipeline_stage": "status",
        "hs_pipeline": "pipeline",
        "hubspot_owner_id": "owner",
        "hs_ticket_priority": "priority",
    },
}

_CONTACT = (
    "firstname",
    "lastname",
    "email",
    "lifecyclestage",
    "company",
    "hs_language",
    "hs_timezone",
    "hs_country_region_code",
    "country",
)
PROPERTIES: Mapping[str, Sequence[str]] = {
    "contact": _CONTACT,
    "deal": ("dealname", "dealstage", "pipeline", "amount", "deal_currency_code", "closedate", "hubspot_owner_id"),
    "ticket": ("subject", "hs_pipeline_stage", "hs_pipeline", "hs_ticket_priority", "hubspot_owner_id"),
}

_UNSEEN = frozenset({"hs_language", "hs_timezone", "hs_country_region_code", "country"})
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TAG = re.compile(r"<[^>]{0,2000}>")
NAME = re.compile(r"[a-z][a-z0-9_]{0,99}", re.ASCII)
_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{2}|[0-9]{3}))?", re.ASCII)

#: What stands in the consent property → ours; any other value says nothing.
CONSENT = {
    "opted_in": ConsentState.OPTED_IN,
    "yes": ConsentState.OPTED_IN,
    "true": ConsentState.OPTED_IN,
    "subscribed": ConsentState.OPTED_IN,
    "opted_out": ConsentState.OPTED_OUT,
    "no": ConsentState.OPTED_OUT,
    "false": ConsentState.OPTED_OUT,
    "unsubscribed": ConsentState.OPTED_OUT,
}


def text(value: object, limit: int = 255) -> str:
    """A value in one line: no control characters, cut at `limit`; "" for none and for what HubSpot hides."""
    if value is None or isinstance(value, dict | list):
        return ""
    plain = str(value).lower() if isinstance(value, bool) else str(value)
    if plain == REDACTED:
        return ""
    return _CONTROL.sub(" ", plain[:limit].encode("utf-8", "replace").decode()).strip()


def without_tags(value: object, limit: int = 1000) -> str:
    """A rich text as plain text."""
    from html import unescape

    return text(unescape(_TAG.sub(" ", text(value, 20_000))), limit)


def field_name(kind: str, name: str) -> str:
    """Our name of a property, "" for one that has no usable name."""
    return f"{kind}.{FIELDS[kind].get(name, name)}" if NAME.fullmatch(name) else ""


def phone_fields(installation: Installation) -> Sequence[str]:
    """The contact properties that hold numbers, in order of preference."""
    chosen = installation.settings.get("phone_fields") or ("mobilephone", "phone")
    return tuple(name for one in chosen for name in (_CALCULATED.get(one, ""), str(one)) if name)


def properties(kind: str, installation: Installation) -> list[str]:
    """What is asked of a record."""
    more = installation.settings.get("properties") or ()
    own = phone_fields(installation) if kind == "contact" else ()
    return list(dict.fromkeys([*PROPERTIES[kind], *own, *(str(one) for one in more if NAME.fullmatch(str(one)))]))


def person(ref: str, found: Mapping[str, Any], installation: Installation) -> Person:
    """A contact. A field of more than 40 characters is no number."""
    numbers = (text(found.get(name), 41) for name in phone_fields(installation))
    countries = (_country(found.get("hs_country_region_code")), _country(found.get("country")), installation.country)
    return Person(
        ref=ref,
        name=" ".join(part for part in (text(found.get("firstname")), text(found.get("lastname"))) if part),
        phones=tuple(dict.fromkeys(one for one in numbers if 0 < len(one) <= 40)),
        email=text(found.get("email")),
        locale=locale(found.get("hs_language")) or installation.locale,
        timezone=zone(text(found.get("hs_timezone"))),
        countries=tuple(dict.fromkeys(one for one in countries if one)),
    )


def data(kind: str, number: str, found: Mapping[str, Any]) -> dict[str, Json]:
    """The documented fields of a record; what is empty or hidden is left out."""
    told: dict[str, Json] = {f"{kind}.id": number}
    for name, value in found.items():
        named, plain = field_name(kind, name), text(value, 1000)
        if named and plain and name not in _UNSEEN and not name.startswith("hs_calculated_"):
            told[named] = plain
    return told


def hint(value: str, at: datetime, proof: str, purpose: str) -> ConsentHint | None:
    """A person's consent by the consent property, None when its value says nothing."""
    state = CONSENT.get(value.strip().lower())
    if state is None:
        return None
    return ConsentHint(purpose=Purpose(purpose), state=state, at=at, source="hubspot", proof=proof)


def locale(value: object) -> str:
    """`pt-br` → `pt-BR`, "" for what is no language."""
    found = _LOCALE.fullmatch(text(value))
    if not found:
        return ""
    return found[1].lower() + (f"-{found[2].upper()}" if found[2] else "")


def _country(value: object) -> str:
    code = text(value)
    return code.upper() if len(code) == 2 and code.isascii() and code.isalpha() else ""


_SMALL = frozenset({"of", "es", "au"})
_ODD = {"us": "US", "gmt": "GMT", "utc": "UTC", "mcmurdo": "McMurdo", "dumontdurville": "DumontDUrville", "gb": "GB", "nz": "NZ"}


@lru_cache(maxsize=1024)
def zone(value: str) -> str:
    """HubSpot's spelling of a zone (`america_slash_new_york`) as IANA's, "" for none that exists."""
    if not value or len(value) > 60:
        return ""
    path = value.lower().replace("_slash_", "/").replace("_hyphen_", "-").replace("_plus_", "+")
    name = re.sub(r"[a-z]+", lambda match: _word(match[0]), path)
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return ""
    except KeyError:
        return ""


def _word(word: str) -> str:
    return word if word in _SMALL else _ODD.get(word, word.capitalize())
