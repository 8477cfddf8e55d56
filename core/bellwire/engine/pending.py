"""Events that could not be decided at once: fetched from their platform, or tried again; after five tries a dead letter."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

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
_TOGETHER = 100  # of one installation, where one call completes many


class Lost(Exception):
    """Somebody else decided the event meanwhile: what we prepared is not written."""


def step(engine: Engine, link_for: Callable[[Installation], Link]) -> int:
    """Work on the events that are due; how many were taken. `link_for` gives a connector its way to the platform."""
    now = engine.now()
    with reading(engine.store.engine) as connection:
        due = pending.next_due(connection)
    if due is None or due > now:
        return 0
    rows = engine.write(lambda connection: _take(engine, connection, now))
    for batch in _batches(engine, rows):
        fetched = _fetched(engine, batch, link_for) if len(batch) > 1 else {}
        for row in batch:
            _work(engine, row, link_for, fetched.get(row.id))
    return len(rows)


def _take(engine: Engine, connection: sa.Connection, now: datetime) -> Sequence[AnyRow]:
    """What is due, and more of an account whose platform tells of many at once: one call serves all of them."""
    rows = list(pending.take(connection, now, now + _LEASE, _BATCH))
    if len(rows) == _BATCH:
        for batch in _batches(engine, rows):
            if _asks_for_many(engine, batch[0]):
                more = _TOGETHER - len(batch)
                rows += pending.take(connection, now, now + _LEASE, more, batch[0].installation_id)
                break
    return rows


def _batches(engine: Engine, rows: Sequence[AnyRow]) -> list[list[AnyRow]]:
    """The rows that one call may complete, together; each other row by itself."""
    batches: dict[UUID, list[AnyRow]] = {}
    for row in rows:
        batches.setdefault(row.installation_id if _asks_for_many(engine, row) else row.id, []).append(row)
    return list(batches.values())


def _asks_for_many(engine: Engine, row: AnyRow) -> bool:
    connector = engine.plugins.connectors.get(row.connector)
    return row.installation_id is not None and connector is not None and connector.enrich_many is not None


def _fetched(engine: Engine, rows: Sequence[AnyRow], link_for: Callable[[Installation], Link]) -> dict[UUID, Event]:
    """Events of one installation, completed by one look at its platform, by row; none where that failed: then each by itself."""
    connector = engine.plugins.connectors[rows[0].connector]
    with reading(engine.store.engine) as connection:
        held = intake.configured(engine, connection, rows[0].tenant_id)
    installation = held.config.installations.get(rows[0].installation_id)
    if connector.enrich_many is None or installation is None or installation.status in ("removed", "disabled"):
        return {}
    try:
        found = [(row.id, event_of(engine, row)) for row in rows]
        found = [(key, event) for key, event in found if event.fetch]
        made = connector.enrich_many([event for _, event in found], link_for(installation.value)) if found else []
        return {key: event for (key, _), event in zip(found, made, strict=True) if not event.fetch}
    except PlatformError as e:
        log.info("several events at once can't be completed", extra={"connector": connector.name, "reason": type(e).__name__})
    except Exception:  # one odd event must not keep the others from being decided
        log.exception("completing several events at once broke", extra={"connector": connector.name})
    return {}


def _work(engine: Engine, row: AnyRow, link_for: Callable[[Installation], Link], fetched: Event | None) -> None:
    try:
        _decide(engine, row, link_for, fetched)
    except (Lost, StoreUnavailable):
        return  # decided by another process, or the lease brings it back
    except PlatformError as e:
        wait_s = e.retry_after_s if e.retry is not Retry.NEVER else None
        _failed(engine, row, f"{type(e).__name__}: {e}", wait_s)
    except Exception as e:  # the worker's loop: one event's failure stays its own
        log.exception("an event can't be decided", extra={"event": show("evt", row.id), "type": row.type})
        _failed(engine, row, f"{type(e).__name__}: deciding failed", None)


def _decide(engine: Engine, row: AnyRow, link_for: Callable[[Installation], Link], fetched: Event | None) -> None:
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
    if fetched is not None:
        event = masked_event(fetched)
    elif event.fetch and connector is not None and connector.enrich is not None:
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
