"""Statements for write-backs: jobs of one object at a platform are taken together, and one process at a time has the object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

import sqlalchemy as sa

from bellwire.ids import first_id
from bellwire.store import outbox, schema
from bellwire.store.outbox import Queue
from bellwire.store.schema import JOB_DONE, JOB_QUEUED, JOB_WORKING
from bellwire.store.types import AnyRow, Id, Instant

QUEUE = Queue(
    table=schema.write_backs, key="installation_id", target=schema.installations, stamp="updated_at", detail="status_detail"
)

_w, _m, _c, _r = schema.write_backs.c, schema.messages.c, schema.contacts.c, schema.replies.c
_ROWS = 500  # of all objects in one claim; what is more comes with the next
_OBJECTS = 200  # of those that one call may tell of, in one claim
_MADE_BEFORE = timedelta(minutes=1)  # how long before it was written a job was made, but for those that had to be repeated
_BUSY = timedelta(seconds=0.5)  # until an object is looked at again that somebody has in hand


def _error(of_attempt: sa.Column[str], of_receipt: sa.Column[str], label: str) -> sa.Label[str]:
    """What was wrong with a message that did not arrive: the receipt's word, else the last attempt's."""
    receipt = (
        sa.select(of_receipt)
        .where(schema.dlrs.c.message_id == _w.message_id, of_receipt != "")
        .order_by(schema.dlrs.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    attempt = (
        sa.select(of_attempt)
        .where(schema.attempts.c.message_id == _w.message_id)
        .order_by(schema.attempts.c.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    return sa.case((_w.value.in_(["failed", "undelivered", "unknown"]), sa.func.coalesce(receipt, attempt))).label(label)


#: A job with what it tells of: read when it runs, so that an erased person's is gone.
_COLUMNS = (
    _w.id,
    _w.tenant_id,
    _w.installation_id,
    _w.kind,
    _w.subject,
    _w.customer_ref,
    _w.message_id,
    _w.contact_id,
    _w.reply_id,
    _w.value,
    _w.details,
    _w.at,
    _w.status,
    _w.attempts,
    _w.due,
    _w.error,
    _m.status.label("message_status"),
    _m.text.label("message_text"),
    _m.event_id.label("message_event"),
    _m.segments.label("message_segments"),
    _error(schema.attempts.c.error_class, schema.dlrs.c.error_class, "error_class"),
    _error(schema.attempts.c.code, schema.dlrs.c.raw_code, "error_code"),
    _c.id.label("person_id"),
    _c.msisdn.label("msisdn"),
    _r.text.label("reply_text"),
    _r.msisdn.label("reply_msisdn"),
    _r.answer.label("reply_answer"),
    _r.answers.label("reply_answers"),
)
_JOBS = (
    schema.write_backs.outerjoin(schema.messages, _m.id == _w.message_id)
    .outerjoin(schema.replies, _r.id == _w.reply_id)
    .outerjoin(schema.contacts, _c.id == sa.func.coalesce(_w.contact_id, _m.contact_id))
)

_due = (
    sa.select(_w.subject, _w.kind)
    .where(
        _w.installation_id == sa.bindparam("installation", type_=Id),
        sa.text("write_backs.status = 0"),
        _w.due <= sa.bindparam("now", type_=Instant),
    )
    .order_by(_w.due, _w.id)
    .limit(sa.bindparam("most"))
)
_objects = (
    sa.select(*_COLUMNS)
    .select_from(_JOBS)
    .where(
        _w.installation_id == sa.bindparam("installation", type_=Id),
        sa.text("write_backs.status < 2"),
        _w.subject.in_(sa.bindparam("subjects", expanding=True)),
    )
    .order_by(_w.status.desc(), _w.at, _w.id)  # what is in hand first: the limit must not hide it
    .limit(_ROWS)
)


_written = (
    sa.select(_w.subject, sa.func.max(_w.updated_at).label("at"))
    .where(
        _w.id >= sa.bindparam("first", type_=Id),
        _w.installation_id == sa.bindparam("installation", type_=Id),
        _w.kind == "status",
        _w.status == JOB_DONE,
        _w.updated_at > sa.bindparam("since", type_=Instant),
        _w.subject.in_(sa.bindparam("subjects", expanding=True)),
    )
    .group_by(_w.subject)
)


def claim(
    connection: sa.Connection,
    installation_id: UUID,
    owner: UUID,
    now: datetime,
    room: int,
    together: int = 1,
    apart: timedelta = timedelta(),
) -> list[list[AnyRow]]:
    """Take the due jobs of up to `room` objects, those of one kind of an object together, oldest first.

    Of statuses, `together` objects count as one, and two writes on one object are `apart`.

    All that waits for the object comes along, due or not, so that an older status is never written after a newer one; unless a
    job of it has failed and waits for its next try: then the new ones wait with it.
    """
    if outbox.lock(connection, QUEUE, installation_id) is None:
        return []
    kinds: dict[str, str] = {}
    for due in connection.execute(_due, {"installation": installation_id, "now": now, "most": min(room * together, _OBJECTS) * 4}):
        kinds.setdefault(due.subject, due.kind)
    subjects = _fitting(kinds, room, together)
    if not subjects:
        return []
    found: dict[str, list[AnyRow]] = {subject: [] for subject in subjects}
    for row in connection.execute(_objects, {"installation": installation_id, "subjects": subjects}):
        found[row.subject].append(row)
    written = _last_written(connection, installation_id, [one for one in subjects if kinds[one] == "status"], now, apart)
    taken: list[list[AnyRow]] = []
    later: list[tuple[UUID, datetime]] = []
    for subject, rows in found.items():
        waits = [row for row in rows if row.status == JOB_QUEUED and row.kind == kinds[subject]]
        until = _not_before(rows, waits, now) or (written[subject] + apart if subject in written else None)
        if until is None and waits:
            taken.append(waits)
        elif until is not None:
            later.extend((row.id, until) for row in waits if row.due <= now)
    outbox.put_off(connection, schema.write_backs, later)
    if taken:
        outbox.take(connection, schema.write_backs, [row.id for rows in taken for row in rows], owner)
    return taken


def _last_written(
    connection: sa.Connection, installation_id: UUID, subjects: Sequence[str], now: datetime, apart: timedelta
) -> dict[str, datetime]:
    """When the statuses of objects were written, of those where that is less than `apart` ago.

    A walk along the newest jobs of all installations, which only platforms that want their statuses apart pay for: they take few.
    """
    if not subjects or not apart:
        return {}
    since = now - apart
    values = {"installation": installation_id, "subjects": subjects, "since": since, "first": first_id(since - _MADE_BEFORE)}
    return {row.subject: row.at for row in connection.execute(_written, values)}


def _fitting(kinds: Mapping[str, str], room: int, together: int) -> list[str]:
    """The first objects that fill the room, in order."""
    fitting: list[str] = []
    statuses = others = 0
    for subject, kind in kinds.items():
        statuses, others = (statuses + 1, others) if kind == "status" else (statuses, others + 1)
        if others + ceil(statuses / together) > room or len(fitting) >= max(room, _OBJECTS):
            break
        fitting.append(subject)
    return fitting


def _not_before(rows: Sequence[AnyRow], waits: Sequence[AnyRow], now: datetime) -> datetime | None:
    """When an object can be taken; None: now."""
    if any(row.status == JOB_WORKING for row in rows):
        return now + _BUSY
    return max((row.due for row in waits if row.attempts and row.due > now), default=None)
