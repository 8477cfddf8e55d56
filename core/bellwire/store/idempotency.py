"""Idempotency keys: a repeat of a request gets the first answer. The key goes in with what it made, in one transaction.

A crash before the commit leaves no key, so the request may be repeated. Kept 24 h.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.errors import FieldInvalid
from bellwire.store import schema
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.vault import Vault, fingerprint

KEPT = timedelta(hours=24)
_COLUMN = "idempotency.answer"

_i = schema.idempotency.c
_find = sa.select(_i.body_hash, _i.status, _i.answer, _i.created_at).where(
    scope(schema.idempotency), _i.key_hash == sa.bindparam("key")
)


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's key and what it was first sent with, as hashes."""

    key_hash: bytes
    body_hash: bytes

    @property
    def row_id(self) -> UUID:
        """Stands for the row in what is sealed."""
        return UUID(bytes=self.key_hash)


@dataclass(frozen=True, slots=True)
class Kept:
    """The first answer."""

    status: int
    answer: Any


def idempotency_key(key: str, operation: str, body: bytes) -> IdempotencyKey:
    """The key a caller gave with this body. `operation`: the call it belongs to; the same key elsewhere is a mistake."""
    return IdempotencyKey(fingerprint(key), fingerprint(operation, body))


def find(connection: TenantConnection, vault: Vault, key: IdempotencyKey, now: datetime) -> Kept | None:
    """The answer kept under this key. Raises FieldInvalid when the key came with another body."""
    row = connection.execute(_find, {"key": key.key_hash}).one_or_none()
    if row is None or row.created_at <= now - KEPT:
        return None
    if bytes(row.body_hash) != key.body_hash:
        raise FieldInvalid(
            "Idempotency-Key", "was used for another request; use a new key for each request", "idempotency_key_reused"
        )
    return Kept(row.status, vault.open_json(row.answer, connection.tenant_id, _COLUMN, key.row_id))


def keep(connection: TenantConnection, vault: Vault, key: IdempotencyKey, status: int, answer: Any, now: datetime) -> bool:
    """Keep an answer with what it tells of. False: somebody else's transaction with this key came first, do not commit."""
    connection.execute(
        sa.delete(schema.idempotency).where(scope(schema.idempotency), _i.key_hash == key.key_hash, _i.created_at <= now - KEPT)
    )
    sealed = vault.seal_json(answer, connection.tenant_id, _COLUMN, key.row_id)
    return bool(
        connection.insert_new(
            schema.idempotency,
            [{"key_hash": key.key_hash, "body_hash": key.body_hash, "status": status, "answer": sealed, "created_at": now}],
        )
    )
