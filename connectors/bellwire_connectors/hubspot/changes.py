"""A change of a webhook batch → our event: what happened, to which record, and what must be fetched. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bellwire import ConsentHint, Event, Installation, Json, Person

from .bodies import Change
from .records import REDACTED, field_name, hint, text

#: objectTypeId of the generic form → the classic name.
OBJECT_TYPES = {"0-1": "contact", "0-2": "company", "0-3": "deal", "0-5": "ticket"}

#: Properties that only we write, besides those that the settings name.
OURS = frozenset({"bellwire_message_id"})

_LEAD = "lead"
_COMMENT = "COMMENT"  # a note of the staff, which no customer sees


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a change is in our words."""

    type: str
    data: Mapping[str, Json]
    subject: str
    person: str = ""
    fetch: Mapping[str, str]
    part: str = ""
    consents: Sequence[ConsentHint] = ()


def events_of(change: Change, installation: Installation) -> Iterator[Event]:
    """The events of one change: none for what is not served, for another app's, and for what we did ourselves."""
    if _is_other_app(change, installation) or is_own(change.change_source, change.source_id, change.app_id, installation):
        return
    kind, what = kind_of(change)
    for told in _told(kind, what, change, installation):
        is_test = change.event_id == 100 and change.object_id == 123  # what the Test button of the app's settings always sends
        named = _identity(change)
        fact = (
            ""
            if is_test
            else fact_of(told.type, told.subject, told.part or change.property_name or change.message_id, change.occurred_at)
        )
        yield Event(
            id=f"{named}:{told.part}" if told.part else named,
            type=told.type,
            occurred_at=datetime.fromtimestamp(change.occurred_at / 1000, UTC),
            fact=fact,
            subject=told.subject,
            people={"customer": Person(ref=told.person, consents=told.consents)} if told.person else {},
            data={**told.data, "portal.id": str(change.portal_id)},
            fetch={} if is_test else told.fetch,
            account=str(change.portal_id),
            test=is_test,
        )


def fact_of(event_type: str, subject: str, what: str | None, at_ms: int) -> str:
    """The business identity, the same by webhook in either form and by a look back. A record is made once."""
    is_once = event_type.endswith(".created") and event_type != "lead.created"
    return f"{event_type}:{subject}" if is_once else f"{event_type}:{subject}:{what or ''}:{at_ms}"


def kind_of(change: Change) -> tuple[str, str]:
    """`contact.propertyChange`, and `object.propertyChange` of type 0-1 → (`contact`, `propertyChange`)."""
    kind, _, what = change.subscription_type.partition(".")
    if kind == "object":
        kind = OBJECT_TYPES.get(change.object_type_id or "", "")
    return kind, what


def is_own(source: str | None, source_id: str | None, app_id: int | None, installation: Installation) -> bool:
    """Whether our own app made a change: HubSpot reports what we write as it reports everybody's."""
    if (source or "").upper() not in {"INTEGRATION", "API"} or not source_id:
        return False
    own = {str(one) for one in (installation.settings.get("app_id"), app_id) if one}
    return source_id.rpartition(":")[2] in own


def own_fields(installation: Installation) -> frozenset[str]:
    """Properties that tell what became of a text: a change of theirs is no news."""
    status = str(installation.settings.get("status_field") or "")
    consent = str(installation.settings.get("consent_field") or "")
    return OURS | ({status, f"{status}_at", f"{status}_reason"} if status else set()) | ({f"{consent}_at"} if consent else set())


def _is_other_app(change: Change, installation: Installation) -> bool:
    own = installation.settings.get("app_id")
    return bool(own and change.app_id and str(own) != str(change.app_id))


def _identity(change: Change) -> str:
    """`eventId` alone is not unique, and `attemptNumber` differs between tries."""
    parts = (
        change.portal_id,
        change.subscription_type,
        change.object_id,
        change.property_name,
        change.event_id,
        change.occurred_at,
        *((change.object_type_id,) if change.object_type_id else ()),
        *((change.primary_object_id, change.merged_object_ids) if change.merged_object_ids else ()),
        *((change.message_id,) if change.message_id else ()),
    )
    return hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).hexdigest()


