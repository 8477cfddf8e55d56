"""The staff directory: people by the references that timecard and task systems know them by. Names and numbers are sealed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.staff import Entry
from bellwire.errors import NotFound
from bellwire.ids import new_id
from bellwire.model import Msisdn
from bellwire.store import schema
from bellwire.store.paging import Page, page
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.types import AnyRow
from bellwire.store.vault import BlindIndex, Vault

_s, _r, _c = schema.staff.c, schema.staff_refs.c, schema.contacts.c


class Kept(StrEnum):
    """What became of an entry."""

    CREATED = "created"
    CHANGED = "changed"
    SAME = "same"
    OLDER = "older"  # something newer was told before
    ERASED = "erased"  # the person had their data erased: kept without number, name and address


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An entry as it is stored."""

    id: UUID
    entry: Entry
    created_at: datetime
    updated_at: datetime


def keep(connection: TenantConnection, vault: Vault, index: BlindIndex, entry: Entry, *, now: datetime, told_at: datetime) -> Kept:
    """Store what is told of a person. An older report than the newest changes nothing.

    Whose number was erased is not stored anew: a list that is imported again must not undo an erasure.
    """
    row = _locked(connection, entry.ref)
    if row is not None and told_at < row.told_at:
        return Kept.OLDER
    erased = entry.msisdn is not None and _is_erased(connection, index, entry.msisdn)
    if erased:
        entry = Entry(ref=entry.ref, manager_ref=entry.manager_ref, active=entry.active)
    if row is not None and not entry.differs(_entry(row, _systems(connection, [row.id]).get(row.id, {}), vault)):
        return Kept.ERASED if erased else Kept.SAME
    staff_id = row.id if row is not None else new_id()
    values = _values(connection.tenant_id, staff_id, vault, index, entry) | {"told_at": told_at, "updated_at": now}
    if row is None:
        connection.insert(schema.staff, [{"id": staff_id, "ref": entry.ref, "created_at": now, **values}])
    else:
        connection.execute(sa.update(schema.staff).where(scope(schema.staff), _s.id == staff_id).values(**values))
        connection.execute(sa.delete(schema.staff_refs).where(scope(schema.staff_refs), _r.staff_id == staff_id))
    for system, name in entry.systems.items():  # a name belongs to who was told last to have it
        connection.execute(sa.delete(schema.staff_refs).where(scope(schema.staff_refs), _r.system == system, _r.ref == name))
    connection.insert(
        schema.staff_refs,
        [
            {"id": new_id(), "staff_id": staff_id, "contact_id": values["contact_id"], "system": system, "ref": name}
            for system, name in entry.systems.items()
        ],
    )
    return Kept.ERASED if erased else Kept.CREATED if row is None else Kept.CHANGED


def remove(connection: TenantConnection, ref: str) -> None:
    """Take a person out. Raises NotFound."""
    row = _locked(connection, ref)
    if row is None:
        raise NotFound("worker", ref)
    connection.execute(sa.delete(schema.staff_refs).where(scope(schema.staff_refs), _r.staff_id == row.id))
    connection.execute(sa.delete(schema.staff).where(scope(schema.staff), _s.id == row.id))


def get(connection: TenantConnection, vault: Vault, ref: str) -> Listed:
    """A person by the tenant's reference. Raises NotFound."""
    row = connection.execute(sa.select(schema.staff).where(scope(schema.staff), _s.ref == ref)).one_or_none()
    if row is None:
        raise NotFound("worker", ref)
    return _listed(row, _systems(connection, [row.id]).get(row.id, {}), vault)


def listed(
    connection: TenantConnection, vault: Vault, *, limit: int, before: UUID | None = None, active: bool | None = None
) -> Page[Listed]:
    """The tenant's people, the newest entry first."""
    statement = sa.select(schema.staff).where(scope(schema.staff))
    if active is not None:
        statement = statement.where(_s.active == active)
    rows: Page[AnyRow] = page(connection, statement, _s.id, limit, before, lambda row: row)
    systems = _systems(connection, [row.id for row in rows.items])
    return Page([_listed(row, systems.get(row.id, {}), vault) for row in rows.items], rows.next)


