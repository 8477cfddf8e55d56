"""One statement for many rows, without SQLAlchemy's work for each of them: on the hot paths that is most of the cost.

The statement is compiled once a dialect; its own processors convert the values; the driver's `executemany` gets the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect


class Many:
    """An INSERT or UPDATE to be run with many rows. `columns`: the keys that each row of an INSERT has."""

    def __init__(self, statement: sa.Executable, columns: Sequence[str] | None = None) -> None:
        self._statement, self._columns = statement, columns
        self._compiled: dict[str, tuple[str, Callable[[Mapping[str, Any]], Any]]] = {}

    def run(self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run it; how many rows were written, as far as the driver tells. Raises what the database raises."""
        if not rows:
            return 0
        dialect = connection.dialect
        known = self._compiled.get(dialect.name)
        if known is None:
            known = self._compiled[dialect.name] = self._compile(dialect)
        sql, convert = known
        return connection.exec_driver_sql(sql, [convert(row) for row in rows]).rowcount

    def _compile(self, dialect: Dialect) -> tuple[str, Callable[[Mapping[str, Any]], Any]]:
        compiled: Any = self._statement.compile(dialect=dialect, column_keys=self._columns)  # type: ignore[attr-defined]  # of every statement
        fixed = {name: value for name, value in compiled.params.items() if not compiled.binds[name].required}
        processors: Mapping[str, Any] = compiled._bind_processors  # the only place that knows each bind's conversion
        named = [(name, processors.get(name)) for name in (compiled.positiontup or compiled.binds)]
        named = [(name, process if fixed.get(name) is None else _always(fixed[name], process)) for name, process in named]
        if compiled.positiontup:
            return compiled.string, lambda row: tuple(
                [row.get(name) if process is None else process(row.get(name)) for name, process in named]
            )
        return compiled.string, lambda row: {
            name: row.get(name) if process is None else process(row.get(name)) for name, process in named
        }


def _always(value: Any, process: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    """What the statement itself says of a bind."""
    converted = value if process is None else process(value)
    return lambda _: converted
