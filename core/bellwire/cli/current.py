"""Who finds a PostgreSQL of another revision is to come again after the upgrade: its exit code says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bellwire.config import Config, key_for
from bellwire.errors import OtherRevision, StoreUnavailable
from bellwire.store import migrate
from bellwire.store.database import open_database
from bellwire.store.vault import Vault


@contextmanager
def upgraded_by_others(config: Config) -> Iterator[None]:
    """Turns OtherRevision into StoreUnavailable where somebody else brings the schema up to date: on PostgreSQL."""
    try:
        yield
    except OtherRevision as e:
        if config.sqlite_file is not None:
            raise
        raise StoreUnavailable(str(e)) from e


def require_current(config: Config) -> None:
    """Raises StoreUnavailable, with the command to run, for a schema that is not ours; ConfigInvalid for a key that is not its."""
    vault = Vault(key_for(config), config.old_keys)
    engine = open_database(config.database_url, pool_size=1)  # the engine's modules are for the process that serves
    try:
        with upgraded_by_others(config):
            migrate.require(engine)
        migrate.check_key(engine, vault)
    finally:
        engine.dispose()
