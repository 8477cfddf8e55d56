"""The ledger of consent as a whole, line by line, each with the number it is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from bellwire.ids import first_id
from bellwire.store import schema
from bellwire.store.paging import Page, page
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.types import AnyRow
from bellwire.store.vault import Vault

_l, _c = schema.consents.c, schema.contacts.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One statement. `purpose` None: all. `msisdn` None: the person was erased."""

    id: UUID
    msisdn: str | None = field(repr=False)
    purpose: str | None
    state: str
    source: str
    at: datetime
    recorded_at: datetime
    author: str | None
    proof: str | None = field(repr=False)


def listed(
    connection: TenantConnection, vault: Vault, *, limit: int, before: UUID | None = None, since: datetime | None = None
) -> Page[Line]:
    """The tenant's ledger, newest first. `since`: recorded at or after."""
    belongs = sa.and_(_c.id == _l.contact_id, scope(schema.contacts))
    statement = (
        sa.select(
            _l.id,
            _l.tenant_id,
            _l.contact_id,
            _l.purpose,
            _l.state,
            _l.source,
            _l.at,
            _l.recorded_at,
            _l.author,
            _l.proof,
            _c.msisdn,
        )
        .select_from(schema.consents.join(schema.contacts, belongs))
        .where(scope(schema.consents))
    )
    if since is not None:
        statement = statement.where(_l.id >= first_id(since))
    return page(connection, statement, _l.id, limit, before, lambda row: _line(row, vault))


def _line(row: AnyRow, vault: Vault) -> Line:
    number = vault.open(row.msisdn, row.tenant_id, "contacts.msisdn", row.contact_id) if row.msisdn is not None else None
    return Line(
        id=row.id,
        msisdn=number,
        purpose=row.purpose,
        state=row.state,
        source=row.source,
        at=row.at,
        recorded_at=row.recorded_at,
        author=row.author,
        proof=vault.open(row.proof, row.tenant_id, "consents.proof", row.id) if row.proof is not None else None,
    )
