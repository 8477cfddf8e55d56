"""Keeps what people say of their consent: the ledger's line, the contact's state, and who must be told, in one transaction.

Nothing else writes statements, so that whoever holds a person's consent (the tenant's own callbacks, the platforms) hears of each
change once. A platform's echo of what we wrote there says nothing new, so it ends where it came in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain import msisdn as numbers
from bellwire.domain.ledger import Source, Standing, Statement
from bellwire.engine.configs import Held
from bellwire.engine.followups import callback_rows
from bellwire.engine.rows import stamp
from bellwire.errors import NotFound
from bellwire.ids import new_id, show
from bellwire.model import ConsentState, Msisdn, Purpose
from bellwire.store import audit, contacts, schema
from bellwire.store import consents as stored
from bellwire.store.tenancy import TenantConnection

if TYPE_CHECKING:
    from bellwire.engine.runtime import Engine

#: What tells the same statement again and again.
_REPEATING = frozenset({Source.PLATFORM, Source.SYNC, Source.IMPORT})
_REFS_LOOKED_AT = 200  # a person's newest messages, for their names at platforms


@dataclass(frozen=True, slots=True)
class Recorded:
    """A statement that was taken. `after`: what the contact's ledger amounts to now; `changed`: for whom it made a difference."""

    contact_id: UUID
    after: Standing
    changed: tuple[Purpose, ...]


def record(
    engine: Engine,
    connection: sa.Connection,
    held: Held,
    *,
    statement: Statement,
    now: datetime,
    msisdn: Msisdn | None = None,
    contact_id: UUID | None = None,
    origin: UUID | None = None,
    event_id: UUID | None = None,
    reply_id: UUID | None = None,
    author: str = "",
    word: str = "",
    person_hash: bytes | None = None,
    noted: bool = True,
) -> Recorded:
    """Keep one statement about a person, given by number or as a contact, inside the transaction under way.

    `origin`: the installation that told us; it is not told back. `author`: the key or command that brought it; "" for what the
    person or a platform said. `word`: the source as the caller calls it, kept in the ledger. `person_hash`: whom a platform speaks
    of, kept with the statement. An erased contact stays without its number: a statement needs only the keyed hash. `noted` False:
    the caller writes one audit entry for many statements. Raises NotFound for a contact that does not exist.
    """
    tenant_id = held.config.id
    if contact_id is None:
        if msisdn is None:
            raise ValueError("a statement is about somebody: give msisdn or contact_id")
        contact_id = ensure_contact(engine, connection, held, msisdn, now)
    if statement.source in _REPEATING and statement.at is not None and contacts.was_said(connection, contact_id, statement):
        row = contacts.lock(connection, contact_id)
        after = Standing.from_row(dict(row._mapping)) if row is not None else Standing()
        changed: tuple[Purpose, ...] = ()
        numbered = False
        if person_hash is not None:
            stored.name_person(connection, tenant_id, contact_id, statement, person_hash)
    else:
        columns: dict[str, Any] = {"id": new_id(), "event_id": event_id, "reply_id": reply_id, "author": author or None}
        columns["person_hash"] = person_hash
        if word:
            columns["source"] = word
        if statement.proof:
            columns["proof"] = engine.vault.seal(statement.proof, tenant_id, "consents.proof", columns["id"])
        kept = contacts.say(connection, tenant_id, contact_id, statement, now, **columns)
        if kept is None:
            raise NotFound("contact", show("con", contact_id))
        before, after, numbered = kept.before, kept.after, kept.msisdn is not None
        changed = tuple(one for one in Purpose if _said(before, one) != _said(after, one))
        if msisdn is None and kept.msisdn is not None:
            msisdn = Msisdn(engine.vault.open(kept.msisdn, tenant_id, "contacts.msisdn", contact_id))
    if noted and (changed or author):
        details = {"purpose": str(statement.purpose or "all"), "state": str(statement.state), "source": str(statement.source)}
        scoped = TenantConnection(connection, tenant_id)
        audit.note(scoped, author or str(statement.source), "consent.recorded", show("con", contact_id), now, details)
    recorded = Recorded(contact_id, after, changed)
    if changed:
        _call_back(engine, connection, held, recorded, msisdn, statement, now)
        if numbered:  # no platform can be told of somebody whose number is gone
            _write_back(engine, connection, held, recorded, statement, now, origin)
    return recorded


