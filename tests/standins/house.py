"""A tenant with everything: platforms, a carrier, triggers, callbacks. No loop runs: a test says what happens and looks.

Ids are made with the wall clock; time is the desk's and passes only when a test says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from bellwire.engine import consents, intake, replies, sending
from bellwire.engine.configs import Held
from bellwire.ids import parse_id
from bellwire.model import Capability, CarrierAccount, Event, Installation, Msisdn, Person, Reply, Status
from bellwire.store import carrier_accounts, contacts, endpoints, schema, templates, tenants, triggers
from bellwire.store.database import reading
from bellwire.store.schema import STATUS_CODES, STATUS_OF
from bellwire.store.types import AnyRow
from standins.desk import Desk, Platform, connector
from standins.line import Line

ANA = Msisdn("+998901234567")
BOB = Msisdn("+998901234568")
_numbered = itertools.count(1)


class House(Desk):
    """`till` and `crm` are its platforms, `line` its carrier, `chatty` one that answers STOP by itself."""

    def __init__(self, url: str, *, clock: Any = None, tenant_id: UUID | None = None) -> None:
        self.platform = Platform()
        self.line, self.chatty = Line(), Line("chatty", Capability.CARRIER_AUTO_REPLY)
        parts: list[Any] = [connector(self.platform), connector(self.platform, "crm"), self.line.carrier, self.chatty.carrier]
        super().__init__(url, *parts, clock=clock, tenant_id=tenant_id)

    # -- what there is ------------------------------------------------------------------------------------------

    def held(self, *, of: UUID | None = None) -> Held:
        with reading(self.store.engine) as connection:
            return intake.configured(self.engine, connection, of or self.tenant_id)

    def settings(self, **settings: Any) -> None:
        self.change(lambda c: tenants.change(c, {"settings": settings}, actor="cli", now=self.clock.now()))

    def account(self, carrier: str = "line", *, of: UUID | None = None, **settings: Any) -> UUID:
        value, vault = self.engine.plugins.carriers[carrier], self.engine.vault
        return self.change(
            lambda c: carrier_accounts.create(
                c,
                vault,
                value,
                name="",
                credentials={},
                settings=settings,
                allow_private=True,
                actor="cli",
                now=self.clock.now(),
            ),
            of=of,
        ).id

    def carrier_account(self, account_id: UUID, *, of: UUID | None = None) -> CarrierAccount:
        return next(one.value for one in self.held(of=of).config.accounts if one.value.id == account_id)

    def endpoint(self, *types: str, of: UUID | None = None) -> UUID:
        made, _ = self.change(
            lambda c: endpoints.create(
                c, self.engine.vault, url="https://example.com/hook", types=types, actor="cli", now=self.clock.now()
            ),
            of=of,
        )
        return made.id

    def trigger(self, event: str = "order.created", *, of: UUID | None = None, template: str = "placed", **definition: Any) -> UUID:
        def make(c: Any) -> UUID:
            now = self.clock.now()
            if not c.execute(sa.select(schema.templates.c.id).where(schema.templates.c.tenant_id == sa.bindparam("tenant"))).all():
                bodies = {"en": "Order {{ order.name }} for {{ customer.first_name | default: 'you' }}"}
                templates.create(c, name=template, purpose="transactional", bodies=bodies, options={}, actor="cli", now=now)
                templates.approve(c, template, 1, actor="cli", now=now)
            draft = triggers.Draft(
                name=f"{event} {next(_numbered)}",
                connector="till",
                installation_id=None,
                event=event,
                definition={"template": template, **definition},
                state="on",
            )
            return triggers.create(c, draft, actor="cli", now=now).id  # type: ignore[no-any-return]

        return self.change(make, of=of)  # type: ignore[no-any-return]

    # -- what happens -------------------------------------------------------------------------------------------

    def shop(self, installation_id: UUID, *, of: UUID | None = None) -> Installation:
        return self.held(of=of).config.installations[installation_id].value

    def take(self, installation_id: UUID, *events: Event, of: UUID | None = None, **more: Any) -> list[UUID]:
        """Let a platform report events; the ids of the new ones."""
        held = self.held(of=of)
        taken = intake.take_events(self.engine, held, held.config.installations[installation_id].value, events, **more)
        return [parse_id("evt", one) for one in taken.events]

    def send(self, to: str = ANA, body: str = "Hello", *, of: UUID | None = None, **more: Any) -> UUID:
        [made] = sending.send(self.engine, of or self.tenant_id, [sending.SendRequest(to=to, body=body, **more)])
        assert isinstance(made, UUID), made
        return made

    def went_out(self, message_id: UUID, **columns: Any) -> UUID:
        """A message left, as the pump records it."""
        m = schema.messages
        values = {"status": STATUS_CODES[Status.SENT], **columns}
        self.engine.write(lambda c: c.execute(sa.update(m).where(m.c.id == message_id).values(**values)))
        return message_id

    def reply(self, account_id: UUID, text: str, *, msisdn: str = ANA, to: str = "+15550100001", **more: Any) -> None:
        """A text from a handset comes in."""
        one = Reply(**{"id": f"mo-{next(_numbered)}", "msisdn": msisdn, "to": to, "text": text, **more})
        replies.accept(self.engine, self.carrier_account(account_id), [one])

    def say(self, statement: Any, *, msisdn: Msisdn = ANA, **more: Any) -> consents.Recorded:
        held = self.held()
        return self.engine.write(
            lambda c: consents.record(self.engine, c, held, statement=statement, now=self.clock.now(), **{"msisdn": msisdn, **more})
        )

    # -- what became of it --------------------------------------------------------------------------------------

    def rows(self, table: sa.Table, **columns: Any) -> Sequence[AnyRow]:
        key = table.c.id if "id" in table.c else next(iter(table.primary_key.columns))
        where = [table.c[name] == value for name, value in columns.items()]
        return self.all(sa.select(table).where(*where).order_by(key))

    def count(self, table: sa.Table, **columns: Any) -> int:
        return len(self.rows(table, **columns))

    def person(self, msisdn: Msisdn = ANA, *, of: UUID | None = None) -> AnyRow | None:
        """The contact of a number."""
        tenant_id = of or self.tenant_id
        with reading(self.store.engine) as connection:
            found = contacts.by_index(connection, tenant_id, [self.held(of=of).index.of(msisdn)])
        return found[0] if found else None

    def opened(self, table: sa.Table, row: AnyRow, column: str) -> Any:
        value, where = getattr(row, column), f"{table.name}.{column}"
        if table.c[column].info.get("json"):
            return self.engine.vault.open_json(value, row.tenant_id, where, row.id)
        return self.engine.vault.open(value, row.tenant_id, where, row.id)

    def message_status(self, message_id: UUID) -> Status:
        [row] = self.rows(schema.messages, id=message_id)
        return STATUS_OF[row.status]

    def audited(self, action: str) -> Sequence[AnyRow]:
        return self.rows(schema.audit, action=action)


def order(place: int | str = 1, *, phone: str = ANA, at: Any = None, **more: Any) -> Event:
    """An order was placed."""
    known = {name: more.pop(name) for name in ("ref", "email", "consents", "marketing_phones") if name in more}
    person = Person(ref=f"customer/{place}", name="Ana Example", phones=[phone], email="ana@example.com")
    made = Event(
        id=f"delivery-{place}",
        type="order.created",
        occurred_at=at,
        subject=f"order/{place}",
        people={"customer": replace(person, **known)},
        data={"order.name": f"#{place}", "customer.first_name": "Ana"},
    )
    return replace(made, **more)
