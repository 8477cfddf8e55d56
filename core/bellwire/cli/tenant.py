"""`bellwire tenant`: whose data is kept apart, where they are at home, and what they have set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click
import sqlalchemy as sa

from bellwire.cli.credit import shown_balance
from bellwire.cli.opened import opened_store, tenant_id
from bellwire.cli.output import json_option, print_json, print_table, say
from bellwire.cli.setup import Setup
from bellwire.domain import locales, pricing, tenant_settings
from bellwire.domain.scopes import Scope
from bellwire.errors import FieldInvalid
from bellwire.ids import show
from bellwire.store import keys, money, tenants
from bellwire.store.database import reading
from bellwire.store.tenancy import TenantConnection
from bellwire.store.tenants import Tenant

_COLUMNS = ("name", "country", "locale", "timezone")
_LISTS = frozenset({"countries", "links"})


@click.group()
def tenant() -> None:
    """Make tenants, list them, change them. Each has its own numbers, consent, accounts and keys."""


@tenant.command()
@click.argument("slug")
@click.option("--country", required=True, metavar="CC", help="Home country, as in UZ: numbers without + are read there.")
@click.option("--name", default="", help="As texts may call it; the slug when not given.")
@click.option("--locale", default="en", show_default=True, metavar="L", help="The language texts fall back to, as in uz-Latn-UZ.")
@click.option("--timezone", default="", metavar="TZ", help="As in Asia/Tashkent; the country's own when not given.")
@json_option
@click.pass_obj
def create(setup: Setup, slug: str, country: str, name: str, locale: str, timezone: str, as_json: bool) -> None:
    """Make a tenant and its first API key, which is shown this once.

    \b
    Example: bellwire tenant create acme --country UZ --locale uz-Latn-UZ
    """
    spoken = _locale(locale)
    with opened_store(setup) as store:

        def make(connection: sa.Connection) -> tuple[Tenant, str]:
            now = datetime.now(UTC)
            made = tenants.create(
                connection, store.vault, slug=slug, country=country, now=now, name=name, locale=spoken, timezone=timezone
            )
            scoped = TenantConnection(connection, made.id)
            _, key = keys.create(scoped, name="first", scopes={Scope.ADMIN}, expires_at=None, actor="cli", now=now)
            return made, key

        made, key = store.write(make, wait_s=10)
    if as_json:
        print_json({"tenant_id": show("ten", made.id), "slug": made.slug, "api_key": key})
        return
    say(f"Tenant {made.slug} ({show('ten', made.id)}), {made.country}, {made.timezone}.")
    say(f"Its first API key, shown this once: {key}")


@tenant.command("list")
@json_option
@click.pass_obj
def list_(setup: Setup, as_json: bool) -> None:
    """List the tenants, oldest first."""
    with opened_store(setup) as store, reading(store.engine) as connection:
        found = tenants.listed(connection)
    if as_json:
        print_json({"items": [_shown(one) for one in found]})
        return
    print_table(
        ["tenant", "id", "name", "country", "locale", "time zone", "since"],
        [(one.slug, show("ten", one.id), one.name, one.country, one.locale, one.timezone, one.created_at) for one in found],
        empty="There is no tenant yet: bellwire tenant create SLUG --country CC",
    )


@tenant.command("show")
@click.argument("slug")
@json_option
@click.pass_obj
def show_(setup: Setup, slug: str, as_json: bool) -> None:
    """Show a tenant, what it has set, and its balance. SLUG may be a ten_… id."""
    with opened_store(setup) as store, store.for_tenant(tenant_id(store, slug)).reading() as connection:
        found, balance = tenants.get(connection), money.balance(connection)
    if as_json:
        print_json({**_shown(found), "balance": shown_balance(balance)})
    else:
        _print(found)
        say(
            f"balance: {pricing.shown(balance.left)} {balance.currency} left"
            if balance
            else "balance: no credit was set, none is checked"
        )


@tenant.command("set")
@click.argument("slug")
@click.argument("changes", metavar="KEY=VALUE...", nargs=-1, required=True)
@json_option
@click.pass_obj
def set_(setup: Setup, slug: str, changes: tuple[str, ...], as_json: bool) -> None:
    """Change a tenant: name, country, locale, timezone, and its settings.

    Settings are consent, quiet_hours, countries, links, currency and expires_in. A value is a text, a list with commas, or JSON;
    a part of one is named with a dot, and KEY= takes it out. What is decided from then on goes by it.

    \b
    Examples:
      bellwire tenant set acme quiet_hours=21:00-08:00 countries=UZ,KZ
      bellwire tenant set acme consent.transactional=explicit expires_in.otp=5m
      bellwire tenant set acme 'quiet_hours={"quiet": "20:00-09:00", "transactional": true}'
      bellwire tenant set acme timezone=Asia/Tashkent countries=
    """
    pairs = [_pair(one) for one in changes]
    with opened_store(setup) as store:

        def change(connection: TenantConnection) -> Tenant:
            tenants.hold(connection)
            wanted = _changes(pairs, tenants.get(connection).settings)
            return tenants.change(connection, wanted, actor="cli", now=datetime.now(UTC))

        changed = store.for_tenant(tenant_id(store, slug)).write(change)
    if as_json:
        print_json(_shown(changed))
    else:
        _print(changed)


def _changes(pairs: list[tuple[str, str]], current: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for as `tenants.change` takes it. Raises FieldInvalid naming the key."""
    columns: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for key, written in pairs:
        if key == "locale":
            columns[key] = _locale(written)
        elif key in _COLUMNS:
            if not written:
                raise FieldInvalid(key, "can't be taken out", "required")
            columns[key] = written
        else:
            name, _, part = key.partition(".")
            settings[name] = _with_part(settings.get(name, current.get(name)), key, written) if part else _value(name, written)
    checked = tenant_settings.check(settings)
    return {**columns, "settings": checked} if checked else columns


