"""A tenant's connection: what it refuses, and that it leaves nothing behind on the connection it borrows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.errors import TenantMissing
from bellwire.ids import new_id
from bellwire.store import Store, schema
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.vault import Vault

NOW = datetime(2026, 3, 1, tzinfo=UTC)
A, B = new_id(), new_id()


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    store = Store.open(sqlite_url, Vault(b"k" * 32))
    yield store
    store.close()


def audit_row(tenant: UUID | None = None) -> dict[str, object]:
    row: dict[str, object] = {"id": new_id(), "at": NOW, "actor": "cli", "action": "x.made", "object": "x"}
    return row if tenant is None else {**row, "tenant_id": tenant}


@pytest.mark.parametrize("name", sorted(schema.TENANT_TABLES))
def test_a_statement_without_its_tenant_does_not_run(store: Store, name: str) -> None:
    table = schema.META.tables[name]
    columns = [column for column in table.c if column.name != "tenant_id"]
    statements = (
        sa.select(columns[0]),
        sa.select(sa.func.count()).select_from(table),
        sa.update(table).values({columns[0]: None}),
        sa.delete(table),
    )
    with store.for_tenant(A).reading() as connection:
        for statement in statements:
            with pytest.raises(TenantMissing, match=name):
                connection.execute(statement)
        connection.execute(statements[0].where(scope(table)))


_T, _V, _S = schema.templates, schema.template_versions, schema.triggers
_OTHER = _T.alias()
_JOINED = sa.select(_T.c.id).join(_V, _V.c.template_id == _T.c.id)
_ON_MINE = sa.and_(_V.c.template_id == _T.c.id, scope(_V))
_JOINED_ON_MINE = sa.select(_T.c.id).join(_V, _ON_MINE)
_HAS_VERSIONS = sa.exists().where(_V.c.template_id == _T.c.id)
_MINE = scope(_T)

STATEMENTS: list[tuple[str, sa.Executable, str | None]] = [
    ("a join with one criterion", _JOINED.where(_MINE), "template_versions"),
    ("a join with both", _JOINED.where(_MINE, scope(_V)), None),
    ("a join whose ON has one of them", _JOINED_ON_MINE.where(_MINE), None),
    ("an outer join whose ON has it for its right side", sa.select(_T.c.id).outerjoin(_V, _ON_MINE).where(_MINE), None),
    ("or for its left one", sa.select(_T.c.id).outerjoin(_V, sa.and_(_MINE, scope(_V))), "templates"),
    ("a full join", sa.select(_T.c.id).join(_V, _ON_MINE, full=True).where(_MINE), "template_versions"),
    ("a criterion among others", sa.select(_T.c.id).where(_T.c.name == "x", _MINE, _T.c.id.is_not(None)), None),
    ("a criterion or something else", sa.select(_T.c.id).where(sa.or_(_MINE, _T.c.name == "x")), "templates"),
    ("all but the criterion", sa.select(_T.c.id).where(sa.not_(_MINE)), "templates"),
    ("not both of two", sa.select(_T.c.id).where(sa.not_(sa.and_(_MINE, _T.c.name == "x"))), "templates"),
    ("the tenant of another column", sa.select(_T.c.id).where(_T.c.id == sa.bindparam("tenant")), "templates"),
    ("another bind", sa.select(_T.c.id).where(_T.c.tenant_id == sa.bindparam("owner", value=None)), "templates"),
    ("a subquery without", sa.select(_T.c.id).where(_MINE, _HAS_VERSIONS), "template_versions"),
    ("a subquery with", sa.select(_T.c.id).where(_MINE, _HAS_VERSIONS.where(scope(_V))), None),
    ("only the subquery", sa.select(_T.c.id).where(_HAS_VERSIONS.where(scope(_V))), "templates"),
    ("a column that is a subquery", sa.select(sa.select(_V.c.number).limit(1).scalar_subquery()), "template_versions"),
    ("a FROM that is a subquery", sa.select(sa.select(_T.c.id).subquery()), "templates"),
    ("one side of a union", sa.union_all(sa.select(_T.c.id), sa.select(_T.c.id).where(_MINE)), "templates"),
    ("both sides of a union", sa.union_all(sa.select(_T.c.id).where(_MINE), sa.select(_T.c.id).where(_MINE)), None),
    ("an alias beside its table", sa.select(_T.c.id).where(_MINE, _OTHER.c.name == _T.c.name), "templates"),
    ("both of them", sa.select(_T.c.id).where(_MINE, scope(_OTHER), _OTHER.c.name == _T.c.name), None),
    ("an update by another table", sa.update(_T).values(name="x").where(_MINE, _V.c.template_id == _T.c.id), "template_versions"),
    ("an update by a subquery with its own", sa.update(_T).values(name="x").where(_MINE, _HAS_VERSIONS.where(scope(_V))), None),
    ("a join of three, all in their ON", _JOINED_ON_MINE.join(_S, sa.and_(_S.c.id == _T.c.id, scope(_S))).where(_MINE), None),
    ("a table that is nobody's", sa.select(schema.meta.c.name).join(_T, sa.and_(_T.c.name == schema.meta.c.name, _MINE)), None),
    ("an update by a subquery", sa.update(_T).values(name="x").where(_MINE, _HAS_VERSIONS), "template_versions"),
    ("a text", sa.text("SELECT id FROM templates"), "must be built"),
    ("a text with columns", sa.text("SELECT id FROM templates").columns(_T.c.id), "must be built"),
]


@pytest.mark.parametrize(("label", "statement", "missing"), STATEMENTS, ids=[row[0] for row in STATEMENTS])
def test_what_counts_as_a_criterion(store: Store, label: str, statement: sa.Executable, missing: str | None) -> None:
    with store.for_tenant(A).reading() as connection:
        if missing is None:
            connection.execute(statement)
        else:
            with pytest.raises(TenantMissing, match=missing):
                connection.execute(statement)


def test_a_criterion_names_the_tenant_that_asks(store: Store) -> None:
    statement = sa.select(_T.c.id).where(_MINE)
    with store.engine.connect() as connection:
        for given in ({"tenant": B}, {"tenant": None}):
            with pytest.raises(TenantMissing, match="another tenant"):
                connection.execute(statement, given, execution_options={"tenant": A})
    with store.for_tenant(A).reading() as mine:
        mine.execute(statement, {"tenant": B})  # a value of the caller's own does not count


@pytest.mark.parametrize("rows", [[audit_row()], [audit_row(B)], [audit_row(A), audit_row(B)]], ids=["none", "another", "both"])
def test_an_insert_of_its_own_is_looked_at_too(store: Store, rows: list[dict[str, object]]) -> None:
    with store.engine.begin() as connection, pytest.raises(TenantMissing):
        connection.execute(sa.insert(schema.audit), rows, execution_options={"tenant": A})


def test_a_row_of_another_tenant_is_refused(store: Store) -> None:
    with pytest.raises(TenantMissing):
        store.for_tenant(A).write(lambda connection: connection.insert(schema.audit, [audit_row(B)]))
    with pytest.raises(TenantMissing):
        store.for_tenant(A).write(lambda connection: connection.insert_new(schema.audit, [audit_row(), audit_row(B)]))


def test_insert_new_leaves_what_is_there(store: Store) -> None:
    row = audit_row()
    assert store.for_tenant(A).write(lambda connection: connection.insert_new(schema.audit, [row])) == 1
    assert store.for_tenant(A).write(lambda connection: connection.insert_new(schema.audit, [row, audit_row()])) == 1


def test_tenants_and_the_engine_can_share_one_transaction(store: Store) -> None:
    """The writer puts whatever waits into one transaction on one connection."""

    def mixed(connection: sa.Connection) -> list[int]:
        a, b = TenantConnection(connection, A), TenantConnection(connection, B)
        a.insert(schema.audit, [audit_row(), audit_row()])
        b.insert(schema.audit, [audit_row()])
        connection.execute(sa.insert(schema.audit), [audit_row(B)])
        count = sa.select(sa.func.count()).select_from(schema.audit)
        mine = count.where(scope(schema.audit))
        return [a.execute(mine).scalar_one(), b.execute(mine).scalar_one(), connection.execute(count).scalar_one()]

    assert store.write(mixed) == [2, 2, 4]
