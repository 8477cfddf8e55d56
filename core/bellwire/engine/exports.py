"""A tenant's own data out, row by row and opened: for its owner, in bounded memory however much there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from bellwire.domain import pricing
from bellwire.ids import show
from bellwire.store import Store, audit, events, inbox, messages, statements
from bellwire.store.events import Event
from bellwire.store.inbox import Reply
from bellwire.store.messages import Message
from bellwire.store.paging import Page
from bellwire.store.statements import Line
from bellwire.store.tenancy import TenantConnection
from bellwire.store.vault import Vault

T = TypeVar("T")

PAGE = 200
Row = Mapping[str, Any]


class What(StrEnum):
    """What can be taken out."""

    MESSAGES = "messages"
    EVENTS = "events"
    CONSENTS = "consents"
    AUDIT = "audit"
    REPLIES = "replies"


def export(store: Store, tenant_id: UUID, what: What, *, since: datetime | None = None) -> Iterator[Row]:
    """The tenant's rows, newest first, each with all the names in `COLUMNS[what]`. Pages are read as they are asked for.

    Raises StoreUnavailable, and DecryptionFailed for a value that was sealed under a key we don't hold.
    """
    return _READERS[what](store, tenant_id, since)


def _names(written: str) -> Sequence[str]:
    return tuple(written.split())


COLUMNS: Mapping[What, Sequence[str]] = {
    What.MESSAGES: _names(
        """
        id status reason to text encoding segments purpose lane locale template template_version sender_id carrier carrier_account
        carrier_ref country event trigger reference metadata price currency created_at send_at expires_at updated_at why attempts
        write_backs
        """
    ),
    What.EVENTS: _names(
        "id type connector installation subject status occurred_at received_at attempts error decisions people data"
    ),
    What.CONSENTS: _names("msisdn purpose state source at proof recorded_at author id"),  # can be imported again
    What.AUDIT: _names("id at actor action object details sealed"),
    What.REPLIES: _names(
        "id received_at msisdn to text kind rule status message answer answers carrier_account passed passed_to error"
    ),
}


def _messages(store: Store, tenant_id: UUID, since: datetime | None) -> Iterator[Row]:
    for one in _all(store, tenant_id, lambda c, v, before: messages.listed(c, v, limit=PAGE, before=before, since=since)):
        yield _message(one)


def _message(one: Message) -> Row:
    return {
        "id": show("msg", one.id),
        "status": one.status,
        "reason": one.reason,
        "to": one.to,
        "text": one.text,
        "encoding": one.encoding,
        "segments": one.segments,
        "purpose": one.purpose,
        "lane": one.lane,
        "locale": one.locale,
        "template": one.template,
        "template_version": one.template_version,
        "sender_id": one.sender_id,
        "carrier": one.carrier,
        "carrier_account": _shown("acc", one.account_id),
        "carrier_ref": one.carrier_ref,
        "country": one.country,
        "event": _shown("evt", one.event_id),
        "trigger": one.trigger,
        "reference": one.reference,
        "metadata": one.metadata or {},
        "price": pricing.shown(one.price) if one.price is not None else None,
        "currency": one.currency,
        "created_at": one.created_at,
        "send_at": one.send_at,
        "expires_at": one.expires_at,
        "updated_at": one.updated_at,
        "why": [asdict(step) for step in one.why],
        "attempts": [{**asdict(attempt), "account_id": show("acc", attempt.account_id)} for attempt in one.attempts],
        "write_backs": [asdict(written) for written in one.write_backs],
    }


def _events(store: Store, tenant_id: UUID, since: datetime | None) -> Iterator[Row]:
    def read(connection: TenantConnection, vault: Vault, before: UUID | None) -> Page[tuple[Event, Mapping[str, Any] | None]]:
        found = events.listed(connection, limit=PAGE, before=before, since=since)
        opened = events.contents(connection, vault, [one.id for one in found.items])
        return Page([(one, opened.get(one.id)) for one in found.items], found.next)

    for one, content in _all(store, tenant_id, read):
        yield {
            "id": show("evt", one.id),
            "type": one.type,
            "connector": one.connector,
            "installation": _shown("ins", one.installation_id),
            "subject": one.subject,
            "status": one.status,
            "occurred_at": one.occurred_at,
            "received_at": one.received_at,
            "attempts": one.attempts,
            "error": one.error,
            "decisions": list(one.decisions),
            "people": (content or {}).get("people", {}),
            "data": (content or {}).get("data", {}),
        }


def _consents(store: Store, tenant_id: UUID, since: datetime | None) -> Iterator[Row]:
    def read(connection: TenantConnection, vault: Vault, before: UUID | None) -> Page[Line]:
        return statements.listed(connection, vault, limit=PAGE, before=before, since=since)

    for one in _all(store, tenant_id, read):
        yield {
            "msisdn": one.msisdn,
            "purpose": one.purpose or "all",
            "state": one.state,
            "source": one.source,
            "at": one.at,
            "proof": one.proof,
            "recorded_at": one.recorded_at,
            "author": one.author,
            "id": show("cns", one.id),
        }


def _audit(store: Store, tenant_id: UUID, since: datetime | None) -> Iterator[Row]:
    for one in _all(store, tenant_id, lambda c, _v, before: audit.listed(c, limit=PAGE, before=before, since=since)):
        yield {**asdict(one), "id": show("aud", one.id)}


def _replies(store: Store, tenant_id: UUID, since: datetime | None) -> Iterator[Row]:
    def read(connection: TenantConnection, vault: Vault, before: UUID | None) -> Page[Reply]:
        return inbox.listed(connection, vault, limit=PAGE, before=before, since=since)

    for one in _all(store, tenant_id, read):
        yield {
            "id": show("rpl", one.id),
            "received_at": one.received_at,
            "msisdn": one.msisdn,
            "to": one.to,
            "text": one.text,
            "kind": one.kind,
            "rule": one.rule,
            "status": one.status,
            "message": _shown("msg", one.message_id),
            "answer": one.answer,
            "answers": one.answers,
            "carrier_account": show("acc", one.account_id),
            "passed": one.passed,
            "passed_to": _shown("ins", one.passed_to),
            "error": one.error,
        }


_READERS: Mapping[What, Callable[[Store, UUID, datetime | None], Iterator[Row]]] = {
    What.MESSAGES: _messages,
    What.EVENTS: _events,
    What.CONSENTS: _consents,
    What.AUDIT: _audit,
    What.REPLIES: _replies,
}


def _all(store: Store, tenant_id: UUID, read: Callable[[TenantConnection, Vault, UUID | None], Page[T]]) -> Iterator[T]:
    """Every item of a paged list. Each page has a snapshot of its own: a long export holds no transaction open."""
    scoped, before = store.for_tenant(tenant_id), None
    while True:
        with scoped.reading() as connection:
            found = read(connection, store.vault, before)
        yield from found.items
        before = found.next
        if before is None:
            return


def _shown(prefix: str, value: UUID | None) -> str | None:
    return None if value is None else show(prefix, value)
