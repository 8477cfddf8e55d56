"""What PostgreSQL's plans go through when its statistics are of another time: an empty table's, an hour's in which nothing waited.

SQLite goes by what the migrations tell it; `whole_tables` reads its plans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import whole_tables
from bellwire.store import schema
from bellwire.store.types import Id
from sqlalchemy import event

#: A copied row belongs to the same tenant, account, worker; but it is about another person, object, event.
_OTHERS = {"contact_id", "event_id", "message_id", "reply_id", "subject", "carrier_ref", "staff_id", "about"}
_LIST = re.compile(r"\((?:%\(\w+\)s(?:::\w+)?(?:, )?)+\)")


@dataclass(frozen=True, slots=True)
class Statement:
    """One that our code has executed, with the values it had. `name`: the function of ours."""

    name: str
    text: str
    values: Any


@contextmanager
def watched(engine: sa.Engine) -> Iterator[list[Statement]]:
    """Each different statement of ours that is executed meanwhile, inserts aside."""
    seen: dict[str, Statement] = {}

    def look(_connection: Any, _cursor: Any, text: str, values: Any, _context: Any, many: bool) -> None:
        shape = _LIST.sub("(…)", text)
        if shape in seen or "INSERT INTO" in text or text.split(None, 1)[0] not in ("SELECT", "UPDATE", "DELETE", "WITH"):
            return
        name = whole_tables.executing()
        if name is not None:
            seen[shape] = Statement(name, text, values[0] if many else values)

    found: list[Statement] = []
    event.listen(engine, "before_cursor_execute", look)
    yield found
    event.remove(engine, "before_cursor_execute", look)
    found += seen.values()


def gone_through(engine: sa.Engine, statements: list[Statement], rows: int) -> dict[str, int]:
    """How many rows of one table each statement goes through, once each table has so many more rows that no statistics know of.

    A statement by its function and text; what it would change is rolled back, and so are the rows.
    """
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        for table in schema.META.sorted_tables:
            if table.name in whole_tables.LARGE:
                _fill(raw, table, rows)
        return {f"{one.name}: {one.text}": _most(raw, one) for one in statements}


def _fill(connection: Any, table: sa.Table, rows: int) -> None:
    """Copies of the rows that are there, each with keys of its own."""
    [count] = connection.execute(f'SELECT count(*) FROM "{table.name}"').fetchone()  # noqa: S608  # our own names
    if not count:
        return
    names = ", ".join(column.name for column in table.columns)
    values = ", ".join(_copied(table, column) for column in table.columns)
    connection.execute(
        f'INSERT INTO "{table.name}" ({names}) SELECT {values} FROM "{table.name}", generate_series(1, {rows // count + 1}) AS s(n)'  # noqa: S608  # our own names
        " ON CONFLICT DO NOTHING"
    )


def _copied(table: sa.Table, column: sa.Column[Any]) -> str:
    unique = [
        *table.primary_key.columns,
        *(one for c in table.constraints if isinstance(c, sa.UniqueConstraint) for one in c.columns),
    ]
    name = column.name
    kept = name in ("tenant_id", "installation_id", "account_id") or not (column in unique or name in _OTHERS)
    if kept or isinstance(column.type, sa.Integer):
        return name
    if isinstance(column.type, Id):  # made in the same millisecond
        return f"CASE WHEN {name} IS NULL THEN NULL ELSE (left({name}::text, 13) || right(gen_random_uuid()::text, 23))::uuid END"
    if isinstance(column.type, sa.LargeBinary):
        return f"CASE WHEN {name} IS NULL THEN NULL ELSE sha256(gen_random_uuid()::text::bytea) END"
    return f"{name} || s.n"


def _most(connection: Any, statement: Statement) -> int:
    with connection.transaction(force_rollback=True):
        [[plan]] = connection.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement.text}", statement.values).fetchall()
    return max(_looked_at(plan[0]["Plan"]), default=0)


def _looked_at(node: Mapping[str, Any]) -> Iterator[int]:
    """Of each scan of a plan: the rows it brought and those it left out, over all its turns."""
    if node["Node Type"].endswith("Scan") and ("Relation Name" in node or "Index Name" in node):
        rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        yield int(rows * node["Actual Loops"])
    yield from (one for child in node.get("Plans", ()) for one in _looked_at(child))
