"""Forgets what is old enough, a few hundred rows a transaction: by each tenant's own days, nothing while a legal hold stands."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.retention import DEFAULT_DAYS, Kept, Retention
from bellwire.errors import FieldInvalid
from bellwire.ids import first_id
from bellwire.store import deadlines, idempotency, privacy, receipts
from bellwire.store import retention as stored
from bellwire.store.database import reading
from bellwire.store.retention import WALKS, Place

if TYPE_CHECKING:
    from bellwire.engine.runtime import Engine

log = logging.getLogger(__name__)

SEEN_KEPT = timedelta(days=30)
WALK_EVERY = timedelta(days=1)
STEP_S = 0.5  # then others' jobs have their turn
IDLE_S = 55.0
_WRITE_WAIT_S = 10.0

#: What has one time for all: keys that nobody asks for any more, receipts that found no message, exports.
_TIMED: tuple[tuple[Callable[[sa.Connection, datetime], int], timedelta], ...] = (
    (stored.forget_seen, SEEN_KEPT),
    (stored.forget_answers, idempotency.KEPT),
    (stored.give_up_parked, receipts.PARKED_FOR),
    (stored.forget_exports, privacy.EXPORT_KEPT),
    (deadlines.forget, timedelta(days=90)),
)


class Purge:
    """The jobs' loop: other jobs wake it too, and looking costs writes, so it looks once a minute."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle_until = 0.0

    def step(self) -> int:
        """Forget for half a second, if it is time; how many rows."""
        if time.monotonic() < self._idle_until:
            return 0
        count = step(self._engine)
        if not count:
            self._idle_until = time.monotonic() + IDLE_S
        return count


def step(engine: Engine, *, batches: int | None = None) -> int:
    """Forget for half a second (or so many batches); how many rows. For the jobs' loop: what is left comes with the next step."""
    ends = time.monotonic() + STEP_S
    count = done = 0

    def is_over() -> bool:
        return done >= batches if batches is not None else time.monotonic() >= ends

    for forget, kept in _TIMED:
        while not is_over():
            rows = engine.write(lambda c, forget=forget, kept=kept: forget(c, engine.now() - kept), wait_s=_WRITE_WAIT_S)  # type: ignore[misc]
            count, done = count + rows, done + (rows > 0)
            if rows < stored.BATCH:
                break
    for what in Kept:
        while not is_over():
            found = _walk(engine, what)
            if found is None:
                break
            count, done = count + found, done + 1
    return count


def _walk(engine: Engine, what: Kept) -> int | None:
    """One batch of a class; how many rows were forgotten, None when its walk has come to its end for today."""
    now, walk = engine.now(), WALKS[what]
    with reading(engine.store.engine) as connection:
        at = stored.place(connection, what)
        if at is None or (at.ended and now - at.began >= WALK_EVERY):
            at = Place(now)
        if at.ended:
            return None
        limits = _limits(stored.tenants(connection), what, now)
        youngest = max((one for one in limits.values() if one is not None), default=None)
        rows = stored.older(connection, walk, at.after, youngest) if youngest is not None else []
    ids = [row.id for row in rows if _is_old(row.id, limits.get(row.tenant_id, now - timedelta(days=DEFAULT_DAYS[what])))]
    over = len(rows) < stored.BATCH
    after = replace(at, after=rows[-1].id if rows else at.after, ended=over)

    def write(connection: sa.Connection) -> int:
        stored.stand(connection, what, after)
        return stored.forget(connection, walk, ids)

    return engine.write(write, wait_s=_WRITE_WAIT_S)


def _limits(settings: Mapping[UUID, Mapping[str, Any]], what: Kept, now: datetime) -> dict[UUID, datetime | None]:
    """Before when each tenant forgets a class; None: nothing of it."""
    limits: dict[UUID, datetime | None] = {}
    for tenant_id, one in settings.items():
        try:
            limits[tenant_id] = Retention.from_settings(one).forget_before(what, now)
        except FieldInvalid as e:  # what can't be read must not make us forget
            log.warning(
                "a tenant's retention can't be read: nothing of it is forgotten", extra={"tenant": tenant_id.hex, "field": e.field}
            )
            limits[tenant_id] = None
    return limits


def _is_old(row_id: UUID, before: datetime | None) -> bool:
    return before is not None and row_id < first_id(before)