def after(connection: TenantConnection, vault: Vault, last: UUID, limit: int) -> Sequence[Listed]:
    """The tenant's active people in the order of their entries, for who walks through all of them."""
    rows = connection.execute(
        sa.select(schema.staff).where(scope(schema.staff), _s.id > last, _s.active).order_by(_s.id).limit(limit)
    ).all()
    return [_listed(row, {}, vault) for row in rows]


def find(connection: TenantConnection, vault: Vault, system: str, refs: Iterable[str]) -> Mapping[str, Entry]:
    """The people behind a system's references: by its own name of them, else by the tenant's."""
    wanted = sorted({one for one in refs if one})
    if not wanted:
        return {}
    named = connection.execute(_BY_NAME, {"system": system, "refs": wanted}).all()
    found = {row.called: _entry(row, {}, vault) for row in named}
    left = [one for one in wanted if one not in found]
    if left:
        found |= {row.ref: _entry(row, {}, vault) for row in connection.execute(_BY_REF, {"refs": left})}
    return found


_REFS: sa.BindParameter[list[str]] = sa.bindparam("refs", expanding=True)
_BY_NAME = (
    sa.select(schema.staff, _r.ref.label("called"))
    .join(schema.staff_refs, sa.and_(_r.staff_id == _s.id, scope(schema.staff_refs)))
    .where(scope(schema.staff), _r.system == sa.bindparam("system"), _r.ref.in_(_REFS))
)
_BY_REF = sa.select(schema.staff).where(scope(schema.staff), _s.ref.in_(_REFS))


def _locked(connection: TenantConnection, ref: str) -> AnyRow | None:
    statement = sa.select(schema.staff).where(scope(schema.staff), _s.ref == ref)
    if connection.bare.dialect.name == "postgresql":
        statement = statement.with_for_update()
    return connection.execute(statement).one_or_none()


def _is_erased(connection: TenantConnection, index: BlindIndex, msisdn: Msisdn) -> bool:
    row = connection.execute(
        sa.select(_c.msisdn, _c.suppressed).where(scope(schema.contacts), _c.msisdn_ix == index.of(msisdn))
    ).one_or_none()
    return row is not None and row.msisdn is None


def _values(tenant_id: UUID, staff_id: UUID, vault: Vault, index: BlindIndex, entry: Entry) -> dict[str, Any]:
    def sealed(name: str, value: str | None) -> bytes | None:
        return vault.seal(value, tenant_id, f"staff.{name}", staff_id) if value else None

    return {
        "contact_id": index.contact_id(index.of(entry.msisdn)) if entry.msisdn else None,
        "name": sealed("name", entry.name),
        "msisdn": sealed("msisdn", entry.msisdn),
        "email": sealed("email", entry.email),
        "locale": entry.locale,
        "timezone": entry.timezone,
        "country": entry.country,
        "manager_ref": entry.manager_ref or None,
        "active": entry.active,
    }


def _systems(connection: TenantConnection, ids: Sequence[UUID]) -> dict[UUID, dict[str, str]]:
    found: dict[UUID, dict[str, str]] = {}
    if ids:
        rows = connection.execute(
            sa.select(_r.staff_id, _r.system, _r.ref).where(scope(schema.staff_refs), _r.staff_id.in_(ids)).order_by(_r.system)
        )
        for row in rows:
            found.setdefault(row.staff_id, {})[row.system] = row.ref
    return found


def _entry(row: AnyRow, systems: Mapping[str, str], vault: Vault) -> Entry:
    def opened(name: str, value: bytes | None) -> str:
        return vault.open(value, row.tenant_id, f"staff.{name}", row.id) if value is not None else ""

    number = opened("msisdn", row.msisdn)
    return Entry(
        ref=row.ref,
        name=opened("name", row.name),
        msisdn=Msisdn(number) if number else None,
        email=opened("email", row.email),
        locale=row.locale,
        timezone=row.timezone,
        country=row.country,
        manager_ref=row.manager_ref or "",
        active=row.active,
        systems=dict(systems),
    )


def _listed(row: AnyRow, systems: Mapping[str, str], vault: Vault) -> Listed:
    return Listed(id=row.id, entry=_entry(row, systems, vault), created_at=row.created_at, updated_at=row.updated_at)
