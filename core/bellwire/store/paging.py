"""Lists by cursor: newest first, stable while rows are added."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

import sqlalchemy as sa

from bellwire.store.tenancy import TenantConnection

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items and the id after which the next page begins; None on the last."""

    items: Sequence[T]
    next: UUID | None


def page(
    connection: TenantConnection,
    statement: sa.Select[Any],
    key: sa.ColumnElement[Any],
    limit: int,
    before: UUID | None,
    make: Callable[[sa.Row[Any]], T],
) -> Page[T]:
    """One page of a statement whose first column is `key`, the id it is ordered by, descending."""
    if before is not None:
        statement = statement.where(key < before)
    rows = connection.execute(statement.order_by(key.desc()).limit(limit + 1)).all()
    more = len(rows) > limit
    return Page([make(row) for row in rows[:limit]], rows[limit - 1].id if more else None)
