"""The carrier accounts a pump may ask: configuration, circuit breaker, and until when their rate forbids a look."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain import health as breaker
from bellwire.domain.health import HEALTHY, Health, Permit
from bellwire.domain.tenant import HeldAccount, TenantConfig
from bellwire.engine.configs import Configs
from bellwire.store import dispatch


class Accounts:
    """All tenants' carrier accounts as this process sees them. Used by the pump's thread only."""

    def __init__(self, configs: Configs, carriers: Collection[str]) -> None:
        self._configs, self._carriers = configs, carriers
        self._epoch: tuple[int, int] | None = None
        self._read_at = 0.0
        self._tenants: dict[UUID, TenantConfig] = {}
        self._accounts: dict[UUID, HeldAccount] = {}
        self._health: dict[UUID, Health] = {}
        self._not_before: dict[UUID, datetime] = {}
        self._turn = 0

    def refresh(self, connection: sa.Connection, now: datetime) -> None:
        """Read what changed. Costs one small query while nothing did."""
        epoch = dispatch.config_epoch(connection)
        if epoch == self._epoch and time.monotonic() - self._read_at < 30:
            return
        held = [self._configs.get(connection, tenant, now, version) for tenant, version in dispatch.tenant_versions(connection)]
        self._tenants = {one.config.id: one.config for one in held if one is not None}
        self._accounts = {account.value.id: account for config in self._tenants.values() for account in config.accounts}
        self._health = {key: value for key, value in self._health.items() if key in self._accounts}
        self._not_before = {key: value for key, value in self._not_before.items() if key in self._accounts}
        self._epoch, self._read_at = epoch, time.monotonic()

    def config(self, tenant_id: UUID) -> TenantConfig | None:
        """A tenant's configuration."""
        return self._tenants.get(tenant_id)

    def get(self, account_id: UUID) -> HeldAccount | None:
        """An account by id."""
        return self._accounts.get(account_id)

    def in_turn(self) -> list[HeldAccount]:
        """All accounts, beginning with another one each time: round-robin within a lane."""
        accounts = list(self._accounts.values())
        if not accounts:
            return []
        self._turn = (self._turn + 1) % len(accounts)
        return accounts[self._turn :] + accounts[: self._turn]

    def takes_any(self, account: HeldAccount) -> bool:
        """Whether it may be asked at all: switched on, and its carrier's plugin here."""
        return account.status == "active" and account.value.carrier in self._carriers

    def is_healthy(self, account_id: UUID) -> bool:
        """Whether messages flow to it."""
        return self._health.get(account_id, HEALTHY).is_healthy

    def permit(self, account_id: UUID) -> Permit:
        """Whether it may be given a message now; a probe is noted as let out."""
        permit, health = breaker.permit(self._health.get(account_id, HEALTHY), time.monotonic())
        self._health[account_id] = health
        return permit

    def ended(self, account_id: UUID, *, failed: bool, began: float) -> None:
        """Count a call's end. `began`: monotonic seconds."""
        now = time.monotonic()
        health = self._health.get(account_id, HEALTHY)
        if breaker.counts(health, began):
            self._health[account_id] = breaker.record(health, now, ok=not failed)

    def wait_until(self, account_id: UUID, at: datetime) -> None:
        """Its bucket grants nothing before this time."""
        self._not_before[account_id] = at

    def may_ask(self, account_id: UUID, now: datetime) -> bool:
        """Whether its rate allows a look."""
        at = self._not_before.get(account_id)
        return at is None or at <= now

    def ask_at(self, account_id: UUID, due: datetime, now: datetime) -> datetime | None:
        """When messages due at `due` can be looked at; None while the account takes none."""
        account = self._accounts.get(account_id)
        if account is None:
            return None if self._epoch is not None else now
        if not self.takes_any(account):
            return None
        at = max(due, self._not_before.get(account_id, due))
        health = self._health.get(account_id, HEALTHY)
        if not health.is_healthy:
            wait_s = health.probed_at + breaker.PROBE_EVERY_S - time.monotonic()
            at = max(at, now + max(wait_s, 0) * _SECOND)
        return at


_SECOND = timedelta(seconds=1)
