"""Statements that forget: rows in the order of their ids, which is the order of their making, a batch a time.

A walk goes through a table from its oldest row to the youngest that anybody may forget, and begins again the next day. Where it
stands is kept with what it did, so that a process that dies leaves the rest to the next one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bellwire.domain.retention import Kept
from bellwire.ids import first_id
from bellwire.model import Status
from bellwire.store import schema
from bellwire.store.schema import JOB_DONE, JOB_FAILED, STATUS_CODES
from bellwire.store.types import AnyRow

BATCH = 500
_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Walk:
    """How a class of things is forgotten. `what`: which rows still hold something; `values`: None when the whole row goes."""

    table: sa.Table
    what: sa.ColumnElement[bool]
    values: Mapping[str, Any] | None = None


_e, _m, _r, _d = schema.events.c, schema.messages.c, schema.replies.c, schema.dlrs.c
_ended = (JOB_DONE, JOB_FAILED)

#: What waits, or is under way, is never forgotten, however old it is.
WALKS: Mapping[Kept, Walk] = {
    Kept.EVENTS: Walk(
        schema.events, _e.content.is_not(None) & _e.status.in_((schema.EVENT_DECIDED, schema.EVENT_DEAD)), {"content": None}
    ),
    Kept.MESSAGES: Walk(
        schema.messages,
        (_m.text.is_not(None) | _m.metadata.is_not(None)) & (_m.status >= STATUS_CODES[Status.SENT]),
        {"text": None, "metadata": None},
    ),
    Kept.REPLIES: Walk(schema.replies, _r.status != "part"),
    Kept.RECEIPTS: Walk(schema.dlrs, sa.not_(_d.parked)),
    Kept.CALLBACKS: Walk(schema.callbacks, schema.callbacks.c.status.in_(_ended)),
    Kept.WRITE_BACKS: Walk(schema.write_backs, schema.write_backs.c.status.in_(_ended)),
}


def older(connection: sa.Connection, walk: Walk, after: UUID, before: datetime, limit: int = BATCH) -> Sequence[AnyRow]:
    """id and tenant_id of rows that hold something and were made before then, in order."""
    t = walk.table.c
    return connection.execute(
        sa.select(t.id, t.tenant_id).where(t.id > after, t.id < first_id(before), walk.what).order_by(t.id).limit(limit)
    ).all()


def forget(connection: sa.Connection, walk: Walk, ids: Sequence[UUID]) -> int:
    """Forget rows, if they still may be; how many they were."""
    if not ids:
        return 0
    where = (walk.table.c.id.in_(ids), walk.what)
    if walk.values is None:
        return connection.execute(sa.delete(walk.table).where(*where)).rowcount
    return connection.execute(sa.update(walk.table).where(*where).values(**walk.values)).rowcount


def tenants(connection: sa.Connection) -> dict[UUID, Mapping[str, Any]]:
    """Each tenant's settings."""
    return {row.id: row.settings for row in connection.execute(sa.select(schema.tenants.c.id, schema.tenants.c.settings))}


# -- where a walk stands --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk stands. `began`: when it began; `ended`: it came to its end since."""

    began: datetime
    after: UUID = _FIRST
    ended: bool = False


def place(connection: sa.Connection, what: Kept) -> Place | None:
    """Where the walk of a class stands; None before the first."""
    t = schema.meta.c
    stored = connection.execute(sa.select(t.value).where(t.name == f"purge.{what}")).scalar()
    if stored is None:
        return None
    document = json.loads(bytes(stored))
    return Place(datetime.fromisoformat(document["began"]), UUID(hex=document["after"]), document["ended"])


def stand(connection: sa.Connection, what: Kept, at: Place) -> None:
    """Keep where a walk stands."""
    value = json.dumps({"began": at.began.isoformat(), "after": at.after.hex, "ended": at.ended}).encode()
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(schema.meta)
    row = insert.values(name=f"purge.{what}", value=value)
    connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


# -- what has its own time ------------------------------------------------------------------------------------------


def forget_seen(connection: sa.Connection, before: datetime, limit: int = BATCH) -> int:
    """Dedupe keys from before then."""
    return oldest(connection, schema.seen.c.at, before, limit)


def forget_answers(connection: sa.Connection, before: datetime, limit: int = BATCH) -> int:
    """Kept answers of API calls from before then."""
    return oldest(connection, schema.idempotency.c.created_at, before, limit)


def oldest(connection: sa.Connection, at: sa.Column[Any], before: datetime, limit: int = BATCH) -> int:
    """Remove so many of the rows from before then, the oldest by an indexed time, and whatever is as old as the last of them.

    How many they were. By their time, not by their keys: for a list of keys of several columns SQLite reads the whole table.
    """
    old = at < before
    last = connection.execute(sa.select(at).where(old).order_by(at).offset(limit - 1).limit(1)).scalar()
    return connection.execute(sa.delete(at.table).where(old if last is None else at <= last)).rowcount


def give_up_parked(connection: sa.Connection, before: datetime, limit: int = BATCH) -> int:
    """Receipts whose message never came to be known: kept for people to see, and looked for no more."""
    old = [
        (row.id, row.details)
        for row in connection.execute(
            sa.select(_d.id, _d.details)
            .where(sa.text("dlrs.parked"), _d.received_at < before)
            .order_by(_d.received_at, _d.id)
            .limit(limit)
        )
    ]
    for dlr_id, details in old:
        connection.execute(
            sa.update(schema.dlrs)
            .where(_d.id == dlr_id, sa.text("dlrs.parked"))
            .values(parked=False, details={**(details or {}), "lost": True})
        )
    return len(old)


def forget_exports(connection: sa.Connection, before: datetime, limit: int = BATCH) -> int:
    """Exports that nobody fetched, or that were fetched long ago."""
    p = schema.privacy_requests.c
    old = [
        row.id
        for row in connection.execute(sa.select(p.id).where(p.done_at < before, p.result.is_not(None)).order_by(p.id).limit(limit))
    ]
    if old:
        connection.execute(sa.update(schema.privacy_requests).where(p.id.in_(old)).values(result=None, wanted=None))
    return len(old)
