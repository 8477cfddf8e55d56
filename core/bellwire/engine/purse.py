"""What a cycle spends: never below a tenant's balance, one ledger entry a tenant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.tenant import TenantConfig
from bellwire.engine.accounts import Accounts
from bellwire.ids import new_id
from bellwire.store import charges as money
from bellwire.store.charges import Charge
from bellwire.store.types import AnyRow

_NOTHING = (0, 0)


class Purse:
    """The balances inside one cycle's transaction."""

    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self._connection, self._now = connection, now
        self._balances: dict[UUID, AnyRow | None] = {}
        self._spent: dict[UUID, tuple[int, int]] = {}  # millionths, messages

    def is_open(self, config: TenantConfig) -> bool:
        """Whether the tenant's texts can be paid now: not while another process spends its balance."""
        if not config.has_balance:
            return True
        if config.id not in self._balances:
            self._balances[config.id] = money.balance(self._connection, config.id)
        return self._balances[config.id] is not None or not money.is_set(self._connection, config.id)

    def affords(self, config: TenantConfig, cost: Decimal | None, ahead: int) -> bool:
        """Whether the balance covers it, with what this cycle has spent and the millionths of those `ahead` of it.

        No credit set: no check.
        """
        balance = self._balances.get(config.id)
        if balance is None or not cost:
            return True
        spent, _ = self._spent.get(config.id, _NOTHING)
        return bool(balance.micros >= spent + ahead + micros(cost))

    def spend(self, config: TenantConfig, cost: Decimal | None, attempt_id: UUID) -> Charge | None:
        """Charge one start; what is to be given back should it turn out that nothing was sent."""
        balance = self._balances.get(config.id)
        if balance is None or not cost:
            return None
        amount = micros(cost)
        spent, messages = self._spent.get(config.id, _NOTHING)
        self._spent[config.id] = spent + amount, messages + 1
        return _refund(attempt_id, config.id, amount, balance.currency)

    def pay(self) -> None:
        """Write what was spent."""
        charges = []
        for tenant_id, (spent, messages) in self._spent.items():
            balance = self._balances[tenant_id]
            currency = balance.currency if balance is not None else ""
            charges.append(
                Charge(id=new_id(), tenant_id=tenant_id, kind="charge", micros=-spent, currency=currency, messages=messages)
            )
        money.move(self._connection, charges, self._now)


def unclaimed(accounts: Accounts, rows: Sequence[AnyRow]) -> list[Charge]:
    """Refunds of claims that were charged and never started (`store.workers.let_wait`)."""
    charged = [(row, accounts.config(row.tenant_id)) for row in rows if row.price]
    return [
        _refund(new_id(), row.tenant_id, micros(Decimal(row.price)), row.currency or "")
        for row, config in charged
        if config is not None and config.has_balance and Decimal(row.price)
    ]


def _refund(entry_id: UUID, tenant_id: UUID, amount: int, currency: str) -> Charge:
    return Charge(id=entry_id, tenant_id=tenant_id, kind="refund", micros=amount, currency=currency, messages=1)


@lru_cache(maxsize=1024)
def micros(cost: Decimal) -> int:
    """Millionths of the currency unit, rounded up: the balance never ends below what was spent."""
    return math.ceil(cost * 1_000_000)
