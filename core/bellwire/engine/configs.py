"""Tenants' configurations, kept while their version stands, no secret of theirs has ended meanwhile, and a minute at most."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.tenant import TenantConfig
from bellwire.store import snapshot
from bellwire.store.vault import BlindIndex

_KEEP_S = 60.0


@dataclass(frozen=True, slots=True)
class Held:
    """A configuration with the index that finds its people. `until`: when the first of its replaced secrets ends."""

    config: TenantConfig
    index: BlindIndex = field(repr=False)
    loaded: float
    until: datetime | None = None


class Configs:
    """The cache. Safe for threads: a configuration is replaced whole."""

    def __init__(self, reader: snapshot.Reader) -> None:
        self.reader = reader
        self._held: dict[UUID, Held] = {}
        self._lock = threading.Lock()

    def get(self, connection: sa.Connection, tenant_id: UUID, now: datetime, version: int | None = None) -> Held | None:
        """A tenant's configuration as of `version` (read when not given); None when there is no such tenant."""
        if version is None:
            version = snapshot.config_version(connection, tenant_id)
        held = self._held.get(tenant_id)
        if (
            held is not None
            and held.config.version == version
            and time.monotonic() - held.loaded < _KEEP_S
            and (held.until is None or now < held.until)
        ):
            return held
        loaded = snapshot.load(connection, self.reader, tenant_id, now)
        if loaded is None:
            return None
        held = Held(*loaded, loaded=time.monotonic(), until=_until(loaded[0]))
        with self._lock:
            self._held[tenant_id] = held
        return held

    def forget(self) -> None:
        """Drop everything (tests, key rotation)."""
        with self._lock:
            self._held.clear()


def _until(config: TenantConfig) -> datetime | None:
    """When the first of the tenant's replaced secrets ends."""
    ends = [one.until for one in config.installations.values()] + [one.until for one in config.accounts]
    return min((one for one in ends if one is not None), default=None)
