"""One person's data out, or gone: by the API for a tenant, or as a platform asks for one of its accounts.

Reading goes first, in snapshots; then the rows are changed in small transactions, so that a long erasure stands in nobody's way.
A run that ends half-way is done again from the start: what is gone already costs nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain import msisdn as numbers
from bellwire.domain.ledger import Source, Statement
from bellwire.domain.retention import Retention
from bellwire.domain.wanted import Wanted
from bellwire.engine import consents
from bellwire.engine.cancels import Following
from bellwire.engine.configs import Held
from bellwire.engine.rows import stamp, unpack_event
from bellwire.errors import Conflict, NotFound, StoreUnavailable
from bellwire.ids import show
from bellwire.model import ConsentState, Event, Msisdn, Person
from bellwire.store import audit, contacts, installations, intake, people, privacy
from bellwire.store.database import reading
from bellwire.store.people import BATCH, PERSONAL, Traces
from bellwire.store.tenancy import TenantConnection
from bellwire.store.types import AnyRow
from bellwire.store.vault import NOBODY

if TYPE_CHECKING:
    from bellwire.engine.runtime import Engine

log = logging.getLogger(__name__)

WRITE_WAIT_S = 10.0
_LEASE = timedelta(minutes=10)
_HELD_AGAIN = timedelta(hours=12)  # a legal hold is asked about so often
_TRY_AGAIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where a person stands in the store. `others`: contacts of theirs that more than the asking installation knows."""

    contacts: Sequence[UUID] = ()
    others: Sequence[UUID] = ()
    messages: Sequence[UUID] = ()
    traces: Traces = field(default_factory=Traces)
    known_as: Wanted = field(default_factory=Wanted)  # what was asked for, and what the person's events add to it

    @property
    def is_nobody(self) -> bool:
        """Whether nothing is kept of the person."""
        return not (self.contacts or self.others or self.messages or self.traces.event)


def export(engine: Engine, tenant_id: UUID, msisdn: Msisdn, *, actor: str) -> dict[str, Any]:
    """All that the tenant keeps of a number's owner. Raises NotFound when that is nothing."""
    held = _held(engine, tenant_id)
    wanted = Wanted(phones=frozenset({msisdn}))
    found = find(engine, held, wanted)
    if found.is_nobody:
        raise NotFound("person", "with this number")
    document = _document(engine, held, wanted, found)
    shown = _shown(held, found, msisdn)
    engine.write(lambda c: audit.note(TenantConnection(c, tenant_id), actor, "person.exported", shown, engine.now()))
    return document


def erase(engine: Engine, tenant_id: UUID, msisdn: Msisdn, *, actor: str) -> None:
    """Erase all that the tenant keeps of a number's owner; what they refused stays as a keyed hash. Repeating it is harmless.

    Raises Conflict while the tenant is under a legal hold, StoreUnavailable when the database is in the way: repeat it.
    """
    held = _held(engine, tenant_id)
    if _is_on_hold(held):
        raise Conflict("legal_hold", "the tenant's setting legal_hold forbids to erase anything now")
    wanted = Wanted(phones=frozenset({msisdn}))
    _erase(engine, held, wanted, find(engine, held, wanted), None, actor, _shown(held, None, msisdn))


def step(engine: Engine) -> int:
    """Do what platforms asked for; how many requests were looked at. For the jobs' loop."""
    now = engine.now()
    with reading(engine.store.engine) as connection:
        if not privacy.any_due(connection, now):
            return 0
    rows = engine.write(lambda connection: privacy.due(connection, now, now + _LEASE))
    for row in rows:
        try:
            _work(engine, row)
        except StoreUnavailable:
            return len(rows)  # the lease brings it back
        except Exception as e:  # the worker's loop: one request's failure stays its own
            log.exception("a privacy request failed", extra={"privacy_request": show("prv", row.id)})
            _put_off(engine, row, _TRY_AGAIN, type(e).__name__)
    return len(rows)