def ensure_contact(
    engine: Engine, connection: sa.Connection, held: Held, msisdn: Msisdn, now: datetime, *, numbered: bool = True
) -> UUID:
    """The contact of a number, made when there is none. `numbered` False: a new one is kept as a keyed hash only."""
    msisdn_ix = held.index.of(msisdn)
    contact_id = held.index.contact_id(msisdn_ix)
    row = {
        "id": contact_id,
        "tenant_id": held.config.id,
        "msisdn_ix": msisdn_ix,
        "msisdn": engine.vault.seal(msisdn, held.config.id, "contacts.msisdn", contact_id) if numbered else None,
        "country": numbers.country_of(msisdn),
        "timezone": "",
        "created_at": now,
    }
    contacts.ensure(connection, row)
    return contact_id


def _said(standing: Standing, purpose: Purpose) -> ConsentState | None:
    """What is worth telling of a purpose: an opt-in, an opt-out (also of everything), or nothing."""
    if standing.suppressed:
        return ConsentState.OPTED_OUT
    state = standing.state(purpose)
    return None if state is ConsentState.IMPLIED else state


def _call_back(
    engine: Engine,
    connection: sa.Connection,
    held: Held,
    recorded: Recorded,
    msisdn: Msisdn | None,
    statement: Statement,
    now: datetime,
) -> None:
    """Jobs for the tenant's callbacks."""
    data = {
        "to": msisdn,
        "purpose": str(statement.purpose) if statement.purpose else None,
        "state": str(statement.state),
        "source": str(statement.source),
        "at": stamp(statement.at or now),
    }
    rows = callback_rows(engine.vault, held.config, "consent.changed", data, now, contact_id=recorded.contact_id)
    if rows:
        connection.execute(sa.insert(schema.callbacks), list(rows))


def _write_back(
    engine: Engine,
    connection: sa.Connection,
    held: Held,
    recorded: Recorded,
    statement: Statement,
    now: datetime,
    origin: UUID | None,
) -> None:
    """Jobs for the platforms that hold consent: one a purpose, so that none hides another."""
    takers = [one for one in _takers(engine, held) if one != origin]
    # a platform holds no consent to codes: nobody but the person asks for those
    purposes = [one for one in recorded.changed if one is not Purpose.OTP]
    if not takers or not purposes:
        return
    names = names_at(connection, recorded.contact_id)
    jobs = [
        {
            "id": new_id(),
            "tenant_id": held.config.id,
            "installation_id": taker,
            "kind": "consent",
            "subject": names.get(taker) or f"contact/{recorded.contact_id.hex}",
            "customer_ref": names.get(taker),
            "contact_id": recorded.contact_id,
            "value": str(state),
            "details": {"purpose": str(purpose), "source": str(statement.source), "at": stamp(statement.at or now)},
            "at": statement.at or now,
            "status": schema.JOB_QUEUED,
            "attempts": 0,
            "due": now,
            "updated_at": now,
        }
        for taker in takers
        for purpose in purposes
        if (state := _said(recorded.after, purpose)) is not None
    ]
    if jobs:
        connection.execute(sa.insert(schema.write_backs), jobs)


def _takers(engine: Engine, held: Held) -> list[UUID]:
    """The tenant's active installations whose platform can hold consent."""
    return [
        key
        for key, one in held.config.installations.items()
        if one.status == "active"
        and (connector := engine.plugins.connectors.get(one.value.connector)) is not None
        and connector.write_consent is not None
    ]


_m = schema.messages.c


def names_at(connection: sa.Connection, contact_id: UUID) -> dict[UUID, str]:
    """What each platform calls the person, as the newest messages to them have it."""
    rows = connection.execute(
        sa.select(_m.installation_id, _m.customer_ref)
        .where(_m.contact_id == contact_id, _m.installation_id.is_not(None), _m.customer_ref.is_not(None))
        .order_by(_m.id.desc())
        .limit(_REFS_LOOKED_AT)
    )
    names: dict[UUID, str] = {}
    for row in rows:
        names.setdefault(row.installation_id, row.customer_ref)
    return names
