"""Writes what intake decided: units (an event with all its rows) are stored wholly or, when seen before, not at all.

Many callers' batches are applied together, one statement a table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bellwire.model import Event, Status
from bellwire.store import contacts, schema
from bellwire.store.doubt import MAY_HAVE_LEFT, WHY
from bellwire.store.many import Many, inserts
from bellwire.store.schema import STATUS_CODES
from bellwire.store.types import AnyRow, Id
from bellwire.store.vault import fingerprint

SeenKey = tuple[bytes, int, UUID]  # key hash, kind, scope


@dataclass(frozen=True, slots=True)
class Cancel:
    """Waiting messages about these objects of one installation are canceled, of one trigger or one event only where it is named."""

    tenant_id: UUID
    installation_id: UUID
    subjects: tuple[str, ...]
    step: str
    trigger_id: UUID | None = None
    event_id: UUID | None = None
    follow: Callable[[sa.Connection, Sequence[AnyRow]], None] | None = None  # told of the rows, in the same transaction


@dataclass(slots=True, kw_only=True)
class Unit:
    """One event's rows. `keys`: it is new only when all of them are. `marks`: remembered, but decide nothing.

    `cancels`: never what it brings itself, and of one trigger never what a later unit of the same transaction brings.
    `over`: done only when its key is remembered: what this one is about was over before it came.
    """

    event_id: UUID | None = None
    keys: Sequence[SeenKey] = ()
    marks: Sequence[SeenKey] = ()
    rows: Mapping[sa.Table, list[dict[str, Any]]] = field(default_factory=dict)
    numbered: Sequence[tuple[UUID, bytes]] = ()  # erased contacts that are texted again, with their sealed numbers
    implied: Sequence[tuple[UUID, str, datetime]] = ()  # contacts whose empty state becomes `implied` for a purpose
    cancels: Sequence[Cancel] = ()
    over: Sequence[tuple[SeenKey, Cancel]] = ()
    effects: Sequence[Callable[[sa.Connection], None]] = ()  # what else a new event changes: consent, installations
    at: datetime

    @property
    def due(self) -> datetime | None:
        """When the first of its messages is due; None: there is none."""
        return min((row["due"] for row in self.rows.get(schema.messages, ())), default=None)


#: The order in which tables are filled.
_ORDER = (
    schema.contacts,
    schema.consents,
    schema.events,
    schema.decisions,
    schema.messages,
    schema.replies,
    schema.write_backs,
    schema.callbacks,
    schema.audit,
)


def apply(connection: sa.Connection, batches: Sequence[Sequence[Unit]]) -> list[list[bool]]:
    """Store the units of many batches in the transaction under way: for each unit, whether it was new."""
    units = [unit for batch in batches for unit in batch]
    _in_turn(connection, units)
    new = _new(connection, units)
    fresh = [unit for unit, is_new in zip(units, new, strict=True) if is_new]
    for table in _ORDER:
        rows = [row for unit in fresh for row in unit.rows.get(table, ())]
        if rows:
            _insert(connection, table, rows)
    _cancel_all(connection, fresh)
    for unit in fresh:
        for contact_id, sealed in unit.numbered:
            contacts.refill(connection, contact_id, sealed)
        for contact_id, purpose, at in unit.implied:
            imply(connection, contact_id, purpose, at)
        for effect in unit.effects:
            effect(connection)
    results, place = [], 0
    for batch in batches:
        results.append(new[place : place + len(batch)])
        place += len(batch)
    return results


def _in_turn(connection: sa.Connection, units: Sequence[Unit]) -> None:
    """Whoever cancels what waits for an object and whoever makes something wait for it go one after the other.

    Otherwise neither sees the other's rows: of 40 orders told at the moment of their carts, 26 carts were reminded of all the same.
    """
    if connection.dialect.name != "postgresql":
        return  # its writers take turns anyway
    cancels = [cancel for unit in units for cancel in (*unit.cancels, *(one for _, one in unit.over))]
    keys = {fingerprint(one.installation_id.bytes, subject)[:8] for one in cancels for subject in one.subjects}
    if keys:
        connection.execute(_LOCK, {"keys": sorted(int.from_bytes(key, signed=True) for key in keys)})


_LOCK = sa.text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")


def _new(connection: sa.Connection, units: Sequence[Unit]) -> list[bool]:
    """Insert all keys; a unit is new when each of its keys went in and was first claimed by it."""
    owner: dict[SeenKey, int] = {}
    for place, unit in enumerate(units):
        for key in (*unit.keys, *unit.marks):
            owner.setdefault(key, place)
    if not owner:
        return [True] * len(units)
    at = units[0].at
    # sorted: two processes that insert the same keys in one order cannot deadlock
    rows = [
        {"key_hash": k[0], "kind": k[1], "scope_id": k[2], "at": at} for k in sorted(owner, key=lambda k: (k[0], k[1], k[2].bytes))
    ]
    inserted = {(bytes(row.key_hash), row.kind, row.scope_id) for row in connection.execute(_SEEN[connection.dialect.name], rows)}
    return [all(key in inserted and owner[key] == place for key in unit.keys) for place, unit in enumerate(units)]


_SEEN = {
    "sqlite": sqlite.insert(schema.seen)
    .on_conflict_do_nothing()
    .returning(schema.seen.c.key_hash, schema.seen.c.kind, schema.seen.c.scope_id),
    "postgresql": postgresql.insert(schema.seen)
    .on_conflict_do_nothing()
    .returning(schema.seen.c.key_hash, schema.seen.c.kind, schema.seen.c.scope_id),
}
_CONTACTS = {
    "sqlite": sqlite.insert(schema.contacts).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(schema.contacts).on_conflict_do_nothing(),
}


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if table is schema.contacts:
        rows.sort(key=lambda row: row["id"].bytes)
    shapes: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        shapes.setdefault(tuple(row), []).append(row)
    for columns, same in shapes.items():
        _many(table, columns, connection.dialect.name).run(connection, same)


@cache
def _many(table: sa.Table, columns: tuple[str, ...], dialect: str) -> Many:
    """The statement for rows with these columns; a contact that is there already stays as it is."""
    return inserts(_CONTACTS[dialect] if table is schema.contacts else sa.insert(table), columns)


def imply(connection: sa.Connection, contact_id: UUID, purpose: str, at: datetime) -> None:
    """Mark a consent as implied by a transaction where the contact has said nothing yet."""
    column = schema.contacts.c[purpose]
    connection.execute(
        sa.update(schema.contacts)
        .where(schema.contacts.c.id == contact_id, column.is_(None))
        .values({purpose: "implied", f"{purpose}_at": at, f"{purpose}_by": "event"})
    )


_m = schema.messages.c
#: What a canceled message's callbacks and write-backs are made of.
_FOLLOWED = (_m.id, _m.status, _m.installation_id, _m.subject, _m.customer_ref, _m.trigger_id, _m.reference, _m.event_id)


def _cancel_all(connection: sa.Connection, fresh: Sequence[Unit]) -> None:
    """Cancel what the units' events end. Nearly all find nothing waiting: one question for them all says so."""
    waiting = _waiting(connection, [cancel for unit in fresh for cancel in (*unit.cancels, *(one for _, one in unit.over))])
    if not waiting:
        return
    ended = seen_among(connection, [key for unit in fresh for key, cancel in unit.over if _finds(waiting, cancel, ())])
    for place, unit in enumerate(fresh):
        own, later = [unit.event_id], [one.event_id for one in fresh[place:]]
        for cancel in unit.cancels:
            spared = later if cancel.trigger_id is not None else own
            if _finds(waiting, cancel, spared):
                _cancel(connection, cancel, spared, unit.at)
        for key, cancel in unit.over:
            if key in ended:
                _cancel(connection, cancel, (), unit.at)