def _work(engine: Engine, row: AnyRow) -> None:
    held = _held(engine, row.tenant_id)
    shown = show("prv", row.id)
    wanted = Wanted()
    if row.wanted is not None:
        wanted = Wanted.read(engine.vault.open_json(row.wanted, row.tenant_id, "privacy_requests.wanted", row.id))
    if row.kind == privacy.EXPORT_PERSON:
        found = find(engine, held, wanted, row.installation_id)
        result = _document(engine, held, wanted, found, row.installation_id)
        sealed = engine.vault.seal_json(result, row.tenant_id, "privacy_requests.result", row.id)
        _done(engine, row, "person.exported", shown, sealed)
        return
    if _is_on_hold(held):
        _put_off(engine, row, _HELD_AGAIN, "a legal hold forbids it now")
        return
    if row.kind == privacy.ERASE_INSTALLATION:
        _erase_installation(engine, held, row.installation_id)
        _done(engine, row, "installation.erased", show("ins", row.installation_id))
        return
    _erase(engine, held, wanted, find(engine, held, wanted, row.installation_id), row.installation_id, "platform", shown)
    _done(engine, row, "privacy.done", shown)


def _done(engine: Engine, row: AnyRow, action: str, object_: str, result: bytes | None = None) -> None:
    now = engine.now()

    def write(connection: sa.Connection) -> None:
        scoped = TenantConnection(connection, row.tenant_id)
        privacy.done(scoped, row.id, now, result=result)
        audit.note(scoped, "platform", action, object_, now, {"request": show("prv", row.id)})

    engine.write(write, wait_s=WRITE_WAIT_S)


def _put_off(engine: Engine, row: AnyRow, wait: timedelta, why: str) -> None:
    try:
        engine.write(lambda connection: privacy.put_off(connection, row.id, engine.now() + wait, why))
    except StoreUnavailable:
        return  # the lease brings it back


# -- finding --------------------------------------------------------------------------------------------------------


def find(engine: Engine, held: Held, wanted: Wanted, installation_id: UUID | None = None) -> Found:
    """Where a person stands: by number, by the platform's name of them, by what events tell. `installation_id`: only what came
    from there, and then all numbers that its events give the person.
    """
    with reading(engine.store.engine) as connection:
        scoped = TenantConnection(connection, held.config.id)
        events: list[UUID] = []
        phones, refs = set(wanted.phones), set(wanted.refs)
        for row in _rows_of_events(scoped, installation_id):
            people_, countries = _event(engine, row).people, _countries(held, row.installation_id)
            if wanted.is_told_of(people_, row.subject, countries):
                events.append(row.id)
                theirs = [person for person in people_.values() if wanted.is_it(person, countries)]
                refs |= {person.ref for person in theirs}
                if installation_id is not None:
                    phones |= {one for person in theirs for one in _numbers(person, countries)}
        mine = [row.id for row in contacts.by_index(connection, held.config.id, [held.index.of(one) for one in sorted(phones)])]
        rows = [*people.messages_of(scoped, mine, installation_id)] if mine else []
        named = people.messages_by_ref(scoped, sorted(wanted.refs), installation_id) if wanted.refs else []
        if not phones:  # a plugin found the number, no event has it
            mine = list(dict.fromkeys(row.contact_id for row in named if row.contact_id is not None))
        rows += named
        events = list(dict.fromkeys([*events, *(row.event_id for row in rows if row.event_id is not None)]))
        for start in range(0, len(events), BATCH):
            rows += people.messages_about(scoped, events[start : start + BATCH])
        messages = list(dict.fromkeys(row.id for row in rows))
        others = [one for one in mine if installation_id is not None and people.is_known_otherwise(scoped, one, installation_id)]
        replies = people.replies_of(scoped, mine, messages if installation_id is not None else None) if mine else []
    return Found(
        contacts=[one for one in mine if one not in others],
        others=others,
        messages=messages,
        traces=Traces(message=messages, reply=replies, event=events),
        known_as=replace(wanted, phones=frozenset(phones), refs=frozenset(refs - {""})),
    )


