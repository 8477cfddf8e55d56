"""The engine with a real database: one tenant, its accounts, triggers and texts, and pumps that send. For the engine's tests."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from bellwire.config import Config
from bellwire.domain.consent import Source, Statement
from bellwire.engine import dlrs, intake, sending
from bellwire.engine.pump import Pump
from bellwire.engine.runtime import Engine
from bellwire.errors import FieldInvalid
from bellwire.ids import new_id, show
from bellwire.model import Carrier, CarrierAccount, ConsentState, Dlr, Event, Installation, Person, Purpose, Status
from bellwire.plugins import Plugins, load_plugins
from bellwire.store import Store, carrier_accounts, contacts, installations, routes, schema, templates, tenants, triggers
from bellwire.store.database import reading
from bellwire.store.schema import STATUS_CODES, STATUS_OF
from bellwire.store.types import AnyRow
from bellwire.store.vault import Vault

ALICE = "+998901234567"
BOB = "+998901234568"
SECRET = os.urandom(32)


class Clock:
    """The wall clock, set by `shift`: what a machine shows whose clock somebody moves."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.shift

    def forward(self, **span: float) -> None:
        self.shift += timedelta(**span)


def number(place: int) -> str:
    """One of many numbers, none of which means anything to the sandbox."""
    return f"+99890{place + 1_000_000:07d}"


def until(found: Callable[[], Any], what: str = "it never held", within_s: float = 10.0) -> Any:
    """Come back with what `found` gives, as soon as that is true."""
    ends, pause = time.monotonic() + within_s, 0.002
    while not (result := found()):
        assert time.monotonic() < ends, what
        time.sleep(pause)
        pause = min(pause * 1.25, 0.02)  # who asks takes time from who answers
    return result


