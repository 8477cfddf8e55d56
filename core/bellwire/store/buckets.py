"""Rates that all processes share: one row for each limited account and sender, taken under its lock."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bellwire.store import schema
from bellwire.store.types import AnyRow, Id, Instant

_b = schema.buckets.c

_MAKE = {
    "sqlite": sqlite.insert(schema.buckets).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(schema.buckets).on_conflict_do_nothing(),
}


_mine = sa.and_(_b.account_id == sa.bindparam("b_account", type_=Id), _b.sender_id == sa.bindparam("b_sender"))
_one = sa.select(schema.buckets).where(_mine)
#: By dialect, and whether one waits for another process that holds it.
_TAKE = {
    ("sqlite", False): _one,
    ("sqlite", True): _one,
    ("postgresql", False): _one.with_for_update(skip_locked=True),
    ("postgresql", True): _one.with_for_update(),
}
_senders = sa.select(_b.sender_id).where(_b.account_id == sa.bindparam("b_account", type_=Id))
_now = sa.bindparam("b_now", type_=Instant)
_throttled = sa.select(_b.account_id).where(sa.or_(_b.slowed_until > _now, _b.paused_until > _now))
_save = (
    sa.update(schema.buckets)
    .where(_mine)
    .values(
        tokens=sa.bindparam("b_tokens"),
        updated_at=sa.bindparam("b_updated_at", type_=Instant),
        slowed_until=sa.bindparam("b_slowed_until", type_=Instant),
        paused_until=sa.bindparam("b_paused_until", type_=Instant),
    )
)


def take(connection: sa.Connection, account_id: UUID, sender_id: str, *, wait: bool = False) -> AnyRow | None:
    """Lock and read a bucket; None when there is none, or (without `wait`) when another process holds it now."""
    statement = _TAKE[connection.dialect.name, wait]
    return connection.execute(statement, {"b_account": account_id, "b_sender": sender_id}).one_or_none()


def senders(connection: sa.Connection, account_id: UUID) -> list[str]:
    """The sender IDs of an account that have a bucket."""
    return [row.sender_id for row in connection.execute(_senders, {"b_account": account_id})]


def throttled(connection: sa.Connection, now: datetime) -> set[UUID]:
    """Accounts whose carrier asked for less, whoever was told so."""
    return {row.account_id for row in connection.execute(_throttled, {"b_now": now})}


def make(connection: sa.Connection, account_id: UUID, sender_id: str, tokens: float, now: datetime) -> None:
    """The first message of a limited account and sender brings its bucket."""
    row = {"account_id": account_id, "sender_id": sender_id, "tokens": tokens, "updated_at": now}
    connection.execute(_MAKE[connection.dialect.name], row)


def save(connection: sa.Connection, account_id: UUID, sender_id: str, values: dict[str, Any]) -> None:
    """Write a bucket back: tokens, updated_at, slowed_until, paused_until."""
    named = {f"b_{name}": value for name, value in values.items()}
    connection.execute(_save, {"b_account": account_id, "b_sender": sender_id, **named})
