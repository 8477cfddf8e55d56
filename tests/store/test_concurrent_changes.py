"""Processes that change the same thing at the same moment: each change sees what the other left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.domain.scopes import Scope
from bellwire.errors import Conflict, KeyMismatch
from bellwire.model import Purpose
from bellwire.store import Store, keys, migrate, routes, schema, templates, tenants
from bellwire.store.tenancy import TenantConnection
from bellwire.store.vault import Vault

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ROUNDS = 8


@pytest.fixture
def stores(database_url: str) -> Iterator[tuple[Store, Store]]:
    """Two processes' stores over one database, each with its own writer."""
    made = tuple(Store.open(database_url, Vault(b"k" * 32)) for _ in range(2))
    yield made[0], made[1]
    for store in made:
        store.close()


@pytest.fixture
def tenant(stores: tuple[Store, Store]) -> UUID:
    return stores[0].write(lambda c: tenants.create(c, stores[0].vault, slug="acme", country="UZ", now=NOW)).id


def at_once(stores: tuple[Store, Store], tenant: UUID, *runs: Callable[[TenantConnection], Any]) -> list[Any]:
    """Each run in a process of its own; what it gave, or the Conflict it met."""

    def one(store: Store, run: Callable[[TenantConnection], Any]) -> Any:
        try:
            return store.for_tenant(tenant).write(run)
        except Conflict as e:
            return e

    with ThreadPoolExecutor(2) as pool:
        return [future.result() for future in [pool.submit(one, store, run) for store, run in zip(stores, runs, strict=True)]]


def test_two_approvals_leave_one_approved_version(stores: tuple[Store, Store], tenant: UUID) -> None:
    def make(c: TenantConnection) -> None:
        templates.create(c, name="t", purpose=Purpose.OTP, bodies={"en": "1"}, options={}, actor="cli", now=NOW)
        templates.add_version(c, "t", {"en": "2"}, actor="cli", now=NOW)

    stores[0].for_tenant(tenant).write(make)
    for _ in range(ROUNDS):
        at_once(
            stores,
            tenant,
            lambda c: templates.approve(c, "t", 1, actor="cli", now=NOW),
            lambda c: templates.approve(c, "t", 2, actor="cli", now=NOW),
        )
        with stores[0].for_tenant(tenant).reading() as connection:
            states = [version.state for version in templates.get(connection, "t").versions]
        assert states.count(templates.VersionState.APPROVED) == 1


def test_two_policies_become_two_versions(stores: tuple[Store, Store], tenant: UUID) -> None:
    for _ in range(ROUNDS):
        at_once(stores, tenant, *[lambda c: routes.put(c, {"primary": ["acc_1"]}, actor="cli", now=NOW)] * 2)
    with stores[0].for_tenant(tenant).reading() as connection:
        found = routes.versions(connection, limit=100).items
    assert [one.version for one in found] == list(range(2 * ROUNDS, 0, -1))


def test_two_changes_of_settings_are_both_kept(stores: tuple[Store, Store], tenant: UUID) -> None:
    for number in range(ROUNDS):
        at_once(
            stores,
            tenant,
            lambda c, n=number: tenants.change(c, {"settings": {f"a{n}": 1}}, actor="cli", now=NOW),
            lambda c, n=number: tenants.change(c, {"settings": {f"b{n}": 1}}, actor="cli", now=NOW),
        )
    with stores[0].for_tenant(tenant).reading() as connection:
        assert len(tenants.get(connection).settings) == 2 * ROUNDS


def test_two_last_admin_keys_do_not_revoke_each_other(stores: tuple[Store, Store], tenant: UUID) -> None:
    def make(c: TenantConnection) -> UUID:
        return keys.create(c, name="k", scopes=[Scope.ADMIN], expires_at=None, actor="cli", now=NOW)[0].id

    first = stores[0].for_tenant(tenant).write(make)
    for _ in range(ROUNDS):
        second = stores[0].for_tenant(tenant).write(make)
        results = at_once(
            stores,
            tenant,
            lambda c, one=first: keys.revoke(c, one, actor="cli", now=NOW),
            lambda c, one=second: keys.revoke(c, one, actor="cli", now=NOW),
        )
        assert sum(isinstance(one, Conflict) for one in results) == 1
        with stores[0].for_tenant(tenant).reading() as connection:
            live = [one.id for one in keys.listed(connection, limit=100).items if one.is_live(NOW)]
        assert len(live) == 1
        first = live[0]


def test_first_starts_at_once_keep_one_check_of_the_key(stores: tuple[Store, Store]) -> None:
    def forget(c: sa.Connection) -> None:
        c.execute(sa.delete(schema.meta))

    def check(store: Store, vault: Vault, together: Barrier) -> KeyMismatch | None:
        together.wait(10)
        try:
            migrate.check_key(store.engine, vault)
        except KeyMismatch as e:
            return e
        return None

    other = Vault(b"o" * 32)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(ROUNDS):
            stores[0].write(forget)
            together = Barrier(4)
            starts = [(stores[0], stores[0].vault), (stores[1], stores[1].vault), (stores[0], other), (stores[1], other)]
            wrong = [future.result() for future in [pool.submit(check, *start, together) for start in starts]]
            assert [one is not None for one in wrong] in ([False, False, True, True], [True, True, False, False])
