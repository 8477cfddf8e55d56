"""Carrier accounts: where a tenant's texts leave from; credentials sealed, each with its own URLs for receipts and replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.errors import Conflict, NotFound
from bellwire.ids import new_id, show
from bellwire.model import Carrier
from bellwire.store import accounts, audit, schema, tenants
from bellwire.store.paging import Page, page
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.vault import Vault

_c = schema.carrier_accounts.c
ACTIVE, PAUSED, DISABLED, REMOVED = "active", "paused", "disabled", "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A carrier account as stored, opened. `key`: what its URLs hold."""

    id: UUID
    carrier: str
    name: str
    key: str = field(repr=False)
    credentials: Mapping[str, Any] = field(repr=False)
    secrets_old: Sequence[Mapping[str, Any]] = field(repr=False)
    settings: Mapping[str, Any]
    status: str
    status_detail: str
    created_at: datetime
    updated_at: datetime


def create(
    connection: TenantConnection,
    vault: Vault,
    carrier: Carrier,
    *,
    name: str,
    credentials: Mapping[str, Any],
    settings: Mapping[str, Any],
    allow_private: bool,
    actor: str,
    now: datetime,
) -> Kept:
    """Store an account at a carrier; nothing is called. Raises FieldInvalid naming the credential or setting."""
    row_id, tenant_id = new_id(), connection.tenant_id
    checked = accounts.check_credentials(credentials, carrier.fields)
    kept = accounts.check_settings(settings, carrier.settings, accounts.CARRIER, allow_private=allow_private)
    _, key_columns = accounts.new_url_key(vault, tenant_id, "carrier_accounts", row_id)
    connection.insert(
        schema.carrier_accounts,
        [
            {
                "id": row_id,
                "carrier": carrier.name,
                "name": name,
                **key_columns,
                "credentials": vault.seal_json(checked, tenant_id, "carrier_accounts.credentials", row_id),
                "settings": kept,
                "status": ACTIVE,
                "status_detail": "",
                "created_at": now,
                "updated_at": now,
            }
        ],
    )
    tenants.bump(connection)
    audit.note(connection, actor, "carrier_account.created", show("acc", row_id), now, {"carrier": carrier.name})
    return get(connection, vault, row_id)


def change(
    connection: TenantConnection,
    vault: Vault,
    carrier: Carrier,
    account_id: UUID,
    *,
    allow_private: bool,
    actor: str,
    now: datetime,
    name: str | None = None,
    credentials: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    status: str | None = None,
) -> Kept:
    """Change an account. `credentials`, `settings` are merged (null takes one out); a replaced secret stays valid for its overlap.

    Raises NotFound, FieldInvalid.
    """
    tenants.hold(connection)
    before = get(connection, vault, account_id)
    values: dict[str, Any] = {"updated_at": now}
    names: list[str] = []
    if name is not None:
        values["name"] = name
        names.append("name")
    if status is not None and status != before.status:
        values |= {"status": status, "status_detail": ""}
        names.append("status")
    after = dict(before.settings)
    if settings is not None:
        after = accounts.check_settings(
            {**before.settings, **settings}, carrier.settings, accounts.CARRIER, allow_private=allow_private
        )
        values["settings"] = after
        names += [f"settings.{key}" for key in settings]
    if credentials is not None:
        checked = accounts.check_credentials({**before.credentials, **credentials}, carrier.fields)
        overlap_s = int(after.get("secret_overlap_s", accounts.DEFAULT_OVERLAP_S))
        old = accounts.replaced_secrets(before.credentials, checked, carrier.secret_field, before.secrets_old, overlap_s, now)
        values["credentials"] = vault.seal_json(checked, connection.tenant_id, "carrier_accounts.credentials", account_id)
        values["secrets_old"] = vault.seal_json(old, connection.tenant_id, "carrier_accounts.secrets_old", account_id)
        names += [f"credentials.{key}" for key in credentials]
    connection.execute(
        sa.update(schema.carrier_accounts).where(scope(schema.carrier_accounts), _c.id == account_id).values(**values)
    )
    tenants.bump(connection)
    audit.note(connection, actor, "carrier_account.changed", show("acc", account_id), now, audit.changed(names))
    return get(connection, vault, account_id)


def remove(connection: TenantConnection, vault: Vault, account_id: UUID, *, actor: str, now: datetime) -> None:
    """End an account: nothing more is given to it, its credentials are gone. What waits is sent by another or expires.

    Raises NotFound, and Conflict while a carrier call of it is under way.
    """
    tenants.hold(connection)
    get(connection, vault, account_id)
    m = schema.messages.c
    sending = connection.execute(
        sa.select(m.id).where(scope(schema.messages), m.account_id == account_id, sa.text("messages.status = 2")).limit(1)
    ).first()
    if sending is not None:
        raise Conflict("account_busy", "a message is being sent by it just now; pause it, then try again")
    nothing = vault.seal_json({}, connection.tenant_id, "carrier_accounts.credentials", account_id)
    connection.execute(
        sa.update(schema.carrier_accounts)
        .where(scope(schema.carrier_accounts), _c.id == account_id)
        .values(status=REMOVED, status_detail="", credentials=nothing, secrets_old=None, updated_at=now)
    )
    tenants.bump(connection)
    audit.note(connection, actor, "carrier_account.removed", show("acc", account_id), now)


def get(connection: TenantConnection, vault: Vault, account_id: UUID) -> Kept:
    """An account that was not removed. Raises NotFound."""
    row = connection.execute(
        sa.select(schema.carrier_accounts).where(scope(schema.carrier_accounts), _c.id == account_id, _c.status != REMOVED)
    ).one_or_none()
    if row is None:
        raise NotFound("carrier account", show("acc", account_id))
    return _kept(row, vault)


def listed(
    connection: TenantConnection, vault: Vault, *, limit: int, before: UUID | None = None, carrier: str | None = None
) -> Page[Kept]:
    """The tenant's accounts, newest first, without removed ones."""
    statement = sa.select(schema.carrier_accounts).where(scope(schema.carrier_accounts), _c.status != REMOVED)
    if carrier is not None:
        statement = statement.where(_c.carrier == carrier)
    return page(connection, statement, _c.id, limit, before, lambda row: _kept(row, vault))


def carriers(connection: TenantConnection) -> dict[UUID, str]:
    """Each account's carrier, removed ones too: for what shows messages."""
    rows = connection.execute(sa.select(_c.id, _c.carrier).where(scope(schema.carrier_accounts)))
    return {row.id: row.carrier for row in rows}


def _kept(row: sa.Row[Any], vault: Vault) -> Kept:
    tenant_id = row.tenant_id
    return Kept(
        id=row.id,
        carrier=row.carrier,
        name=row.name,
        key=vault.open(row.key_sealed, tenant_id, "carrier_accounts.key_sealed", row.id),
        credentials=vault.open_json(row.credentials, tenant_id, "carrier_accounts.credentials", row.id),
        secrets_old=vault.open_json(row.secrets_old, tenant_id, "carrier_accounts.secrets_old", row.id) or (),
        settings=row.settings,
        status=row.status,
        status_detail=row.status_detail,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
