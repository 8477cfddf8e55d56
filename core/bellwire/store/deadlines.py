"""Statements for deadlines: events that come to be at a set time, unless what they wait for comes first; and newest versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bellwire.store import schema
from bellwire.store.many import picked
from bellwire.store.retention import oldest
from bellwire.store.schema import DEADLINE_DONE, DEADLINE_OVER, DEADLINE_WAITING, plain
from bellwire.store.types import AnyRow
from bellwire.store.vault import fingerprint

_d, _v = schema.deadlines.c, schema.object_versions.c
_WAITING = sa.text("deadlines.status = 0")  # as in the partial index
_RENEWED = ("due", "status", "content", "source_id", "event_id", "attempts", "error", "updated_at", "about", "kind", "stage")
TOLD = "told"  # the stage of what the producer sends by itself


def key(text: str) -> bytes:
    """What is kept of an object's name: nobody reads it from here."""
    return fingerprint(text)


def id_of(installation_id: UUID, key_text: str) -> UUID:
    """A deadline's id: the same each time it is set, so that what is sealed for it can be opened whoever set it first."""
    return UUID(bytes=fingerprint("deadline", installation_id.bytes, key_text))


def row(
    tenant_id: UUID,
    installation_id: UUID,
    *,
    kind: str,
    stage: str,
    key_text: str,
    about: str,
    due: datetime,
    now: datetime,
    content: bytes | None = None,
    source_id: UUID | None = None,
    status: int = DEADLINE_WAITING,
) -> dict[str, Any]:
    """One deadline's row."""
    return {
        "id": id_of(installation_id, key_text),
        "tenant_id": tenant_id,
        "installation_id": installation_id,
        "kind": kind,
        "stage": stage,
        "key_hash": key(key_text),
        "about": key(about),
        "due": due,
        "status": status,
        "content": content,
        "source_id": source_id,
        "event_id": None,
        "attempts": 0,
        "error": None,
        "updated_at": now,
    }


def put(connection: sa.Connection, values: Mapping[str, Any]) -> None:
    """Set a deadline, anew where there is one."""
    statement = _insert(connection).values(values)
    statement = statement.on_conflict_do_update(
        index_elements=["installation_id", "key_hash"], set_={name: statement.excluded[name] for name in _RENEWED}
    )
    connection.execute(statement)


def put_new(connection: sa.Connection, values: Mapping[str, Any]) -> bool:
    """Set a deadline unless there is one, over or not; whether it was set."""
    statement = _insert(connection).values(values).on_conflict_do_nothing().returning(_d.id)
    return connection.execute(statement).first() is not None


def over(connection: sa.Connection, installation_id: UUID, about: str, kind: str | None, now: datetime) -> Sequence[UUID]:
    """End what waits about an object; the events that its deadlines made already."""
    where = [_d.installation_id == installation_id, _d.about == key(about)]
    if kind is not None:
        where.append(_d.kind == kind)
    connection.execute(
        sa.update(schema.deadlines).where(*where, _WAITING).values(status=DEADLINE_OVER, content=None, updated_at=now)
    )
    made = connection.execute(sa.select(_d.event_id).where(*where, plain(_d.status) == DEADLINE_DONE, _d.event_id.is_not(None)))
    return [one.event_id for one in made]


def mark(
    connection: sa.Connection, tenant_id: UUID, installation_id: UUID, kind: str, about: str, event_id: UUID, now: datetime
) -> None:
    """Remember that the producer sends such events by itself, and this one, whose texts end with what it is about."""
    ever = row(
        tenant_id,
        installation_id,
        kind=kind,
        stage=TOLD,
        key_text=_told(kind),
        about=_told(kind),
        due=now,
        now=now,
        status=DEADLINE_OVER,
    )
    this = row(
        tenant_id,
        installation_id,
        kind=kind,
        stage=TOLD,
        key_text=f"{kind}|{about}|{TOLD}",
        about=about,
        due=now,
        now=now,
        status=DEADLINE_DONE,
    )
    put(connection, ever)
    put(connection, {**this, "event_id": event_id})


def marked(connection: sa.Connection, installation_id: UUID, kinds: Iterable[str], since: datetime) -> frozenset[str]:
    """Of these kinds those that the producer has sent by itself since then."""
    keys = {key(_told(kind)): kind for kind in kinds}
    if not keys:
        return frozenset()
    rows = connection.execute(
        sa.select(_d.key_hash).where(_d.installation_id == installation_id, _d.key_hash.in_(list(keys)), _d.updated_at >= since)
    )
    return frozenset(keys[bytes(one.key_hash)] for one in rows)


def made_since(connection: sa.Connection, installation_id: UUID, about: str, kind: str, since: datetime) -> datetime | None:
    """When a deadline of ours last made such an event about an object, not before then."""
    return connection.execute(
        sa.select(sa.func.max(_d.updated_at)).where(
            _d.installation_id == installation_id,
            _d.about == key(about),
            _d.kind == kind,
            plain(_d.status) == DEADLINE_DONE,
            _d.stage != TOLD,
            _d.updated_at >= since,
        )
    ).scalar()