def _rows_of_events(scoped: TenantConnection, installation_id: UUID | None) -> Iterator[AnyRow]:
    """Every event with content: what it tells of whom has no index, so all are opened."""
    after = NOBODY
    while rows := people.events(scoped, after, installation_id):
        yield from rows
        after = rows[-1].id


def _numbers(person: Person, countries: Sequence[str]) -> Iterator[Msisdn]:
    for written in (*person.phones, *(person.marketing_phones or ())):
        msisdn = numbers.parse(written, [*person.countries, *countries])
        if msisdn is not None:
            yield msisdn


def _event(engine: Engine, row: AnyRow) -> Event:
    content = engine.vault.open_json(row.content, row.tenant_id, "events.content", row.id)
    return unpack_event(content, row.type, row.subject, row.occurred_at)


def _countries(held: Held, installation_id: UUID | None) -> list[str]:
    installation = held.config.installations.get(installation_id) if installation_id is not None else None
    return [one for one in (installation.value.country if installation else "", held.config.country) if one]


# -- out ------------------------------------------------------------------------------------------------------------


def _document(engine: Engine, held: Held, wanted: Wanted, found: Found, installation_id: UUID | None = None) -> dict[str, Any]:
    """An export as JSON. Of an event's people only the person stands in it: the others' data are theirs."""
    whose = Traces(
        contact=[*found.contacts, *found.others], message=found.traces.message, reply=found.traces.reply, event=found.traces.event
    )
    with reading(engine.store.engine) as connection:
        tables = people.export(TenantConnection(connection, held.config.id), engine.vault, whose)
    for row in tables["events"]:
        if "content" in row:
            event = unpack_event(row["content"], row["type"], row["subject"], engine.now())
            countries = _countries(held, installation_id)
            kept = {role for role, person in event.people.items() if wanted.is_it(person, countries)}
            row["content"]["people"] = {role: person for role, person in row["content"]["people"].items() if role in kept}
    return {"tenant": show("ten", held.config.id), "made_at": stamp(engine.now()), "person": wanted.document(), "data": tables}


# -- gone -----------------------------------------------------------------------------------------------------------


def _erase(engine: Engine, held: Held, wanted: Wanted, found: Found, installation_id: UUID | None, actor: str, shown: str) -> None:
    """Erase a person: first nobody may be texted any more, then the rows go, at last the number itself."""
    now, tenant_id = engine.now(), held.config.id
    first, second = Following(engine, held, now), Following(engine, held, now)

    def stop(connection: sa.Connection) -> list[UUID]:
        wholly = list(found.contacts)
        if installation_id is None:  # a number that nobody texted is remembered as well: a list may bring it again
            made = [consents.ensure_contact(engine, connection, held, one, now, numbered=False) for one in wanted.phones]
            wholly = list(dict.fromkeys([*wholly, *made]))
        for contact_id in wholly:
            said = Statement(purpose=None, state=ConsentState.OPTED_OUT, source=Source.ERASURE, at=now)
            contacts.say(connection, tenant_id, contact_id, said, now)
        ids = [*wholly, *found.others]
        first(connection, intake.cancel_of_contacts(connection, tenant_id, ids, installation_id, now), write_back=False)
        return wholly

    wholly = engine.write(stop, wait_s=WRITE_WAIT_S)
    _erase_rows(engine, tenant_id, found.traces)
    _erase_sealed(engine, held, found)
    _erase_rows(engine, tenant_id, Traces(contact=wholly))

    def forget(connection: sa.Connection) -> None:
        scoped = TenantConnection(connection, tenant_id)
        # texts, jobs and replies that came while the rows went
        for chunk in Traces(contact=wholly).chunks():
            for table in PERSONAL:
                people.erase(scoped, table, people.left(scoped, table, chunk, limit=BATCH))
        second(connection, intake.cancel_of_contacts(connection, tenant_id, wholly, None, now), write_back=False)
        details = {"contacts": [show("con", one) for one in wholly[:BATCH]], "messages": len(found.messages)}
        audit.note(scoped, actor, "person.erased", shown, now, details)

    engine.write(forget, wait_s=WRITE_WAIT_S)
    engine.notify([*first.changes, *second.changes])


