"""Rows from decisions: messages, contacts and what goes with them, encrypted, ready for one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.settle import Planned
from bellwire.domain.tenant import TenantConfig
from bellwire.engine.followups import Change, Followups
from bellwire.engine.people import Contact
from bellwire.ids import new_id, parse_id, show
from bellwire.model import ConsentHint, ConsentState, Event, Msisdn, Person, Purpose, Status
from bellwire.store import schema
from bellwire.store.schema import LANES, STATUS_CODES
from bellwire.store.vault import BlindIndex, Vault

Rows = dict[sa.Table, list[dict[str, Any]]]


def stamp(at: datetime) -> str:
    """RFC 3339 UTC with Z."""
    return at.isoformat().replace("+00:00", "Z")


class RowMaker:
    """Makes the rows of one unit. One a unit; `rows`, `implied`, `numbered` and `followups` are what it gathered."""

    def __init__(self, vault: Vault, config: TenantConfig, index: BlindIndex, followups: Followups, now: datetime) -> None:
        self._vault, self._config, self._index, self._now = vault, config, index, now
        self.followups = followups
        self.rows: Rows = {}
        self.implied: list[tuple[UUID, str, datetime]] = []
        self.numbered: list[tuple[UUID, bytes]] = []  # erased contacts that are texted again: their numbers
        self._contacts: dict[Msisdn, UUID] = {}

    def contact(self, msisdn: Msisdn, known: Contact | None, country: str, timezone: str, planned: Planned | None = None) -> UUID:
        """The contact's id; a new one brings its row, with the consent that this text implies."""
        states = planned.record if planned is not None else None
        if known is not None:
            if states is not None and states.purpose is not None:
                self.implied.append((known.id, str(states.purpose), self._now))
            if not known.numbered and (planned is None or planned.status is not Status.REFUSED):
                self.numbered.append((known.id, self._vault.seal(msisdn, self._config.id, "contacts.msisdn", known.id)))
            return known.id
        if msisdn in self._contacts:
            return self._contacts[msisdn]
        msisdn_ix = self._index.of(msisdn)
        contact_id = self._index.contact_id(msisdn_ix)
        row: dict[str, Any] = {
            "id": contact_id,
            "tenant_id": self._config.id,
            "msisdn_ix": msisdn_ix,
            "msisdn": self._vault.seal(msisdn, self._config.id, "contacts.msisdn", contact_id),
            "country": country,
            "timezone": timezone,
            "suppressed": None,
            "created_at": self._now,
        }
        for purpose in Purpose:
            recorded = states is not None and states.purpose is purpose
            row[str(purpose)] = str(states.state) if recorded and states is not None else None
            row[f"{purpose}_at"] = self._now if recorded else None
            row[f"{purpose}_by"] = str(states.source) if recorded and states is not None else None
        self.rows.setdefault(schema.contacts, []).append(row)
        self._contacts[msisdn] = contact_id
        return contact_id

    def message(
        self,
        planned: Planned,
        contact_id: UUID | None,
        *,
        event: Event | None = None,
        event_id: UUID | None = None,
        installation_id: UUID | None = None,
        reference: str = "",
        metadata: Mapping[str, Any] | None = None,
        entry: Mapping[str, Any] | None = None,
        author: str = "",
    ) -> UUID:
        """Add a message's row and what follows from its first status; its id."""
        draft, message_id, tenant_id = planned.draft, new_id(), self._config.id
        customer = event.customer if event else None
        options = {
            "timezones": list(draft.timezones),
            "quiet_hours": draft.quiet_hours,
            "collection": draft.collection or None,
            "author": author or None,
            "answers": draft.answers or None,
            "sender_id": draft.sender_id or None,  # what the caller insists on, as `wanted_carrier`
        }
        self.rows.setdefault(schema.messages, []).append(
            {
                "id": message_id,
                "tenant_id": tenant_id,
                "contact_id": contact_id,
                "event_id": event_id,
                "trigger_id": draft.trigger.row_id if draft.trigger else None,
                "installation_id": installation_id,
                "subject": (event.subject or None) if event else None,
                "customer_ref": (customer.ref or None) if customer else None,
                "status": STATUS_CODES[planned.status],
                "reason": planned.reason and str(planned.reason),
                "lane": LANES[draft.purpose],
                "purpose": str(draft.purpose),
                "basis": draft.basis,
                "template": draft.template or None,
                "template_version": draft.template_version,
                "locale": draft.locale or None,
                "options": {name: value for name, value in options.items() if value},
                "account_id": parse_id("acc", planned.account) if planned.account else None,
                "sender_id": planned.sender_id or None,
                "wanted_carrier": draft.carrier or None,
                "tried": None,
                "text": self._vault.seal(draft.text, tenant_id, "messages.text", message_id) if draft.text else None,
                "encoding": planned.encoding and str(planned.encoding),
                "segments": planned.segments,
                "country": planned.country or None,
                "due": planned.due,
                "send_at": planned.due,
                "expires_at": planned.expires_at,
                "created_at": self._now,
                "updated_at": self._now,
                "attempts": 0,
                "epoch": 0,
                "reference": reference or None,
                "metadata": self._vault.seal_json(metadata, tenant_id, "messages.metadata", message_id) if metadata else None,
                "notes": [entry] if entry else None,
            }
        )
        self.followups.add(
            self._config,
            Change(
                message_id=message_id,
                status=planned.status,
                at=self._now,
                reason=str(planned.reason or ""),
                installation_id=installation_id,
                subject=event.subject if event else "",
                customer_ref=customer.ref if customer else "",
                trigger_id=draft.trigger.row_id if draft.trigger else None,
                reference=reference,
                event_id=event_id,
            ),
        )
        if planned.record is not None and contact_id is not None:
            self._consent(planned, contact_id, event_id, author)
        return message_id

    def _consent(self, planned: Planned, contact_id: UUID, event_id: UUID | None, author: str) -> None:
        """The ledger's line for a consent that this send itself implies, the event or the call its proof."""
        record = planned.record
        if record is None:
            return
        self.rows.setdefault(schema.consents, []).append(
            {
                "id": new_id(),
                "tenant_id": self._config.id,
                "contact_id": contact_id,
                "purpose": record.purpose and str(record.purpose),
                "state": str(record.state),
                "source": str(record.source),
                "at": self._now,
                "recorded_at": self._now,
                "event_id": event_id,
                "reply_id": None,
                "author": author or None,
                "proof": None,
            }
        )

    def event(
        self, event: Event, event_id: UUID, connector: str, installation_id: UUID | None, status: int, *, error: str = ""
    ) -> None:
        """Add an event's row; its people and data sealed."""
        pending = status == schema.EVENT_PENDING
        self.rows.setdefault(schema.events, []).append(
            {
                "id": event_id,
                "tenant_id": self._config.id,
                "installation_id": installation_id,
                "connector": connector,
                "type": event.type,
                "subject": event.subject,
                "status": status,
                "occurred_at": event.occurred_at,
                "received_at": self._now,
                "content": self._vault.seal_json(pack_event(event), self._config.id, "events.content", event_id),
                "attempts": 0,
                "due": self._now if pending else None,
                "error": error or None,
            }
        )

    def all(self) -> Rows:
        """Every row, the followed-up jobs included."""
        return {**self.rows, **self.followups.rows()}


