"""The consent ledger for people to look at: a contact's state, its history, and who is never written to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.ledger import Standing, Statement
from bellwire.model import Msisdn
from bellwire.store import schema, tenants
from bellwire.store.paging import Page, page
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.types import AnyRow
from bellwire.store.vault import Vault

_c, _l = schema.contacts.c, schema.consents.c
HISTORY_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One statement of the ledger. `purpose` None: all. `author`: the key or command that brought it."""

    id: UUID
    purpose: str | None
    state: str
    source: str
    at: datetime
    recorded_at: datetime
    author: str | None
    proof: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What is known of a number's consent. `id` None: nobody here ever wrote to it."""

    id: UUID | None
    standing: Standing
    history: Sequence[Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A number that is not written to: at all (`why`), or for some purposes. `msisdn` None: only its keyed hash is left."""

    contact_id: UUID
    msisdn: Msisdn | None = field(repr=False)
    why: str | None
    since: datetime | None
    opted_out: Sequence[str]


def person(connection: TenantConnection, vault: Vault, msisdn: Msisdn) -> Person:
    """A number's state and history, newest first."""
    index = tenants.index(connection, vault)
    row = connection.execute(
        sa.select(schema.contacts).where(scope(schema.contacts), _c.msisdn_ix == index.of(msisdn))
    ).one_or_none()
    if row is None:
        return Person(id=None, standing=Standing(), history=())
    lines = connection.execute(
        sa.select(schema.consents).where(scope(schema.consents), _l.contact_id == row.id).order_by(_l.id.desc()).limit(HISTORY_MAX)
    )
    history = [_line(line, vault) for line in lines]
    return Person(id=row.id, standing=Standing.from_row(dict(row._mapping)), history=history)


def suppressions(
    connection: TenantConnection, vault: Vault, *, limit: int, before: UUID | None = None, purpose: str | None = None
) -> Page[Suppression]:
    """The numbers that are not written to, in a fixed order. `purpose`: only those that refused this one, or everything."""
    columns = (_c.transactional, _c.marketing, _c.otp)
    refused = [column == "opted_out" for column in columns if purpose is None or column.name == purpose]
    statement = sa.select(schema.contacts).where(scope(schema.contacts), sa.or_(_c.suppressed.is_not(None), *refused))
    return page(connection, statement, _c.id, limit, before, lambda row: _suppression(row, vault))


def _suppression(row: AnyRow, vault: Vault) -> Suppression:
    purposes = [name for name in ("transactional", "marketing", "otp") if getattr(row, name) == "opted_out"]
    times = [getattr(row, f"{name}_at") for name in purposes]
    number = vault.open(row.msisdn, row.tenant_id, "contacts.msisdn", row.id) if row.msisdn is not None else None
    return Suppression(
        contact_id=row.id,
        msisdn=Msisdn(number) if number is not None else None,
        why=row.suppressed,
        since=row.suppressed_at or max((at for at in times if at is not None), default=None),
        opted_out=purposes,
    )


def _line(row: AnyRow, vault: Vault) -> Line:
    proof = vault.open(row.proof, row.tenant_id, "consents.proof", row.id) if row.proof is not None else None
    return Line(
        id=row.id,
        purpose=row.purpose,
        state=row.state,
        source=row.source,
        at=row.at,
        recorded_at=row.recorded_at,
        author=row.author,
        proof=proof,
    )


_PEOPLE_MAX = 50  # contacts of one person: a platform's account that many used


def contacts_of_person(connection: sa.Connection, tenant_id: UUID, person_hash: bytes) -> Sequence[UUID]:
    """The contacts about which a platform has spoken under this name."""
    where = (_l.tenant_id == tenant_id, _l.person_hash == person_hash)
    return list(connection.execute(sa.select(_l.contact_id).where(*where).distinct().limit(_PEOPLE_MAX)).scalars())


def name_person(connection: sa.Connection, tenant_id: UUID, contact_id: UUID, statement: Statement, person_hash: bytes) -> None:
    """Note whom the platform means by a statement that the ledger has already: it was ours, and it came back with a name."""
    same = (
        _l.tenant_id == tenant_id,
        _l.contact_id == contact_id,
        _l.purpose.is_(None) if statement.purpose is None else _l.purpose == str(statement.purpose),
        _l.state == str(statement.state),
        _l.at == statement.at,
        _l.person_hash.is_(None),
    )
    connection.execute(sa.update(schema.consents).where(*same).values(person_hash=person_hash))
