"""A connector's way to its platform: the shared session, and credentials that one of all processes renews."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.pace import Use, scarcest
from bellwire.engine.http import Session
from bellwire.engine.runtime import Engine
from bellwire.errors import NotFound, PlatformUnavailable
from bellwire.ids import show
from bellwire.model import Installation, Json, Limit
from bellwire.store import links
from bellwire.store.database import reading
from bellwire.store.types import AnyRow

LEASE_S = 90.0  # longer than a refresh may take: time-outs of the session, and a repeat
PATIENCE_S = 20.0  # how long a job waits for another one's refresh
_POLL_S = 0.1


class EngineLink:
    """The engine's `Link`. One a job, used by one thread."""

    def __init__(self, engine: Engine, installation: Installation, *, patience_s: float = PATIENCE_S) -> None:
        self._engine, self._installation, self._patience_s = engine, installation, patience_s
        self._session: Session | None = None
        self._remembered: dict[str, Json] = {}
        self._uses: dict[str, Use] = {}

    @property
    def installation(self) -> Installation:
        """The installation, with what was renewed."""
        return self._installation

    @property
    def http(self) -> Session:
        """A session over the process's connections."""
        if self._session is None:
            self._session = self._engine.http.session()
        return self._session

    def now(self) -> datetime:
        """The time, aware UTC."""
        return self._engine.now()

    def renew(self, seen: str, refresh: Callable[[Installation], Mapping[str, Any]]) -> Installation:
        """The installation with other credentials than `seen`; `refresh` is called by one of all who ask.

        Raises what `refresh` raises, PlatformUnavailable when another job's refresh failed or lasts too long, NotFound when
        the installation was removed meanwhile, StoreUnavailable.
        """
        ends = time.monotonic() + self._patience_s
        waited = False
        while True:
            until, stored = self._engine.write(partial(self._take, seen=seen, waited=waited))
            self._installation = stored
            if until is not None:
                return self._refresh(seen, until, refresh)
            if not _is_current(stored, seen):
                return stored
            waited = True
            self._wait(ends)

    def remember(self, **cursor: Json) -> None:
        """Keep values for the next reconcile; stored when the job ends well."""
        self._remembered |= cursor

    def spent(self, name: str, limit: Limit, amount: float = 1.0, *, left: float | None = None) -> None:
        """A call took so much of a limit; it is kept by starting fewer jobs, not by waiting here."""
        use = Use.of(limit, amount, left)
        self._uses[name] = self._uses[name] + use if name in self._uses else use

    @property
    def use(self) -> Use | None:
        """What this job's calls took of the limit that is the scarcest, None where its connector tells of none."""
        return scarcest(self._uses.values())

    def keep(self, connection: sa.Connection) -> None:
        """Store what was to be remembered, in the transaction that says the job is done."""
        if self._remembered:
            links.merge_cursor(connection, self._installation.id, self._remembered)

    @property
    def has_remembered(self) -> bool:
        """Whether `keep` has anything to do."""
        return bool(self._remembered)

    # -- renewing -----------------------------------------------------------------------------------------------

    def _take(self, connection: sa.Connection, *, seen: str, waited: bool) -> tuple[datetime | None, Installation]:
        """Take the lease where that is ours to do; and the installation as it stands."""
        row = links.lock(connection, self._installation.id)
        if row is None or row.status == "removed":
            raise NotFound("installation", show("ins", self._installation.id))
        stored = self._read(row)
        now = self._engine.now()
        if not _is_current(stored, seen) or (row.renew_until is not None and now < row.renew_until <= now + _LEASE):
            return None, stored
        if waited and row.renew_until is None:  # whoever had the lease gave it back without new credentials
            raise PlatformUnavailable(f"{stored.connector}: another job could not renew the credentials just now")
        until = now + _LEASE
        links.take_lease(connection, row.id, until)
        return until, stored

    def _refresh(self, seen: str, until: datetime, refresh: Callable[[Installation], Mapping[str, Any]]) -> Installation:
        try:
            fresh = refresh(self._installation)
        except BaseException:
            self._engine.write(lambda connection: links.end_lease(connection, self._installation.id, until))
            raise

        def store(connection: sa.Connection) -> Installation:
            row = links.lock(connection, self._installation.id)
            if row is None or row.status == "removed":
                raise NotFound("installation", show("ins", self._installation.id))
            if _is_current(self._read(row), seen):  # else a person, or whoever took over our lease, was faster
                vault = self._engine.vault
                merged = {**vault.open_json(row.credentials, row.tenant_id, "installations.credentials", row.id), **fresh}
                sealed = vault.seal_json(merged, row.tenant_id, "installations.credentials", row.id)
                links.store_credentials(connection, row, sealed, self._engine.now())
                row = links.read(connection, row.id) or row
            return self._read(row)

        # a refresh token may be good for one use only: the new one is not given up because the database is slow for a moment
        self._installation = self._engine.write(store, wait_s=30.0)
        return self._installation

    def _wait(self, ends: float) -> None:
        """Until somebody's lease has ended, well or not."""
        while time.monotonic() < ends:
            time.sleep(_POLL_S)
            with reading(self._engine.store.engine) as connection:
                row = links.read(connection, self._installation.id)
            if row is None or row.renew_until is None or row.renew_until <= self._engine.now():
                return
        raise PlatformUnavailable(
            f"{self._installation.connector}: another job still renews the credentials", retry_after_s=LEASE_S
        )

    def _read(self, row: AnyRow) -> Installation:
        return self._engine.configs.reader.installation(row, self._engine.now()).value


_LEASE = timedelta(seconds=LEASE_S)


def _is_current(installation: Installation, seen: str) -> bool:
    """Whether the token that was refused is still the stored one; "" stands for none at all."""
    credentials = installation.credentials
    return seen in credentials.values() if seen else not credentials.get("access_token")


def link_to(engine: Engine, installation: Installation) -> EngineLink:
    """A link for one job."""
    return EngineLink(engine, installation)


def open_link(engine: Engine, tenant_id: UUID, installation_id: UUID) -> EngineLink:
    """A link for one job, with the installation (and its cursor) as stored now. Raises NotFound."""
    with reading(engine.store.engine) as connection:
        row = links.read(connection, installation_id)
    if row is None or row.tenant_id != tenant_id or row.status == "removed":
        raise NotFound("installation", show("ins", installation_id))
    return EngineLink(engine, engine.configs.reader.installation(row, engine.now()).value)
