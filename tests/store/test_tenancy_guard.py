"""A tenant's connection: what it refuses, and that it leaves nothing behind on the connection it borrows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.errors import TenantMissing
from bellwire.ids import new_id
from bellwire.store import Store, schema
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.vault import Vault

NOW = datetime(2026, 3, 1, tzinfo=UTC)
A, B = new_id(), new_id()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path / 'guard.db'}", Vault(b"k" * 32))
    schema.META.create_all(store.engine)
    yield store
    store.close()


def audit_row(tenant: UUID | None = None) -> dict[str, object]:
    row: dict[str, object] = {"id": new_id(), "at": NOW, "actor": "cli", "action": "x.made", "object": "x"}
    return row if tenant is None else {**row, "tenant_id": tenant}


def test_a_statement_without_its_tenant_does_not_run(store: Store) -> None:
    with store.for_tenant(A).reading() as connection, pytest.raises(TenantMissing):
        connection.execute(sa.select(schema.audit.c.id))


def test_a_join_needs_the_criterion_on_each_table(store: Store) -> None:
    joined = sa.select(schema.templates.c.id).join(
        schema.template_versions, schema.template_versions.c.template_id == schema.templates.c.id
    )
    with store.for_tenant(A).reading() as connection:
        with pytest.raises(TenantMissing, match="template_versions"):
            connection.execute(joined.where(scope(schema.templates)))
        connection.execute(joined.where(scope(schema.templates), scope(schema.template_versions)))


def test_a_row_of_another_tenant_is_refused(store: Store) -> None:
    with pytest.raises(TenantMissing):
        store.for_tenant(A).write(lambda connection: connection.insert(schema.audit, [audit_row(B)]))
    with pytest.raises(TenantMissing):
        store.for_tenant(A).write(lambda connection: connection.insert_new(schema.audit, [audit_row(B)]))


def test_insert_new_leaves_what_is_there(store: Store) -> None:
    row = audit_row()
    assert store.for_tenant(A).write(lambda connection: connection.insert_new(schema.audit, [row])) == 1
    assert store.for_tenant(A).write(lambda connection: connection.insert_new(schema.audit, [row, audit_row()])) == 1


def test_tenants_and_the_engine_can_share_one_transaction(store: Store) -> None:
    """The writer puts whatever waits into one transaction on one connection."""

    def mixed(connection: sa.Connection) -> list[int]:
        a, b = TenantConnection(connection, A), TenantConnection(connection, B)
        a.insert(schema.audit, [audit_row(), audit_row()])
        b.insert(schema.audit, [audit_row()])
        connection.execute(sa.insert(schema.audit), [audit_row(B)])
        count = sa.select(sa.func.count()).select_from(schema.audit)
        mine = count.where(scope(schema.audit))
        return [a.execute(mine).scalar_one(), b.execute(mine).scalar_one(), connection.execute(count).scalar_one()]

    assert store.write(mixed) == [2, 2, 4]
