"""`bellwire key`: API keys of a tenant."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from bellwire.cli.opened import opened_store, tenant_id
from bellwire.cli.output import json_option, print_json, print_table, say
from bellwire.cli.setup import Setup
from bellwire.domain.scopes import Scope
from bellwire.domain.when import parse_when
from bellwire.ids import parse_id, show
from bellwire.store import keys

_tenant = click.option("--tenant", required=True, metavar="SLUG", help="Whose key, by slug or ten_… id.")


@click.group()
def key() -> None:
    """Make, list and revoke API keys."""


@key.command()
@_tenant
@click.option("--name", required=True, help="What it is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([str(one) for one in Scope]),
    help="A right; may be repeated. Default: admin.",
)
@click.option("--expires", default=None, help="When it ends: 90d, or 2027-01-31T00:00:00Z. Default: never.")
@json_option
@click.pass_obj
def create(setup: Setup, tenant: str, name: str, scopes: tuple[str, ...], expires: str | None, as_json: bool) -> None:
    """Make a key, shown this once.

    \b
    Example: bellwire key create --tenant acme --name shop --scope messages:send
    """
    now = datetime.now(UTC)
    cure = "leave it out for a key without an end"
    expires_at = parse_when(expires, now, field="expires", max_days=3650, cure=cure) if expires else None
    with opened_store(setup) as store:
        scoped = store.for_tenant(tenant_id(store, tenant))
        made, secret = scoped.write(
            lambda connection: keys.create(
                connection,
                name=name,
                scopes={Scope(one) for one in scopes or ("admin",)},
                expires_at=expires_at,
                actor="cli",
                now=now,
            )
        )
    if as_json:
        print_json({"id": show("key", made.id), "name": made.name, "api_key": secret, "scopes": sorted(made.scopes)})
    else:
        say(f"Key {show('key', made.id)} ({made.name}), shown this once: {secret}")


@key.command("list")
@_tenant
@json_option
@click.pass_obj
def list_(setup: Setup, tenant: str, as_json: bool) -> None:
    """List a tenant's keys, newest first."""
    with opened_store(setup) as store, store.for_tenant(tenant_id(store, tenant)).reading() as connection:
        found = keys.listed(connection, limit=200).items
    if as_json:
        print_json({"items": [{**_shown(one)} for one in found]})
        return
    print_table(
        ["key", "name", "prefix", "scopes", "last used", "expires", "revoked"],
        [
            (
                show("key", one.id),
                one.name,
                one.prefix,
                ", ".join(sorted(one.scopes)),
                one.last_used_at,
                one.expires_at,
                one.revoked_at,
            )
            for one in found
        ],
    )


@key.command()
@click.argument("key_id")
@_tenant
@json_option
@click.pass_obj
def revoke(setup: Setup, key_id: str, tenant: str, as_json: bool) -> None:
    """End a key; callers are refused within a second."""
    with opened_store(setup) as store:
        scoped = store.for_tenant(tenant_id(store, tenant))
        wanted = parse_id("key", key_id, "key")
        ended = scoped.write(lambda connection: keys.revoke(connection, wanted, actor="cli", now=datetime.now(UTC)))
    if as_json:
        print_json(_shown(ended))
    else:
        say(f"Key {key_id} is revoked.")


def _shown(one: keys.ApiKey) -> dict[str, object]:
    return {
        "id": show("key", one.id),
        "name": one.name,
        "prefix": one.prefix,
        "scopes": sorted(one.scopes),
        "last_used_at": one.last_used_at,
        "expires_at": one.expires_at,
        "revoked_at": one.revoked_at,
    }
