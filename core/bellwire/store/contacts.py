"""Statements for contacts: one row a number and tenant, with its current consent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bellwire.domain.ledger import CONSENT_COLUMNS, Standing, Statement, apply
from bellwire.ids import new_id
from bellwire.store import schema
from bellwire.store.types import AnyRow, Id

_c = schema.contacts.c

_of_tenant = sa.select(schema.contacts).where(_c.tenant_id == sa.bindparam("tenant", type_=_c.tenant_id.type))
_by_one_index = _of_tenant.where(_c.msisdn_ix == sa.bindparam("index"))  # a list takes SQLAlchemy twice the time, and is rare


def _by_array() -> sa.Select[Any]:
    """A probe of the index for each: PostgreSQL, until it has counted a tenant's contacts, would read all of them for a list."""
    given = sa.func.unnest(sa.bindparam("indexes", type_=postgresql.ARRAY(sa.LargeBinary))).table_valued("ix", name="given")
    given = given.render_derived()
    found = _of_tenant.where(_c.msisdn_ix == given.c.ix).limit(1).lateral("found")
    return sa.select(*(found.c[column.name] for column in _c)).select_from(given.join(found, sa.true()))


_BY_INDEX = {
    "sqlite": _of_tenant.where(_c.msisdn_ix.in_(sa.bindparam("indexes", expanding=True))),
    "postgresql": _by_array(),
}


def by_index(connection: sa.Connection, tenant_id: UUID, indexes: Sequence[bytes]) -> Sequence[AnyRow]:
    """The contacts behind blind indexes."""
    if len(indexes) == 1:
        return connection.execute(_by_one_index, {"tenant": tenant_id, "index": indexes[0]}).all()
    statement = _BY_INDEX[connection.dialect.name]
    return connection.execute(statement, {"tenant": tenant_id, "indexes": list(indexes)}).all() if indexes else []


_consents = sa.select(_c.id, *(_c[name] for name in CONSENT_COLUMNS)).where(
    _c.id.in_(sa.bindparam("ids", expanding=True, type_=Id))
)


def standings(connection: sa.Connection, contact_ids: Sequence[UUID]) -> dict[UUID, Standing]:
    """What these contacts have stated about being texted."""
    if not contact_ids:
        return {}
    rows = connection.execute(_consents, {"ids": contact_ids}).all()
    return {row.id: Standing.from_row(dict(row._mapping)) for row in rows}


def lock(connection: sa.Connection, contact_id: UUID) -> AnyRow | None:
    """Lock and read one contact: whoever claims a message to it waits, or has claimed it before."""
    statement = sa.select(schema.contacts).where(_c.id == contact_id)
    if connection.dialect.name == "postgresql":
        statement = statement.with_for_update()
    return connection.execute(statement).one_or_none()


@dataclass(frozen=True, slots=True)
class Kept:
    """A statement that is in the ledger. `before`, `after`: the contact's standing; `msisdn`: sealed, None once erased."""

    id: UUID
    before: Standing
    after: Standing
    msisdn: bytes | None


def say(
    connection: sa.Connection, tenant_id: UUID, contact_id: UUID, statement: Statement, now: datetime, **ledger: Any
) -> Kept | None:
    """Keep a statement in the ledger and apply it to the contact's current state, which claims read; None: no such contact.

    `ledger`: further columns of the ledger's row (id, event_id, reply_id, author, proof as sealed bytes).
    """
    row = lock(connection, contact_id)
    if row is None:
        return None
    values = {
        "id": new_id(),
        "tenant_id": tenant_id,
        "contact_id": contact_id,
        "purpose": statement.purpose and str(statement.purpose),
        "state": str(statement.state),
        "source": str(statement.source),
        "at": statement.at or now,
        "recorded_at": now,
        **ledger,
    }
    connection.execute(sa.insert(schema.consents), values)
    before = Standing.from_row(dict(row._mapping))
    after = apply(before, statement, now=now)
    connection.execute(sa.update(schema.contacts).where(_c.id == contact_id).values(**after.to_row()))
    return Kept(values["id"], before, after, row.msisdn)


_l = schema.consents.c


def was_said(connection: sa.Connection, contact_id: UUID, statement: Statement) -> bool:
    """Whether the ledger has this very statement: a platform tells the same one again with each order."""
    same = sa.select(_l.id).where(
        _l.contact_id == contact_id,
        _l.purpose.is_(None) if statement.purpose is None else _l.purpose == str(statement.purpose),
        _l.state == str(statement.state),
        _l.at == statement.at,
    )
    return connection.execute(same.limit(1)).first() is not None


_NEW = {
    "sqlite": sqlite.insert(schema.contacts).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(schema.contacts).on_conflict_do_nothing(),
}


def ensure(connection: sa.Connection, row: dict[str, Any]) -> None:
    """Make a contact that is not there yet. Its id follows from its number, so that two at once make one."""
    connection.execute(_NEW[connection.dialect.name], row)


def refill(connection: sa.Connection, contact_id: UUID, sealed: bytes) -> None:
    """Give an erased contact its number again, because a text is to go to it."""
    connection.execute(sa.update(schema.contacts).where(_c.id == contact_id, _c.msisdn.is_(None)).values(msisdn=sealed))
