"""Counts of what waits, over all tenants: for metrics and health. Each is one look at a partial index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bellwire.store import schema
from bellwire.store.types import Instant
from bellwire.store.workers import JOBS


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane's waiting messages."""

    lane: str
    waiting: int
    oldest_due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What waits and who works. `workers`: those that send; the row by which a process takes jobs is its second."""

    lanes: Sequence[Lane]
    sending: int
    events_pending: int
    events_dead: int
    write_backs_waiting: int
    callbacks_waiting: int
    dlrs_parked: int
    workers: int
    last_beat: datetime | None


def read(connection: sa.Connection) -> Figures:
    """The figures of this moment."""
    m = schema.messages.c
    by_lane = {
        row.lane: row
        for row in connection.execute(
            sa.select(m.lane, sa.func.count().label("waiting"), sa.func.min(m.due, type_=Instant).label("oldest"))
            .where(sa.text("messages.status < 2"))
            .group_by(m.lane)
        )
    }
    w = schema.workers.c
    sends = w.kind != JOBS
    workers = connection.execute(
        sa.select(sa.func.count().label("many"), sa.func.max(w.beat_at, type_=Instant).label("last")).where(sends)
    ).one()
    return Figures(
        lanes=[
            Lane(str(lane), by_lane[code].waiting if code in by_lane else 0, by_lane[code].oldest if code in by_lane else None)
            for code, lane in schema.LANE_OF.items()
        ],
        sending=_count(connection, schema.messages, "messages.status = 2"),
        events_pending=_count(connection, schema.events, "events.status < 2"),
        events_dead=_count(connection, schema.events, f"events.status = {schema.EVENT_DEAD}"),
        write_backs_waiting=_count(connection, schema.write_backs, "write_backs.status = 0"),
        callbacks_waiting=_count(connection, schema.callbacks, "callbacks.status = 0"),
        dlrs_parked=_count(connection, schema.dlrs, "dlrs.parked"),
        workers=workers.many,
        last_beat=workers.last,
    )


def _count(connection: sa.Connection, table: sa.Table, where: str) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table).where(sa.text(where))).scalar_one()
