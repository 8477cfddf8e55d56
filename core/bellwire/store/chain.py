"""The audit trail's chain: each sealed entry has a place (1, 2, 3 …) and a keyed hash over itself and the seal before it.

The newest place and seal are kept beside it under the same key, so that a tail that was cut is missed at once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bellwire.store import schema
from bellwire.store.types import AnyRow, Id, micros

BATCH = 500
#: Seals begin with this many bytes that name their key.
KEY_ID_BYTES = 4
_HEAD = "audit.head"
_LOCK = 0x62656C6C_77697265  # "bellwire": one process at a time seals

_a = schema.audit.c


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry of a chain. Place 0: nothing is sealed yet."""

    seq: int
    seal: bytes


EMPTY = Head(0, b"")


def key_id(key: bytes) -> bytes:
    """What names a key in the seals it made."""
    return hashlib.sha256(b"audit" + key).digest()[:KEY_ID_BYTES]


def seal(key: bytes, before: bytes, seq: int, row: Any) -> bytes:
    """The seal of an entry at its place."""
    content = json.dumps(
        [
            seq,
            row.id.hex,
            row.tenant_id.hex if row.tenant_id else None,
            micros(row.at),
            row.actor,
            row.action,
            row.object,
            row.details,
        ],
        separators=(",", ":"),
        sort_keys=True,
        ensure_ascii=True,
    )
    return key_id(key) + hmac.digest(key, len(before).to_bytes(1) + before + content.encode(), "sha256")


def mark(key: bytes, what: str, head: Head) -> bytes:
    """A keyed hash over a head, for where it is written down."""
    return key_id(key) + hmac.digest(key, f"{what} {head.seq} ".encode() + head.seal, "sha256")


def is_mine(connection: sa.Connection) -> bool:
    """Whether this transaction may seal. SQLite has one writer anyway; PostgreSQL gives the lock until the commit."""
    if connection.dialect.name != "postgresql":
        return True
    return bool(connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK))).scalar())


def any_unsealed(connection: sa.Connection) -> bool:
    """Whether an entry waits for its seal (an index probe)."""
    return connection.execute(sa.select(_a.id).where(sa.text("audit.seq IS NULL")).limit(1)).first() is not None


def unsealed(connection: sa.Connection, limit: int = BATCH) -> Sequence[AnyRow]:
    """Entries that wait, in the order of their ids."""
    return connection.execute(sa.select(schema.audit).where(sa.text("audit.seq IS NULL")).order_by(_a.id).limit(limit)).all()


def sealed(connection: sa.Connection, after: int, limit: int = 1_000) -> Sequence[AnyRow]:
    """Entries in the order of their places."""
    return connection.execute(sa.select(schema.audit).where(_a.seq > after).order_by(_a.seq).limit(limit)).all()


_link = (
    sa.update(schema.audit)
    .where(_a.id == sa.bindparam("b_id", type_=Id), sa.text("audit.seq IS NULL"))
    .values(seq=sa.bindparam("b_seq"), seal=sa.bindparam("b_seal"))
)


def link(connection: sa.Connection, key: bytes, rows: Sequence[AnyRow], head: Head) -> Head:
    """Put entries at the end of the chain; its new head. A place that is taken fails the transaction: there is one chain."""
    values = []
    for row in rows:
        seq = head.seq + 1
        head = Head(seq, seal(key, head.seal, seq, row))
        values.append({"b_id": row.id, "b_seq": seq, "b_seal": head.seal})
    connection.execute(_link, values)
    _keep(connection, key, head)
    return head


def head(connection: sa.Connection) -> tuple[Head, bytes] | None:
    """The newest place and seal as they were written down, with their mark; None before the first."""
    t = schema.meta.c
    stored = connection.execute(sa.select(t.value).where(t.name == _HEAD)).scalar()
    if stored is None:
        return None
    document = json.loads(bytes(stored))
    return Head(document["seq"], bytes.fromhex(document["seal"])), bytes.fromhex(document["mark"])


def _keep(connection: sa.Connection, key: bytes, head: Head) -> None:
    document = {"seq": head.seq, "seal": head.seal.hex(), "mark": mark(key, "head", head).hex()}
    value = json.dumps(document).encode()
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(schema.meta)
    row = insert.values(name=_HEAD, value=value)
    connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def waiting(connection: sa.Connection, since: datetime) -> tuple[int, int]:
    """How many entries are not sealed: those made at or after `since`, and older ones."""
    older = sa.func.count().filter(_a.at < since)
    row = connection.execute(sa.select(sa.func.count(), older).where(sa.text("audit.seq IS NULL"))).one()
    return int(row[0]) - int(row[1]), int(row[1])


def passed_over(connection: sa.Connection, before: datetime) -> AnyRow | None:
    """An entry without a seal that is older than what was sealed since."""
    where = (sa.text("audit.seq IS NULL"), _a.at < before)
    return connection.execute(sa.select(schema.audit).where(*where).order_by(_a.at).limit(1)).first()
