"""The store and the engine for a command that works on the database beside a running `serve`, or without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from bellwire.cli.current import upgraded_by_others
from bellwire.cli.setup import Setup
from bellwire.engine.process import open_store
from bellwire.engine.runtime import Engine
from bellwire.ids import parse_id
from bellwire.store import Store, migrate, tenants
from bellwire.store.database import reading, sqlite_path


@contextmanager
def opened_store(setup: Setup) -> Iterator[Store]:
    """The store. An embedded database is made or upgraded first; PostgreSQL must be current.

    Raises ConfigInvalid, and StoreUnavailable for a database that is behind.
    """
    if sqlite_path(setup.config.database_url) is not None:
        migrate.upgrade(setup.config.database_url)
    with upgraded_by_others(setup.config):
        store = open_store(setup.config)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def opened_engine(setup: Setup) -> Iterator[Engine]:
    """The engine without its threads: what it stores a running process picks up within a moment."""
    with opened_store(setup) as store:
        yield Engine(setup.config, store, setup.plugins)


def tenant_id(store: Store, named: str) -> UUID:
    """A tenant by slug or by `ten_…`. Raises NotFound, FieldInvalid."""
    if named.startswith("ten_"):
        return parse_id("ten", named, "tenant")
    with reading(store.engine) as connection:
        return tenants.by_slug(connection, named)
