"""Events that could not be decided at once: fetched from their platform, or tried again; after five tries a dead letter.

One whose platform is down, or asks for a person, waits for it for a day: how old a text's cause may be is the trigger's `max_age`.
Those tries are counted apart: however long it waited, it has five of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.cards import masked_event
from bellwire.engine import intake
from bellwire.engine.configs import Held
from bellwire.engine.intake import Prepared
from bellwire.engine.rows import pack_event, unpack_event
from bellwire.engine.runtime import Engine
from bellwire.errors import PlatformError, PlatformUnauthorized, Retry, StoreError, StoreUnavailable
from bellwire.ids import show
from bellwire.model import Event, Installation, Link
from bellwire.store import pending
from bellwire.store.database import reading
from bellwire.store.types import AnyRow
from bellwire.store.writer import GroupWork, Writer

log = logging.getLogger(__name__)

WAITS_S = (2, 10, 60, 300)  # before the second try and so on; a platform's Retry-After may lengthen one
AWAY_WAITS_S = (*WAITS_S, 900, 1_800, *[3_600] * 23)  # a day in all
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
        _decide(engine, _whole(engine, batch, link_for))
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


def _whole(engine: Engine, rows: Sequence[AnyRow], link_for: Callable[[Installation], Link]) -> list[tuple[AnyRow, Event]]:
    """The events of one installation with what its platform knows of them, without those that it does not give."""
    found = _installed(engine, rows)
    if found is None:
        return []
    _, installation = found
    fetched = _fetched(engine, rows, installation, link_for) if len(rows) > 1 else {}
    whole = []
    for row in rows:
        with _kept_apart(engine, row):
            whole.append((row, fetched.get(row.id) or _completed(engine, event_of(engine, row), installation, link_for)))
    return whole


def _installed(engine: Engine, rows: Sequence[AnyRow]) -> tuple[Held, Installation] | None:
    """The installation that these events are of; None when it is gone or off: then nothing comes of them."""
    with reading(engine.store.engine) as connection:
        held = intake.configured(engine, connection, rows[0].tenant_id)
    found = held.config.installations.get(rows[0].installation_id)
    if found is not None and found.status not in ("removed", "disabled"):
        return held, found.value
    for row in rows:
        engine.write(lambda c, row=row: pending.failed(c, row.id, row.attempts, None, "its installation is gone or disabled"))  # type: ignore[misc]  # bound now
    return None


def _fetched(
    engine: Engine, rows: Sequence[AnyRow], installation: Installation, link_for: Callable[[Installation], Link]
) -> dict[UUID, Event]:
    """Events completed by one look at their platform, by row; none where that failed: then each by itself."""
    connector = engine.plugins.connectors[rows[0].connector]
    if connector.enrich_many is None:
        return {}
    try:
        found = [(row.id, event_of(engine, row)) for row in rows]
        found = [(key, event) for key, event in found if event.fetch]
        made = connector.enrich_many([event for _, event in found], link_for(installation)) if found else []
        return {key: masked_event(event) for (key, _), event in zip(found, made, strict=True) if not event.fetch}
    except PlatformError as e:
        log.info("several events at once can't be completed", extra={"connector": connector.name, "reason": type(e).__name__})
    except Exception:  # one odd event must not keep the others from being decided
        log.exception("completing several events at once broke", extra={"connector": connector.name})
    return {}


def _completed(engine: Engine, event: Event, installation: Installation, link_for: Callable[[Installation], Link]) -> Event:
    """An event with what its platform knows of it, where there is anything to ask. Raises PlatformError."""
    connector = engine.plugins.connectors.get(installation.connector)
    if not event.fetch or connector is None or connector.enrich is None:
        return event
    return masked_event(connector.enrich(event, link_for(installation)))


def _decide(engine: Engine, whole: Sequence[tuple[AnyRow, Event]]) -> None:
    """Decide events of one installation together; each is stored wholly or not at all, many in one transaction."""
    found = _installed(engine, [row for row, _ in whole]) if whole else None
    if found is None:
        return
    held, installation = found
    made: Sequence[Prepared | Exception]
    try:
        made = intake.prepare_again(engine, held, installation, [(event, row.id) for row, event in whole])
    except StoreError as e:
        made = [e] * len(whole)
    waiting: list[tuple[AnyRow, Prepared, Future[list[bool]]]] = []
    for (row, event), one in zip(whole, made, strict=True):
        with _kept_apart(engine, row):
            if isinstance(one, Exception):
                raise one
            content = engine.vault.seal_json(pack_event(event), row.tenant_id, "events.content", row.id)
            one.unit.effects = [partial(_decided, row, content, event.subject), *one.unit.effects]
            waiting.append((row, one, engine.store.writer.submit(GroupWork(intake.GROUP, [one.unit]))))
    for row, one, future in waiting:
        with _kept_apart(engine, row):
            Writer.wait(future)
            intake.after_commit(engine, one)


def _decided(row: AnyRow, content: bytes, subject: str, connection: sa.Connection) -> None:
    if not pending.decided(connection, row.id, row.attempts, content, subject):
        raise Lost


@contextmanager
def _kept_apart(engine: Engine, row: AnyRow) -> Iterator[None]:
    """The worker's loop: one event's failure stays its own."""
    try:
        yield
    except (Lost, StoreUnavailable):
        return  # decided by another process, or the lease brings it back
    except PlatformError as e:
        if e.retry is not Retry.NEVER or isinstance(e, PlatformUnauthorized):  # it says nothing of the event
            _failed(engine, row, f"{type(e).__name__}: {e}", is_away=True, wait_s=e.retry_after_s)
        else:
            _failed(engine, row, f"{type(e).__name__}: {e}")
    except Exception as e:
        log.exception("an event can't be decided", extra={"event_id": show("evt", row.id), "event_type": row.type})
        _failed(engine, row, f"{type(e).__name__}: deciding failed")


def event_of(engine: Engine, row: AnyRow) -> Event:
    """The event behind a stored row."""
    content = engine.vault.open_json(row.content, row.tenant_id, "events.content", row.id)
    return unpack_event(content, row.type, row.subject, row.occurred_at)


def _failed(engine: Engine, row: AnyRow, why: str, *, is_away: bool = False, wait_s: float | None = None) -> None:
    """A try failed, by the event's own fault or because its platform `is_away`."""
    away = (row.away or 0) + is_away
    tries, waits_s = (away, AWAY_WAITS_S) if is_away else (row.attempts - away, WAITS_S)
    last = tries > len(waits_s)
    due = None if last else engine.now() + timedelta(seconds=max(wait_s or 0.0, waits_s[tries - 1]))
    if last:
        log.warning(
            "an event is a dead letter", extra={"event_id": show("evt", row.id), "event_type": row.type, "reason": why[:80]}
        )
    try:
        engine.write(lambda connection: pending.failed(connection, row.id, row.attempts, due, why, away=away))
    except StoreUnavailable:
        return  # the lease brings it back
