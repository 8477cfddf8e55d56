"""What an install in the browser needs of installations: whom a request may mean, and the row it leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bellwire.errors import Conflict
from bellwire.ids import show
from bellwire.model import Connector, Installed
from bellwire.store import accounts, audit, installations, schema, tenants
from bellwire.store.installations import ACTIVE, DISABLED, REMOVED, Kept
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.types import AnyRow
from bellwire.store.vault import Vault, fingerprint

ACTOR = "install"  # in the audit trail: somebody at the platform, who has no key here
_APPS_MAX = 1_000
_NAME = "shop_name"  # the platform's word, until the tenant gives it another

_i = schema.installations.c


def of_account(connection: sa.Connection, connector: str, account_ref: str) -> Sequence[AnyRow]:
    """The account's installations, newest first; removed ones too: the platform may have taken the app out and have it again."""
    where = (_i.connector == connector, _i.account_ref == account_ref)
    return connection.execute(sa.select(schema.installations).where(*where).order_by(_i.id.desc()).limit(_APPS_MAX)).all()


def first_of_apps(connection: sa.Connection, connector: str) -> Sequence[AnyRow]:
    """The first installation of each app that has a client id, the oldest app first."""
    i = schema.installations
    older = i.alias()
    is_first = ~sa.exists().where(
        older.c.connector == _i.connector,
        older.c.client_id == _i.client_id,
        older.c.status.not_in([REMOVED, DISABLED]),
        older.c.id < _i.id,
    )
    is_app = ~_i.client_id.startswith("ins\\_", escape="\\")  # without a client id stands the installation's own id
    where = (_i.connector == connector, _i.status.not_in([REMOVED, DISABLED]), is_app, is_first)
    return connection.execute(sa.select(i).where(*where).order_by(_i.id).limit(_APPS_MAX)).all()


def spend(connection: sa.Connection, state: str, installation_id: UUID, now: datetime) -> bool:
    """Use up a state; False when that was done before."""
    build = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = {"key_hash": fingerprint(state), "kind": schema.SEEN_INSTALL, "scope_id": installation_id, "at": now}
    statement = build(schema.seen).on_conflict_do_nothing().returning(schema.seen.c.at)
    return connection.execute(statement, row).first() is not None


def keep(
    connection: TenantConnection,
    vault: Vault,
    connector: Connector,
    installed: Installed,
    *,
    app: UUID,
    allow_private: bool,
    now: datetime,
) -> tuple[Kept, bool]:
    """Store what an install brought: on the account's own row where there is one, else on a new one; and whether it is new.

    `app`: the installation whose app was installed. Raises Conflict for an account that the tenant switched off, FieldInvalid.
    """
    tenants.bump(connection)  # first of all: it holds the tenant's row, so that two installs of one account make one row
    home = _row(connection, app)
    own = _own(connection, vault, connector, installed, home)
    settings = {name: value for name, value in installed.settings.items() if name != _NAME}
    if own is None:
        shared = {name: value for name, value in home.settings.items() if name in accounts.INSTALLATION}
        kept = installations.create(
            connection,
            vault,
            connector,
            name=str(installed.settings.get(_NAME) or installed.account_ref),
            credentials=installed.credentials,
            settings=shared | settings,
            allow_private=allow_private,
            actor=ACTOR,
            now=now,
        )
    else:
        if own.status == DISABLED:
            raise Conflict("installation_disabled", "this account is switched off here; whoever runs Bellwire can switch it on")
        _revive(connection, own, now)
        before = vault.open_json(own.credentials, connection.tenant_id, "installations.credentials", own.id)
        kept = installations.change(
            connection,
            vault,
            connector,
            own.id,
            credentials={**dict.fromkeys(before), **installed.credentials},  # an older grant's leftovers go
            settings=settings,
            allow_private=allow_private,
            actor=ACTOR,
            now=now,
        )
    _note(connection, vault, kept.id, installed, now)
    return installations.get(connection, vault, kept.id), own is None


def _row(connection: TenantConnection, installation_id: UUID) -> AnyRow:
    return connection.execute(sa.select(schema.installations).where(scope(schema.installations), _i.id == installation_id)).one()


def _own(connection: TenantConnection, vault: Vault, connector: Connector, installed: Installed, home: AnyRow) -> AnyRow | None:
    """The account's row under this app: one in use before one that was taken out, which kept what proves its last requests.

    One that a person removed here has no credentials left and stays removed.
    """
    if home.account_ref in ("", installed.account_ref):  # "": made before anybody knew which account it would be
        return home
    rows = connection.execute(
        sa.select(schema.installations)
        .where(
            scope(schema.installations),
            _i.connector == connector.name,
            _i.account_ref == installed.account_ref,
            _i.client_id == str(installed.credentials.get("client_id") or ""),
        )
        .order_by(_i.id.desc())
    ).all()
    used = [row for row in rows if row.status != REMOVED]
    taken_out = [
        row
        for row in rows
        if row.status == REMOVED and vault.open_json(row.credentials, connection.tenant_id, "installations.credentials", row.id)
    ]
    return next(iter([*used, *taken_out]), None)


def _revive(connection: TenantConnection, row: AnyRow, now: datetime) -> None:
    """Put a row in use. What happened while the account did not have the app is none of ours: `installed_at`."""
    values: dict[str, Any] = {"status": ACTIVE, "status_detail": "", "reconcile_due": now, "renew_until": None}
    if row.status != ACTIVE:
        values["installed_at"] = now
    if row.status == REMOVED:
        values["cursor"] = {}
    connection.execute(sa.update(schema.installations).where(scope(schema.installations), _i.id == row.id).values(**values))


def _note(connection: TenantConnection, vault: Vault, installation_id: UUID, installed: Installed, now: datetime) -> None:
    """Where the account is, by the platform's word, and what a person must know of it."""
    told = {
        "country": installed.country,
        "locale": installed.locale,
        "timezone": installed.timezone,
        _NAME: str(installed.settings.get(_NAME) or ""),
        "scopes": str(installed.credentials.get("scope") or ""),
    }
    installations.reported(
        connection, vault, installation_id, {name: value for name, value in told.items() if value}, at=now, now=now
    )
    connection.execute(
        sa.update(schema.installations)
        .where(scope(schema.installations), _i.id == installation_id)
        .values(status_detail=" ".join(installed.notes)[:300], reconcile_due=now)
    )
    audit.note(connection, ACTOR, "installation.installed", show("ins", installation_id), now, _account(installed))


def _account(installed: Installed) -> Mapping[str, Any]:
    """Names of what came, for the audit trail."""
    return audit.changed(f"credentials.{name}" for name, value in installed.credentials.items() if value)
