"""Events that came as ids, completed: contacts, deals and tickets by batch reads, many events by the same few calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bellwire import Event, Json, Link, Person, PlatformRejected, PlatformUnauthorized

from .client import Hub, mapping
from .records import data, person, properties, text, without_tags

_RECORDS = ("contact", "deal", "ticket")
_NOT_A_TICKET = "record.updated"


def enrich(event: Event, link: Link) -> Event:
    """The event with people and data. Raises PlatformError; PlatformRejected when its record is gone."""
    made = enrich_many([event], link)[0]
    if made.fetch:
        raise PlatformRejected(f"hubspot: {event.subject.partition('/')[0]} of the event is not there", code="not_found")
    return made


def enrich_many(events: Sequence[Event], link: Link) -> Sequence[Event]:
    """The events in their order. One whose record is gone, or hidden from us, keeps its `fetch`. Raises PlatformError."""
    return Lookup(Hub(link)).completed(events)


class Lookup:
    """What several events need to know, asked together."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._installation = hub, hub.installation
        self._records: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in _RECORDS}
        self._contact_of: dict[tuple[str, str], str] = {}
        self._owners: dict[str, Person | None] = {}

    def completed(self, events: Sequence[Event]) -> list[Event]:
        """The events with what HubSpot knows."""
        opened = [self._opened(event) for event in events]
        for kind in ("deal", "ticket"):
            self._find(kind, [event.fetch[kind] for event in opened if kind in event.fetch])
        wanted = [event.fetch["contact"] for event in opened if "contact" in event.fetch]
        self._find("contact", [*wanted, *self._contact_of.values()])
        return [self._complete(event) for event in opened]

    def _find(self, kind: str, numbers: Sequence[str]) -> None:
        missing = [number for number in dict.fromkeys(numbers) if number not in self._records[kind]]
        if not missing:
            return
        self._records[kind] |= self._hub.read(kind, missing, properties(kind, self._installation))
        if kind != "contact":
            for number, contacts in self._hub.associated(kind, "contact", missing).items():
                if contacts:
                    self._contact_of[kind, number] = contacts[0]

    def _opened(self, event: Event) -> Event:
        """A message in a conversation: the ticket it belongs to, and its words."""
        if "thread" not in event.fetch:
            return event
        thread = event.fetch["thread"]
        found = mapping(self._hub.get(f"/conversations/v3/conversations/threads/{thread}", association="TICKET"))
        ticket = text(mapping(found.get("threadAssociations")).get("associatedTicketId"))
        if not ticket:
            return replace(event, type=_NOT_A_TICKET, fetch={})
        words = mapping(self._hub.get(f"/conversations/v3/conversations/threads/{thread}/messages/{event.fetch['message']}"))
        told = {
            "ticket.id": ticket,
            "ticket.latest_comment": text(words.get("text"), 1000) or without_tags(words.get("richText")),
            "comment.direction": text(words.get("direction")).lower(),
        }
        return replace(event, subject=f"ticket/{ticket}", data={**event.data, **_known(told)}, fetch={"ticket": ticket})

    def _complete(self, event: Event) -> Event:
        kind = next((kind for kind in _RECORDS if kind in event.fetch), "")
        if not kind:
            return event
        number = event.fetch[kind]
        found = self._records[kind].get(number)
        if found is None:
            return event
        told = {**data(kind, number, _properties(found)), **event.data}
        people = dict(event.people)
        if kind == "contact":
            people["customer"] = self._customer(event, number, found)
        else:
            self._around(kind, number, found, people, told)
        return replace(event, people=people, data=told, fetch={})

    def _customer(self, event: Event, number: str, found: Mapping[str, Any]) -> Person:
        made = person(f"contact/{number}", found, self._installation)
        given = event.people.get("customer")  # the workflow's own number goes before the record's
        if given is None:
            return made
        return replace(made, phones=given.phones or made.phones, consents=given.consents)

    def _around(self, kind: str, number: str, found: Mapping[str, Any], people: dict[str, Person], told: dict[str, Json]) -> None:
        """Whom a deal or ticket is about, and who looks after it."""
        contact = self._contact_of.get((kind, number), "")
        known = self._records["contact"].get(contact)
        if known is not None:
            customer = person(f"contact/{contact}", known, self._installation)
            given = people.get("customer")
            people["customer"] = replace(customer, phones=given.phones) if given and given.phones else customer
            told |= {name: value for name, value in data("contact", contact, _properties(known)).items() if name not in told}
        owner = self._owner(text(found.get("hubspot_owner_id")))
        if owner is not None:
            people["owner" if kind == "deal" else "agent"] = owner
            told[("owner" if kind == "deal" else "agent") + ".first_name"] = owner.name.partition(" ")[0]
        if kind == "ticket":
            if "customer" in people:
                people["requester"] = people["customer"]
                told["requester.first_name"] = told.get("contact.first_name", "")
            told["ticket.url"] = f"https://app.hubspot.com/contacts/{self._installation.account_ref}/record/0-5/{number}"
        for name in [name for name, value in told.items() if value == ""]:
            del told[name]

    def _owner(self, number: str) -> Person | None:
        """Who looks after it; nobody where the scope for owners is missing."""
        if not (number.isascii() and number.isdigit()):
            return None
        if number not in self._owners:
            try:
                found = mapping(self._hub.do("crm.owners.owners_api.get_by_id", int(number)))
            except (PlatformRejected, PlatformUnauthorized):
                found = {}
            name = f"{text(found.get('firstName'))} {text(found.get('lastName'))}".strip()
            self._owners[number] = Person(ref=f"owner/{number}", name=name, email=text(found.get("email"))) if found else None
        return self._owners[number]


def _properties(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in found.items() if name != "id"}


def _known(values: Mapping[str, str]) -> dict[str, Json]:
    return {name: value for name, value in values.items() if value}
