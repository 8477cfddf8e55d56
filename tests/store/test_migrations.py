"""The migrations make the very schema that the code speaks of."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from bellwire.errors import ConfigInvalid
from bellwire.store import migrate, schema
from bellwire.store.database import open_database
from whole_tables import LARGE


def made(url: str) -> dict[str, Any]:
    """What stands in a database: each table's columns, keys and indexes, in the database's own words."""
    engine = open_database(url, pool_size=1)
    try:
        found: dict[str, Any] = defaultdict(dict)
        inspector = sa.inspect(engine)
        for table in inspector.get_table_names():
            columns = {one["name"]: (str(one["type"]), one["nullable"], one["default"]) for one in inspector.get_columns(table)}
            unique = sorted(tuple(one["column_names"]) for one in inspector.get_unique_constraints(table))
            found[table] = (columns, inspector.get_pk_constraint(table)["constrained_columns"], unique)
        indexes = (
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            if engine.dialect.name == "sqlite"
            else "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        )
        with engine.connect() as connection:
            found["indexes"] = {name: " ".join(sql.split()) for name, sql in connection.execute(sa.text(indexes))}
        return found
    finally:
        engine.dispose()


def test_migrations_and_code_agree(empty_database_url: str) -> None:
    assert migrate.upgrade(empty_database_url)
    by_migrations = made(empty_database_url)
    del by_migrations["alembic_version"]
    by_migrations["indexes"].pop("alembic_version_pkc", None)  # Alembic's own

    engine = open_database(empty_database_url, pool_size=1)
    with engine.begin() as connection:
        schema.META.drop_all(connection)
        schema.META.create_all(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")
    engine.dispose()
    by_code = made(empty_database_url)
    assert by_migrations.keys() == by_code.keys()
    for table, told in by_code.items():
        assert by_migrations[table] == told, table


def test_sqlite_is_told_how_many_rows_there_are(tmp_path: Path) -> None:
    """Of each index of a table that grows: of one it was not told of it would think as of an empty database's."""
    url = f"sqlite:///{tmp_path}/bellwire.db"
    migrate.upgrade(url)
    engine = open_database(url, pool_size=1)
    try:
        with engine.connect() as connection:
            told = {tuple(row) for row in connection.exec_driver_sql("SELECT tbl, idx FROM sqlite_stat1")}
            indexes = {
                tuple(row)
                for row in connection.exec_driver_sql(
                    "SELECT m.name, CASE WHEN i.origin = 'pk' AND m.sql LIKE '%WITHOUT ROWID' THEN m.name ELSE i.name END"
                    " FROM sqlite_master m, pragma_index_list(m.name) i WHERE m.type = 'table'"
                )
            }
    finally:
        engine.dispose()
    assert told == {(table, index) for table, index in indexes if table in LARGE} | {(table, None) for table in LARGE}


def test_the_code_names_the_newest_revision() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations").replace("%", "%%"))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]


def test_a_database_is_upgraded_once(empty_database_url: str) -> None:
    engine = open_database(empty_database_url, pool_size=1)
    try:
        with pytest.raises(ConfigInvalid, match="bellwire db upgrade"):
            migrate.require(engine)
        assert [migrate.upgrade(empty_database_url) for _ in range(2)] == [True, False]
        migrate.require(engine)
    finally:
        engine.dispose()


def test_a_newer_database_is_left_alone(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url)
    engine = open_database(empty_database_url, pool_size=1)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(ConfigInvalid, match="newer than this version"):
            migrate.require(engine)
    finally:
        engine.dispose()