Waiting = Mapping[tuple[UUID, str], Collection[UUID | None]]  # installation and object → the events that brought what waits

_about = sa.select(_m.installation_id, _m.subject, _m.event_id).where(
    _m.tenant_id.in_(sa.bindparam("tenants", expanding=True, type_=Id)),
    _m.subject.in_(sa.bindparam("subjects", expanding=True)),
    sa.text("messages.status < 2"),
)


def _waiting(connection: sa.Connection, cancels: Sequence[Cancel]) -> Waiting:
    """What waits about the objects of these, whoever brought it."""
    found: dict[tuple[UUID, str], set[UUID | None]] = {}
    if cancels:
        tenants = list({cancel.tenant_id for cancel in cancels})
        subjects = list({subject for cancel in cancels for subject in cancel.subjects})
        for row in connection.execute(_about, {"tenants": tenants, "subjects": subjects}):
            found.setdefault((row.installation_id, row.subject), set()).add(row.event_id)
    return found


def _finds(waiting: Waiting, cancel: Cancel, spared: Collection[UUID | None]) -> bool:
    """Whether anything waits that this one might cancel; which of it is for its statement to say."""
    return any(event not in spared for subject in cancel.subjects for event in waiting.get((cancel.installation_id, subject), ()))


def _cancel(connection: sa.Connection, cancel: Cancel, spared: Sequence[UUID | None], at: datetime) -> None:
    """Cancel waiting messages about objects, except those that these events have brought."""
    where = [
        _m.tenant_id == cancel.tenant_id,
        _m.subject.in_(cancel.subjects),
        _m.installation_id == cancel.installation_id,
        _m.event_id.not_in([one for one in spared if one is not None]),
    ]
    if cancel.trigger_id is not None:
        where.append(_m.trigger_id == cancel.trigger_id)
    if cancel.event_id is not None:
        where.append(_m.event_id == cancel.event_id)
    canceled = _canceled(connection, where, cancel.step, at)
    if canceled and cancel.follow is not None:
        cancel.follow(connection, canceled)


