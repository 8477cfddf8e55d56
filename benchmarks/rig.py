"""What the benchmarks share: a database with one shop, one trigger and one carrier account, the simulated carrier, orders."""

from __future__ import annotations

import base64
import copy
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from bellwire.config import Config, load
from bellwire.engine.process import open_store
from bellwire.engine.runtime import Engine
from bellwire.model import Installation, Purpose, WebhookRequest
from bellwire.plugins import load_plugins
from bellwire.store import carrier_accounts, installations, migrate, schema, templates, tenants, triggers
from bellwire.store.tenancy import TenantConnection

SHOP = "example.myshopify.com"
TEXT = (
    "Hi {{ customer.first_name }}, {{ order.name }} ({{ order.total | money: order.currency }}) is with us: {{ order.status_url }}"
)
ROUNDS = int(os.environ.get("ROUNDS", "5"))
DATABASES = os.environ.get("DATABASES", "sqlite").split(",")  # DATABASES=sqlite,postgresql with POSTGRES_URL set


@dataclass(frozen=True)
class Site:
    """An engine on a fresh database, and the ids that benchmarks need."""

    engine: Engine
    config: Config
    environ: dict[str, str]
    tenant_id: uuid.UUID
    installation: Installation
    webhook_path: str
    account_id: uuid.UUID


@contextmanager
def site(
    database: str,
    *,
    carrier_url: str = "",
    delay_s: int = 0,
    settings: dict[str, Any] | None = None,
    write_back: str = "off",
    shop_url: str = "",
    port: int = 8099,
    place: int = 1,
) -> Iterator[Site]:
    """A fresh database with everything on: trigger with a condition, template, rate, prices and balance.

    `port`: where a server of it listens, if receipts are to find it; `shop_url`: who takes what is written back; `place`: 1, or
    2 for another database at the same time (on PostgreSQL one that is made beside the first).
    """
    with tempfile.TemporaryDirectory(prefix="bellwire-bench-") as directory:
        url = f"sqlite:///{directory}/bench.db" if database == "sqlite" else _postgres_url(place)
        environ = {
            "BELLWIRE_DATABASE_URL": url,
            "BELLWIRE_SECRET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "BELLWIRE_ALLOW_PRIVATE_ADDRESSES": "1",
            "BELLWIRE_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "BELLWIRE_LOG_LEVEL": "error",
            "BELLWIRE_HOOK_QUOTA_PER_MINUTE": "0",
        }
        if database != "sqlite":
            _empty(url)
        migrate.upgrade(url)
        config = load(environ, Path(directory))
        store = open_store(config)
        engine = Engine(config, store, load_plugins(config.plugins))
        try:
            yield _furnish(
                engine, config, environ, carrier_url, delay_s, settings or {}, {"write_back": write_back, "base_url": shop_url}
            )
        finally:
            store.close()


def _furnish(
    engine: Engine,
    config: Config,
    environ: dict[str, str],
    carrier_url: str,
    delay_s: int,
    settings: dict[str, Any],
    shop: dict[str, str],
) -> Site:
    store, plugins, now = engine.store, engine.plugins, datetime.now(UTC)

    def make(connection: sa.Connection) -> uuid.UUID:
        tenant = tenants.create(connection, store.vault, slug="bench", country="US", now=now)
        scoped = TenantConnection(connection, tenant.id)
        common = {"allow_private": True, "actor": "bench", "now": now}
        carrier_accounts.create(
            scoped,
            store.vault,
            plugins.carriers["sandbox"],
            name="carrier",
            credentials={"api_key": "bench"} if carrier_url else {},
            settings={
                "rate": 10_000,
                "burst": 1_000,
                "prices": {"default": "0.0075"},
                "currency": "USD",
                **({"base_url": carrier_url} if carrier_url else {}),
                **settings,
            },
            **common,
        )
        installations.create(
            scoped,
            store.vault,
            plugins.connectors["shopify"],
            name="Shop",
            credentials={"shop": SHOP, "client_secret": "bench-secret", "access_token": "shpat_demo"},
            settings={name: value for name, value in shop.items() if value},
            **common,
        )
        templates.create(
            scoped, name="order", purpose=Purpose.TRANSACTIONAL, bodies={"en": TEXT}, options={}, actor="bench", now=now
        )
        templates.approve(scoped, "order", 1, actor="bench", now=now)
        definition = {
            "all": [{"field": "order.total", "op": ">", "value": 100}],
            "any": [],
            "template": "order",
            "recipient": "customer",
            "purpose": "transactional",
            "delay_s": delay_s,
        }
        draft = triggers.Draft(
            name="order", connector="shopify", installation_id=None, event="order.created", definition=definition, state="on"
        )
        triggers.create(scoped, draft, actor="bench", now=now)
        connection.execute(sa.insert(schema.balances), {"tenant_id": tenant.id, "currency": "USD", "micros": 10**12})
        tenants.bump(scoped)
        return tenant.id

    tenant_id = store.write(make, wait_s=10)
    with store.engine.connect() as connection:
        held = engine.configs.get(connection, tenant_id, now)
    if held is None:
        raise RuntimeError("the bench tenant is not there")
    installation = next(iter(held.config.installations.values())).value
    return Site(
        engine=engine,
        config=config,
        environ=environ,
        tenant_id=tenant_id,
        installation=installation,
        webhook_path=installation.webhook_url.removeprefix(environ["BELLWIRE_PUBLIC_URL"]),
        account_id=held.config.accounts[0].value.id,
    )


