"""Who a record is about: phones in order of preference, country, language, time zone, and what it says of consent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from bellwire import ConsentHint, ConsentState, Installation, Person, Purpose

from . import configured, places
from .records import Record

#: Which fields hold phones, the likeliest handset first. AssistantPhone is somebody else's.
PHONES: Mapping[str, Sequence[str]] = {
    "Contact": ("MobilePhone", "Phone", "HomePhone", "OtherPhone"),
    "Lead": ("MobilePhone", "Phone"),
    "Account": ("PersonMobilePhone", "Phone", "PersonHomePhone", "PersonOtherPhone"),
    "Case": ("ContactMobile", "SuppliedPhone", "ContactPhone"),
    "User": ("MobilePhone", "Phone"),
}
#: On objects of the organization's own.
_OWN_PHONES = ("MobilePhone__c", "Mobile_Phone__c", "Mobile__c", "Phone__c")

#: Codes are there only where State and Country picklists are on.
COUNTRIES: Mapping[str, Sequence[str]] = {
    "Contact": ("MailingCountryCode", "MailingCountry"),
    "Lead": ("CountryCode", "Country"),
    "Account": ("PersonMailingCountryCode", "PersonMailingCountry", "BillingCountryCode", "BillingCountry"),
}
_EMAILS = ("Email", "PersonEmail", "SuppliedEmail", "ContactEmail")

#: Objects whose records are people.
PERSONS = frozenset({"Contact", "Lead", "Account"})


def is_person_account(record: Record) -> bool:
    """Whether an Account is a person: those have Person… fields that no company's account has."""
    return record.kind == "Account" and (
        record.flag("IsPersonAccount") is True or any(name.startswith("Person") for name in record.fields)
    )


def person_of(record: Record, installation: Installation, at: datetime, *, ref: str = "", opts_in: bool = False) -> Person:
    """The person in a record's fields. `ref`: who it is, when that is not the record itself. `opts_in`: see `hints_of`."""
    return Person(
        ref=ref or (record.id if record.kind in PERSONS else ""),
        name=name_of(record),
        phones=phones_of(record, installation),
        email=next((found for name in _EMAILS if (found := record.text(name))), ""),
        locale=places.locale(record.text(configured.field_name(installation, "locale_field"))) or installation.locale,
        timezone=places.zone(record.text(configured.field_name(installation, "timezone_field"))),
        countries=countries_of(record, installation),
        consents=hints_of(record, installation, at, opts_in=opts_in),
    )


def owner_of(record: Record, installation: Installation) -> Person:
    """A user of the organization: the record's owner."""
    language = places.locale(record.text("LanguageLocaleKey"))
    countries = (places.country_of_locale(record.text("LocaleSidKey")), installation.country)
    return Person(
        ref=record.id,
        name=name_of(record),
        phones=_distinct(record.text(name) for name in PHONES["User"]),
        email=record.text("Email"),
        locale=language or installation.locale,
        timezone=places.zone(record.text("TimeZoneSidKey")),
        countries=tuple(dict.fromkeys(filter(None, countries))),
    )


def name_of(record: Record) -> str:
    """First and last name; an account's or a web case's name in one."""
    first, last = first_and_last(record)
    whole = f"{first} {last}".strip()
    if whole or record.kind not in ("Account", "Case", "User"):
        return whole
    return record.text("SuppliedName" if record.kind == "Case" else "Name")


def first_and_last(record: Record) -> tuple[str, str]:
    """First and last name."""
    return record.text("FirstName"), record.text("LastName")


def phones_of(record: Record, installation: Installation) -> tuple[str, ...]:
    """The numbers as they were typed, each once, in the order of `settings.phone_fields` or of the object."""
    wanted = configured.field_names(installation, "phone_fields")
    return _distinct(record.text(name, 41) for name in wanted or PHONES.get(record.kind, _OWN_PHONES))


def countries_of(record: Record, installation: Installation) -> tuple[str, ...]:
    """By which countries a number without `+` is read: the address's, then the organization's."""
    found = (places.country(record.text(name)) for name in COUNTRIES.get(record.kind, ()))
    return tuple(dict.fromkeys(filter(None, (*found, installation.country))))


def hints_of(record: Record, installation: Installation, at: datetime, *, opts_in: bool) -> tuple[ConsentHint, ...]:
    """What the configured fields say about texts. DoNotCall and the opt-outs of e-mail and fax mean other channels.

    A box for opting out that is empty says nothing: nobody opted in by not ticking it. A ticked one beats an opt-in, which counts
    only where its change is what is told (`opts_in`) and the record says when: otherwise it may be older than a STOP.
    """
    out, into = consent_fields(installation, record.kind)
    is_dated = record.time("SystemModstamp") is not None or record.time("LastModifiedDate") is not None
    for name, state in ((out, ConsentState.OPTED_OUT), (into if opts_in and is_dated else "", ConsentState.OPTED_IN)):
        if name and record.flag(name) is True:
            proof = f"{record.kind}/{record.id} {name}=true"
            return tuple(_hint(purpose, state, at, proof) for purpose in configured.purposes(installation))
    return ()


def consent_fields(installation: Installation, kind: str = "Contact") -> tuple[str, str]:
    """The checkbox for opting out and the one for opting in; "" for one that is not used.

    A Person Account shows the Contact's own field `X__c` as `X__pc`, and only there can it be written.
    """
    names = (
        configured.field_name(installation, "consent_field", configured.CONSENT_FIELD),
        configured.field_name(installation, "opt_in_field"),
    )
    out, into = (name.removesuffix("__c") + "__pc" if kind == "Account" and name.endswith("__c") else name for name in names)
    return out, into


def _hint(purpose: Purpose, state: ConsentState, at: datetime, proof: str) -> ConsentHint:
    return ConsentHint(purpose=purpose, state=state, at=at, source="salesforce", proof=proof)


def _distinct(phones: Iterable[str]) -> tuple[str, ...]:
    """Each once. A field of more than 40 characters holds more than a number, and cut it might hold somebody else's."""
    return tuple(dict.fromkeys(one for one in phones if 0 < len(one) <= 40))
