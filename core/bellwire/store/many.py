"""One statement for many rows, without SQLAlchemy's work for each of them and without a step of the driver for each.

The rows go in as one table named `given`: a list of VALUES on SQLite, arrays on PostgreSQL. It matters most where threads share
the interpreter: SQLite's driver lets go of it at every step, and with a step a row a busy neighbour makes each row wait its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from bellwire.store.types import Document, Id, Instant

Row: TypeAlias = Mapping[str, Any]
Types: TypeAlias = Mapping[str, TypeEngine[Any] | type[TypeEngine[Any]]]

_SIZES = (64, 16, 4, 1)  # rows of SQLite's statements: few texts, so that each stays prepared, and few of them for any number


class Many:
    """A statement on the rows of `given`. `columns`: their names and types; each row has them all.

    `make` gets the table `given` and says what to do with it: an UPDATE that names it, an INSERT or a SELECT from it. What is the
    same for all rows of a call it takes as a bound parameter, whose value each call names.
    """

    def __init__(self, columns: Types, make: Callable[[sa.TableClause], sa.Executable]) -> None:
        self._columns = {name: sa.types.to_instance(one) for name, one in columns.items()}
        self._statement = make(sa.table("given", *(sa.column(name, one) for name, one in self._columns.items())))
        self._calls: dict[str, _Calls] = {}

    def run(self, connection: sa.Connection, rows: Sequence[Row], **same: Any) -> None:
        """Run it. Raises what the database raises. (How many rows it wrote SQLite's driver does not tell of such a statement.)"""
        for sql, values in self._called(connection.dialect, rows, same):
            connection.exec_driver_sql(sql, values)

    def all(self, connection: sa.Connection, rows: Sequence[Row], **same: Any) -> list[Sequence[Any]]:
        """Run it; the rows that come back, each value as the driver gives it. Raises what the database raises."""
        called = self._called(connection.dialect, rows, same)
        return [row for sql, values in called for row in connection.exec_driver_sql(sql, values)]

    def _called(self, dialect: Dialect, rows: Sequence[Row], same: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        calls = self._calls.get(dialect.name)
        if calls is None:
            kind = _Arrays if dialect.name == "postgresql" else _Values
            calls = self._calls[dialect.name] = kind(self._statement, self._columns, dialect)
        return calls.of(rows, same)


def inserts(statement: sa.Insert, columns: Sequence[str] = ()) -> Many:
    """An INSERT of many rows. `columns`: those that the rows have; all of the table's when none is named."""
    table: Any = statement.table
    names = list(columns) or [column.name for column in table.columns]
    defaults = {column.name: column.default for column in table.columns if column.name not in names and column.default is not None}

    def make(given: sa.TableClause) -> sa.Insert:
        fixed = [sa.literal(default.arg, table.c[name].type) for name, default in defaults.items()]
        # SQLite takes ON CONFLICT for a join's ON unless there is a WHERE before it
        rows = sa.select(*given.c, *fixed).where(sa.true())
        return statement.from_select([*names, *defaults], rows, include_defaults=False)

    return Many({name: table.c[name].type for name in names}, make)


def picked(connection: sa.Connection, column: sa.Column[Any], rows: sa.Select[Any]) -> sa.ColumnElement[bool]:
    """Whether a row of an UPDATE or DELETE is one of `rows`, a few keys of its own table; those that somebody else holds are none.

    PostgreSQL picks them first and probes for each. Of IN and a subquery it may make a join that goes through the whole table.
    """
    if connection.dialect.name == "sqlite":
        return column.in_(rows.scalar_subquery())
    return column == sa.any_(sa.func.array(rows.with_for_update(skip_locked=True).scalar_subquery()))


class _Calls:
    """The statement in a dialect's words."""

    def __init__(self, statement: Any, columns: Mapping[str, TypeEngine[Any]], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._processors: Mapping[str, Any] = compiled._bind_processors  # the only place that knows each bind's conversion
        self._fixed = {name: self._bound(name, value) for name, value in compiled.params.items()}
        self.text = compiled.string
        self.places: Sequence[str] = compiled.positiontup or ()
        self.types = {name: one.compile(dialect) for name, one in columns.items()}
        self._values = _picker(list(columns))
        self._converters = [one.bind_processor(dialect) for one in columns.values()]

    def converted(self, rows: Sequence[Row]) -> list[Sequence[Any]]:
        """The rows' values as the driver takes them, column by column."""
        columns = zip(*map(self._values, rows), strict=True)
        return [
            column if convert is None else [convert(value) for value in column]
            for column, convert in zip(columns, self._converters, strict=True)
        ]

    def bound(self, same: Mapping[str, Any]) -> dict[str, Any]:
        """What it binds besides the rows, as the driver takes it."""
        return self._fixed | {name: self._bound(name, value) for name, value in same.items()}

    def _bound(self, name: str, value: Any) -> Any:
        convert = self._processors.get(name)
        return value if convert is None else convert(value)

    def of(self, rows: Sequence[Row], same: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """The statements to execute, each with its values."""
        raise NotImplementedError


def _picker(names: Sequence[str]) -> Callable[[Row], Sequence[Any]]:
    if len(names) == 1:
        return lambda row: (row[names[0]],)
    return itemgetter(*names)


class _Arrays(_Calls):
    """One statement whatever the number of rows: an array a column.

    Arrays of ids, numbers and texts are written out here: psycopg asks of each value what type it has, which takes two to three
    times as long. They are passed on as one value, never as SQL.
    """

    def __init__(self, statement: Any, columns: Mapping[str, TypeEngine[Any]], dialect: Dialect) -> None:
        super().__init__(statement, columns, dialect)
        self._names = [f"given_{name}" for name in self.types]  # the statement's own binds have names too
        self._elements = [_element(one) for one in columns.values()]
        arrays = ", ".join(f"%(given_{name})s::{kind}[]" for name, kind in self.types.items())
        self._sql = f"WITH given({', '.join(self.types)}) AS (SELECT * FROM unnest({arrays})) {self.text}"  # noqa: S608  # our own names

    def of(self, rows: Sequence[Row], same: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        if rows:
            columns = zip(self.converted(rows), self._elements, strict=True)
            arrays = (list(column) if element is None else _literal(column, element) for column, element in columns)
            yield self._sql, self.bound(same) | dict(zip(self._names, arrays, strict=True))


def _element(kind: TypeEngine[Any]) -> Callable[[Any], str] | None:
    """How a value of the type is written in an array (PostgreSQL, "Array Input and Output Syntax"); None: the driver may."""
    if isinstance(kind, Id):
        return attrgetter("hex")
    if isinstance(kind, sa.Integer | Instant):
        return str
    if isinstance(kind, sa.String | Document):
        return _quoted
    return None


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _literal(column: Sequence[Any], element: Callable[[Any], str]) -> str:
    return "{" + ",".join(["NULL" if value is None else element(value) for value in column]) + "}"


class _Values(_Calls):
    """As many statements as it takes: a list of rows of one of a few lengths."""

    def __init__(self, statement: Any, columns: Mapping[str, TypeEngine[Any]], dialect: Dialect) -> None:
        super().__init__(statement, columns, dialect)
        row = f"({', '.join('?' * len(self.types))})"
        self._sql = {
            size: f"WITH given({', '.join(self.types)}) AS (VALUES {', '.join([row] * size)}) {self.text}" for size in _SIZES
        }

    def of(self, rows: Sequence[Row], same: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        flat = list(zip(*self.converted(rows), strict=True)) if rows else []
        bound = self.bound(same) if rows else {}
        tail = [bound[name] for name in self.places] if rows else []
        begin = 0
        for size, sql in self._sql.items():
            while len(flat) - begin >= size:
                yield sql, (*chain.from_iterable(flat[begin : begin + size]), *tail)
                begin += size
