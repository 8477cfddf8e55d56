"""What decisions depend on, read together and kept until the tenant's `config_version` grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.tenant import HeldAccount, HeldInstallation, Template, TenantConfig, Trigger
from bellwire.model import CarrierAccount, Installation, Purpose
from bellwire.store import schema
from bellwire.store.types import AnyRow
from bellwire.store.vault import BlindIndex, Vault


@dataclass(frozen=True, slots=True)
class Reader:
    """How rows become accounts: the keys, the public URL, and which credential of each connector and carrier signs."""

    vault: Vault
    public_url: str
    connector_secret: Mapping[str, str]
    carrier_secret: Mapping[str, str]

    def installation(self, row: AnyRow, now: datetime) -> HeldInstallation:
        """An installation from its row, credentials opened."""
        vault = self.vault
        credentials = vault.open_json(row.credentials, row.tenant_id, "installations.credentials", row.id)
        old = vault.open_json(row.secrets_old, row.tenant_id, "installations.secrets_old", row.id)
        key = vault.open(row.key_sealed, row.tenant_id, "installations.key_sealed", row.id)
        return HeldInstallation(
            value=Installation(
                id=row.id,
                tenant_id=row.tenant_id,
                connector=row.connector,
                name=row.name,
                account_ref=row.account_ref,
                credentials=credentials,
                secrets=_valid(credentials, self.connector_secret.get(row.connector, ""), old, now),
                settings=row.settings,
                cursor=row.cursor,
                webhook_url=f"{self.public_url}/hooks/{row.connector}/{key}" if self.public_url else "",
                country=row.country,
                locale=row.locale,
                timezone=row.timezone,
                installed_at=row.installed_at,
            ),
            status=row.status,
            client_id=row.client_id,
            until=_until(old, now),
        )

    def account(self, row: AnyRow, now: datetime) -> HeldAccount:
        """A carrier account from its row, credentials opened."""
        vault = self.vault
        credentials = vault.open_json(row.credentials, row.tenant_id, "carrier_accounts.credentials", row.id)
        old = vault.open_json(row.secrets_old, row.tenant_id, "carrier_accounts.secrets_old", row.id)
        return HeldAccount(
            value=CarrierAccount(
                id=row.id,
                tenant_id=row.tenant_id,
                carrier=row.carrier,
                name=row.name,
                credentials=credentials,
                secrets=_valid(credentials, self.carrier_secret.get(row.carrier, ""), old, now),
                settings=row.settings,
            ),
            key=vault.open(row.key_sealed, row.tenant_id, "carrier_accounts.key_sealed", row.id),
            status=row.status,
            created_at=row.created_at,
            until=_until(old, now),
        )


def load(connection: sa.Connection, reader: Reader, tenant_id: UUID, now: datetime) -> tuple[TenantConfig, BlindIndex] | None:
    """Read a tenant's configuration and its index; None when there is no such tenant."""
    s = schema
    tenant = connection.execute(sa.select(s.tenants).where(s.tenants.c.id == tenant_id)).one_or_none()
    if tenant is None:
        return None
    triggers: dict[tuple[str, str], list[Trigger]] = {}
    names: dict[UUID, str] = {}
    for row in connection.execute(sa.select(s.triggers).where(s.triggers.c.tenant_id == tenant_id).order_by(s.triggers.c.id)):
        names[row.id] = row.name
        if row.state != "off":
            triggers.setdefault((row.connector, row.event), []).append(
                Trigger(
                    id=row.id,
                    name=row.name,
                    connector=row.connector,
                    installation_id=row.installation_id,
                    event=row.event,
                    definition=row.definition,
                    state=row.state,
                    active_from=row.active_from,
                )
            )
    policy = connection.execute(
        sa.select(s.route_policies)
        .where(s.route_policies.c.tenant_id == tenant_id)
        .order_by(s.route_policies.c.version.desc())
        .limit(1)
    ).one_or_none()
    endpoints = [
        (row.id, frozenset(row.types))
        for row in connection.execute(
            sa.select(s.callback_endpoints).where(
                s.callback_endpoints.c.tenant_id == tenant_id, s.callback_endpoints.c.status == "active"
            )
        )
    ]
    balance = connection.execute(sa.select(s.balances.c.micros).where(s.balances.c.tenant_id == tenant_id)).one_or_none()
    config = TenantConfig(
        id=tenant_id,
        slug=tenant.slug,
        name=tenant.name,
        country=tenant.country,
        locale=tenant.locale,
        timezone=tenant.timezone,
        settings=tenant.settings,
        version=tenant.config_version,
        triggers=triggers,
        trigger_names=names,
        templates=_templates(connection, tenant_id),
        accounts=_accounts(connection, reader, tenant_id, now),
        installations=_installations(connection, reader, tenant_id, now),
        route_policy=policy.policy if policy else None,
        route_version=policy.version if policy else None,
        callback_types=frozenset().union(*(types for _, types in endpoints)) if endpoints else frozenset(),
        endpoints=endpoints,
        has_balance=balance is not None,
    )
    return config, reader.vault.index(tenant_id, tenant.index_key)


