"""Brings a database to this version's schema. Alembic is imported only when there is something to do.

SQLite is upgraded by `serve` itself, after a copy of the file; PostgreSQL only by `bellwire db upgrade`.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bellwire import sqlite_file
from bellwire.errors import KeyMismatch, OtherRevision, StoreUnavailable
from bellwire.store import schema
from bellwire.store.database import open_database, sqlite_path, writing
from bellwire.store.vault import Vault

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0001"  # the newest revision in migrations/versions; a test compares
_CHECK = "key_check"
_FIRST = {
    "sqlite": sqlite.insert(schema.meta).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(schema.meta).on_conflict_do_nothing(),
}


def revision(engine: sa.Engine) -> str | None:
    """The revision a database stands at, None for an empty one. Raises StoreUnavailable, DatabaseUnusable."""
    path = Path(engine.url.database or "") if engine.dialect.name == "sqlite" else None
    if path is not None:
        sqlite_file.check_place(path)
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    except sa.exc.DBAPIError as e:
        spoilt = sqlite_file.told(path, e) if path is not None else None
        raise spoilt or StoreUnavailable("the database can't be reached; check DATABASE_URL") from e


def is_current(engine: sa.Engine) -> bool:
    """Whether nothing needs to be done."""
    return revision(engine) == HEAD


def upgrade(url: str) -> bool:
    """Bring the database at `url` to the newest revision; whether anything was done. A SQLite file with data is copied first."""
    engine = open_database(url, pool_size=1)
    try:
        before = revision(engine)
        if before == HEAD:
            return False
        path = sqlite_path(url)
        if before is not None and path is not None:
            _copy(engine, path, before)
    finally:
        engine.dispose()
    _run(url)
    return True


def require(engine: sa.Engine) -> None:
    """Raises OtherRevision with the command when the database is behind, or ahead of this version."""
    found = revision(engine)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise OtherRevision(
            f"the database is at revision {found}, newer than this version of bellwire ({HEAD}): install the newer bellwire"
        )
    raise OtherRevision(f"the database is at revision {found or 'none'}, this version needs {HEAD}: run `bellwire db upgrade`")


def check_key(engine: sa.Engine, vault: Vault) -> None:
    """Stop with a wrong key before anything is written with it. The first start stores the check value. Raises KeyMismatch."""
    table = schema.meta
    with writing(engine) as connection:
        stored = _stored_check(connection)
        if stored is None:  # of several first starts at once one stores its value, the others wait for it and read it
            connection.execute(_FIRST[connection.dialect.name], {"name": _CHECK, "value": vault.check_values[0]})
            stored = _stored_check(connection)
        if stored not in vault.check_values:
            raise KeyMismatch(
                "SECRET_KEY: is not the key this database was written with; put it back (SECRET_KEYS_OLD holds replaced ones)"
            )
        if stored != vault.check_values[0]:
            connection.execute(sa.update(table).where(table.c.name == _CHECK).values(value=vault.check_values[0]))


def _stored_check(connection: sa.Connection) -> bytes | None:
    found = connection.execute(sa.select(schema.meta.c.value).where(schema.meta.c.name == _CHECK)).scalar()
    return None if found is None else bytes(found)


def _copy(engine: sa.Engine, path: Path, before: str) -> Path:
    """Copy a SQLite file beside itself, the write-ahead log folded in."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    target = path.with_name(f"{path.name}.{before}-{datetime.now(UTC):%Y%m%d%H%M%S}")
    shutil.copy2(path, target)
    return target


def _run(url: str) -> None:
    from alembic import command  # 300 ms that most starts don't need

    command.upgrade(_config(url), "head")


def _config(url: str) -> Config:
    from alembic.config import Config  # as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["url"] = url
    return config