def _erase_rows(engine: Engine, tenant_id: UUID, traces: Traces) -> None:
    """Do to all rows what their columns say, a batch a transaction."""
    for chunk in traces.chunks():
        for table in PERSONAL:
            _until_none(engine, tenant_id, table, chunk)


def _until_none(engine: Engine, tenant_id: UUID, table: sa.Table, traces: Traces) -> None:
    while True:
        with reading(engine.store.engine) as connection:
            ids = people.left(TenantConnection(connection, tenant_id), table, traces)
        if not ids:
            return

        def write(connection: sa.Connection, ids: list[UUID] = ids) -> int:
            return people.erase(TenantConnection(connection, tenant_id), table, ids)

        engine.write(write, wait_s=WRITE_WAIT_S)


def _erase_sealed(engine: Engine, held: Held, found: Found) -> None:
    """What is found only by what is sealed in it: kept answers of the API, and exports of the same person."""
    marks = {*found.known_as.phones, *(one.hex for one in found.messages)}
    with reading(engine.store.engine) as connection:
        scoped = TenantConnection(connection, held.config.id)
        answers = people.answers_with(scoped, engine.vault, lambda text: any(mark in text for mark in marks))
        exports = [key for key, whose in privacy.exports(scoped, engine.vault).items() if found.known_as.shares(Wanted.read(whose))]
    if not answers and not exports:
        return

    def write(connection: sa.Connection) -> None:
        scoped = TenantConnection(connection, held.config.id)
        people.forget_answers(scoped, answers)
        privacy.forget(scoped, exports)

    engine.write(write, wait_s=WRITE_WAIT_S)


def _erase_installation(engine: Engine, held: Held, installation_id: UUID) -> None:
    """Erase what came through an account that is gone, the people whom nobody else knows with it, and the account's own data."""
    now, tenant_id = engine.now(), held.config.id
    traces = people.of_installation(installation_id)
    _erase_rows(engine, tenant_id, traces)
    after = NOBODY
    while True:
        with reading(engine.store.engine) as connection:
            scoped = TenantConnection(connection, tenant_id)
            ids = people.contacts_of_installation(scoped, installation_id, after)
            alone = [one for one in ids if not people.is_known_otherwise(scoped, one, installation_id)]
        if not ids:
            break
        after = ids[-1]

        def refuse(connection: sa.Connection, alone: list[UUID] = alone) -> None:
            for contact_id in alone:
                said = Statement(purpose=None, state=ConsentState.OPTED_OUT, source=Source.ERASURE, at=now)
                contacts.say(connection, tenant_id, contact_id, said, now)

        if alone:
            engine.write(refuse, wait_s=WRITE_WAIT_S)
            _erase_rows(engine, tenant_id, Traces(contact=alone))

    def last(connection: sa.Connection) -> None:
        scoped = TenantConnection(connection, tenant_id)
        installations.erased(scoped, engine.vault, installation_id, now=now)
        privacy.forget_of(scoped, installation_id)

    engine.write(last, wait_s=WRITE_WAIT_S)


def _is_on_hold(held: Held) -> bool:
    return Retention.from_settings(held.config.settings).legal_hold


def _shown(held: Held, found: Found | None, msisdn: Msisdn) -> str:
    """How the audit trail names somebody: the contact's id, which follows from the number's keyed hash."""
    if found is not None and found.contacts:
        return show("con", found.contacts[0])
    return show("con", held.index.contact_id(held.index.of(msisdn)))


def _held(engine: Engine, tenant_id: UUID) -> Held:
    with reading(engine.store.engine) as connection:
        held = engine.configs.get(connection, tenant_id, engine.now())
    if held is None:
        raise NotFound("tenant", show("ten", tenant_id))
    return held