def _templates(connection: sa.Connection, tenant_id: UUID) -> dict[str, Template]:
    t, v = schema.templates.c, schema.template_versions.c
    found: dict[str, Template] = {}
    rows = connection.execute(
        sa.select(t.name, t.purpose, t.options, v.number, v.state, v.bodies)
        .select_from(schema.templates.outerjoin(schema.template_versions, sa.and_(v.template_id == t.id, v.state == "approved")))
        .where(t.tenant_id == tenant_id, t.deleted_at.is_(None))
        .order_by(t.name, v.number)
    )
    for row in rows:  # the highest approved number comes last and stays
        found[row.name] = Template(
            name=row.name, purpose=Purpose(row.purpose), number=row.number, bodies=row.bodies or {}, options=row.options
        )
    return found


def _accounts(connection: sa.Connection, reader: Reader, tenant_id: UUID, now: datetime) -> list[HeldAccount]:
    a = schema.carrier_accounts
    rows = connection.execute(sa.select(a).where(a.c.tenant_id == tenant_id).order_by(a.c.created_at, a.c.id))
    return [reader.account(row, now) for row in rows]


def _installations(connection: sa.Connection, reader: Reader, tenant_id: UUID, now: datetime) -> dict[UUID, HeldInstallation]:
    i = schema.installations
    rows = connection.execute(sa.select(i).where(i.c.tenant_id == tenant_id).order_by(i.c.id))
    return {row.id: reader.installation(row, now) for row in rows}


def _valid(
    credentials: Mapping[str, Any], field_name: str, old: Sequence[Mapping[str, Any]] | None, now: datetime
) -> tuple[str, ...]:
    """The secrets valid for `verify` now, newest first: the present one (or list), then replaced ones in their overlap."""
    current = credentials.get(field_name) or ()
    present = tuple(current) if isinstance(current, list | tuple) else (current,)
    return present + tuple(entry["value"] for entry in old or () if datetime.fromisoformat(entry["until"]) > now)


def _until(old: Sequence[Mapping[str, Any]] | None, now: datetime) -> datetime | None:
    """When the next of the replaced secrets ends."""
    ends = [datetime.fromisoformat(entry["until"]) for entry in old or ()]
    return min((one for one in ends if one > now), default=None)


_i, _a, _t = schema.installations.c, schema.carrier_accounts.c, schema.tenants.c
_INSTALLATION = sa.select(_i.id, _i.tenant_id, _i.connector, _t.config_version).select_from(
    schema.installations.join(schema.tenants, _t.id == _i.tenant_id)
)
_BY_KEY = _INSTALLATION.where(_i.key_hash == sa.bindparam("key_hash"))
_ACCOUNT_BY_KEY = (
    sa.select(_a.id, _a.tenant_id, _a.carrier, _t.config_version)
    .select_from(schema.carrier_accounts.join(schema.tenants, _t.id == _a.tenant_id))
    .where(_a.key_hash == sa.bindparam("key_hash"))
)
_VERSION = sa.select(_t.config_version).where(_t.id == sa.bindparam("id", type_=_t.id.type))


def installation_by_key(connection: sa.Connection, key_hash: bytes) -> AnyRow | None:
    """id, tenant_id, connector, config_version of the installation whose URL key hashes to this."""
    return connection.execute(_BY_KEY, {"key_hash": key_hash}).one_or_none()


def installations_of(connection: sa.Connection, connector: str, account_ref: str, client_id: str) -> Sequence[AnyRow]:
    """Installations of one account at a platform under one app: where an app-wide request goes. Removed ones come last."""
    where = (_i.connector == connector, _i.account_ref == account_ref, _i.client_id == client_id)
    return connection.execute(_INSTALLATION.where(*where).order_by(_i.status == "removed", _i.id)).all()


def account_by_key(connection: sa.Connection, key_hash: bytes) -> AnyRow | None:
    """id, tenant_id, carrier, config_version of the carrier account whose URL key hashes to this."""
    return connection.execute(_ACCOUNT_BY_KEY, {"key_hash": key_hash}).one_or_none()


def config_version(connection: sa.Connection, tenant_id: UUID) -> int | None:
    """A tenant's configuration version; None when there is no such tenant."""
    return connection.execute(_VERSION, {"id": tenant_id}).scalar()
