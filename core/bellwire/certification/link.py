"""The kit's link to a stand-in: the engine's own session, in small bounds, and credentials kept in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bellwire.engine.http import Bounds, Http
from bellwire.model import Installation, Json, Limit

#: No stand-in on this machine needs longer, also when the machine is busy.
BOUNDS = Bounds(connect_s=2.0, read_s=2.0, total_s=5.0)
#: For the rule on time-outs: what takes SLOW_S never came.
IMPATIENT = Bounds(connect_s=2.0, read_s=0.2, total_s=5.0)
SLOW_S = 0.5


@dataclass
class Stored:
    """The installation as all processes would see it in the database."""

    installation: Installation
    http: Http = field(default_factory=lambda: Http(allow_private=True, bounds=BOUNDS))
    renewals: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class KitLink:
    """One job's link. Its installation is the one of the job's start, as in the engine, until it renews."""

    def __init__(self, stored: Stored, now: Callable[[], datetime]) -> None:
        self._stored, self._now = stored, now
        self._installation = stored.installation
        self._http = stored.http.session()

    @property
    def installation(self) -> Installation:
        """The installation with what this job renewed."""
        return self._installation

    @property
    def http(self) -> Any:
        """A session as the engine's."""
        return self._http

    def now(self) -> datetime:
        """The kit's time."""
        return self._now()

    def renew(self, seen: str, refresh: Callable[[Installation], Mapping[str, Any]]) -> Installation:
        """Call `refresh` unless another job has replaced `seen` already."""
        with self._stored.lock:
            stored = self._stored.installation
            credentials = stored.credentials
            if seen in credentials.values() if seen else not credentials.get("access_token"):
                self._stored.renewals += 1
                stored = replace(stored, credentials={**credentials, **refresh(stored)})
                self._stored.installation = stored
            self._installation = stored
            return stored

    def remember(self, **cursor: Json) -> None:
        """Keep values for the next look."""
        stored = self._stored.installation
        self._stored.installation = replace(stored, cursor={**stored.cursor, **cursor})

    def spent(self, name: str, limit: Limit, amount: float = 1.0, *, left: float | None = None) -> None:
        """Nobody keeps to a limit here."""
