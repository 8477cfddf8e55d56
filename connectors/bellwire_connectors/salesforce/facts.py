"""A record as an event: its type, people and data, and what must be fetched before anybody can be texted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bellwire import Event, Installation, Json, Person

from . import configured
from .ids import object_of
from .people import PERSONS, PHONES, consent_fields, is_person_account, person_of
from .records import Record, stamp

CONSENT_CHANGED = "customer.consent_changed"
STAGE_CHANGED = "deal.stage_changed"
#: Facts that happen once to a record, whoever tells them.
_ONCE = frozenset({"lead.created", "contact.created", "case.created", "deal.created", "order.created"})
_CUSTOM_MAX = 200
_LOOKUPS = ("Contact__c", "Lead__c", "ContactId", "Account__c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """An object in our words. `word` stands in subjects and field names; `created` "" where a poll does not tell it."""

    word: str
    updated: str
    created: str = ""


KINDS: Mapping[str, Kind] = {
    "Lead": Kind(word="lead", created="lead.created", updated="lead.updated"),
    "Contact": Kind(word="contact", created="contact.created", updated="contact.updated"),
    "Case": Kind(word="case", created="case.created", updated="case.updated"),
    "Opportunity": Kind(word="deal", created="deal.created", updated="deal.updated"),
    "Order": Kind(word="order", created="order.created", updated="order.updated"),
    "Account": Kind(word="account", updated="record.updated"),
}
_OTHER = Kind(word="record", updated="record.updated")
_PERSON_ACCOUNT = Kind(word="account", created="contact.created", updated="contact.updated")


def kind_of(record: Record) -> Kind:
    """The record's object in our words."""
    return _PERSON_ACCOUNT if is_person_account(record) else KINDS.get(record.kind, _OTHER)


def subject_of(record: Record) -> str:
    """The record as write-backs will name it: `contact/003…`."""
    return f"{KINDS.get(record.kind, _OTHER).word}/{record.id}"


def is_ours(record: Record, installation: Installation, event_type: str = "") -> bool:
    """Whether we did it ourselves: told back to us it is no news, and might go round for ever.

    A record that somebody else made stays news when we have written on it since.
    """
    if record.kind == configured.field_name(installation, "message_object", configured.MESSAGE_OBJECT):
        return True
    own = configured.own_user(installation)
    made_by = record.ref("CreatedById") if event_type in _ONCE else ""
    return bool(own) and (made_by or record.ref("LastModifiedById")) == own


def event_of(
    record: Record,
    installation: Installation,
    event_type: str,
    received_at: datetime,
    *,
    event_id: str = "",
    previous: Mapping[str, Json] | None = None,
) -> Event:
    """The event that a record tells. `event_id` "": the fact is the id, as nothing was delivered (a poll)."""
    at = _at(record, event_type) or received_at
    fact = fact_of(record, event_type)
    customer = person_of(record, installation, at, ref=_ref(record, installation), opts_in=event_type == CONSENT_CHANGED)
    data: dict[str, Json] = {**data_of(record), **_consent_data(record, event_type, installation, at)}
    if event_type == STAGE_CHANGED:
        data["changed"] = ["deal.stage"]
    if previous:
        data |= {**{f"previous.{name}": value for name, value in previous.items() if value}}
    return Event(
        id=event_id or fact or f"{event_type}:{record.id}:{stamp(at)}",
        type=event_type,
        occurred_at=at,
        fact=fact,
        subject=subject_of(record),
        people={"customer": customer},
        data={name: value for name, value in data.items() if value is not None and value != ""},
        fetch=_fetch(record, installation, customer),
    )


def fact_of(record: Record, event_type: str) -> str:
    """The business identity: made once, at a stage, or as the record stood at its time stamp; "" when nothing tells."""
    if event_type in _ONCE:
        return f"{event_type}:{record.id}"
    if event_type == STAGE_CHANGED and record.text("StageName"):
        return f"{event_type}:{record.id}:{record.text('StageName')}"
    changed = record.time("SystemModstamp") or record.time("LastModifiedDate")
    return f"{event_type}:{record.id}:{stamp(changed)}" if changed else ""


def data_of(record: Record) -> dict[str, Json]:
    """The documented fields of an object, and the organization's own as `record.<field>`."""
    tell = _TELLERS.get(record.kind)
    told = tell(record) if tell else {}
    own = record.kind not in KINDS
    chosen = [name for name in record.fields if own or name.endswith("__c")][:_CUSTOM_MAX]
    extra = {f"record.{name}": record.text(name, 1000) for name in chosen if name not in PHONES.get(record.kind, ())}
    return {**told, **extra, "record.id": record.id, "record.type": record.kind}