def _with_part(whole: Any, key: str, written: str) -> Any:
    """A setting with one part of it changed; None once nothing is left of it."""
    name, _, part = key.partition(".")
    if whole is not None and not isinstance(whole, Mapping):
        raise FieldInvalid(f"settings.{key}", f"{name} is no object now; set it whole", "wrong_type")
    made = {**(whole or {}), part: _value(part, written)}
    return {one: value for one, value in made.items() if value is not None} or None


def _value(name: str, written: str) -> Any:
    """JSON where it is some, else the text; a list's text is split at its commas. None: take it out."""
    if not written:
        return None
    try:
        value = json.loads(written)
    except ValueError:
        value = written
    if name in _LISTS and isinstance(value, str):
        return [one.strip() for one in value.split(",") if one.strip()]
    return value


def _pair(written: str) -> tuple[str, str]:
    key, equals, value = written.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{written!r} is not KEY=VALUE", param_hint="KEY=VALUE")
    return key.strip(), value.strip()


def _locale(written: str) -> str:
    spoken = locales.exactly(written)
    if not spoken:
        raise FieldInvalid("locale", f"must be a language such as es-CO, uz-Latn-UZ or hr, and not {written[:64]!r}", "pattern")
    return spoken


def _shown(one: Tenant) -> dict[str, object]:
    return {
        "id": show("ten", one.id),
        "slug": one.slug,
        "name": one.name,
        "country": one.country,
        "locale": one.locale,
        "timezone": one.timezone,
        "settings": one.settings,
        "created_at": one.created_at,
    }


def _print(one: Tenant) -> None:
    say(f"Tenant {one.slug} ({show('ten', one.id)}): {one.name}, {one.country}, {one.locale}, {one.timezone}.")
    rows = [(name, json.dumps(value, ensure_ascii=False)) for name, value in sorted(one.settings.items())]
    print_table(["setting", "value"], rows, empty="Nothing is set: the defaults hold.")
