"""One entry of the staff directory: who a reference of a timecard or task system is, as a list, the API or a platform tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from bellwire.domain import msisdn as numbers
from bellwire.domain.country_codes import country_code
from bellwire.domain.home_zones import check_zone
from bellwire.domain.locales import normalize
from bellwire.errors import FieldInvalid
from bellwire.model import Msisdn, Person

REF_MAX, NAME_MAX, EMAIL_MAX = 128, 200, 254
SYSTEMS_MAX = 20
_REF = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,128}")
_SYSTEM = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
_YES = frozenset({"true", "yes", "y", "1", "active"})
_NO = frozenset({"false", "no", "n", "0", "inactive", "left"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A person. `ref`: what the tenant calls them; `systems`: what others do, by connector. Empty texts: not known."""

    ref: str
    name: str = field(default="", repr=False)
    msisdn: Msisdn | None = field(default=None, repr=False)
    email: str = field(default="", repr=False)
    locale: str = ""
    timezone: str = ""
    country: str = ""
    manager_ref: str = ""
    active: bool = True
    systems: Mapping[str, str] = field(default_factory=dict)

    def differs(self, other: Entry) -> bool:
        """Whether anything is told that the other did not say."""
        return any(getattr(self, one.name) != getattr(other, one.name) for one in fields(self))

    def person(self) -> Person:
        """The entry as events have people. Who has left is not texted."""
        return Person(
            ref=self.ref,
            name=self.name,
            phones=(self.msisdn,) if self.msisdn and self.active else (),
            email=self.email,
            locale=self.locale,
            timezone=self.timezone,
            countries=(self.country,) if self.country else (),
        )


def entry(values: Mapping[str, str], countries: Sequence[str] = (), systems: Mapping[str, str] | None = None) -> Entry:
    """An entry from texts as people write them. Raises FieldInvalid naming the column.

    `countries`: by which a number without `+` is read, after the entry's own. A column that is empty says nothing.
    """
    country = country_code(values["country"], "country") if values.get("country") else ""
    return Entry(
        ref=ref(values.get("ref", ""), "ref"),
        name=_CONTROL.sub(" ", values.get("name", "")).strip()[:NAME_MAX],
        msisdn=_msisdn(values.get("phone", ""), [one for one in (country, *countries) if one]),
        email=_email(values.get("email", "")),
        locale=_locale(values.get("locale", "")),
        timezone=check_zone(values["timezone"]) if values.get("timezone") else "",
        country=country,
        manager_ref=ref(values["manager"], "manager") if values.get("manager") else "",
        active=_flag(values.get("active", "")),
        systems=_systems(systems or {}),
    )


def ref(given: str, field_name: str) -> str:
    """A reference. Raises FieldInvalid."""
    stripped = given.strip()
    if not stripped:
        raise FieldInvalid(field_name, "is required", "required")
    if not _REF.fullmatch(stripped):
        raise FieldInvalid(field_name, f"must have 1 to {REF_MAX} characters, none of them a control character", "too_long")
    return stripped


def filled(person: Person, known: Person) -> Person:
    """What the event says of somebody, and what it leaves out from the directory."""
    return Person(
        ref=person.ref,
        name=person.name or known.name,
        phones=tuple(person.phones) or known.phones,
        marketing_phones=person.marketing_phones,
        email=person.email or known.email,
        locale=person.locale or known.locale,
        timezone=person.timezone or known.timezone,
        countries=(*person.countries, *(one for one in known.countries if one not in person.countries)),
        consents=person.consents,
    )


def _msisdn(written: str, countries: Sequence[str]) -> Msisdn | None:
    if not written.strip():
        return None
    found = numbers.parse(written, countries)
    if found is None:
        raise FieldInvalid("phone", "is no number that can be read; write it with + and the country's code", "number_invalid")
    return found


def _email(given: str) -> str:
    stripped = given.strip()
    if stripped and (len(stripped) > EMAIL_MAX or not _EMAIL.fullmatch(stripped)):
        raise FieldInvalid("email", "is no e-mail address", "pattern")
    return stripped


def _locale(given: str) -> str:
    stripped = given.strip()
    if not stripped:
        return ""
    made = normalize(stripped)
    if not made:
        raise FieldInvalid("locale", "must be a language such as uz-Latn-UZ", "pattern")
    return made


def _flag(given: str) -> bool:
    said = given.strip().casefold()
    if not said or said in _YES:
        return True
    if said in _NO:
        return False
    raise FieldInvalid("active", "must be yes or no", "not_one_of")


def _systems(given: Mapping[str, str]) -> dict[str, str]:
    if len(given) > SYSTEMS_MAX:
        raise FieldInvalid("external_ids", f"at most {SYSTEMS_MAX}", "too_long")
    made = {}
    for name, value in given.items():
        if not _SYSTEM.fullmatch(name):
            raise FieldInvalid("external_ids", "a name is a connector's: lower-case letters, digits and _", "pattern")
        if value.strip():
            made[name] = ref(value, f"external_ids.{name}")
    return made
