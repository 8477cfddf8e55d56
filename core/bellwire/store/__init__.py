"""What is kept: tables and statements, SQLite and PostgreSQL. Statements are built here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

import sqlalchemy as sa

from bellwire.store.database import open_database, reading, translated
from bellwire.store.tenancy import TenantConnection, guard
from bellwire.store.vault import Vault
from bellwire.store.writer import Writer

T = TypeVar("T")


class Store:
    """A database, its keys and its writer. The engine works with it; the web gets `for_tenant`."""

    def __init__(self, engine: sa.Engine, vault: Vault) -> None:
        self.engine, self.vault = engine, vault
        self.writer = Writer(engine)
        guard(engine)

    @classmethod
    def open(cls, url: str, vault: Vault) -> Store:
        """Open a database that is already at this version's schema (see `bellwire.store.migrate`)."""
        return cls(open_database(url), vault)

    def for_tenant(self, tenant_id: UUID) -> TenantStore:
        """What one tenant may read and change."""
        return TenantStore(self, tenant_id)

    def read(self) -> sa.Connection:
        """A read-only snapshot across tenants, for the engine. Use as a context manager."""
        return self.engine.connect()

    def write(self, run: Callable[[sa.Connection], T], *, wait_s: float = 2.0) -> T:
        """Run a closure in the writer's next transaction. Raises StoreUnavailable."""
        return self.writer.run(run, wait_s=wait_s)

    def close(self) -> None:
        """Commit what waits and close the connections."""
        self.writer.close()
        self.engine.dispose()


class TenantStore:
    """One tenant's view of the store: every statement carries its tenant, or does not run."""

    def __init__(self, store: Store, tenant_id: UUID) -> None:
        self.store, self.tenant_id = store, tenant_id
        self.vault = store.vault

    @contextmanager
    def reading(self) -> Iterator[TenantConnection]:
        """A read-only snapshot. Raises StoreUnavailable."""
        with reading(self.store.engine) as connection:
            yield TenantConnection(connection, self.tenant_id)

    def write(self, run: Callable[[TenantConnection], T]) -> T:
        """Run a closure in the writer's next transaction and give its result after the commit."""

        def scoped(connection: sa.Connection) -> T:
            with translated():
                return run(TenantConnection(connection, self.tenant_id))

        return self.store.writer.run(scoped)
