"""Whether a PostgreSQL may be worked on by this version: who finds it behind is to come again after the upgrade."""

from __future__ import annotations

from bellwire.config import Config, key_for
from bellwire.errors import ConfigInvalid, StoreUnavailable
from bellwire.store import migrate
from bellwire.store.database import open_database
from bellwire.store.vault import Vault


def require_current(config: Config) -> None:
    """Raises StoreUnavailable, with the command to run, for a schema that is not ours; ConfigInvalid for a key that is not its."""
    vault = Vault(key_for(config), config.old_keys)
    engine = open_database(config.database_url, pool_size=1)
    try:
        try:
            migrate.require(engine)
        except ConfigInvalid as e:
            raise StoreUnavailable(str(e)) from e
        migrate.check_key(engine, vault)
    finally:
        engine.dispose()
