"""Events whose record holds no phone, completed: the person behind an opportunity, order or case is asked for, and its owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bellwire import Event, Installation, Json, Link, Person, PlatformRejected, PlatformUnauthorized

from . import configured
from .client import Org
from .facts import KINDS, data_of
from .ids import long_id, object_of
from .people import COUNTRIES, PERSONS, PHONES, consent_fields, owner_of, person_of
from .records import Record, of_json
from .soql import quoted

_USER = ("FirstName", "LastName", "Email", "MobilePhone", "Phone", "LanguageLocaleKey", "LocaleSidKey", "TimeZoneSidKey")
_PERSON: Mapping[str, tuple[str, ...]] = {
    "Contact": ("Id", "FirstName", "LastName", "Email"),
    "Lead": ("Id", "FirstName", "LastName", "Email", "Company", "Status"),
    "Account": ("Id", "Name"),
}
#: Only in organizations that have Person Accounts on.
_PERSON_ACCOUNT = ("IsPersonAccount", "FirstName", "LastName", "PersonEmail")
#: Which field leads to the person, and what else the record tells.
_BEHIND: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Case": (("ContactId", "AccountId"), ("CaseNumber", "Subject", "Status", "SuppliedName", "SuppliedEmail", "SuppliedPhone")),
    "Order": (("BillToContactId", "AccountId"), ("OrderNumber", "Name", "Status", "TotalAmount", "CurrencyIsoCode")),
    "Opportunity": (("AccountId",), ("Name", "StageName", "Amount", "CloseDate", "CurrencyIsoCode")),
}


def enrich(event: Event, link: Link) -> Event:
    """The event with the people it is about. One that has somebody to text already goes on when Salesforce won't tell more.

    Raises PlatformError.
    """
    try:
        return _completed(event, Org(link), link.installation)
    except (PlatformRejected, PlatformUnauthorized):
        if any(person.phones for person in event.people.values()):
            return replace(event, fetch={})
        raise


def person_fields(installation: Installation, kind: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is asked of a person: the fields that every organization has, and those that one need not have or show us."""
    named = (configured.field_name(installation, name) for name in ("locale_field", "timezone_field"))
    optional = (
        *PHONES[kind],
        *COUNTRIES[kind],
        *configured.field_names(installation, "phone_fields"),
        *consent_fields(installation, kind),
        *named,
        *(_PERSON_ACCOUNT if kind == "Account" else ()),
    )
    return _PERSON[kind], tuple(dict.fromkeys(filter(None, optional)))


def _completed(event: Event, org: Org, installation: Installation) -> Event:
    people, data = dict(event.people), dict(event.data)
    kind, record_id = event.fetch.get("object", ""), long_id(event.fetch.get("id", ""))
    if kind in KINDS and record_id:
        person, told = _person(event, org, installation, kind, record_id)
        data = {**told, **data}
        before = people.get("customer", Person())
        people["customer"] = replace(person, phones=before.phones or person.phones, name=before.name or person.name)
    owner = long_id(event.fetch.get("owner", ""))
    if owner:
        rows = list(org.select("User", ("Id", "Name"), f"WHERE Id = {quoted(owner)} LIMIT 1", optional=_USER))
        if rows:
            people["owner"] = owner_of(of_json("User", rows[0]), installation)
            data["owner.name"] = people["owner"].name
    return replace(event, people=people, data={name: value for name, value in data.items() if value not in ("", None)}, fetch={})


def _person(event: Event, org: Org, installation: Installation, kind: str, record_id: str) -> tuple[Person, dict[str, Json]]:
    """Who the record is about, and what it and the person's own record tell."""
    about: dict[str, Json] = {}
    found, record = record_id, None
    if kind not in PERSONS:
        found, record = _behind(org, kind, record_id)
        about = data_of(record)
    if object_of(found) not in PERSONS:
        return person_of(record or Record(kind=kind, id=record_id), installation, event.occurred_at), about
    person_kind = object_of(found)
    fields, optional = person_fields(installation, person_kind)
    rows = list(org.select(person_kind, fields, f"WHERE Id = {quoted(found)} LIMIT 1", optional=optional))
    if not rows:
        raise PlatformRejected(f"salesforce: {person_kind} {found} is not there", code="not_found")
    who = of_json(person_kind, rows[0])
    names: dict[str, Json] = {
        "contact.first_name": who.text("FirstName"),
        "contact.last_name": who.text("LastName"),
        "contact.email": who.text("Email") or who.text("PersonEmail"),
    }
    return person_of(who, installation, event.occurred_at), {**names, **data_of(who), **about}


def _behind(org: Org, kind: str, record_id: str) -> tuple[str, Record]:
    """The id of the person behind a record, "" when there is none, and the record."""
    links, optional = _BEHIND[kind]
    rows = list(org.select(kind, ("Id", *links), f"WHERE Id = {quoted(record_id)} LIMIT 1", optional=optional))
    record = of_json(kind, rows[0]) if rows else Record(kind=kind, id=record_id)
    if kind == "Opportunity":  # its people have roles; the primary one comes first
        tail = f"WHERE OpportunityId = {quoted(record_id)} ORDER BY IsPrimary DESC LIMIT 1"
        for role in org.select("OpportunityContactRole", ("ContactId",), tail):
            return long_id(role.get("ContactId")), record
    return next((one for name in links if (one := record.ref(name))), ""), record
