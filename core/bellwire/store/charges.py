"""Statements for what sends cost: the balance a cycle spends from, and the ledger entries whose sum it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bellwire.store import schema
from bellwire.store.types import AnyRow, Id

_b = schema.balances.c


class Charge(NamedTuple):
    """Money moved for one tenant: negative for sends, positive for refunds. `id`: of its ledger entry, written once."""

    id: UUID
    tenant_id: UUID
    kind: str
    micros: int
    currency: str
    messages: int


_mine = _b.tenant_id == sa.bindparam("b_tenant", type_=Id)
_balance = sa.select(schema.balances).where(_mine)
_BALANCE = {"sqlite": _balance, "postgresql": _balance.with_for_update(skip_locked=True)}
_move = sa.update(schema.balances).where(_mine).values(micros=_b.micros + sa.bindparam("b_micros"))


def is_set(connection: sa.Connection, tenant_id: UUID) -> bool:
    """Whether a tenant has a balance at all."""
    return connection.execute(sa.select(_b.tenant_id).where(_b.tenant_id == tenant_id)).first() is not None


def balance(connection: sa.Connection, tenant_id: UUID) -> AnyRow | None:
    """Lock and read what a tenant may still spend; None when no credit was ever set, or another process spends it now."""
    return connection.execute(_BALANCE[connection.dialect.name], {"b_tenant": tenant_id}).one_or_none()


_INSERT = {
    "sqlite": sqlite.insert(schema.ledger).on_conflict_do_nothing().returning(schema.ledger.c.id),
    "postgresql": postgresql.insert(schema.ledger).on_conflict_do_nothing().returning(schema.ledger.c.id),
}


def move(connection: sa.Connection, charges: Sequence[Charge], now: datetime) -> None:
    """Write entries and move the balances by them; one that was written before moves nothing again.

    In the order of the tenants, so that two processes never wait for each other in a ring.
    """
    for one in sorted(charges, key=lambda charge: (charge.tenant_id.bytes, charge.id.bytes)):
        entry = {
            "id": one.id,
            "tenant_id": one.tenant_id,
            "kind": one.kind,
            "micros": one.micros,
            "currency": one.currency,
            "messages": one.messages,
            "note": "",
            "at": now,
        }
        if connection.execute(_INSERT[connection.dialect.name], entry).first() is not None:
            connection.execute(_move, {"b_tenant": one.tenant_id, "b_micros": one.micros})
