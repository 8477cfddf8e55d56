"""Events that could not be decided at once: fetched from their platform, or tried again; after five tries a dead letter."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa

from bellwire.domain.cards import masked_event
from bellwire.engine import intake
from bellwire.engine.rows import pack_event, unpack_event
from bellwire.engine.runtime import Engine
from bellwire.errors import PlatformError, Retry, StoreUnavailable
from bellwire.ids import show
from bellwire.model import Event, Installation, Link
from bellwire.store import intake as stored
from bellwire.store import pending
from bellwire.store.database import reading
from bellwire.store.types import AnyRow

log = logging.getLogger(__name__)

TRIES = 5
_WAITS_S = (2, 10, 60, 300)  # before the second try and so on; a platform's Retry-After may lengthen one
_LEASE = timedelta(seconds=90)
_BATCH = 8


class Lost(Exception):
    """Somebody else decided the event meanwhile: what we prepared is not written."""


def step(engine: Engine, link_for: Callable[[Installation], Link]) -> int:
    """Work on the events that are due; how many were taken. `link_for` gives a connector its way to the platform."""
    now = engine.now()
    with reading(engine.store.engine) as connection:
        due = pending.next_due(connection)
    if due is None or due > now:
        return 0
    rows = engine.write(lambda connection: pending.take(connection, now, now + _LEASE, _BATCH))
    for row in rows:
        _work(engine, row, link_for)
    return len(rows)


def _work(engine: Engine, row: AnyRow, link_for: Callable[[Installation], Link]) -> None:
    try:
        _decide(engine, row, link_for)
    except (Lost, StoreUnavailable):
        return  # decided by another process, or the lease brings it back
    except PlatformError as e:
        wait_s = e.retry_after_s if e.retry is not Retry.NEVER else None
        _failed(engine, row, f"{type(e).__name__}: {e}", wait_s)
    except Exception as e:  # the worker's loop: one event's failure stays its own
        log.exception("an event can't be decided", extra={"event": show("evt", row.id), "type": row.type})
        _failed(engine, row, f"{type(e).__name__}: deciding failed", None)


def _decide(engine: Engine, row: AnyRow, link_for: Callable[[Installation], Link]) -> None:
    event = event_of(engine, row)
    with reading(engine.store.engine) as connection:
        held = intake.configured(engine, connection, row.tenant_id)
    installation = held.config.installations.get(row.installation_id)
    if installation is None or installation.status in ("removed", "disabled"):
        engine.write(
            lambda connection: pending.failed(connection, row.id, row.attempts, None, "its installation is gone or disabled")
        )
        return
    connector = engine.plugins.connectors.get(installation.value.connector)
    if event.fetch and connector is not None and connector.enrich is not None:
        event = masked_event(connector.enrich(event, link_for(installation.value)))
    prepared = intake.prepare(engine, held, installation.value, event, reported="webhook", event_id=row.id)

    content = engine.vault.seal_json(pack_event(event), row.tenant_id, "events.content", row.id)

    def write(connection: sa.Connection) -> None:
        if not pending.decided(connection, row.id, row.attempts):
            raise Lost
        pending.complete(connection, row.id, content, event.subject)
        stored.apply(connection, [[prepared.unit]])

    engine.write(write)
    intake.after_commit(engine, prepared)


def event_of(engine: Engine, row: AnyRow) -> Event:
    """The event behind a stored row."""
    content = engine.vault.open_json(row.content, row.tenant_id, "events.content", row.id)
    return unpack_event(content, row.type, row.subject, row.occurred_at)


def _failed(engine: Engine, row: AnyRow, why: str, wait_s: float | None) -> None:
    last = row.attempts >= TRIES
    wait = max(wait_s or 0.0, _WAITS_S[min(row.attempts, len(_WAITS_S)) - 1])
    due = None if last else engine.now() + timedelta(seconds=wait)
    if last:
        log.warning("an event is a dead letter", extra={"event": show("evt", row.id), "type": row.type, "reason": why[:80]})
    try:
        engine.write(lambda connection: pending.failed(connection, row.id, row.attempts, due, why))
    except StoreUnavailable:
        return  # the lease brings it back