def _at(record: Record, event_type: str) -> datetime | None:
    created = record.time("CreatedDate") if event_type.endswith(".created") else None
    return created or record.time("SystemModstamp") or record.time("LastModifiedDate")


def _ref(record: Record, installation: Installation) -> str:
    """Who the record is about, where that is another record."""
    if record.kind in PERSONS:
        return record.id
    named = {"Case": ("ContactId",), "Opportunity": ("ContactId",), "Order": ("BillToContactId",)}.get(record.kind)
    wanted = named or (*configured.field_names(installation, "contact_lookups"), *_LOOKUPS)
    return next((found for name in wanted if object_of(found := record.ref(name)) in PERSONS), "")


def _fetch(record: Record, installation: Installation, customer: Person) -> dict[str, str]:
    """What `enrich` must ask for: the person, when no phone came, and the owner, when somebody wants to text owners."""
    if not configured.can_call(installation):
        return {}
    fetch: dict[str, str] = {}
    if not customer.phones:
        if record.kind in ("Opportunity", "Order", "Case"):
            fetch = {"object": record.kind, "id": record.id}
        elif customer.ref and (record.kind != "Account" or is_person_account(record)):
            fetch = {"object": object_of(customer.ref) or record.kind, "id": customer.ref}
    owner = record.ref("OwnerId")
    if installation.settings.get("fetch_owner") is True and object_of(owner) == "User":
        fetch["owner"] = owner
    return fetch


def _consent_data(record: Record, event_type: str, installation: Installation, at: datetime) -> dict[str, Json]:
    if event_type != CONSENT_CHANGED:
        return {}
    out, into = consent_fields(installation, record.kind)
    state = "opted_out" if out and record.flag(out) else "opted_in" if into and record.flag(into) else "not_opted_out"
    return {
        "consent.purpose": configured.purposes(installation)[0].value,
        "consent.state": state,
        "consent.at": stamp(at),
        "consent.source": "salesforce",
    }


def _person(word: str) -> Callable[[Record], dict[str, Json]]:
    def tell(record: Record) -> dict[str, Json]:
        return {
            f"{word}.id": record.id,
            f"{word}.first_name": record.text("FirstName"),
            f"{word}.last_name": record.text("LastName"),
            f"{word}.email": record.text("Email") or record.text("PersonEmail"),
            "customer.first_name": record.text("FirstName"),
            "customer.last_name": record.text("LastName"),
        }

    return tell


def _lead(record: Record) -> dict[str, Json]:
    more = {"lead.company": record.text("Company"), "lead.status": record.text("Status"), "lead.source": record.text("LeadSource")}
    return {**_person("lead")(record), **more}


def _account(record: Record) -> dict[str, Json]:
    person = _person("contact")(record) if is_person_account(record) else {}
    return {**person, "account.name": record.text("Name"), "account.id": record.id}


def _case(record: Record) -> dict[str, Json]:
    fields = ("CaseNumber", "Subject", "Status", "Priority", "Origin", "Reason")
    names = {"CaseNumber": "number"}
    return {"case.id": record.id, **{f"case.{names.get(name, name.lower())}": record.text(name) for name in fields}}


def _deal(record: Record) -> dict[str, Json]:
    currency = record.text("CurrencyIsoCode", 3)
    return {
        "deal.id": record.id,
        "deal.name": record.text("Name"),
        "deal.stage": record.text("StageName"),
        "deal.amount": record.money("Amount", currency),
        "deal.currency": currency,
        "deal.close_date": record.text("CloseDate", 10),
    }


def _order(record: Record) -> dict[str, Json]:
    currency = record.text("CurrencyIsoCode", 3)
    return {
        "order.id": record.id,
        "order.number": record.text("OrderNumber"),
        "order.name": record.text("Name") or record.text("OrderNumber"),
        "order.status": record.text("Status"),
        "order.total": record.money("TotalAmount", currency),
        "order.currency": currency,
    }


_TELLERS: Mapping[str, Callable[[Record], dict[str, Json]]] = {
    "Lead": _lead,
    "Contact": _person("contact"),
    "Account": _account,
    "Case": _case,
    "Opportunity": _deal,
    "Order": _order,
}
