"""Tenant scoping: a tenant's statement that names no tenant is refused before it runs.

`TenantConnection` is what the web works with. It runs statements with the tenant's id bound, and a `before_execute`
listener looks at each for a criterion `table.tenant_id = :tenant` on every tenant table it touches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, ClauseElement

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
        if not isinstance(statement, ClauseElement):
            raise TenantMissing("a tenant's statement must be built, not written as text")
        unscoped = _unscoped(statement)
        if unscoped:
            raise TenantMissing(f"a statement on {', '.join(sorted(unscoped))} without tenant_id = :{TENANT}")
        for row in many or [one]:
            if row.get(TENANT) != tenant:
                raise TenantMissing("a statement bound to another tenant")
        del connection


def _unscoped(statement: ClauseElement) -> frozenset[str]:
    """Tenant tables of the statement that carry no criterion."""
    return _inspect(statement)


@lru_cache(maxsize=2048)
def _inspect(statement: ClauseElement) -> frozenset[str]:
    touched: set[object] = set()
    scoped: set[object] = set()
    names: dict[object, str] = {}
    for element in visitors.iterate(statement):
        origin = element.element if isinstance(element, sa.Alias) else element
        if isinstance(origin, sa.Table) and origin.name in TENANT_TABLES:
            touched.add(origin)
            names[origin] = origin.name
        if isinstance(element, BinaryExpression) and element.operator is operators.eq:
            for column, bind in ((element.left, element.right), (element.right, element.left)):
                if isinstance(bind, BindParameter) and bind.key == TENANT and getattr(column, "name", "") == "tenant_id":
                    table = column.table
                    scoped.add(table.element if isinstance(table, sa.Alias) else table)
    if isinstance(statement, sa.Update | sa.Delete):
        target = statement.table
        if isinstance(target, sa.Table) and target.name in TENANT_TABLES:
            touched.add(target)
            names[target] = target.name
    return frozenset(names[table] for table in touched - scoped)
