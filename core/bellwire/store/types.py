"""Column types that read the same on SQLite and PostgreSQL: ids, instants, words."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles

from bellwire.ids import as_id

#: A row whatever its columns.
AnyRow: TypeAlias = sa.Row[*tuple[Any, ...]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# made once: they cost more than most documents
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_decode = json.JSONDecoder().decode


def micros(at: datetime) -> int:
    """Microseconds since 1970, how instants are stored: exact, sortable, the same in both databases."""
    past = at - _EPOCH
    return (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds


def instant(stored: int) -> datetime:
    """The aware UTC datetime behind `micros`."""
    return _EPOCH + timedelta(microseconds=stored)


class Id(sa.types.UserDefinedType[UUID]):
    """A UUID: native on PostgreSQL, 16 bytes on SQLite."""

    cache_ok = True

    def get_col_spec(self, **_more: Any) -> str:
        """The column's type; PostgreSQL's is put in by the compiler rule below."""
        return "BLOB"

    def bind_processor(self, dialect: Dialect) -> Callable[[UUID | None], Any] | None:
        """UUID → what the driver takes. psycopg takes it as it is."""
        return None if dialect.name == "postgresql" else (lambda value: None if value is None else value.bytes)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], UUID | None] | None:  # noqa: ARG002  # SQLAlchemy's signature
        """What the driver gives → UUID. psycopg gives one."""
        return None if dialect.name == "postgresql" else (lambda value: None if value is None else as_id(int.from_bytes(value)))


class SharedId(Id):
    """The same for a column of few values, such as a tenant's id in its messages: each is made once."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], UUID | None] | None:  # noqa: ARG002  # SQLAlchemy's signature
        """What the driver gives → UUID."""
        return None if dialect.name == "postgresql" else (lambda value: None if value is None else _shared(value))


@lru_cache(maxsize=4096)
def _shared(stored: bytes) -> UUID:
    return as_id(int.from_bytes(stored))


@compiles(Id, "postgresql")
def _native_uuid(_type: Id, _compiler: Any, **_more: Any) -> str:
    return "UUID"


class Instant(sa.types.UserDefinedType[datetime]):
    """An aware UTC datetime, kept as microseconds since 1970."""

    cache_ok = True

    def get_col_spec(self, **_more: Any) -> str:
        """The column's type."""
        return "BIGINT"

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], int | None]:  # noqa: ARG002  # SQLAlchemy's signature
        """Datetime → microseconds."""
        return lambda value: None if value is None else micros(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[int | None], datetime | None]:  # noqa: ARG002  # SQLAlchemy's signature
        """Microseconds → datetime."""
        return lambda value: None if value is None else _EPOCH + timedelta(microseconds=value)


class Document(sa.types.UserDefinedType[Any]):
    """Plain JSON as text. Never personal: what is personal is sealed."""

    cache_ok = True

    def get_col_spec(self, **_more: Any) -> str:
        """The column's type."""
        return "TEXT"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:  # noqa: ARG002  # SQLAlchemy's signature
        """Value → compact JSON."""
        return lambda value: None if value is None else _encode(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], Any]:  # noqa: ARG002  # SQLAlchemy's signature
        """JSON → value."""
        return lambda value: None if value is None else _decode(value)
