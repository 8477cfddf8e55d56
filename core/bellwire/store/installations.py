"""Installations: a tenant's accounts at platforms, their credentials sealed, each with its own URL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.errors import NotFound
from bellwire.ids import new_id, show
from bellwire.model import Connector
from bellwire.store import accounts, audit, schema, tenants
from bellwire.store.paging import Page, page
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.vault import Vault

_i = schema.installations.c
ACTIVE, DISABLED, REMOVED = "active", "disabled", "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An installation as stored, opened. `key`: what its URL ends in."""

    id: UUID
    connector: str
    name: str
    key: str = field(repr=False)
    account_ref: str
    credentials: Mapping[str, Any] = field(repr=False)
    secrets_old: Sequence[Mapping[str, Any]] = field(repr=False)
    settings: Mapping[str, Any]
    status: str
    status_detail: str
    country: str
    locale: str
    timezone: str
    created_at: datetime
    updated_at: datetime


def create(
    connection: TenantConnection,
    vault: Vault,
    connector: Connector,
    *,
    name: str,
    credentials: Mapping[str, Any],
    settings: Mapping[str, Any],
    allow_private: bool,
    actor: str,
    now: datetime,
    country: str = "",
    locale: str = "",
    timezone: str = "",
    installation_id: UUID | None = None,
) -> Kept:
    """Store an account at a platform; nothing is called. Raises FieldInvalid naming the credential or setting.

    `installation_id`: made beforehand, where an install page had to name it.
    """
    row_id, tenant_id = installation_id or new_id(), connection.tenant_id
    checked = accounts.check_credentials(credentials, connector.fields)
    kept = accounts.check_settings(settings, connector.settings, accounts.INSTALLATION, allow_private=allow_private)
    _, key_columns = accounts.new_url_key(vault, tenant_id, "installations", row_id)
    connection.insert(
        schema.installations,
        [
            {
                "id": row_id,
                "connector": connector.name,
                "name": name,
                **key_columns,
                **_credentials(vault, tenant_id, row_id, connector, checked),
                "settings": kept,
                "cursor": {},
                "status": ACTIVE,
                "status_detail": "",
                "country": country,
                "locale": locale,
                "timezone": timezone,
                "installed_at": now,
                "reconcile_due": now if connector.reconcile is not None or connector.subscribe is not None else None,
                "created_at": now,
                "updated_at": now,
            }
        ],
    )
    tenants.bump(connection)
    audit.note(connection, actor, "installation.created", show("ins", row_id), now, {"connector": connector.name})
    return get(connection, vault, row_id)


def change(
    connection: TenantConnection,
    vault: Vault,
    connector: Connector,
    installation_id: UUID,
    *,
    allow_private: bool,
    actor: str,
    now: datetime,
    name: str | None = None,
    credentials: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    status: str | None = None,
    places: Mapping[str, str] | None = None,
) -> Kept:
    """Change an installation. `credentials`, `settings` are merged (null takes one out).

    A replaced secret stays valid for its overlap. `places`: country, locale, timezone. Raises NotFound, FieldInvalid.
    """
    _locked(connection, installation_id)  # whoever renews its token at this moment comes first, or waits
    before = get(connection, vault, installation_id)
    values: dict[str, Any] = {**(places or {}), "updated_at": now}
    names = list(places or ())
    if name is not None:
        values["name"] = name
        names.append("name")
    if status is not None and status != before.status:
        values |= {"status": status, "status_detail": ""}
        names.append("status")
    after = dict(before.settings)
    if settings is not None:
        after = accounts.check_settings(
            {**before.settings, **settings}, connector.settings, accounts.INSTALLATION, allow_private=allow_private
        )
        values["settings"] = after
        names += [f"settings.{key}" for key in settings]
    if credentials is not None:
        checked = accounts.check_credentials({**before.credentials, **credentials}, connector.fields)
        overlap_s = int(after.get("secret_overlap_s", accounts.DEFAULT_OVERLAP_S))
        old = accounts.replaced_secrets(before.credentials, checked, connector.secret_field, before.secrets_old, overlap_s, now)
        values |= _credentials(vault, connection.tenant_id, installation_id, connector, checked)
        values["secrets_old"] = vault.seal_json(old, connection.tenant_id, "installations.secrets_old", installation_id)
        names += [f"credentials.{key}" for key in credentials]
    connection.execute(
        sa.update(schema.installations).where(scope(schema.installations), _i.id == installation_id).values(**values)
    )
    tenants.bump(connection)
    audit.note(connection, actor, "installation.changed", show("ins", installation_id), now, audit.changed(names))
    return get(connection, vault, installation_id)


def remove(connection: TenantConnection, vault: Vault, installation_id: UUID, *, actor: str, now: datetime) -> None:
    """End an installation: its URL answers 410, its credentials are gone; its events and messages stay. Raises NotFound."""
    get(connection, vault, installation_id)
    nothing = vault.seal_json({}, connection.tenant_id, "installations.credentials", installation_id)
    connection.execute(
        sa.update(schema.installations)
        .where(scope(schema.installations), _i.id == installation_id)
        .values(status=REMOVED, status_detail="", credentials=nothing, secrets_old=None, reconcile_due=None, updated_at=now)
    )
    tenants.bump(connection)
    audit.note(connection, actor, "installation.removed", show("ins", installation_id), now)


