"""What a cycle spends: never below a tenant's balance, one ledger entry a tenant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(slots=True)
class Wallet:
    """What one tenant may still spend, in millionths, and what this cycle has spent of it."""

    tenant_id: UUID
    left: int
    currency: str
    spent: int = 0
    messages: int = 0

    def affords(self, cost: Decimal | None, ahead: int) -> bool:
        """Whether it covers one more, with the millionths of those `ahead` of it."""
        return not cost or self.left >= ahead + micros(cost)

    def spend(self, cost: Decimal | None, attempt_id: UUID) -> Charge | None:
        """Charge one start; what is to be given back should it turn out that nothing was sent."""
        if not cost:
            return None
        amount = micros(cost)
        self.left -= amount
        self.spent += amount
        self.messages += 1
        return _refund(attempt_id, self.tenant_id, amount, self.currency)

    def charge(self) -> Charge:
        """The ledger's entry for all that was spent."""
        return Charge(
            id=new_id(),
            tenant_id=self.tenant_id,
            kind="charge",
            micros=-self.spent,
            currency=self.currency,
            messages=self.messages,
        )


class Purse:
    """The balances inside one cycle's transaction."""

    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self._connection, self._now = connection, now
        self._wallets: dict[UUID, Wallet | None] = {}

    def is_open(self, config: TenantConfig) -> bool:
        """Whether the tenant's texts can be paid now: not while another process spends its balance."""
        if not config.has_balance:
            return True
        return self.wallet(config) is not None or not money.is_set(self._connection, config.id)

    def wallet(self, config: TenantConfig) -> Wallet | None:
        """The tenant's balance, locked; None: no credit was set, and none is checked, or it is not open."""
        if not config.has_balance:
            return None
        if config.id not in self._wallets:
            row = money.balance(self._connection, config.id)
            self._wallets[config.id] = Wallet(config.id, row.micros, row.currency) if row is not None else None
        return self._wallets[config.id]

    def pay(self) -> None:
        """Write what was spent."""
        spent = [one.charge() for one in self._wallets.values() if one is not None and one.messages]
        money.move(self._connection, spent, self._now)


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