def cancel_of_installation(connection: sa.Connection, tenant_id: UUID, installation_id: UUID, at: datetime) -> Sequence[AnyRow]:
    """Cancel all that waits for an account that took the app out; the rows."""
    where = [_m.tenant_id == tenant_id, _m.installation_id == installation_id]
    return _canceled(connection, where, "the app was taken out", at)


def cancel_of_events(
    connection: sa.Connection, tenant_id: UUID, event_ids: Sequence[UUID], step: str, at: datetime
) -> Sequence[AnyRow]:
    """Cancel what waits and came of these events; the rows."""
    return _canceled(connection, [_m.tenant_id == tenant_id, _m.event_id.in_(event_ids)], step, at)


def cancel_about(
    connection: sa.Connection,
    tenant_id: UUID,
    installation_id: UUID,
    event: Event,
    event_id: UUID,
    types: Sequence[str],
    at: datetime,
) -> Sequence[AnyRow]:
    """Cancel what waits about an event's object for its person, but for its own, and came of events of these types; the rows."""
    e = schema.events.c
    person = event.customer.ref if event.customer is not None else ""
    before = sa.select(e.id).where(e.tenant_id == tenant_id, e.type.in_(types), e.id == _m.event_id)
    where = [
        _m.tenant_id == tenant_id,
        _m.installation_id == installation_id,
        _m.subject == event.subject,
        sa.func.coalesce(_m.customer_ref, "") == person,
        _m.event_id != event_id,
        before.exists(),
    ]
    return _canceled(connection, where, f"canceled by {event.type}", at)


def cancel_of_contacts(
    connection: sa.Connection, tenant_id: UUID, contact_ids: Sequence[UUID], installation_id: UUID | None, at: datetime
) -> Sequence[AnyRow]:
    """Cancel all that waits for people who are erased, of one installation only when it is named; the rows."""
    where = [_m.tenant_id == tenant_id, _m.contact_id.in_(contact_ids)]
    if installation_id is not None:
        where.append(_m.installation_id == installation_id)
    return _canceled(connection, where, "the person's data was erased", at)


def _canceled(connection: sa.Connection, where: Sequence[sa.ColumnElement[bool]], step: str, at: datetime) -> Sequence[AnyRow]:
    """Cancel what waits; the rows. What an earlier try may have sent becomes `unknown`: it goes nowhere any more either."""
    return connection.execute(
        sa.update(schema.messages)
        .where(*where, sa.text("messages.status < 2"))
        .values(
            status=sa.case((MAY_HAVE_LEFT, STATUS_CODES[Status.UNKNOWN]), else_=STATUS_CODES[Status.CANCELED]),
            updated_at=at,
            notes=sa.case((MAY_HAVE_LEFT, _noted(at, step, Status.UNKNOWN, WHY)), else_=_noted(at, step, Status.CANCELED)),
        )
        .returning(*_FOLLOWED)
    ).all()


def _noted(at: datetime, step: str, status: Status, detail: str = "") -> sa.ColumnElement[str]:
    """A message's notes with one more."""
    note = {"at": at.isoformat().replace("+00:00", "Z"), "step": step, "outcome": str(status)}
    line = json.dumps({**note, "detail": detail} if detail else note)
    notes = sa.type_coerce(_m.notes, sa.Text)
    longer = sa.func.substr(notes, 1, sa.func.length(notes) - 1).concat(f",{line}]")  # a JSON list with one more
    return sa.type_coerce(sa.case((sa.func.length(notes) > len("[]"), longer), else_=f"[{line}]"), sa.Text)


_s = schema.seen.c
_keys = sa.select(_s.key_hash, _s.kind, _s.scope_id)
_seen = _keys.where(_s.key_hash.in_(sa.bindparam("hashes", expanding=True)))
_seen_one = _keys.where(_s.key_hash == sa.bindparam("hash"))  # a list takes SQLAlchemy twice the time, and is rare
_seen_elsewhere = sa.select(_s.at).where(
    _s.key_hash == sa.bindparam("key"),
    _s.kind == sa.bindparam("kind"),
    _s.scope_id != sa.bindparam("scope", type_=_s.scope_id.type),
)


def seen_among(connection: sa.Connection, keys: Collection[SeenKey]) -> frozenset[SeenKey]:
    """Those of the keys that are remembered."""
    if not keys:
        return frozenset()
    hashes = list({key[0] for key in keys})
    rows = connection.execute(_seen_one, {"hash": hashes[0]}) if len(hashes) == 1 else connection.execute(_seen, {"hashes": hashes})
    return frozenset(keys) & {(bytes(row.key_hash), row.kind, row.scope_id) for row in rows}


def was_seen_elsewhere(connection: sa.Connection, key: SeenKey) -> bool:
    """Whether a key is remembered in another scope than its own."""
    return connection.execute(_seen_elsewhere, {"key": key[0], "kind": key[1], "scope": key[2]}).first() is not None
