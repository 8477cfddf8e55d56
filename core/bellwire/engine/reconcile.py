"""Reconciles: looks at each platform now and then for what its webhooks did not tell, and repairs our subscriptions there.

The first look comes soon after the installation, the next after `settings.reconcile_every_s` (a day). What is found goes the way
of webhooks; what they told already is a duplicate and ends there.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import requests
import sqlalchemy as sa

from bellwire.engine import intake
from bellwire.engine.configs import Held
from bellwire.engine.hands import Hands
from bellwire.engine.links import EngineLink
from bellwire.engine.runtime import Engine
from bellwire.errors import NotFound, PlatformError, PlatformUnauthorized, StoreUnavailable
from bellwire.ids import show
from bellwire.masking import mask, name
from bellwire.model import Connector, Event, Installation
from bellwire.store import audit, links
from bellwire.store.database import reading
from bellwire.store.tenancy import TenantConnection
from bellwire.store.types import AnyRow

log = logging.getLogger(__name__)

EVERY_S = 86_400.0
LEAST_S = 60.0
AGAIN_S = 600.0  # after a look that failed: a lost subscription is noticed within a quarter of an hour
DETAIL = "reconcile: "  # how what we say of an installation begins
OVERLAP = timedelta(minutes=5)  # the platform's clock, and changes that were under way
_LEASE = timedelta(minutes=30)  # a look that lasts longer may be made twice: what it finds is known then
_BATCH = 50  # events in one transaction
_THREADS = 2

#: As `intake.take_events`.
Take = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Looked:
    """How a look ended. `detail`: "" when well."""

    link: EngineLink
    wait_s: float
    cursor: dict[str, Any]
    detail: str = ""
    refused: bool = False


class Reconciles:
    """The looks of one process, by few threads. `step` is a loop's."""

    def __init__(
        self,
        engine: Engine,
        *,
        take: Take = intake.take_events,
        threads: int = _THREADS,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self._engine, self._take, self._rand = engine, take, rand
        self._hands: Hands[AnyRow] = Hands("reconcile", self._run, many=threads, most=1)

    def step(self) -> int:
        """Begin the looks that are due, as many as there are threads; how many were begun. Raises StoreUnavailable."""
        free = self._hands.many - self._hands.busy
        if free <= 0:
            return 0
        now = self._engine.now()
        with reading(self._engine.store.engine) as connection:
            due = links.due_for_reconcile(connection, now, free)
        begun = 0
        for installation_id in due:
            row = self._engine.write(lambda c, one=installation_id: links.take_reconcile(c, one, now, now + _LEASE))  # type: ignore[misc]  # bound now
            if row is not None:
                self._hands.give(row.id, row)
                begun += 1
        return begun

    def drain(self, wait_s: float = 30.0) -> bool:
        """Give back what was not begun, let looks under way end; whether they did within `wait_s` seconds."""
        now = self._engine.now()
        for row in self._hands.take_back():
            self._engine.write(lambda c, one=row: links.end_reconcile(c, one.id, one.reconcile_due, now))  # type: ignore[misc]  # bound now
        return self._hands.end(wait_s)

    def _run(self, row: AnyRow) -> None:
        """One look, in a thread."""
        try:
            installation = self._engine.configs.reader.installation(row, self._engine.now()).value
            looked = self.look(installation)
            self._engine.write(lambda connection: self._record(connection, row, looked))
        except StoreUnavailable as e:
            log.warning("a reconcile waits for the database", extra={"installation": show("ins", row.id), "error": str(e)})
        except BaseException:  # the thread must outlive whatever happens; the lease brings the look back
            log.exception("a reconcile broke", extra={"installation": show("ins", row.id)})

    def look(self, installation: Installation) -> Looked:
        """Look once. Whatever the platform or the connector does ends in the result."""
        link, began = EngineLink(self._engine, installation), self._engine.now()
        connector = self._engine.plugins.connectors.get(installation.connector)
        if connector is None:
            return Looked(link, AGAIN_S, {}, f"{DETAIL}the connector {installation.connector} is not loaded")
        cursor: dict[str, Any] = {}
        try:
            if connector.subscribe is not None and "_subscribed" not in installation.cursor:
                if not installation.webhook_url:
                    return Looked(
                        link, AGAIN_S, cursor, f"{DETAIL}PUBLIC_URL is not set, so the platform can't be told where to report"
                    )
                connector.subscribe(link)
                cursor["_subscribed"] = began.isoformat()
            if connector.reconcile is not None:
                self._take_all(installation, connector.reconcile(link, _since(installation)))
            cursor["_since"] = began.isoformat()
        except PlatformError as e:
            wait_s = max(AGAIN_S, min(e.retry_after_s or 0.0, EVERY_S))
            return Looked(link, wait_s, cursor, DETAIL + mask(str(e)), refused=isinstance(e, PlatformUnauthorized))
        except requests.RequestException as e:
            return Looked(link, AGAIN_S, cursor, f"{DETAIL}no answer ({type(e).__name__})")
        except (StoreUnavailable, NotFound):
            raise
        except Exception as e:
            log.exception("a connector broke", extra={"installation": show("ins", installation.id), "job": "reconcile"})
            return Looked(link, AGAIN_S, cursor, f"{DETAIL}the connector broke ({name(e)})")
        return Looked(link, _every_s(connector, installation), cursor)

    def _take_all(self, installation: Installation, events: Sequence[Event]) -> None:
        """Hand what was found to intake, oldest first."""
        ordered = sorted(events, key=lambda event: event.occurred_at)
        for first in range(0, len(ordered), _BATCH):
            held = self._held(installation)
            self._take(self._engine, held, installation, ordered[first : first + _BATCH], reported="reconcile")

    def _held(self, installation: Installation) -> Held:
        with reading(self._engine.store.engine) as connection:
            return intake.configured(self._engine, connection, installation.tenant_id)

    def _record(self, connection: sa.Connection, row: AnyRow, looked: Looked) -> None:
        if not looked.detail:
            looked.link.keep(connection)
        if looked.cursor:
            links.merge_cursor(connection, row.id, looked.cursor)
        due = self._engine.now() + timedelta(seconds=looked.wait_s * (1 + self._rand() / 10))
        links.end_reconcile(connection, row.id, row.reconcile_due, due)
        if looked.detail or row.status_detail.startswith(DETAIL):
            news = links.describe(connection, row.id, looked.detail)
            if news is not None and looked.refused:
                scoped = TenantConnection(connection, row.tenant_id)
                audit.note(scoped, "worker", "installation.refused", show("ins", row.id), self._engine.now(), {"kind": "reconcile"})


def _since(installation: Installation) -> datetime:
    """From when on things are asked for: the beginning of the last good look, or the installation. Never what was before it."""
    told = installation.cursor.get("_since")
    first = installation.installed_at or datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    return max(datetime.fromisoformat(told) - OVERLAP, first) if isinstance(told, str) else first


def _every_s(connector: Connector, installation: Installation) -> float:
    """Seconds until the next look."""
    default = next((field.default for field in connector.settings if field.name == "reconcile_every_s" and field.default), EVERY_S)
    return max(float(installation.settings.get("reconcile_every_s") or default), LEAST_S)


def ask(engine: Engine, tenant_id: UUID, installation_id: UUID) -> None:
    """Have the next look made now. Raises NotFound when there is no such active installation."""
    if not engine.write(lambda connection: links.ask_for_reconcile(connection, tenant_id, installation_id, engine.now())):
        raise NotFound("active installation", show("ins", installation_id))
    engine.wake_jobs()
