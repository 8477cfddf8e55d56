"""Bellwire as its operator runs it: `bellwire serve` in a process of its own, set up by commands and over the API only."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import requests
from bellwire.cli import main
from bellwire.cli.setup import Setup
from click.testing import CliRunner

T = TypeVar("T")

START_LIMIT_S = 30.0

#: A master key, for PostgreSQL: beside a SQLite file one is made.
KEY = base64.urlsafe_b64encode(hashlib.sha256(b"a key for servers on PostgreSQL").digest()).decode()


def until(found: Callable[[], T], what: str | Callable[[], str] = "it never held", within_s: float = 15.0) -> T:
    """What `found` gives, as soon as that is true. `what`: what to say otherwise, or who says it then."""
    ends, pause = time.monotonic() + within_s, 0.01
    while not (result := found()):
        if time.monotonic() >= ends:
            raise AssertionError(what() if callable(what) else what)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)  # who asks takes time from who answers
    return result


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One installation in a folder, and its serving process. `settings`: BELLWIRE_*, without the prefix."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = folder / "bellwire.db"
        own = {
            "DATABASE_URL": f"sqlite:///{self.database}",
            "PUBLIC_URL": self.url,
            "ALLOW_PRIVATE_ADDRESSES": "1",
            "LOG_LEVEL": "warning",
            **settings,
        }
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BELLWIRE_")}
        self.environ = clean | {f"BELLWIRE_{name}": value for name, value in own.items()}
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "serve.log"

    # -- running ------------------------------------------------------------------------------------------------

    def start(self, *options: str) -> Server:
        """Serve, and come back when it answers that it is ready."""
        self.launch(*options)
        until(self.is_ready, lambda: f"serve is not ready:\n{self.said}", START_LIMIT_S)
        return self

    def launch(self, *options: str) -> subprocess.Popen[bytes]:
        """Serve, without waiting."""
        command = [sys.executable, "-m", "bellwire", "serve", "--port", str(self.port), *options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environ, cwd=self.folder, stdout=log, stderr=log)
        return self.process

    def is_ready(self) -> bool:
        """Whether it says so. Fails when the process has ended."""
        assert self.process is not None
        assert self.process.poll() is None, f"serve ended with {self.process.returncode}:\n{self.said}"
        with suppress(requests.RequestException):
            return requests.get(f"{self.url}/readyz", timeout=2).ok
        return False

    @property
    def said(self) -> str:
        """What it printed so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self, number: int = signal.SIGTERM, within_s: float = 40.0) -> int:
        """End it by a signal; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(within_s)
        finally:
            self.end()

    def end(self) -> None:
        """Make sure that nothing of it is left, whatever a test did."""
        if self.process is not None and self.process.poll() is None:
            for child in self.children():
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            self.process.kill()
            self.process.wait(10)

    def children(self) -> list[int]:
        """The process ids below the one that the operator sees."""
        assert self.process is not None
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(one) for one in found.read_text().split()] if found.exists() else []

    def processes(self) -> set[int]:
        """Every live process of this installation, whoever its parent is: those that were started with its public URL."""
        mark = f"BELLWIRE_PUBLIC_URL={self.url}".encode()
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.add(int(folder.name))
            except OSError:  # it is not ours, or it has just ended
                continue
        return found

    def command(self, *arguments: str) -> Any:
        """Run a command beside it, in this process: one of its own costs a second of imports. The JSON it prints."""
        setup = Setup(environ=self.environ, cwd=self.folder)
        done = CliRunner().invoke(main, [*arguments, "--json"], obj=setup)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def tenant(self, slug: str, *, country: str = "US") -> Tenant:
        """A new tenant, with its first key."""
        return Tenant(self, self.command("tenant", "create", slug, "--country", country))

    # -- looking into the database ------------------------------------------------------------------------------

    def rows(self, tenant: Tenant) -> dict[str, int]:
        """How many rows of the SQLite file are a tenant's, by table; in `seen` those of its installations."""
        owner = bytes.fromhex(tenant.id.partition("_")[2])
        seen = "SELECT count(*) FROM seen WHERE scope_id IN (SELECT id FROM installations WHERE tenant_id = ?)"
        found = {"seen": self.ask(seen, owner)[0][0]}
        for (table,) in self.ask("SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE c.name = 'tenant_id'"):
            found[table] = self.ask(f"SELECT count(*) FROM {table} WHERE tenant_id = ?", owner)[0][0]  # noqa: S608  # its own names
        return found

    def ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the SQLite file."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()


