"""A tenant's credit: the ledger that is only added to, and the balance that is its sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import sqlalchemy as sa

from bellwire.errors import FieldInvalid
from bellwire.ids import new_id, show
from bellwire.store import audit, schema, tenants
from bellwire.store.paging import Page, page
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.types import AnyRow

MICROS = 1_000_000
MAX_AMOUNT = Decimal(1_000_000_000)

_b, _l, _m = schema.balances.c, schema.ledger.c, schema.messages.c


def is_set(connection: sa.Connection, tenant_id: UUID) -> bool:
    """Whether a tenant has a balance at all."""
    return connection.execute(sa.select(_b.tenant_id).where(_b.tenant_id == tenant_id)).first() is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What was given, what is gone, what calls under way have taken, what is left. `left` = credit - spent - reserved."""

    currency: str
    credit: Decimal
    spent: Decimal
    reserved: Decimal
    left: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the ledger."""

    id: UUID
    kind: str
    amount: Decimal
    currency: str
    messages: int
    note: str
    at: datetime


def credit(connection: TenantConnection, *, amount: Decimal, currency: str, note: str, actor: str, now: datetime) -> Entry:
    """Add credit (negative: take it back). The first one switches the balance check on. Raises FieldInvalid."""
    tenants.hold(connection)
    micros = int(amount * MICROS)
    if amount != Decimal(micros) / MICROS or not -MAX_AMOUNT <= amount <= MAX_AMOUNT or not micros:
        raise FieldInvalid("amount", "must be an amount such as 100.00, with at most 6 decimals, and not 0", "out_of_range")
    held = connection.execute(sa.select(_b.currency).where(scope(schema.balances))).scalar_one_or_none()
    if held is not None and held != currency:
        raise FieldInvalid("currency", f"the balance is kept in {held}", "other_currency")
    if held is None and micros < 0:
        raise FieldInvalid("amount", "there is no credit to take back yet", "out_of_range")
    if held is None:
        connection.insert(schema.balances, [{"currency": currency, "micros": 0}])
        tenants.bump(connection)  # from now on what is sent is checked against it
    connection.execute(sa.update(schema.balances).where(scope(schema.balances)).values(micros=schema.balances.c.micros + micros))
    entry = Entry(id=new_id(), kind="credit", amount=amount, currency=currency, messages=0, note=note, at=now)
    row = {"id": entry.id, "kind": "credit", "micros": micros, "currency": currency, "messages": 0, "note": note, "at": now}
    connection.insert(schema.ledger, [row])
    audit.note(connection, actor, "balance.credited", show("led", entry.id), now, {"amount": str(amount), "currency": currency})
    return entry


def balance(connection: TenantConnection) -> Balance | None:
    """The tenant's balance; None: no credit was ever set, nothing is checked."""
    held = connection.execute(sa.select(_b.currency, _b.micros).where(scope(schema.balances))).one_or_none()
    if held is None:
        return None
    given = connection.execute(
        sa.select(sa.func.sum(_l.micros)).where(scope(schema.ledger), sa.text("ledger.kind = 'credit'"))
    ).scalar()
    prices = connection.execute(
        sa.select(_m.price).where(
            scope(schema.messages),
            sa.text("messages.status = 2"),
            _m.owner >= UUID(int=0),  # all of them: so that SQLite goes by the index of what is being sent
            _m.price.is_not(None),
            _m.currency == held.currency,
        )
    )
    reserved = sum((Decimal(row.price) for row in prices), Decimal(0))
    credit, left = _money(int(given or 0)), _money(held.micros)  # what is left is the ledger's sum: the rest was spent
    return Balance(currency=held.currency, credit=credit, spent=credit - left - reserved, reserved=reserved, left=left)


def entries(connection: TenantConnection, *, limit: int, before: UUID | None = None, kinds: Sequence[str] = ()) -> Page[Entry]:
    """The ledger, newest first."""
    statement = sa.select(schema.ledger).where(scope(schema.ledger))
    if kinds:
        statement = statement.where(_l.kind.in_(kinds))
    return page(connection, statement, _l.id, limit, before, _entry)


def _money(micros: int) -> Decimal:
    return Decimal(micros) / MICROS


def _entry(row: AnyRow) -> Entry:
    return Entry(
        id=row.id,
        kind=row.kind,
        amount=_money(row.micros),
        currency=row.currency,
        messages=row.messages,
        note=row.note,
        at=row.at,
    )
