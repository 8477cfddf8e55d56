"""A Link for client tests: a real HTTP session, and credentials that several links share and renew under one lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import requests
from bellwire import Installation, Json, Limit


@dataclass
class Vault:
    """The stored installation, as all processes would see it in the database."""

    installation: Installation
    renewals: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class MemoryLink:
    """One job's link. Its installation is the one of the job's start, as in the engine, until it renews."""

    def __init__(self, vault: Vault, now: Callable[[], datetime] | None = None, timeout_s: float = 5) -> None:
        self._vault, self._now = vault, now or (lambda: datetime.now(UTC))
        self._installation = vault.installation
        self._http = _Session(timeout_s)

    def __enter__(self) -> MemoryLink:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @property
    def installation(self) -> Installation:
        """The installation with what this job renewed."""
        return self._installation

    @property
    def http(self) -> Any:
        """A session with a time-out."""
        return self._http

    def now(self) -> datetime:
        """The time, aware UTC."""
        return self._now()

    def renew(self, seen: str, refresh: Callable[[Installation], Mapping[str, Any]]) -> Installation:
        """Call `refresh` unless somebody has replaced `seen` already."""
        with self._vault.lock:
            stored = self._vault.installation
            if str(stored.credentials.get("access_token") or "") == seen:
                self._vault.renewals += 1
                stored = replace(stored, credentials={**stored.credentials, **refresh(stored)})
                self._vault.installation = stored
            self._installation = stored
            return stored

    def remember(self, **cursor: Json) -> None:
        """Keep values for the next look."""
        stored = self._vault.installation
        self._vault.installation = replace(stored, cursor={**stored.cursor, **cursor})

    def spent(self, name: str, limit: Limit, amount: float = 1.0, *, left: float | None = None) -> None:
        """Nobody keeps to a limit here."""


class _Session(requests.Session):
    """No environment's proxies, no retries, a time-out for every call."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self.trust_env = False
        self._timeout_s = timeout_s

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", self._timeout_s)
        return super().request(*args, **kwargs)
