"""An office that texts about timecards: the engine with a clock that stands still until it is moved, staff, triggers, events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from bellwire.domain.staff import entry
from bellwire.engine import deadlines
from bellwire.engine.intake import Taken
from bellwire.engine.runtime import Engine
from bellwire.model import Event, WebhookRequest
from bellwire.plugins import Plugins, load_plugins
from bellwire.store import installations, schema, staff, triggers
from bellwire.testing import SECRET
from bellwire_connectors.timecard import connector
from standins.world import World

DANA, MAX, EVE = "+998901234567", "+998901234568", "+998901234569"
SOURCE = "/tenants/acme/timecards"


class StillClock:
    """Shows what it is set to."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> None:
        self.at += timedelta(**span)


class Office(World):
    """A tenant with a timecard installation and a sandbox account. `at`: the time, by default a Monday at noon."""

    def __init__(
        self, url: str, *, at: datetime = datetime(2026, 3, 2, 12, tzinfo=UTC), plugins: Plugins | None = None, **settings: Any
    ) -> None:
        super().__init__(url, plugins=plugins or load_plugins(only=("sandbox", "timecard")))
        self.clock = self.engine.now = StillClock(at)  # type: ignore[assignment]  # nothing else is asked of it
        self.account()
        self.installation_id = self.install(**settings)
        self._made = 0

    def install(self, **settings: Any) -> UUID:
        return self.change(
            lambda c: installations.create(
                c,
                self.engine.vault,
                connector,
                name="Acme time",
                credentials={"secrets": [SECRET]},
                settings=settings,
                allow_private=True,
                actor="cli",
                now=self.clock(),
            )
        ).id

    def listen(self, *events: str, recipient: str = "recipient", body: str = "{{ worker.name }}", **definition: Any) -> None:
        """A trigger for each type of event, with one text."""
        name = f"text{len(self.held().config.templates)}"
        self.template(name, body)
        for event in events:
            draft = triggers.Draft(
                name=f"{event} {recipient} {name}",
                connector="timecard",
                installation_id=None,
                event=event,
                definition={"template": name, "recipient": recipient, **definition},
                state="on",
            )
            self.change(lambda c, draft=draft: triggers.create(c, draft, actor="cli", now=self.clock() - timedelta(days=2)))

    def hire(self, ref: str, phone: str = "", name: str = "", systems: Mapping[str, str] | None = None, **values: str) -> None:
        """Put somebody into the staff directory."""
        made = entry({"ref": ref, "phone": phone, "name": name or ref.title(), **values}, ["UZ"], systems)
        index, now = self.held().index, self.clock()
        self.change(lambda c: staff.keep(c, self.engine.vault, index, made, now=now, told_at=now))

    def event(self, kind: str, subject: str = "", *, event_id: str = "", time: datetime | None = None, **data: Any) -> Event:
        """An event as the producer sends it, read."""
        self._made += 1
        body = {
            "specversion": "1.0",
            "id": event_id or f"event-{self._made}",
            "source": SOURCE,
            "type": f"bellwire.{kind}",
            "time": (time or self.clock()).isoformat(),
            "data": {"worker": {"id": "dana", "phone": DANA}, **data},
        }
        if subject:
            body["subject"] = subject
        request = WebhookRequest(
            headers={"content-type": "application/cloudevents+json"}, body=json.dumps(body).encode(), received_at=self.clock()
        )
        [event] = connector.read(request, self.shop(self.installation_id))
        return event

    def tell(self, kind: str, subject: str = "", *, engine: Engine | None = None, **data: Any) -> Taken:
        """The producer reports an event."""
        return self.take(self.installation_id, self.event(kind, subject, **data), engine=engine)

    def strike(self, engine: Engine | None = None) -> int:
        """Let a process do all deadlines that are due now."""
        engine, count = engine or self.engine, 0
        while done := deadlines.step(engine):
            count += done
        return count

    def events(self, *kinds: str) -> Sequence[Any]:
        e = schema.events.c
        statement = sa.select(e.id, e.type, e.subject, e.occurred_at, e.status).order_by(e.received_at, e.id)
        return self.all(statement.where(e.type.in_(kinds)) if kinds else statement)

    def texts(self) -> list[tuple[str, str, str]]:
        """(number, text, status) of every message, oldest first."""
        m, c = schema.messages.c, schema.contacts.c
        rows = self.all(
            sa.select(m.id, m.tenant_id, m.text, m.status, m.reason, c.id.label("contact"), c.msisdn)
            .select_from(schema.messages.outerjoin(schema.contacts, c.id == m.contact_id))
            .order_by(m.id)
        )
        vault, made = self.engine.vault, []
        for row in rows:
            to = vault.open(row.msisdn, row.tenant_id, "contacts.msisdn", row.contact) if row.msisdn else ""
            text = vault.open(row.text, row.tenant_id, "messages.text", row.id) if row.text else ""
            made.append((to, text, row.reason or str(schema.STATUS_OF[row.status])))
        return made