def _told(kind: str, what: str, change: Change, installation: Installation) -> Iterator[Told]:
    number = str(change.object_id) if change.object_id is not None else ""
    match kind, what:
        case "contact", "merge":
            yield from _merged(change)
        case _ if not number:
            return
        case "contact", "creation":
            yield _contact("contact.created", number, {})
        case "contact", "propertyChange":
            yield from _contact_changed(number, change, installation)
        case "contact", "privacyDeletion":
            ref = f"contact/{number}"
            yield Told(type="person.erase_requested", subject=ref, person=ref, data={}, fetch={})
        case "deal", "creation":
            yield Told(type="deal.created", subject=f"deal/{number}", data={"deal.id": number}, fetch={"deal": number})
        case "ticket", "creation":
            yield Told(type="ticket.created", subject=f"ticket/{number}", data={"ticket.id": number}, fetch={"ticket": number})
        case (("deal" | "ticket"), "propertyChange"):
            yield from _record_changed(kind, number, change, installation)
        case "conversation", "newMessage" if (change.message_type or "").upper() != _COMMENT and change.message_id:
            yield Told(
                type="ticket.commented",
                subject=f"conversation/{number}",
                data={},
                fetch={"thread": number, "message": change.message_id},
            )


def _contact(event_type: str, number: str, data: Mapping[str, Json]) -> Told:
    ref = f"contact/{number}"
    return Told(type=event_type, subject=ref, person=ref, data={"contact.id": number, **data}, fetch={"contact": number})


def _contact_changed(number: str, change: Change, installation: Installation) -> Iterator[Told]:
    name = change.property_name or ""
    if name in own_fields(installation):
        return
    value = _value(change)
    if name and name == installation.settings.get("consent_field"):
        if value:
            yield _consented(number, value, change, str(installation.settings.get("consent_purpose") or "marketing"))
        return
    is_lead = name == "lifecyclestage" and value.lower() == _LEAD
    yield _contact("lead.created" if is_lead else "contact.updated", number, _changed("contact", change))


def _consented(number: str, value: str, change: Change, purpose: str) -> Told:
    """The consent property was set: when, and by what, is the statement's proof."""
    at, source = datetime.fromtimestamp(change.occurred_at / 1000, UTC), text(change.change_source).lower()
    said: dict[str, Json] = {
        "consent.purpose": purpose,
        "consent.state": value.lower(),
        "consent.at": at.isoformat().replace("+00:00", "Z"),
        **({"consent.source": source} if source else {}),
    }
    stated = hint(value, at, f"contact/{number} {change.property_name}={value.lower()} {source}".strip(), purpose)
    return replace(_contact("customer.consent_changed", number, said), consents=(stated,) if stated else ())


def _record_changed(kind: str, number: str, change: Change, installation: Installation) -> Iterator[Told]:
    name = change.property_name or ""
    if name in own_fields(installation):
        return
    event_type = f"{kind}.updated"
    if kind == "deal" and name == "dealstage":
        event_type = "deal.stage_changed"
    elif kind == "ticket" and name == "hs_pipeline_stage" and _value(change) in _closed(installation):
        event_type = "ticket.solved"
    yield Told(
        type=event_type, subject=f"{kind}/{number}", data={f"{kind}.id": number, **_changed(kind, change)}, fetch={kind: number}
    )


def _closed(installation: Installation) -> frozenset[str]:
    return frozenset(str(one) for one in installation.settings.get("closed_stages") or ("4",))


def _merged(change: Change) -> Iterator[Told]:
    """The survivor may be a new record: then both that were merged are lost."""
    kept = change.new_object_id or change.primary_object_id or change.object_id
    if kept is None:
        return
    lost = dict.fromkeys([*(change.merged_object_ids or ()), *((change.primary_object_id,) if change.primary_object_id else ())])
    ref = f"contact/{kept}"
    for number in lost:
        if number != kept:
            data: dict[str, Json] = {"person.kept_ref": ref, "person.lost_ref": f"contact/{number}"}
            yield Told(type="person.merged", subject=ref, person=ref, data=data, fetch={}, part=str(number))


def _changed(kind: str, change: Change) -> dict[str, Json]:
    """`changed`, and the new value unless HubSpot hides it."""
    named = field_name(kind, change.property_name or "")
    if not named:
        return {}
    value = _value(change)
    return {"changed": [named], **({named: value} if value else {})}


def _value(change: Change) -> str:
    return "" if change.is_sensitive or change.property_value == REDACTED else text(change.property_value, 1000)
