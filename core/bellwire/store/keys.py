"""API keys: made here, shown once, stored as a hash.

`bw_<prefix>_<secret><checksum>`: the prefix tells keys apart in lists and logs, the checksum (CRC-32) tells a key that was cut
or mistyped from one that is not known, before the database is asked.
"""

from __future__ import annotations

import re
import secrets
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.scopes import Scope, allows
from bellwire.errors import Conflict, NotFound
from bellwire.ids import new_id, show
from bellwire.store import audit, schema, tenants
from bellwire.store.paging import Page, page
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.types import Instant
from bellwire.store.vault import key_hash

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_CHARS = 43  # 256 bits in base 62
_CHECK_CHARS = 6
_SHAPE = re.compile(rf"bw_[0-9a-z]{{8}}_[0-9A-Za-z]{{{_SECRET_CHARS + _CHECK_CHARS}}}", re.ASCII)

_k = schema.api_keys.c
_COLUMNS = (_k.id, _k.tenant_id, _k.name, _k.prefix, _k.scopes, _k.created_at, _k.expires_at, _k.last_used_at, _k.revoked_at)
_find: sa.Select[Any] = sa.select(*_COLUMNS).where(_k.hash == sa.bindparam("hash"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key without its secret."""

    id: UUID
    tenant_id: UUID
    name: str
    prefix: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


def is_well_formed(key: str) -> bool:
    """Whether a text has a key's shape and its own checksum."""
    return _SHAPE.fullmatch(key) is not None and key[-_CHECK_CHARS:] == _checksum(key[:-_CHECK_CHARS])


def create(
    connection: TenantConnection, *, name: str, scopes: Collection[Scope], expires_at: datetime | None, actor: str, now: datetime
) -> tuple[ApiKey, str]:
    """Make a key; the second value is the key itself, which nobody can read again."""
    prefix = secrets.token_hex(4)
    body = f"bw_{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARS))
    secret = body + _checksum(body)
    made = ApiKey(
        id=new_id(),
        tenant_id=connection.tenant_id,
        name=name,
        prefix=prefix,
        scopes=frozenset(scopes),
        created_at=now,
        expires_at=expires_at,
        last_used_at=None,
        revoked_at=None,
    )
    connection.insert(
        schema.api_keys,
        [
            {
                "id": made.id,
                "name": name,
                "prefix": prefix,
                "hash": key_hash(secret),
                "scopes": sorted(scopes),
                "created_at": now,
                "expires_at": expires_at,
            }
        ],
    )
    audit.note(connection, actor, "key.created", show("key", made.id), now, {"scopes": sorted(scopes)})
    return made, secret


def find(connection: sa.Connection, digest: bytes) -> ApiKey | None:
    """The key with this hash, whoever's it is."""
    row = connection.execute(_find, {"hash": digest}).one_or_none()
    return None if row is None else _key(row)


def get(connection: TenantConnection, key_id: UUID) -> ApiKey:
    """A key of this tenant. Raises NotFound."""
    row = connection.execute(sa.select(*_COLUMNS).where(scope(schema.api_keys), _k.id == key_id)).one_or_none()
    if row is None:
        raise NotFound("key", show("key", key_id))
    return _key(row)


def listed(connection: TenantConnection, *, limit: int, before: UUID | None = None) -> Page[ApiKey]:
    """The tenant's keys, newest first, revoked ones too."""
    return page(connection, sa.select(*_COLUMNS).where(scope(schema.api_keys)), _k.id, limit, before, _key)


def rename(connection: TenantConnection, key_id: UUID, *, name: str, actor: str, now: datetime) -> ApiKey:
    """Give a key another name. Raises NotFound."""
    get(connection, key_id)
    connection.execute(sa.update(schema.api_keys).where(scope(schema.api_keys), _k.id == key_id).values(name=name))
    audit.note(connection, actor, "key.changed", show("key", key_id), now, audit.changed(["name"]))
    return get(connection, key_id)


def revoke(connection: TenantConnection, key_id: UUID, *, actor: str, now: datetime) -> ApiKey:
    """End a key; revoking it again changes nothing. Raises NotFound, and Conflict for the last live `admin` key."""
    # two last admin keys must not revoke each other
    tenants.hold(connection)
    key = get(connection, key_id)
    if key.revoked_at is not None:
        return key
    if Scope.ADMIN in key.scopes and len(_live(connection, now, Scope.ADMIN)) == 1:
        raise Conflict("last_admin_key", "this is the last key with the scope admin; make another one first")
    connection.execute(sa.update(schema.api_keys).where(scope(schema.api_keys), _k.id == key_id).values(revoked_at=now))
    audit.note(connection, actor, "key.revoked", show("key", key_id), now)
    return get(connection, key_id)


_touch = (
    sa.update(schema.api_keys)
    .where(_k.id == sa.bindparam("b_id", type_=_k.id.type))
    .values(last_used_at=sa.bindparam("b_at", type_=Instant))
)


def touch(connection: sa.Connection, key_id: UUID, now: datetime) -> None:
    """Note that a key was used."""
    connection.execute(_touch, {"b_id": key_id, "b_at": now})


def approvers(connection: TenantConnection, now: datetime) -> frozenset[UUID]:
    """The live keys that may approve templates."""
    return frozenset(key.id for key in _live(connection, now, Scope.TEMPLATES_APPROVE))


def _live(connection: TenantConnection, now: datetime, wanted: Scope) -> list[ApiKey]:
    rows = connection.execute(sa.select(*_COLUMNS).where(scope(schema.api_keys), _k.revoked_at.is_(None)))
    return [key for key in map(_key, rows) if key.is_live(now) and allows(key.scopes, wanted)]


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_CHARS):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def _key(row: sa.Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        prefix=row.prefix,
        scopes=frozenset(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