def pack_event(event: Event) -> dict[str, Any]:
    """An event's content as plain JSON."""
    return {
        "id": event.id,
        "fact": event.fact,
        "people": {role: _pack_person(person) for role, person in event.people.items()},
        "data": event.data,
        "cancels": list(event.cancels),
        "fetch": dict(event.fetch),
        "test": event.test,
    }


def _pack_person(person: Person) -> dict[str, Any]:
    packed = {name: getattr(person, name) for name in _PERSON}
    packed["consents"] = [
        {"purpose": str(hint.purpose), "state": str(hint.state), "at": stamp(hint.at), "source": hint.source, "proof": hint.proof}
        for hint in person.consents
    ]
    return packed


_PERSON = tuple(one.name for one in fields(Person))


def unpack_event(content: Mapping[str, Any], type_: str, subject: str, occurred_at: datetime) -> Event:
    """The event behind `pack_event`."""
    people = {}
    for role, packed in content["people"].items():
        hints = tuple(
            ConsentHint(
                purpose=Purpose(hint["purpose"]),
                state=ConsentState(hint["state"]),
                at=datetime.fromisoformat(hint["at"]),
                source=hint["source"],
                proof=hint["proof"],
            )
            for hint in packed["consents"]
        )
        people[role] = Person(**{**packed, "consents": hints})
    return Event(
        id=content["id"],
        type=type_,
        occurred_at=occurred_at,
        fact=content["fact"],
        subject=subject,
        people=people,
        data=content["data"],
        cancels=tuple(content["cancels"]),
        fetch=content["fetch"],
        test=content["test"],
    )


def entry_row(
    trigger: str | None, outcome: str, reason: str | None, line: str, message_id: UUID | None, trigger_id: UUID | None
) -> dict[str, Any]:
    """One entry of an event's decisions, as stored and as shown."""
    entry = {
        "trigger": trigger,
        "trigger_id": show("trg", trigger_id) if trigger_id else None,
        "outcome": outcome,
        "reason": reason,
        "line": line or None,
        "message": show("msg", message_id) if message_id else None,
    }
    return {name: value for name, value in entry.items() if value is not None or name == "trigger"}