def uninstalled(connection: TenantConnection, vault: Vault, installation_id: UUID, *, keep: Collection[str], now: datetime) -> bool:
    """The platform says that the app was taken out; False when that was known. `keep`: the credentials that still prove and route
    its last requests; the others are gone.
    """
    row = _locked(connection, installation_id)
    if row is None or row.status == REMOVED:
        return False
    credentials = vault.open_json(row.credentials, connection.tenant_id, "installations.credentials", installation_id)
    left = {name: value for name, value in credentials.items() if name in keep}
    connection.execute(
        sa.update(schema.installations)
        .where(scope(schema.installations), _i.id == installation_id)
        .values(
            status=REMOVED,
            status_detail="the app was taken out at the platform",
            credentials=vault.seal_json(left, connection.tenant_id, "installations.credentials", installation_id),
            reconcile_due=None,
            updated_at=now,
        )
    )
    tenants.bump(connection)
    audit.note(connection, "platform", "installation.uninstalled", show("ins", installation_id), now)
    return True


def reported(
    connection: TenantConnection, vault: Vault, installation_id: UUID, values: Mapping[str, str], *, at: datetime, now: datetime
) -> None:
    """Take what the platform says of the account: locale, timezone, country, shop_name, scopes. Each unless a newer report stands.

    A name that the tenant gave itself stays.
    """
    row = _locked(connection, installation_id)
    if row is None or row.status == REMOVED:
        return
    known: dict[str, str] = row.reported or {}
    fresh = {name: value for name, value in values.items() if name not in known or datetime.fromisoformat(known[name]) <= at}
    if fresh.get("shop_name") and row.settings.get("shop_name") and "shop_name" not in known:
        del fresh["shop_name"]
    changes: dict[str, Any] = {name: fresh[name] for name in ("locale", "timezone", "country") if name in fresh}
    if "shop_name" in fresh:
        changes["settings"] = {**row.settings, "shop_name": fresh["shop_name"]}
    if "scopes" in fresh:
        credentials = vault.open_json(row.credentials, connection.tenant_id, "installations.credentials", installation_id)
        sealed = {**credentials, "scope": fresh["scopes"]}
        changes["credentials"] = vault.seal_json(sealed, connection.tenant_id, "installations.credentials", installation_id)
    if not fresh:
        return
    times = {**known, **dict.fromkeys(fresh, at.isoformat())}
    connection.execute(
        sa.update(schema.installations)
        .where(scope(schema.installations), _i.id == installation_id)
        .values(reported=times, updated_at=now, **changes)
    )
    tenants.bump(connection)
    audit.note(connection, "platform", "installation.changed", show("ins", installation_id), now, audit.changed(fresh))


def erased(connection: TenantConnection, vault: Vault, installation_id: UUID, *, now: datetime) -> None:
    """Forget the account itself: its names, settings and last credentials. The row stays for what refers to it."""
    nothing = vault.seal_json({}, connection.tenant_id, "installations.credentials", installation_id)
    connection.execute(
        sa.update(schema.installations)
        .where(scope(schema.installations), _i.id == installation_id)
        .values(
            name="",
            account_ref="",
            client_id=show("ins", installation_id),
            credentials=nothing,
            secrets_old=None,
            settings={},
            cursor={},
            reported=None,
            status=REMOVED,
            reconcile_due=None,
            updated_at=now,
        )
    )
    tenants.bump(connection)


def status(connection: TenantConnection, installation_id: UUID) -> str | None:
    """An installation's status, also of a removed one; None: there is none."""
    found: str | None = connection.execute(
        sa.select(_i.status).where(scope(schema.installations), _i.id == installation_id)
    ).scalar_one_or_none()
    return found


def _locked(connection: TenantConnection, installation_id: UUID) -> sa.Row[Any] | None:
    """An installation's row, held until the commit: whoever renews its token waits."""
    statement = sa.select(schema.installations).where(scope(schema.installations), _i.id == installation_id)
    return connection.execute(statement.with_for_update()).one_or_none()  # SQLite has one writer, and no such words


def get(connection: TenantConnection, vault: Vault, installation_id: UUID) -> Kept:
    """An installation that was not removed. Raises NotFound."""
    row = connection.execute(
        sa.select(schema.installations).where(scope(schema.installations), _i.id == installation_id, _i.status != REMOVED)
    ).one_or_none()
    if row is None:
        raise NotFound("installation", show("ins", installation_id))
    return _kept(row, vault)


def listed(
    connection: TenantConnection, vault: Vault, *, limit: int, before: UUID | None = None, connector: str | None = None
) -> Page[Kept]:
    """The tenant's installations, newest first, without removed ones."""
    statement = sa.select(schema.installations).where(scope(schema.installations), _i.status != REMOVED)
    if connector is not None:
        statement = statement.where(_i.connector == connector)
    return page(connection, statement, _i.id, limit, before, lambda row: _kept(row, vault))


def _credentials(
    vault: Vault, tenant_id: UUID, row_id: UUID, connector: Connector, credentials: Mapping[str, Any]
) -> dict[str, Any]:
    """The columns that follow from credentials."""
    return {
        "credentials": vault.seal_json(credentials, tenant_id, "installations.credentials", row_id),
        "account_ref": str(credentials.get(connector.account_field) or "") if connector.account_field else "",
        # requests for a whole app are routed by it: without one an installation shares with nobody
        "client_id": str(credentials.get("client_id") or show("ins", row_id)),
    }


def _kept(row: sa.Row[Any], vault: Vault) -> Kept:
    tenant_id = row.tenant_id
    return Kept(
        id=row.id,
        connector=row.connector,
        name=row.name,
        key=vault.open(row.key_sealed, tenant_id, "installations.key_sealed", row.id),
        account_ref=row.account_ref,
        credentials=vault.open_json(row.credentials, tenant_id, "installations.credentials", row.id),
        secrets_old=vault.open_json(row.secrets_old, tenant_id, "installations.secrets_old", row.id) or (),
        settings=row.settings,
        status=row.status,
        status_detail=row.status_detail,
        country=row.country,
        locale=row.locale,
        timezone=row.timezone,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
