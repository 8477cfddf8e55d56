"""What all tests share: databases, and a wall against the network."""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import whole_tables
from private_postgres import Cluster, Databases, binaries

# jsonschema's check of IRI formats, which no schema here has, costs each process 1.5 s of start: it does without
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # what Python takes for "not there"

# bytecode is kept, whatever the shell says: tests start some hundred processes, and each would compile everything again
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _roomy() -> str | None:
    """A folder in memory, where a commit waits for no disk; None where there is none, or a small one (64 MB in a container)."""
    shared = Path("/dev/shm")  # pytest and initdb make private folders in it
    return str(shared) if shared.is_dir() and shutil.disk_usage(shared).free > 4 << 30 and os.access(shared, os.W_OK) else None


if _roomy() and "PYTEST_DEBUG_TEMPROOT" not in os.environ:
    os.environ["PYTEST_DEBUG_TEMPROOT"] = _roomy() or ""

# while tests are collected nothing becomes garbage, and what was made by then stays: nobody need look through it again
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


# -- databases --------------------------------------------------------------------------------------------------


def make_schema(url: str) -> None:
    """Bring a new database to the present schema. Once for each kind of database; tests get copies."""
    if importlib.util.find_spec("bellwire.store.migrate") is None:
        return
    from bellwire.store.migrate import upgrade

    upgrade(url)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """A PostgreSQL of this test process; with xdist each worker has its own."""
    found = binaries()
    if found is None:
        pytest.skip("no PostgreSQL on this machine (initdb and postgres, as in /usr/lib/postgresql/*/bin)")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed (the extra `postgres`)")
    cluster = Cluster(found, below=_roomy())
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def postgres_databases(postgres_cluster: Cluster) -> Databases:
    """Databases with the schema, which tests borrow."""
    name = postgres_cluster.create()
    make_schema(postgres_cluster.url(name))
    return Databases(postgres_cluster, name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema, to be copied."""
    folder = tmp_path_factory.mktemp("sqlite-template")
    make_schema(f"sqlite:///{folder}/bellwire.db")
    return folder


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A SQLite database of this test, with the schema."""
    for part in sqlite_template.glob("bellwire.db*"):
        shutil.copy(part, tmp_path)
    return f"sqlite:///{tmp_path}/bellwire.db"


@pytest.fixture
def postgres_url(postgres_cluster: Cluster, postgres_databases: Databases) -> Iterator[str]:
    """A PostgreSQL database of this test, with the schema and without a row."""
    name = postgres_databases.borrow()
    yield postgres_cluster.url(name)
    postgres_databases.give_back(name)


@pytest.fixture
def empty_postgres_url(postgres_cluster: Cluster) -> Iterator[str]:
    """A PostgreSQL database of this test, without any table."""
    name = postgres_cluster.create()
    yield postgres_cluster.url(name)
    postgres_cluster.drop(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of this test with the schema: the test runs on SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of this test without any table, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bellwire.db"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


@pytest.fixture(scope="session", autouse=True)
def statements_are_compiled_once() -> Iterator[None]:
    """Each engine of SQLAlchemy keeps its own compiled statements; tests open thousands of databases with the same ones."""
    kept: dict[str, tuple[Any, Any]] = {}
    original = sa.create_engine

    def create_engine(url: Any, **more: Any) -> sa.Engine:
        engine = original(url, **more)
        name = engine.dialect.name
        if name == "sqlite":
            whole_tables.watch(engine)
        if name in kept:
            engine.dialect, engine._compiled_cache = kept[name]
        else:  # once it has met its database
            sa.event.listen(engine, "connect", lambda *_: kept.setdefault(name, (engine.dialect, engine._compiled_cache)))
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sa, "create_engine", create_engine)
        yield


@pytest.fixture(autouse=True)
def no_whole_tables() -> Iterator[None]:
    """A statement of ours that reads all rows of a table that grows fails the test that ran it first."""
    yield
    found = "\n".join(whole_tables.FOUND)
    whole_tables.FOUND.clear()
    assert not found, f"read from end to end:\n{found}"


# -- no network ---------------------------------------------------------------------------------------------------


def _is_here(host: object) -> bool:
    return host in (None, "", "localhost", "::1", "::", "0.0.0.0") or str(host).startswith(("127.", "::ffff:127."))  # noqa: S104


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Calls to other machines fail at once, as if the name did not exist and no route led there."""
    resolve: Callable[..., Any] = socket.getaddrinfo
    connects = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex")}

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else host
        if not _is_here(text) and not _is_number(text):
            raise socket.gaierror(socket.EAI_NONAME, "tests know no other machines")
        return resolve(host, *rest, **more)

    def guarded(original: Callable[..., Any]) -> Callable[..., Any]:
        def connect(self: socket.socket, address: Any) -> Any:
            if self.family != socket.AF_UNIX and not _is_here(address[0]):
                raise OSError(101, "tests reach no other machines")  # ENETUNREACH
            return original(self, address)

        return connect

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        for name, original in connects.items():
            patch.setattr(socket.socket, name, guarded(original))
        yield


def _is_number(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.partition("%")[0])
        except OSError:
            continue
        return True
    return False
