"""Opens a database: SQLite embedded, PostgreSQL for many machines. Connections are tuned here and nowhere else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from bellwire.errors import ConfigInvalid, StoreUnavailable

BUSY_MS = 2_000  # an answer within 2 s, also while the command line writes beside us


def open_database(url: str, *, pool_size: int = 20) -> sa.Engine:
    """An engine for `sqlite:///path` or `postgresql://…`. Connects to nothing yet. Raises ConfigInvalid."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as e:
        raise ConfigInvalid("DATABASE_URL: not a URL; use sqlite:///bellwire.db or postgresql://user@host/name") from e
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _sqlite(parsed, pool_size)
    if backend == "postgresql":
        return _postgresql(parsed, pool_size)
    raise ConfigInvalid(f"DATABASE_URL: {backend} is not supported; use sqlite:///bellwire.db or postgresql://user@host/name")


def sqlite_path(url: str) -> Path | None:
    """The file behind a SQLite URL, None for PostgreSQL."""
    parsed = sa.make_url(url)
    return Path(parsed.database or "").absolute() if parsed.get_backend_name() == "sqlite" else None


def _sqlite(url: sa.URL, pool_size: int) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise ConfigInvalid("DATABASE_URL: SQLite needs a file, as in sqlite:///bellwire.db")
    engine = sa.create_engine(
        url,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=BUSY_MS / 1000,
        connect_args={"timeout": BUSY_MS / 1000, "check_same_thread": False, "cached_statements": 256},
    )

    @event.listens_for(engine, "connect")
    def tune(raw: sqlite3.Connection, _record: object) -> None:
        raw.isolation_level = None  # we say BEGIN ourselves
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")  # a 2xx is only said of what survives a power cut
        raw.execute("PRAGMA foreign_keys=ON")
        raw.execute("PRAGMA cache_size=-16000")
        raw.execute("PRAGMA temp_store=MEMORY")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("writes", False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:  # waits for nobody and can't fail: past SQLAlchemy it costs next to nothing
            connection.connection.driver_connection.execute("BEGIN")  # type: ignore[union-attr]  # sqlite3's, open

    return engine


_LIMITS = (f"lock_timeout={BUSY_MS}", "statement_timeout=30000", "idle_in_transaction_session_timeout=30000")
#: What the planner is told. Each statement of ours has an index for the rows it wants, and touches few. The planner goes by
#: statistics that are of a while ago: of a table that was empty, of an hour in which nothing waited. It then reads all of a table,
#: sorts what an index has in order, or joins with all of another, and keeps to such a plan until the statistics change. These are
#: ways it is not to take where there is another one; what is left are probes, and walks along an index. (A scan of a table of a few
#: rows that has no index costs what it did, but counts as costly: it is not to be compiled for that.)
_WAYS = ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "material")
_PLANS = (*(f"enable_{one}=off" for one in _WAYS), "jit=off")


def _postgresql(url: sa.URL, pool_size: int) -> sa.Engine:
    try:
        import psycopg  # noqa: F401  # an extra: only who uses PostgreSQL has it
    except ImportError as e:
        raise ConfigInvalid("DATABASE_URL: PostgreSQL needs the extra: pip install 'bellwire[postgres]'") from e
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=BUSY_MS / 1000,
        pool_pre_ping=False,
        connect_args={
            "connect_timeout": 2,
            "application_name": "bellwire",
            "options": " ".join(f"-c {one}" for one in (*_LIMITS, *_PLANS)),
            "prepare_threshold": 1,
        },
    )


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection for one read-only snapshot. A database that can't answer raises StoreUnavailable."""
    with translated(), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection in one write transaction; commits at the end. A database that can't write raises StoreUnavailable."""
    with translated(), engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the driver says of a database that is down, full, locked or out of connections into StoreUnavailable."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as e:
        if is_outage(e):
            raise StoreUnavailable(_plain(e)) from e
        raise


def is_outage(error: Exception) -> bool:
    """Whether the database itself can't serve now (as opposed to refusing this statement)."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    original: Any = error.orig
    if isinstance(original, sqlite3.Error):
        return isinstance(original, sqlite3.OperationalError)
    state = getattr(original, "sqlstate", None)
    # PostgreSQL classes: 08 connection, 53 resources (disk full, too many connections), 57 operator intervention,
    # 58 system error, 25006 read-only, 40 rollback (deadlock, serialization), 55P03 lock not available
    return state is None or state[:2] in {"08", "40", "53", "57", "58"} or state in {"55P03", "25006"}


def _plain(error: Exception) -> str:
    """The driver's words without the statement and its parameters."""
    original = getattr(error, "orig", None) or error
    return f"the database can't serve this now: {type(original).__name__}"
