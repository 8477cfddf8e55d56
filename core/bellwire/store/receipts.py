"""Statements for delivery receipts: matched to their message, or parked until the send's answer is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bellwire.store import schema
from bellwire.store.types import AnyRow, Document, Id, Instant

PARKED_FOR = timedelta(hours=24)

_m, _d, _a = schema.messages.c, schema.dlrs.c, schema.attempts.c

MESSAGE_COLUMNS = (
    _m.id,
    _m.tenant_id,
    _m.account_id,
    _m.contact_id,
    _m.event_id,
    _m.trigger_id,
    _m.installation_id,
    _m.subject,
    _m.customer_ref,
    _m.reference,
    _m.status,
    _m.reason,
    _m.segments,
    _m.parts,
    _m.carrier_ref,
)


_attempted = sa.exists().where(_a.message_id == _m.id, _a.account_id == sa.bindparam("account_id", type_=Id))
_message = sa.select(*MESSAGE_COLUMNS).where(
    _m.id == sa.bindparam("id", type_=Id), sa.or_(_m.account_id == sa.bindparam("account_id", type_=Id), _attempted)
)


def message(connection: sa.Connection, message_id: UUID, account_id: UUID, *, wait: bool = True) -> AnyRow | None:
    """Lock and read the message a receipt names, if it was given to this account, now or in an earlier attempt.

    `wait` False: None also when somebody holds it.
    """
    statement = _message
    if connection.dialect.name == "postgresql":
        statement = statement.with_for_update(skip_locked=not wait, of=schema.messages)
    return connection.execute(statement, {"id": message_id, "account_id": account_id}).one_or_none()


def insert(connection: sa.Connection, row: dict[str, Any]) -> None:
    """Store a receipt."""
    connection.execute(sa.insert(schema.dlrs), row)


_move = (
    sa.update(schema.messages)
    .where(_m.id == sa.bindparam("b_id", type_=Id))
    .values(
        status=sa.bindparam("b_status"),
        handed_over_at=sa.func.coalesce(_m.handed_over_at, sa.bindparam("b_handed_over", type_=Instant)),
        carrier_ref=sa.func.coalesce(_m.carrier_ref, sa.bindparam("b_ref")),
        parts=sa.bindparam("b_parts", type_=Document),
        updated_at=sa.bindparam("b_at", type_=Instant),
    )
)


def move(connection: sa.Connection, values: dict[str, Any]) -> None:
    """Write what a receipt moved. Keys: b_id, b_status, b_handed_over, b_ref, b_parts, b_at."""
    connection.execute(_move, values)


_theirs = sa.select(_m.id).where(_m.account_id == _d.account_id, _m.carrier_ref == _d.carrier_ref).correlate(schema.dlrs)
_parked_matches = (
    sa.select(schema.dlrs, _theirs.order_by(_m.id.desc()).limit(1).scalar_subquery().label("matched_id"))  # ids may be used again
    .where(sa.text("dlrs.parked"), _d.received_at > sa.bindparam("since", type_=Instant), _theirs.exists())
    .order_by(_d.received_at, _d.id)  # by id alone SQLite reads all receipts in that order
    .limit(sa.bindparam("limit"))
)
_of_ref = _parked_matches.where(_d.account_id == sa.bindparam("account_id", type_=Id), _d.carrier_ref == sa.bindparam("ref"))


def parked_matches(
    connection: sa.Connection, now: datetime, account_id: UUID | None = None, carrier_ref: str = "", limit: int = 500
) -> Sequence[AnyRow]:
    """Lock and read parked receipts, younger than a day, whose message is known by now (`matched_id`); of one of the carrier's
    ids where an account is given.
    """
    statement = _parked_matches if account_id is None else _of_ref
    values: dict[str, Any] = {"since": now - PARKED_FOR, "limit": limit}
    if account_id is not None:
        values |= {"account_id": account_id, "ref": carrier_ref}
    if connection.dialect.name == "postgresql":
        statement = statement.with_for_update(skip_locked=True, of=schema.dlrs)
    return connection.execute(statement, values).all()


_unpark = (
    sa.update(schema.dlrs)
    .where(_d.id == sa.bindparam("b_id", type_=Id))
    .values(parked=False, message_id=sa.bindparam("b_message", type_=Id), details=sa.bindparam("b_details", type_=Document))
)


def unpark(connection: sa.Connection, dlr_id: UUID, message_id: UUID, details: dict[str, Any]) -> None:
    """A parked receipt found its message."""
    connection.execute(_unpark, {"b_id": dlr_id, "b_message": message_id, "b_details": details})


_REMEMBER = {
    "sqlite": sqlite.insert(schema.seen).on_conflict_do_nothing().returning(schema.seen.c.kind),
    "postgresql": postgresql.insert(schema.seen).on_conflict_do_nothing().returning(schema.seen.c.kind),
}


def remember(connection: sa.Connection, key_hash: bytes, kind: int, scope_id: UUID, at: datetime) -> bool:
    """Note a dedupe key; False when it was seen before."""
    statement = _REMEMBER[connection.dialect.name]
    # what came back is asked, not the row count: SQLAlchemy does not keep that of an insert on every driver
    return connection.execute(statement, {"key_hash": key_hash, "kind": kind, "scope_id": scope_id, "at": at}).first() is not None