def _postgres_url(place: int) -> str:
    """The URL of the database for benchmarks, or of another beside it, which needs the right to make one."""
    first = sa.make_url(os.environ["POSTGRES_URL"])
    if place == 1:
        return os.environ["POSTGRES_URL"]
    second = first.set(database=f"{first.database}_{place}")
    engine = sa.create_engine(first.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        known = sa.text("SELECT 1 FROM pg_database WHERE datname = :name")
        if connection.execute(known, {"name": second.database}).first() is None:
            quoted = engine.dialect.identifier_preparer.quote_identifier(second.database or "")
            connection.exec_driver_sql(f"CREATE DATABASE {quoted}")
    engine.dispose()
    return second.render_as_string(hide_password=False)


def _empty(url: str) -> None:
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    engine.dispose()


def signed_orders(site: Site, count: int, first: int = 1) -> list[WebhookRequest]:
    """Deliveries of orders/create, each another order of another buyer, signed as Shopify signs."""
    connector = site.engine.plugins.connectors["shopify"]
    sample = json.loads(resources.files("bellwire_connectors.shopify").joinpath("samples/order_created.json").read_text("utf-8"))
    now, made = datetime.now(UTC), []
    for number in range(first, first + count):
        body, order_id = copy.deepcopy(sample["body"]), 10**15 + number
        body |= {
            "id": order_id,
            "admin_graphql_api_id": f"gid://shopify/Order/{order_id}",
            "name": f"#{number}",
            "checkout_token": f"c{number}",
        }
        body["phone"] = f"+1202{2_000_000 + number % 7_900_000:07d}"
        headers = {name.lower(): value for name, value in sample["headers"].items()}
        headers |= {"x-shopify-webhook-id": str(uuid.uuid4()), "x-shopify-triggered-at": now.isoformat()}
        request = WebhookRequest(headers=headers, body=json.dumps(body).encode(), received_at=now)
        made.append(connector.sign(request, site.installation))
    return made


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def bellwire(*words: str) -> list[str]:
    """The command as an installation runs it: without chardet, which a developer's tool brings and which costs a process 2.7 MB."""
    start = "import sys; sys.modules['chardet'] = None; from bellwire.cli import main; main()"
    return [sys.executable, "-c", start, *words]


@contextmanager
def simulated_carrier(*options: str) -> Iterator[str]:
    """A carrier process on loopback; its URL."""
    command = [sys.executable, "-m", "bellwire", "simulate-carrier", "--port", "0", "--with-parent", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        if process.stdout is None:
            raise RuntimeError("no output")
        yield json.loads(process.stdout.readline())["listening"]
    finally:
        process.terminate()
        process.wait()


@contextmanager
def stolen(shares: list[float]) -> Iterator[None]:
    """Append what the host of this virtual machine gave to others of its CPU time meanwhile, in percent; 0 where unknown."""
    before = _cpu_times()
    yield
    spent = [after - one for after, one in zip(_cpu_times(), before, strict=True)]
    shares.append(100 * spent[7] / max(sum(spent), 1))


def _cpu_times() -> list[int]:
    """Of all CPUs together: user, nice, system, idle, iowait, irq, softirq, steal (Linux, proc(5))."""
    try:
        return [int(value) for value in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    except OSError:
        return [0] * 8


def report(name: str, values: Sequence[float], unit: str, bar: str = "") -> float:
    """Print one line: median, all rounds, and the bar it is held against; the median."""
    middle = statistics.median(values)
    print(f"{name:58s} {middle:10.3f} {unit:8s} {bar:10s} [{', '.join(f'{value:.3f}' for value in values)}]", flush=True)
    return middle
