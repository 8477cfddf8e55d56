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

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "5s",
    "jit": "off",
    "log_min_messages": "fatal",
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

    def __init__(self, bin_folder: Path, *, durable: bool = False) -> None:
        self._bin, self._user = bin_folder, _somebody()
        self.folder = Path(tempfile.mkdtemp(prefix="bw-pg-"))
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
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]  # our own words only


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