class World:
    """One process: an engine and a tenant. `worker` makes another process of the same database."""

    def __init__(self, url: str, *, plugins: Plugins | None = None, carriers: Sequence[Carrier] = (), settings: Any = None) -> None:
        self.url, self._ends = url, ExitStack()
        found = plugins or load_plugins(only=("sandbox", "shopify"))
        self.plugins = replace(found, carriers={**found.carriers, **{one.name: one for one in carriers}})
        if "shopify" in found.connectors:  # its events here are about `order/1`, on which no shop could write
            anything = replace(found.connectors["shopify"], writes_on=None)
            self.plugins = replace(self.plugins, connectors={**found.connectors, "shopify": anything})
        self.clock = Clock()
        self.engine = self._engine()
        self.tenant_id = self.tenant("acme", settings=settings)

    def _engine(self, **config: Any) -> Engine:
        made = Config(database_url=self.url, allow_private_addresses=True, public_url="http://127.0.0.1:9", **config)
        store = Store.open(self.url, Vault(SECRET))
        self._ends.callback(store.close)
        return Engine(made, store, self.plugins, now=self.clock)

    def close(self) -> None:
        """Drain pumps and close databases, the newest first."""
        self._ends.close()

    # -- what the tenant has ------------------------------------------------------------------------------------

    def tenant(self, slug: str, *, country: str = "UZ", settings: Mapping[str, Any] | None = None) -> UUID:
        vault = self.engine.vault
        made = self.engine.write(lambda c: tenants.create(c, vault, slug=slug, country=country, now=self.clock()))
        if settings:
            self.change(lambda c: tenants.change(c, {"settings": settings}, actor="cli", now=self.clock()), of=made.id)
        return made.id

    def change(self, run: Callable[[Any], Any], *, of: UUID | None = None) -> Any:
        """Run a store function for the tenant and commit."""
        return self.engine.store.for_tenant(of or self.tenant_id).write(run)

    def account(
        self, carrier: str = "sandbox", *, of: UUID | None = None, credentials: Mapping[str, str] | None = None, **settings: Any
    ) -> UUID:
        vault, value = self.engine.vault, self.plugins.carriers[carrier]
        return self.change(
            lambda c: carrier_accounts.create(
                c,
                vault,
                value,
                name="",
                credentials=credentials or {},
                settings=settings,
                allow_private=True,
                actor="cli",
                now=self.clock(),
            ),
            of=of,
        ).id

    def set_account(self, account_id: UUID, **changes: Any) -> None:
        row = schema.carrier_accounts
        value = self.plugins.carriers[self.one(sa.select(row.c.carrier).where(row.c.id == account_id)).carrier]
        vault = self.engine.vault
        self.change(
            lambda c: carrier_accounts.change(
                c, vault, value, account_id, allow_private=True, actor="cli", now=self.clock(), **changes
            )
        )

    def policy(self, **policy: Any) -> None:
        shown = {name: [show("acc", one) for one in ids] for name, ids in policy.items() if name in ("primary", "backup")}
        self.change(lambda c: routes.put(c, {**policy, **shown}, actor="cli", now=self.clock()))

    def template(self, name: str = "shipped", body: str = "Order {{ order.name }}", *, purpose: str = "transactional") -> None:
        def make(c: Any) -> None:
            templates.create(c, name=name, purpose=Purpose(purpose), bodies={"en": body}, options={}, actor="cli", now=self.clock())
            templates.approve(c, name, 1, actor="cli", now=self.clock())

        self.change(make)

    def installation(self) -> UUID:
        credentials = {"shop": "acme.myshopify.com", "client_secret": "s" * 32, "access_token": "t" * 32}
        return self.install("shopify", credentials, {"write_back": "all"})

    def install(self, name: str, credentials: Mapping[str, Any], settings: Mapping[str, Any]) -> UUID:
        """An account of the tenant's at a platform."""
        vault, connector = self.engine.vault, self.plugins.connectors[name]
        return self.change(
            lambda c: installations.create(
                c,
                vault,
                connector,
                name="Acme",
                credentials=credentials,
                settings=settings,
                allow_private=True,
                actor="cli",
                now=self.clock(),
            )
        ).id

    def trigger(
        self, event: str, template: str = "shipped", *, connector: str = "shopify", state: str = "on", **definition: Any
    ) -> UUID:
        draft = triggers.Draft(
            name=f"{event} {new_id()}",
            connector=connector,
            installation_id=None,
            event=event,
            definition={"template": template, **definition},
            state=state,
        )
        return self.change(lambda c: triggers.create(c, draft, actor="cli", now=self.clock() - timedelta(days=2))).id

    def credit(self, amount: str, *, of: UUID | None = None) -> None:
        """Give the tenant money to spend."""
        tenant_id, micros = of or self.tenant_id, int(Decimal(amount) * 1_000_000)

        def put(c: sa.Connection) -> None:
            c.execute(sa.insert(schema.balances), {"tenant_id": tenant_id, "currency": "USD", "micros": micros})
            entry = {"id": new_id(), "tenant_id": tenant_id, "kind": "credit", "micros": micros, "currency": "USD"}
            c.execute(sa.insert(schema.ledger), {**entry, "messages": 0, "note": "", "at": self.clock()})
            t = schema.tenants.c
            c.execute(sa.update(schema.tenants).where(t.id == tenant_id).values(config_version=t.config_version + 1))

        self.engine.write(put)

    def say(self, msisdn: str, state: ConsentState, purpose: Purpose | None = None, source: Source = Source.REPLY) -> bool:
        """Let a person say something about consent, as a reply does."""
        statement = Statement(purpose=purpose, state=state, source=source, at=self.clock())
        contact_id = self.contact_id(msisdn)
        return self.engine.write(lambda c: contacts.say(c, self.tenant_id, contact_id, statement, self.clock()))

    def contact_id(self, msisdn: str) -> UUID:
        with reading(self.engine.store.engine) as connection:
            index = self.held().index
            return next(row.id for row in contacts.by_index(connection, self.tenant_id, [index.of(msisdn)]))  # type: ignore[arg-type]

    # -- what happens -------------------------------------------------------------------------------------------

    def send(self, to: str = ALICE, body: str = "Hello", *, of: UUID | None = None, **more: Any) -> UUID:
        """Ask for one text, as the API does; its id."""
        [made] = self.send_all([sending.SendRequest(to=to, body=None if more.get("template") else body, **more)], of=of)
        return made

    def send_all(self, requests: Sequence[sending.SendRequest], *, of: UUID | None = None) -> list[UUID]:
        made = sending.send(self.engine, of or self.tenant_id, requests)
        wrong = [one for one in made if isinstance(one, FieldInvalid)]
        assert not wrong, wrong
        return [one for one in made if isinstance(one, UUID)]

    def send_many(self, count: int, *, first: int = 0, of: UUID | None = None, **more: Any) -> list[UUID]:
        """One text to each of many people."""
        return self.send_all([sending.SendRequest(to=number(first + n), body="Hello", **more) for n in range(count)], of=of)

    def held(self) -> Any:
        with reading(self.engine.store.engine) as connection:
            return intake.configured(self.engine, connection, self.tenant_id)

    def shop(self, installation_id: UUID) -> Installation:
        return self.held().config.installations[installation_id].value

    def take(self, installation_id: UUID, *events: Event, engine: Engine | None = None, **more: Any) -> intake.Taken:
        """Let the platform report events."""
        engine = engine or self.engine
        with reading(engine.store.engine) as connection:
            held = intake.configured(engine, connection, self.tenant_id)
        return intake.take_events(engine, held, held.config.installations[installation_id].value, events, **more)

    def pump(self, *, start: bool = True, room: int = 256, engine: Engine | None = None) -> Pump:
        """A pump of this process (or of another's engine); drained at the end."""
        pump = Pump(engine or self.engine, room=room)
        self._ends.callback(pump.drain, 0.5)
        if start:
            pump.start()
        return pump

    def worker(self) -> Engine:
        """The engine of another process."""
        return self._engine()

    def receipt(self, account_id: UUID, dlr: Dlr, *, message_id: UUID | None = None, engine: Engine | None = None) -> None:
        """Let the carrier report, to a URL that names the message or not."""
        engine = engine or self.engine
        dlrs.accept(engine, dlrs.read(self.carrier_account(account_id), [dlr], message_id, self.clock()))

    # -- what became of it --------------------------------------------------------------------------------------

    def all(self, statement: sa.Select[Any]) -> Sequence[AnyRow]:
        with reading(self.engine.store.engine) as connection:
            return connection.execute(statement).all()

    def one(self, statement: sa.Select[Any]) -> AnyRow:
        [row] = self.all(statement)
        return row

    def message(self, message_id: UUID) -> AnyRow:
        return self.one(sa.select(schema.messages).where(schema.messages.c.id == message_id))

    def messages(self) -> Sequence[AnyRow]:
        return self.all(sa.select(schema.messages).order_by(schema.messages.c.id))

    def status(self, message_id: UUID) -> Status:
        return STATUS_OF[self.message(message_id).status]

    def statuses(self) -> Counter[str]:
        m = schema.messages.c
        return Counter(
            {
                str(STATUS_OF[row.status]): row.n
                for row in self.all(sa.select(m.status, sa.func.count().label("n")).group_by(m.status))
            }
        )

    def wait(self, message_id: UUID, *statuses: Status, within_s: float = 10.0) -> AnyRow:
        """The message, once it has one of these statuses."""
        codes = {STATUS_CODES[status] for status in statuses}

        def there() -> AnyRow | None:
            row = self.message(message_id)
            return row if row.status in codes else None

        ends = time.monotonic() + within_s
        while (row := there()) is None:
            assert time.monotonic() < ends, f"{self.status(message_id)} and not {', '.join(statuses)}: {self.message(message_id)}"
            time.sleep(0.005)
        return row

    def wait_for(self, within_s: float = 20.0, **counts: int) -> None:
        """Come back once so many messages have these statuses."""
        ends = time.monotonic() + within_s
        while any((seen := self.statuses())[name] != count for name, count in counts.items()):
            assert time.monotonic() < ends, f"{dict(seen)} and not {counts}"
            time.sleep(0.01)

    def decisions(self, event: str) -> list[dict[str, Any]]:
        """The entries of an event, by its shown id."""
        row = self.one(sa.select(schema.decisions.c.entries).where(schema.decisions.c.event_id == UUID(hex=event[4:])))
        return list(row.entries)

    def attempts(self, message_id: UUID) -> Sequence[AnyRow]:
        a = schema.attempts
        return self.all(sa.select(a).where(a.c.message_id == message_id).order_by(a.c.number, a.c.id))

    def count(self, table: sa.Table) -> int:
        return int(self.one(sa.select(sa.func.count().label("n")).select_from(table)).n)

    def balance(self, *, of: UUID | None = None) -> tuple[int, int]:
        """The tenant's balance, and the sum of its ledger: millionths."""
        tenant_id = of or self.tenant_id
        b, entries = schema.balances.c, schema.ledger.c
        left = self.one(sa.select(b.micros).where(b.tenant_id == tenant_id)).micros
        total = self.one(
            sa.select(sa.func.coalesce(sa.func.sum(entries.micros), 0).label("n")).where(entries.tenant_id == tenant_id)
        ).n
        return int(left), int(total)

    def carrier_account(self, account_id: UUID) -> CarrierAccount:
        return next(one.value for one in self.held().config.accounts if one.value.id == account_id)


def order(place: int | str = 1, *, phone: str = ALICE, **more: Any) -> Event:
    """An order was shipped."""
    return Event(
        **{
            "id": f"delivery-{place}",
            "type": "fulfillment.shipped",
            "occurred_at": datetime.now(UTC),
            "subject": f"order/{place}",
            "people": {"customer": Person(ref=f"customer/{place}", name="Ana", phones=[phone])},
            "data": {"order.name": f"#{place}"},
            **more,
        }
    )
