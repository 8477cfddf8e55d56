"""`try --tenant`: a sample decided by a tenant's own triggers, texts, prices and consent, and nothing stored of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire.cli.opened import tenant_id
from bellwire.model import Purpose
from bellwire.store import carrier_accounts, schema, templates, triggers
from bellwire.store.tenancy import TenantConnection
from bellwire.store.triggers import Draft
from standins.shell import Shell

WHO = "+12025550142"  # the buyer of Shopify's samples


@pytest.fixture
def acme(shell: Shell) -> Shell:
    """A tenant that texts about paid orders above a sum, at a price."""
    shell.acme()
    with shell.engine() as engine:
        key, now = tenant_id(engine.store, "acme"), datetime.now(UTC)
        carrier = engine.plugins.carriers["sandbox"]

        def stock(c: TenantConnection) -> None:
            (kept,) = carrier_accounts.listed(c, engine.vault, limit=2).items
            prices = {"currency": "USD", "prices": {"default": "0.02"}}
            carrier_accounts.change(c, engine.vault, carrier, kept.id, settings=prices, allow_private=True, actor="cli", now=now)
            text = {"en": "{{ customer.first_name }}, thank you for {{ order.total }} {{ order.currency }}."}
            templates.create(c, name="paid", purpose=Purpose.TRANSACTIONAL, bodies=text, options={}, actor="cli", now=now)
            templates.approve(c, "paid", 1, actor="cli", now=now)
            for name, least in (("large", "10.00"), ("huge", "100000.00")):
                conditions = [{"field": "order.total", "op": ">=", "value": least}]
                definition: dict[str, Any] = {"template": "paid", "all": conditions}
                draft = Draft(
                    name=name, connector="shopify", installation_id=None, event="order.paid", definition=definition, state="on"
                )
                triggers.create(c, draft, actor="cli", now=now)

        engine.store.for_tenant(key).write(stock)
    return shell


def counts(shell: Shell) -> dict[str, int]:
    """How many rows each table has."""
    with shell.engine() as engine, engine.store.engine.connect() as connection:
        return {
            one.name: connection.execute(sa.select(sa.func.count()).select_from(one)).scalar_one()
            for one in schema.META.sorted_tables
        }


def test_by_the_tenant_s_own_triggers(acme: Shell) -> None:
    before = counts(acme)
    [decided] = acme.json("try", "shopify", "order_paid", "--tenant", "acme")["decided"]
    assert (decided["by"], decided["event"]) == ("acme", "order.paid")
    large, huge = sorted(decided["entries"], key=lambda one: one["trigger"], reverse=True)
    assert (large["trigger"], large["outcome"], large["price"], large["currency"]) == ("large", "sent", "0.02", "USD")
    assert (large["text"], large["segments"], large["encoding"]) == ("Ana, thank you for 404.95 USD.", 1, "gsm7")
    assert (huge["outcome"], huge["text"], huge["conditions"][0]["matched"]) == ("not_matched", "", False)
    assert counts(acme) == before, "nothing is stored"


def test_what_a_person_reads(acme: Shell) -> None:
    lines = acme("try", "shopify", "order_paid", "--tenant", "acme").stdout.splitlines()
    told = lines[next(place for place, line in enumerate(lines) if line.startswith("decide")) :]
    assert 'decide: huge: not_matched (all.0: order.total >= "100000.00" (saw "404.95"))' in told
    assert '  holds: all.0: order.total >= "10.00" (saw "404.95")' in told
    assert "  Ana, thank you for 404.95 USD." in told
    assert not any(WHO in line for line in told), "what is decided shows no whole number"


def test_consent_counts(acme: Shell) -> None:
    file = acme.folder / "stop.csv"
    file.write_text(f"msisdn,state,source,at\n{WHO},opted_out,admin,2026-01-01T00:00:00Z\n")
    acme("import", "consents", file, "--tenant", "acme")
    [decided] = acme.json("try", "shopify", "order_paid", "--tenant", "acme")["decided"]
    assert ("refused", "opted_out") in [(one["outcome"], one["reason"]) for one in decided["entries"]]


def test_without_a_trigger(acme: Shell) -> None:
    [decided] = acme.json("try", "shopify", "order_created", "--tenant", "acme")["decided"]
    assert [one["outcome"] for one in decided["entries"]] == ["no_trigger"]


def test_a_tenant_that_is_not_there(acme: Shell) -> None:
    assert "nobody" in acme("try", "shopify", "order_paid", "--tenant", "nobody", code=1).stderr