# -- when the time has come -------------------------------------------------------------------------------------------


def next_due(connection: sa.Connection) -> datetime | None:
    """When the next deadline is due."""
    return connection.execute(sa.select(sa.func.min(_d.due)).where(_WAITING)).scalar()


def take(connection: sa.Connection, now: datetime, again_at: datetime, limit: int) -> Sequence[AnyRow]:
    """Take due deadlines: each counts one try and is due again at `again_at`, so that a process that dies with it loses nothing."""
    due = sa.select(_d.id).where(_WAITING, _d.due <= now).order_by(_d.due, _d.id).limit(limit)
    rows = connection.execute(
        sa.update(schema.deadlines)
        .where(picked(connection, _d.id, due))
        .values(attempts=_d.attempts + 1, due=again_at)
        .returning(*schema.deadlines.c)
    ).all()
    return sorted(rows, key=lambda one: one.id)


def done(connection: sa.Connection, row_id: UUID, attempt: int, event_id: UUID | None, now: datetime) -> bool:
    """It made its event; False when it is over, was set anew or was taken by another meanwhile: then nothing may be written."""
    changed = connection.execute(
        sa.update(schema.deadlines)
        .where(_d.id == row_id, plain(_d.status) == DEADLINE_WAITING, _d.attempts == attempt)
        .values(status=DEADLINE_DONE, event_id=event_id, content=None, error=None, updated_at=now)
    )
    return changed.rowcount == 1


def drop(connection: sa.Connection, row_id: UUID, attempt: int, error: str, now: datetime) -> None:
    """It can make no event any more."""
    connection.execute(
        sa.update(schema.deadlines)
        .where(_d.id == row_id, plain(_d.status) == DEADLINE_WAITING, _d.attempts == attempt)
        .values(status=DEADLINE_OVER, content=None, error=error[:200], updated_at=now)
    )


def put_off(connection: sa.Connection, row_id: UUID, attempt: int, due: datetime, error: str) -> None:
    """Try again later."""
    connection.execute(
        sa.update(schema.deadlines)
        .where(_d.id == row_id, plain(_d.status) == DEADLINE_WAITING, _d.attempts == attempt)
        .values(due=due, error=error[:200])
    )


def tenants_with_cutoffs(connection: sa.Connection) -> Sequence[UUID]:
    """Tenants with an active installation that has a weekly cutoff."""
    i = schema.installations.c
    settings = sa.type_coerce(i.settings, sa.Text)
    statement = sa.select(i.tenant_id).where(i.status == "active", settings.contains('"timecard_cutoff"')).distinct()
    return [one.tenant_id for one in connection.execute(statement)]


# -- versions -----------------------------------------------------------------------------------------------------------


def newest(connection: sa.Connection, installation_id: UUID, name: str) -> tuple[int, datetime] | None:
    """The newest state that was told of an object: its version (0: not counted) and when it came to be."""
    found = connection.execute(
        sa.select(_v.version, _v.at).where(_v.installation_id == installation_id, _v.key_hash == key(name))
    ).one_or_none()
    return None if found is None else (found.version, found.at)


def remember(connection: sa.Connection, installation_id: UUID, name: str, version: int, at: datetime) -> bool:
    """Keep an object's state; False when a newer one was told before. Others who tell of the same object wait for the commit."""
    statement = _insert(connection, schema.object_versions).values(
        installation_id=installation_id, key_hash=key(name), version=version, at=at
    )
    new = statement.excluded
    both = sa.and_(_v.version > 0, new.version > 0)
    neither = sa.and_(_v.version == 0, new.version == 0)
    statement = statement.on_conflict_do_update(
        index_elements=["installation_id", "key_hash"],
        set_={
            "version": sa.case((new.version > _v.version, new.version), else_=_v.version),
            "at": sa.case((new.at > _v.at, new.at), else_=_v.at),
        },
        where=sa.and_(sa.or_(sa.not_(both), new.version >= _v.version), sa.or_(sa.not_(neither), new.at >= _v.at)),
    )
    return connection.execute(statement.returning(_v.version)).first() is not None


# -- what is old ----------------------------------------------------------------------------------------------------------


def forget(connection: sa.Connection, before: datetime, limit: int = 500) -> int:
    """Deadlines that ended before then, and versions of objects of which nothing was told since."""
    ended = sa.select(_d.id).where(sa.text("deadlines.status > 0"), _d.updated_at < before)
    old = connection.execute(ended.order_by(_d.updated_at).limit(limit)).all()
    if old:
        connection.execute(sa.delete(schema.deadlines).where(_d.id.in_([one.id for one in old])))
    return len(old) + oldest(connection, _v.at, before, limit)


def _told(kind: str) -> str:
    return f"{TOLD}|{kind}"


def _insert(connection: sa.Connection, table: sa.Table = schema.deadlines) -> Any:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
