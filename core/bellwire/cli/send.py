"""`bellwire send`: one text, as the API sends it."""

from __future__ import annotations

import click

from bellwire.cli.opened import opened_engine, tenant_id
from bellwire.cli.output import json_option, print_json, say
from bellwire.cli.setup import Setup
from bellwire.engine import sending
from bellwire.errors import FieldInvalid
from bellwire.ids import show
from bellwire.model import Purpose
from bellwire.store import messages
from bellwire.store.schema import STATUS_OF


@click.command()
@click.argument("to")
@click.argument("body", required=False)
@click.option("--tenant", required=True, metavar="SLUG", help="Whose text, by slug or ten_… id.")
@click.option("--template", default=None, help="A template's name instead of a text.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A template's variable, as in order.name=#1001.")
@click.option("--locale", default="", help="The language to write in.")
@click.option(
    "--purpose", type=click.Choice([str(one) for one in Purpose]), default=None, help="Default: the template's, or transactional."
)
@click.option("--at", default=None, help="When: 2h, or 2026-12-01T09:00:00+05:00. Default: now.")
@json_option
@click.pass_context
def send(
    context: click.Context,
    to: str,
    body: str | None,
    tenant: str,
    template: str | None,
    values: tuple[str, ...],
    locale: str,
    purpose: str | None,
    at: str | None,
    as_json: bool,
) -> None:
    """Store a text to TO; a running `serve` or `work` sends it. Exit code 1 when policy refuses it.

    \b
    Examples:
      bellwire send +998901234567 "Your order is ready" --tenant acme
      bellwire send +998901234567 --template order_ready --set order.name=#1001 --tenant acme
    """
    setup: Setup = context.obj
    request = sending.SendRequest(
        to=to,
        body=body,
        template=template,
        variables=dict(_pair(one) for one in values),
        locale=locale,
        purpose=Purpose(purpose) if purpose else None,
        send_at=at,
    )
    with opened_engine(setup) as engine:
        tenant_key = tenant_id(engine.store, tenant)
        (result,) = sending.send(engine, tenant_key, [request], author="cli")
        if isinstance(result, FieldInvalid):
            raise result
        with engine.store.for_tenant(tenant_key).reading() as connection:
            found = messages.status(connection, result)
        status, reason = STATUS_OF[found.status], found.reason
    if as_json:
        print_json({"id": show("msg", result), "status": status, "reason": reason})
    else:
        say(f"{show('msg', result)} is {status}{f': {reason}' if reason else ''}.")
    context.exit(1 if reason else 0)


def _pair(written: str) -> tuple[str, str]:
    name, equals, value = written.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{written!r} is not NAME=VALUE", param_hint="--set")
    return name, value
