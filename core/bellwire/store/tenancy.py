"""Tenant scoping: a tenant's statement that names no tenant is refused before it runs.

`TenantConnection` is what the web works with. It runs statements with the tenant's id bound, and a `before_execute`
listener looks at each for a criterion `table.tenant_id = :tenant` on every tenant table it touches, in the WHERE (or the
ON) of the SELECT, UPDATE or DELETE that touches it or of one around that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList, ClauseElement

from bellwire.errors import TenantMissing
from bellwire.store.schema import TENANT_TABLES

TENANT = "tenant"  # the bind parameter's name in every tenant statement


def scope(table: sa.FromClause) -> sa.ColumnElement[bool]:
    """The criterion every tenant statement carries: `table.tenant_id = :tenant`."""
    return table.c.tenant_id == sa.bindparam(TENANT, type_=table.c.tenant_id.type)


class TenantConnection:
    """A connection that can only touch one tenant's rows."""

    def __init__(self, connection: sa.Connection, tenant_id: UUID) -> None:
        self.tenant_id = tenant_id
        self._connection = connection
        # given with each statement: options on the connection would stay on it, and the writer shares one among tenants
        self._options = {"tenant": tenant_id}

    @property
    def bare(self) -> sa.Connection:
        """The connection itself, for the engine's statements: those name their tenant by themselves, nothing checks them."""
        return self._connection

    def execute(self, statement: sa.Executable, values: Mapping[str, Any] | None = None) -> sa.CursorResult[Any]:
        """Run a SELECT, UPDATE or DELETE with the tenant bound."""
        return self._connection.execute(statement, {**(values or {}), TENANT: self.tenant_id}, execution_options=self._options)

    def insert(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows; the tenant is put in, a row of another tenant is refused."""
        if rows:
            self._connection.execute(sa.insert(table), self._owned(rows), execution_options=self._options)

    def insert_new(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert the rows whose unique keys are not there yet; gives how many those were."""
        build = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        # what came back is counted, not the row count: SQLAlchemy does not keep that of an insert on every driver
        statement = build(table).on_conflict_do_nothing().returning(*table.primary_key.columns)
        found = (self._connection.execute(statement, row, execution_options=self._options).first() for row in self._owned(rows))
        return sum(row is not None for row in found)

    def _owned(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        if any(row.get("tenant_id", self.tenant_id) != self.tenant_id for row in rows):
            raise TenantMissing("a row of another tenant")
        return [{**row, "tenant_id": self.tenant_id} for row in rows]


def guard(engine: sa.Engine) -> None:
    """Install the check on an engine."""

    @event.listens_for(engine, "before_execute")
    def check(connection: sa.Connection, statement: Any, many: Any, one: Any, options: Any) -> None:
        tenant = options.get("tenant")
        if tenant is None:
            return
        if isinstance(statement, sa.Insert):
            rows = many or [one]
            if statement.table.name in TENANT_TABLES and any(row.get("tenant_id") != tenant for row in rows):
                raise TenantMissing(f"an insert into {statement.table.name} without its tenant")
            return
        if not isinstance(statement, ClauseElement) or isinstance(statement, sa.TextClause | sa.TextualSelect):
            raise TenantMissing("a tenant's statement must be built, not written as text")
        unscoped = _unscoped(statement)
        if unscoped:
            raise TenantMissing(f"a statement on {', '.join(sorted(unscoped))} without tenant_id = :{TENANT}")
        for row in many or [one]:
            if row.get(TENANT) != tenant:
                raise TenantMissing("a statement bound to another tenant")
        del connection


@lru_cache(maxsize=2048)
def _unscoped(statement: ClauseElement) -> frozenset[str]:
    """Tenant tables of the statement that carry no criterion."""
    return frozenset(_unheld(statement, frozenset()))


def _unheld(part: ClauseElement, held: frozenset[object]) -> Iterator[str]:
    """The same of a part of a statement. `held`: the tables that a criterion around it holds.

    Each SELECT answers for its own: one side of a UNION holds nothing in the other, and of two aliases each needs its criterion.
    """
    if isinstance(part, sa.Select | sa.Update | sa.Delete):
        froms = part.get_final_froms() if isinstance(part, sa.Select) else [part.table, *_named(part.whereclause)]
        held = held.union(_holds(part.whereclause), *map(_joined, froms))
        for table in (one for each in froms for one in _leaves(each)):
            origin = table.element if isinstance(table, sa.Alias) else table
            if isinstance(origin, sa.Table) and origin.name in TENANT_TABLES and table not in held:
                yield origin.name
    for child in part.get_children():
        yield from _unheld(child, held)


def _leaves(source: sa.FromClause) -> Iterator[sa.FromClause]:
    """The tables and aliases of a FROM."""
    if isinstance(source, sa.Join):
        yield from (*_leaves(source.left), *_leaves(source.right))
    else:
        yield source


def _joined(source: sa.FromClause) -> set[object]:
    """The tables that the ON of joins holds; that of an outer one lets each row of its left side through."""
    if not isinstance(source, sa.Join) or source.full:
        return set()
    held = _holds(source.onclause)
    return _joined(source.left) | _joined(source.right) | (held.intersection(_leaves(source.right)) if source.isouter else held)


def _named(part: ClauseElement | None) -> Iterator[sa.FromClause]:
    """The tables whose columns stand in a condition, those of a SELECT inside it aside."""
    if isinstance(part, sa.Column):
        yield part.table
    elif part is not None and not isinstance(part, sa.Select):
        for child in part.get_children():
            yield from _named(child)


def _holds(condition: ClauseElement | None) -> set[object]:
    """The tables with a criterion `table.tenant_id = :tenant` among what must hold in any case: never under an OR or a NOT."""
    if isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
        return {table for one in condition.clauses for table in _holds(one)}
    if isinstance(condition, BinaryExpression) and condition.operator is operators.eq:
        for column, bind in ((condition.left, condition.right), (condition.right, condition.left)):
            if isinstance(bind, BindParameter) and bind.key == TENANT and getattr(column, "name", "") == "tenant_id":
                return {getattr(column, "table", None)}
    return set()
