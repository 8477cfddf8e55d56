"""One statement for many rows: whatever their number, each row arrives once and as it was given."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire.ids import new_id
from bellwire.store.database import open_database, writing
from bellwire.store.many import Many, inserts
from bellwire.store.types import Document, Id, Instant
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
THINGS = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", Id, primary_key=True),
    sa.Column("at", Instant),
    sa.Column("notes", Document),
    sa.Column("state", sa.Text),
    sa.Column("count", sa.Integer, nullable=False, default=7),
)
_t = THINGS.c

#: Around each length of SQLite's statements.
COUNTS = (0, 1, 3, 4, 5, 15, 16, 17, 63, 64, 65, 200)


@pytest.fixture
def connection(empty_database_url: str) -> Iterator[sa.Connection]:
    engine = open_database(empty_database_url)
    with writing(engine) as opened:
        THINGS.create(opened)
        yield opened
    engine.dispose()


def some(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": new_id(),
            "at": AT + timedelta(microseconds=place) if place % 3 else None,
            "notes": [{"so": "ž“'%s?"}] if place % 2 else None,
            "state": f"state {place}",
        }
        for place in range(count)
    ]


def stored(connection: sa.Connection) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(sa.select(THINGS).order_by(_t.id))]


@pytest.mark.parametrize("count", COUNTS)
def test_each_row_is_inserted_once_with_the_tables_defaults(connection: sa.Connection, count: int) -> None:
    rows = some(count)
    inserts(sa.insert(THINGS), ["id", "at", "notes", "state"]).run(connection, rows)
    assert stored(connection) == [{**row, "count": 7} for row in rows]


TEXTS = [
    "",
    "NULL",
    "null",
    '"',
    "\\",
    '\\"',
    "a,b",
    "{a}",
    "{}",
    " a ",
    "\n\t",
    "%s %(x)s",
    "$1",
    "'",
    "ž 😀",
    "\\x00",
    "}",
    "\\\\",
    "E'",
]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | st.sampled_from(TEXTS) | st.text(st.characters(codec="utf-8", exclude_characters="\0")), max_size=80))
@example([None, *TEXTS])
def test_texts_arrive_as_they_were_given(connection: sa.Connection, texts: list[str | None]) -> None:
    connection.execute(sa.delete(THINGS))
    rows = [
        {"id": new_id(), "at": AT, "notes": {text: text} if text else None, "state": text, "count": -place}
        for place, text in enumerate(texts)
    ]
    inserts(sa.insert(THINGS)).run(connection, rows)
    assert stored(connection) == rows


def test_a_row_that_is_there_already_stays(connection: sa.Connection) -> None:
    kept = {
        "sqlite": sqlite.insert(THINGS).on_conflict_do_nothing(),
        "postgresql": postgresql.insert(THINGS).on_conflict_do_nothing(),
    }
    add = inserts(kept[connection.dialect.name])
    first = [{**row, "count": 1} for row in some(20)]
    add.run(connection, first)
    add.run(connection, [{**row, "count": 2} for row in [*first[:10], *some(5)]])
    assert [row["count"] for row in stored(connection)] == [1] * 20 + [2] * 5


@pytest.mark.parametrize("count", COUNTS)
def test_each_row_changes_its_own(connection: sa.Connection, count: int) -> None:
    rows = [{**row, "count": 0} for row in some(count)]
    inserts(sa.insert(THINGS)).run(connection, [*rows, {**some(1)[0], "count": 0}])
    change = Many(
        {"id": Id, "at": Instant, "notes": Document, "count": sa.Integer},
        # `count` is also a bind of the statement's own
        lambda given: (
            sa.update(THINGS)
            .where(_t.id == given.c.id, _t.count < 9)
            .values(count=given.c.count, at=given.c.at, notes=given.c.notes, state="changed")
        ),
    )
    changes = [{"id": row["id"], "at": AT, "notes": {"n": place}, "count": place} for place, row in enumerate(rows)]
    change.run(connection, changes)
    assert stored(connection)[:-1] == [{**one, "state": "changed"} for one in changes]
    assert stored(connection)[-1]["state"] != "changed"


@pytest.mark.parametrize("count", COUNTS)
def test_what_comes_back_for_each_row_comes_once(connection: sa.Connection, count: int) -> None:
    rows = [{**row, "count": 7} for row in some(count)]
    inserts(sa.insert(THINGS)).run(connection, rows)
    found = Many({"place": sa.Integer, "id": Id}, lambda given: sa.select(given.c.place, _t.state).where(_t.id == given.c.id))
    back = found.all(connection, [{"place": place, "id": row["id"]} for place, row in enumerate(rows)])
    assert sorted(tuple(one) for one in back) == [(place, f"state {place}") for place in range(count)]


@pytest.mark.parametrize("count", COUNTS)
def test_what_is_the_same_for_all_rows_is_bound_once(connection: sa.Connection, count: int) -> None:
    rows = [{**row, "count": 7} for row in some(count)]
    inserts(sa.insert(THINGS)).run(connection, rows)
    moved = Many(
        {"id": Id, "count": sa.Integer},
        lambda given: (
            sa.update(THINGS)
            .where(_t.id == given.c.id)
            .values(count=given.c.count, at=sa.bindparam("b_at", type_=Instant), notes=sa.bindparam("b_notes", type_=Document))
        ),
    )
    for later in (AT + timedelta(days=1), AT + timedelta(days=2)):
        changes = [{"id": row["id"], "count": place} for place, row in enumerate(rows)]
        moved.run(connection, changes, b_at=later, b_notes={"n": str(later)})
        kept = [{**row, "at": later, "notes": {"n": str(later)}, "count": place} for place, row in enumerate(rows)]
        assert stored(connection) == kept


def test_a_row_without_a_column_is_refused(connection: sa.Connection) -> None:
    with pytest.raises(KeyError, match="state"):
        inserts(sa.insert(THINGS), ["id", "state"]).run(connection, [{"id": new_id()}])
