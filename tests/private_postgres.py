"""A PostgreSQL of our own for the time of a test run: a fresh cluster in a temporary folder, on a unix socket, gone with us."""

from __future__ import annotations

import ctypes
import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "5s",
    "jit": "off",
    "log_min_messages": "fatal",
    # nobody copies from it, and a checkpoint in the middle of a test helps nobody
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
}

#: Nothing here outlives the run; a proof of what survives a crash asks for `durable`.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

START_LIMIT_S = 30
PR_SET_PDEATHSIG = 1


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, of the newest version there is; None without any."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0))
    on_path = shutil.which("initdb")
    candidates = [*reversed(found), *([Path(on_path).resolve().parent] if on_path else [])]
    return next((folder for folder in candidates if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def _somebody() -> str | None:
    """Who runs the server when we are root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return None


class Cluster:
    """A running server. `url(name)` is a database of it; `stop` and `start` may be called again, as after a crash."""

    def __init__(self, bin_folder: Path, *, durable: bool = False, below: str | None = None) -> None:
        self._bin, self._user = bin_folder, _somebody()
        self.folder = Path(tempfile.mkdtemp(prefix="bw-pg-", dir=below))
        self.folder.chmod(0o755)
        if self._user:
            shutil.chown(self.folder, self._user)
        self._settings = SETTINGS | ({} if durable else FORGETFUL) | {"unix_socket_directories": str(self.folder)}
        self._names = itertools.count()
        self._server: subprocess.Popen[bytes] | None = None
        command = [
            bin_folder / "initdb",
            "-D",
            self._data,
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]
        subprocess.run(command, check=True, capture_output=True, user=self._user, cwd="/")
        self._version = int((self._data / "PG_VERSION").read_text())
        self.start()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        """Start the server and wait until it answers. It dies with this process."""
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data, *options],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                user=self._user,
                cwd="/",
                preexec_fn=_die_with_parent,  # one call into libc
            )
        ask = [self._bin / "pg_isready", "-q", "-h", self.folder]
        ends = time.monotonic() + START_LIMIT_S
        while subprocess.run(ask, check=False).returncode != 0:
            if self._server.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, *, crash: bool = False) -> None:
        """Stop it; with `crash` at once, so that the next start must recover."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
            self._server.wait(START_LIMIT_S)
            self._server = None

    def remove(self) -> None:
        """Stop it and take its files away."""
        self.stop(crash=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name: str) -> str:
        """The URL of one of its databases."""
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def create(self, *, template: str = "template0") -> str:
        """The name of a new database, made like `template`."""
        name = f"bw_{next(self._names)}"
        # copying files costs a fourth of writing all of it to the log first, which 15 and newer do unless told otherwise
        strategy = " STRATEGY FILE_COPY" if self._version >= 15 else ""
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"{strategy}')
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def connect(self, name: str = "postgres") -> psycopg.Connection[Any]:
        """A connection to one of its databases, without transactions."""
        import psycopg

        return psycopg.connect(host=str(self.folder), user="postgres", dbname=name, autocommit=True)

    def _run(self, statement: str) -> None:
        with self.connect() as connection:
            connection.execute(statement)  # type: ignore[call-overload]  # our own words only


#: What no test may have changed in a database that another test gets: tables, indexes, columns, triggers, functions, settings.
SHAPE = """SELECT
    (SELECT sum(hashtext(c.oid::text || c.relname::text || a.attname::text || a.atttypid::text))
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped),
    (SELECT sum(hashtext(t.oid::text || t.tgenabled::text)) FROM pg_trigger t),
    (SELECT sum(hashtext(p.oid::text)) FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace),
    (SELECT sum(hashtext(k.oid::text)) FROM pg_constraint k WHERE k.connamespace = 'public'::regnamespace),
    (SELECT count(*) FROM pg_db_role_setting),
    (SELECT string_agg(version_num, ' ') FROM alembic_version)"""

#: A table above this is truncated (a new file for it and each of its indexes); rows of smaller ones are deleted.
SMALL = 256 * 1024


class Databases:
    """Databases with the same schema, lent to one test after the other: emptying one costs a tenth of making one."""

    def __init__(self, cluster: Cluster, template: str) -> None:
        self._cluster, self._template = cluster, template
        self._free: list[str] = []
        with cluster.connect(template) as connection:
            names = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            tables = [row[0] for row in connection.execute(names) if row[0] != "alembic_version"]
            self._shape = connection.execute(SHAPE).fetchall()
        one = "SELECT '{0}', pg_relation_size('{0}') FROM (SELECT 1) x WHERE EXISTS (SELECT 1 FROM \"{0}\")"
        self._filled = " UNION ALL ".join(one.format(name) for name in tables)

    def borrow(self) -> str:
        """The name of an empty one."""
        return self._free.pop() if self._free else self._cluster.create(template=self._template)

    def give_back(self, name: str) -> None:
        """Empty it, whoever is still connected. One that a test has changed otherwise is dropped."""
        import psycopg

        try:
            is_as_before = self._empty(name)
        except psycopg.Error:
            is_as_before = False
        if is_as_before:
            self._free.append(name)
        else:
            self._cluster.drop(name)

    def _empty(self, name: str) -> bool:
        with self._cluster.connect(name) as connection:
            others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            if not all(row[0] for row in connection.execute(f"SELECT pg_terminate_backend(pid, 5000) {others}")):  # type: ignore[call-overload]  # our own words only
                return False
            if connection.execute(SHAPE).fetchall() != self._shape:
                return False
            connection.execute("SET session_replication_role = replica")  # foreign keys ask nothing: all of it goes
            for table, size in connection.execute(self._filled).fetchall():  # type: ignore[call-overload]  # as above
                connection.execute(f'DELETE FROM "{table}"' if size <= SMALL else f'TRUNCATE "{table}" CASCADE')  # type: ignore[call-overload]  # noqa: S608  # as above
        return True


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
