"""No statement of ours reads a table from end to end: watched on SQLite, in every test that runs one in this process.

SQLite goes by what the migrations tell it of how many rows there are: the plan it makes for three rows is the plan it has for three
million.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from bellwire.store import schema
from sqlalchemy import event

#: Tables that stay small: what people configure.
SMALL = {
    *("api_keys", "balances", "buckets", "callback_endpoints", "carrier_accounts", "installations", "meta", "privacy_requests"),
    *("route_policies", "templates", "template_versions", "tenants", "triggers", "workers"),
}
LARGE = {table.name for table in schema.META.sorted_tables} - SMALL
PARTIAL = {
    index.name
    for table in schema.META.sorted_tables
    for index in table.indexes
    if index.dialect_options["sqlite"]["where"] is not None
}

#: Modules, or module.function → why they may.
MAY = {
    "store.people": "one person's or one shop's rows, outside of the transactions that erase them",
    "store.checkup": "a command that somebody calls",
    "store.consents.suppressions": "a page of a list that somebody asks for, in the order of the ids",
    "store.statements.listed": "the same",
    "certification": "a database of its own",
    "proving": "a database of its own",
}

_PLAN = re.compile(r"(SCAN|SEARCH) (\w+)(?: USING (?:COVERING )?INDEX (\w+))?(?: \((.*)\))?")
_OURS = f"{Path(schema.__file__).parents[1]}/"
_BETWEEN = ("/sqlalchemy/", "/store/many.py", "/store/tenancy.py", "/store/paging.py", __file__)


#: What was found since somebody looked last.
FOUND: list[str] = []
_SEEN: set[str] = set()


def watch(engine: sa.Engine) -> None:
    """Look at the plan of each new statement that our code executes."""

    @event.listens_for(engine, "before_cursor_execute")
    def look(connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement in _SEEN:
            return
        _SEEN.add(statement)
        who = executing()
        if (
            who is None
            or who.startswith(tuple(MAY))
            or statement.split(None, 1)[0].upper() not in ("SELECT", "UPDATE", "DELETE", "WITH")
        ):
            return
        raw = connection.connection.driver_connection
        for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters[0] if many else parameters):
            if is_whole(row[3], statement):
                FOUND.append(f"{who}: {row[3]}\n    {statement}")


def is_whole(detail: str, statement: str) -> bool:
    """Whether a line of a statement's plan, in SQLite's words, goes through all of a table that grows."""
    found = _PLAN.match(detail)
    if found is None or found[2] not in LARGE:
        return False
    way, table, index, terms = found.groups()
    if way == "SCAN":
        return index not in PARTIAL
    return index == f"ix_{table}_tenant" and terms == "tenant_id=?" and "LIMIT" not in statement


def executing() -> str | None:
    """The function of ours that executes the statement; None: a test does."""
    frame: Any = sys._getframe(2)
    while frame is not None and any(one in frame.f_code.co_filename for one in _BETWEEN):
        frame = frame.f_back
    path = frame.f_code.co_filename if frame is not None else ""
    if not path.startswith(_OURS):
        return None
    return f"{path.removeprefix(_OURS).removesuffix('.py').replace('/', '.')}.{frame.f_code.co_name}"
