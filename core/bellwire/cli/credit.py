"""`bellwire credit`: what a tenant may spend. Without any credit ever set nothing is checked."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import click

from bellwire.cli.opened import opened_store, tenant_id
from bellwire.cli.output import json_option, print_json, print_table, say
from bellwire.cli.setup import Setup
from bellwire.domain import pricing, tenant_settings
from bellwire.errors import FieldInvalid
from bellwire.ids import show
from bellwire.store import money, tenants
from bellwire.store.money import Balance, Entry
from bellwire.store.tenancy import TenantConnection

_MOST_DIGITS = 12  # before the point: what is longer is refused before anybody computes with it


@click.group()
def credit() -> None:
    """Give a tenant credit, take it back, and show its balance and ledger."""


@credit.command(context_settings={"ignore_unknown_options": True})  # so that -5.00 is an amount
@click.argument("slug")
@click.argument("amount")
@click.option("--currency", default=None, metavar="CUR", help="As in USD. Default: the balance's, the tenant's, or USD.")
@click.option("--note", default="", help="What it is for; kept in the ledger.")
@json_option
@click.pass_obj
def add(setup: Setup, slug: str, amount: str, currency: str | None, note: str, as_json: bool) -> None:
    """Add AMOUNT to a tenant's balance; a negative one takes it back.

    The first credit switches the check on: from then on a text that the balance does not cover is refused as no_funds.

    \b
    Examples:
      bellwire credit add acme 100.00 --currency USD --note "invoice 2027-014"
      bellwire credit add acme -5.00 --note "given by mistake"
    """
    wanted = _decimal(amount)
    with opened_store(setup) as store:

        def book(connection: TenantConnection) -> tuple[Entry, Balance | None]:
            used = _currency(connection, currency)
            entry = money.credit(connection, amount=wanted, currency=used, note=note, actor="cli", now=datetime.now(UTC))
            return entry, money.balance(connection)

        entry, balance = store.for_tenant(tenant_id(store, slug)).write(book)
    if as_json:
        print_json({**_shown(entry), "balance": shown_balance(balance)})
    else:
        left = f" {pricing.shown(balance.left)} {balance.currency} are left to spend." if balance else ""
        say(f"{pricing.shown(entry.amount)} {entry.currency} booked as {show('led', entry.id)}.{left}")


@credit.command("show")
@click.argument("slug")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="Lines of the ledger.")
@json_option
@click.pass_obj
def show_(setup: Setup, slug: str, limit: int, as_json: bool) -> None:
    """Show a tenant's balance and the newest lines of its ledger.

    \b
    Example: bellwire credit show acme
    """
    with opened_store(setup) as store, store.for_tenant(tenant_id(store, slug)).reading() as connection:
        balance, entries = money.balance(connection), money.entries(connection, limit=limit).items
    if as_json:
        print_json({"balance": shown_balance(balance), "ledger": [_shown(one) for one in entries]})
        return
    if balance is None:
        say("No credit was ever set: nothing is checked.")
        return
    given, spent, reserved, left = map(pricing.shown, (balance.credit, balance.spent, balance.reserved, balance.left))
    say(f"{left} {balance.currency} left: {given} given, {spent} spent, {reserved} reserved.")
    print_table(
        ["at", "kind", "amount", "texts", "note", "entry"],
        [
            (one.at, one.kind, f"{pricing.shown(one.amount)} {one.currency}", one.messages, one.note, show("led", one.id))
            for one in entries
        ],
    )


def _currency(connection: TenantConnection, given: str | None) -> str:
    if given is None:
        held = money.balance(connection)
        return held.currency if held is not None else str(tenants.get(connection).settings.get("currency", "USD"))
    try:
        return str(tenant_settings.check({"currency": given.upper()})["currency"])
    except FieldInvalid as e:
        raise FieldInvalid("currency", e.message, e.code) from e


def _decimal(written: str) -> Decimal:
    try:
        amount = Decimal(written)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount.adjusted() > _MOST_DIGITS:
        raise click.BadParameter(f"{written!r} is no amount such as 100.00", param_hint="AMOUNT")
    return amount


def shown_balance(balance: Balance | None) -> dict[str, object]:
    """A balance as the API shows it: all null when no credit was ever set."""
    return {name: getattr(balance, name, None) for name in ("currency", "credit", "reserved", "spent", "left")}


def _shown(one: Entry) -> dict[str, object]:
    return {
        "id": show("led", one.id),
        "kind": one.kind,
        "amount": one.amount,
        "currency": one.currency,
        "messages": one.messages,
        "note": one.note,
        "at": one.at,
    }