class Tenant:
    """A tenant, by its key."""

    def __init__(self, server: Server, made: Mapping[str, Any]) -> None:
        self.server, self.id, self.key = server, str(made["tenant_id"]), str(made["api_key"])
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Authorization"] = f"Bearer {self.key}"

    def call(self, method: str, path: str, body: Any = None, *, status: int | None = None, **more: Any) -> Any:
        """Call the API; the answer's JSON. Fails unless it is a 2xx, or `status`."""
        answer = self.http.request(method, self.server.url + path, json=body, timeout=20, **more)
        good = answer.ok if status is None else answer.status_code == status
        assert good, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def get(self, path: str, **more: Any) -> Any:
        """GET."""
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        """POST."""
        return self.call("POST", path, body, **more)

    def patch(self, path: str, body: Any, **more: Any) -> Any:
        """PATCH."""
        return self.call("PATCH", path, body, **more)

    def all(self, path: str) -> list[dict[str, Any]]:
        """Every item of a list, page after page."""
        found: list[dict[str, Any]] = []
        mark, cursor = "&" if "?" in path else "?", ""
        while True:
            page = self.get(f"{path}{mark}limit=200{cursor}")
            found += page["items"]
            if not page["next"]:
                return found
            cursor = f"&cursor={page['next']}"

    # -- what most tests need -----------------------------------------------------------------------------------

    def sandbox(self, **settings: Any) -> dict[str, Any]:
        """An account at the sandbox carrier."""
        body = {"carrier": "sandbox", "name": "Sandbox", "credentials": {}, "settings": settings}
        made: dict[str, Any] = self.post("/v1/carrier-accounts", body)
        return made

    def twilio(self, base_url: str, *, sid: str, token: str, **settings: Any) -> dict[str, Any]:
        """An account at Twilio, as somebody at `base_url` plays it."""
        credentials = {"account_sid": sid, "auth_token": token}
        settings = {"base_url": base_url, "sender_id": "+12025550100", **settings}
        body = {"carrier": "twilio", "name": "Twilio", "credentials": credentials, "settings": settings}
        made: dict[str, Any] = self.post("/v1/carrier-accounts", body)
        return made

    def template(self, name: str, purpose: str = "transactional", **bodies: str) -> None:
        """A template, approved."""
        self.post("/v1/templates", {"name": name, "purpose": purpose, "bodies": bodies})
        self.post(f"/v1/templates/{name}/versions/1/approve")

    def trigger(self, event: str, template: str, **more: Any) -> dict[str, Any]:
        """A trigger that is on."""
        body = {"name": f"on {event}", "connector": "shopify", "event": event, "template": template, "state": "on", **more}
        made: dict[str, Any] = self.post("/v1/triggers", body)
        return made

    def shop(self, at: Any, *, name: str = "Our shop", **more: Any) -> dict[str, Any]:
        """An installation of a custom app in a stand-in shop."""
        credentials = {"shop": at.domain, "client_secret": at.client_secret, "access_token": at.custom_app_token()}
        settings = {"base_url": at.url, **more.pop("settings", {})}
        body = {"connector": "shopify", "name": name, "credentials": {**credentials, **more}, "settings": settings}
        made: dict[str, Any] = self.post("/v1/installations", body)
        return made

    def messages(self, **query: str) -> list[dict[str, Any]]:
        """Its messages, newest first."""
        return self.all("/v1/messages" + ("?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else ""))

    def message(self, message_id: str) -> dict[str, Any]:
        """One message, whole."""
        found: dict[str, Any] = self.get(f"/v1/messages/{message_id}")
        return found

    def wait(self, message_id: str, *statuses: str, within_s: float = 15.0) -> dict[str, Any]:
        """A message, once it has one of these statuses."""
        found: dict[str, Any] = {}

        def there() -> bool:
            found.update(self.message(message_id))
            return found["status"] in statuses

        until(there, lambda: f"{found['status']} and not {', '.join(statuses)}: {found}", within_s)
        return found
