"""The jobs side of one process: an engine whose clock stands still, a tenant, and a platform that does as it is told.

No pump and no loop runs: a test lets time pass and says when somebody looks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from bellwire.config import Config
from bellwire.engine.followups import Change
from bellwire.engine.runtime import Engine
from bellwire.ids import new_id
from bellwire.model import Connector, CredentialField, Event, Installation, Msisdn, Status, StatusChange, WebhookRequest
from bellwire.plugins import Plugins
from bellwire.store import Store, installations, schema, tenants
from bellwire.store.database import reading
from bellwire.store.types import AnyRow
from bellwire.store.vault import Vault
from bellwire.testing import FixedClock

SECRET = b"k" * 32
ANA = Msisdn("+998901234567")


@dataclass
class Platform:
    """What a connector's client would reach. `behave` is called with each write and may raise."""

    behave: Callable[[str], None] = lambda _: None
    calls: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def changes(self) -> list[StatusChange]:
        """Every status that was written, in order."""
        return [change for what, changes in self.calls if what == "status" for change in changes]


def fails(error: Exception, times: int = 10_000) -> Callable[[str], None]:
    """A platform's behaviour whose next calls fail."""
    left = iter(range(times))

    def behave(_: str) -> None:
        if next(left, None) is not None:
            raise error

    return behave


def connector(platform: Platform, name: str = "till", **more: Any) -> Connector:
    """A connector to that platform."""

    def write(what: str) -> Callable[..., None]:
        def call(value: Any, link: Any) -> None:
            platform.behave(what)
            platform.calls.append((what, value))

        return call

    def read(request: WebhookRequest, installation: Installation) -> Sequence[Event]:
        return []

    def verify(request: WebhookRequest, installation: Installation, now: datetime) -> None:
        pass

    def sign(request: WebhookRequest, installation: Installation) -> WebhookRequest:
        return request

    return Connector(
        **{
            "name": name,
            "title": name,
            "fields": (
                CredentialField(name="secret", help="what it signs with"),
                CredentialField(name="access_token", help="what it lets us in with", required=False),
                CredentialField(name="refresh_token", help="what brings a new one", required=False),
            ),
            "secret_field": "secret",
            "verify": verify,
            "read": read,
            "sign": sign,
            "write_back": write("status"),
            "write_consent": write("consent"),
            "write_reply": write("reply"),
            **more,
        }
    )


class Desk:
    """One process. `again` makes another one of the same database and clock."""

    def __init__(self, url: str, *connectors: Connector, clock: FixedClock | None = None, tenant_id: UUID | None = None) -> None:
        self.url, self.clock, self.connectors = url, clock or FixedClock(), connectors
        config = Config(database_url=url, allow_private_addresses=True, public_url="http://127.0.0.1:9")
        self.store = Store.open(url, Vault(SECRET))
        self.engine = Engine(config, self.store, Plugins.of(*connectors), now=self.clock.now)
        self.tenant_id = tenant_id or self.tenant("acme")

    def close(self) -> None:
        self.engine.http.close()
        self.store.close()

    def again(self) -> Desk:
        return Desk(self.url, *self.connectors, clock=self.clock, tenant_id=self.tenant_id)

    # -- what there is ------------------------------------------------------------------------------------------

    def tenant(self, slug: str) -> UUID:
        vault = self.engine.vault
        return self.engine.write(lambda c: tenants.create(c, vault, slug=slug, country="UZ", now=self.clock.now())).id

    def installation(
        self, name: str = "till", *, of: UUID | None = None, credentials: Mapping[str, Any] | None = None, **settings: Any
    ) -> UUID:
        value = self.engine.plugins.connectors[name]
        return self.change(
            lambda c: installations.create(
                c,
                self.engine.vault,
                value,
                name=name,
                credentials={value.secret_field: "s" * 32, **(credentials or {})} if value.secret_field else credentials or {},
                settings=settings,
                allow_private=True,
                actor="cli",
                now=self.clock.now(),
            ),
            of=of,
        ).id

    def change(self, run: Callable[[Any], Any], *, of: UUID | None = None) -> Any:
        """Run a store function for the tenant and commit."""
        return self.store.for_tenant(of or self.tenant_id).write(run)

    def contact(self, msisdn: Msisdn | None = ANA, *, of: UUID | None = None) -> UUID:
        tenant_id, contact_id = of or self.tenant_id, new_id()
        sealed = msisdn and self.engine.vault.seal(msisdn, tenant_id, "contacts.msisdn", contact_id)
        row = {"id": contact_id, "msisdn_ix": contact_id.bytes, "msisdn": sealed, "country": "UZ", "created_at": self.clock.now()}
        self.change(lambda c: c.insert(schema.contacts, [row]), of=of)
        return contact_id

    def message(
        self, status: Status = Status.SENT, *, text: str = "Order #1", contact_id: UUID | None = None, of: UUID | None = None
    ) -> UUID:
        tenant_id, message_id, now = of or self.tenant_id, new_id(), self.clock.now()
        row = {
            "id": message_id,
            "contact_id": contact_id or self.contact(of=of),
            "status": schema.STATUS_CODES[status],
            "lane": 1,
            "purpose": "transactional",
            "basis": "event",
            "text": self.engine.vault.seal(text, tenant_id, "messages.text", message_id),
            **dict.fromkeys(("due", "send_at", "expires_at", "created_at", "updated_at"), now),
            "attempts": 1,
            "epoch": 1,
        }
        self.change(lambda c: c.insert(schema.messages, [row]), of=of)
        return message_id

    def messages(self, count: int, status: Status = Status.DELIVERED) -> list[UUID]:
        """Many messages to one person, in one transaction."""
        contact_id, now = self.contact(), self.clock.now()
        rows = [
            {
                "id": new_id(),
                "contact_id": contact_id,
                "status": schema.STATUS_CODES[status],
                "lane": 1,
                "purpose": "transactional",
                "basis": "event",
                **dict.fromkeys(("due", "send_at", "expires_at", "created_at", "updated_at"), now),
                "attempts": 1,
                "epoch": 1,
            }
            for _ in range(count)
        ]
        self.change(lambda c: c.insert(schema.messages, rows))
        return [row["id"] for row in rows]

    # -- what happens -------------------------------------------------------------------------------------------

    def moved(self, *changes: Change, of: UUID | None = None) -> None:
        """Messages moved: their jobs are queued as the pump and receipts do it."""

        def follow(connection: sa.Connection) -> None:
            held = self.engine.configs.get(connection, of or self.tenant_id, self.clock.now())
            assert held is not None
            followups = self.engine.followups()
            for change in changes:
                followups.add(held.config, change)
            followups.insert(connection)

        self.engine.write(follow)

    def status(self, installation_id: UUID, message_id: UUID, status: Status, subject: str = "order/1", **more: Any) -> None:
        """One message moved, now."""
        what = {"message_id": message_id, "status": status, "at": self.clock.now(), "subject": subject}
        self.moved(Change(**{**what, "installation_id": installation_id, **more}))

    def delivered(self, installation_id: UUID, message_id: UUID) -> Change:
        """The news of a message about an order of its own."""
        what = {"message_id": message_id, "status": Status.DELIVERED, "at": self.clock.now(), "subject": f"order/{message_id.hex}"}
        return Change(**what, installation_id=installation_id)

    def consent(self, shop: UUID, contact: UUID, state: str, purpose: str = "marketing", **more: Any) -> None:
        """A person's statement is to be written to a platform."""
        now = self.clock.now()
        row = {
            "id": new_id(),
            "installation_id": shop,
            "kind": "consent",
            "subject": "customer/7",
            "customer_ref": "customer/7",
            "contact_id": contact,
            "value": state,
            "details": {"purpose": purpose, "source": "reply"},
            "at": now,
            "status": schema.JOB_QUEUED,
            "attempts": 0,
            "due": now,
            "updated_at": now,
        }
        self.change(lambda c: c.insert(schema.write_backs, [{**row, **more}]))

    def reply(self, shop: UUID, text: str, subject: str = "ticket/1") -> None:
        """A person answered, and the platform has a conversation for it."""
        reply_id, vault = new_id(), self.engine.vault
        row = {
            "id": reply_id,
            "account_id": new_id(),
            "msisdn": vault.seal(ANA, self.tenant_id, "replies.msisdn", reply_id),
            "text": vault.seal(text, self.tenant_id, "replies.text", reply_id),
            "to": "Example",
            "status": "received",
            "received_at": self.clock.now(),
        }
        self.change(lambda c: c.insert(schema.replies, [row]))
        self.consent(shop, self.contact(), "received", kind="reply", subject=subject, reply_id=reply_id, details=None)

    # -- what became of it --------------------------------------------------------------------------------------

    def all(self, statement: sa.Select[Any]) -> Sequence[AnyRow]:
        with reading(self.store.engine) as connection:
            return connection.execute(statement).all()

    def write_backs(self) -> Sequence[AnyRow]:
        return self.all(sa.select(schema.write_backs).order_by(schema.write_backs.c.id))

    def states(self) -> Counter[int]:
        """How many write-backs stand where."""
        return Counter(row.status for row in self.write_backs())

    def callbacks(self) -> Sequence[AnyRow]:
        return self.all(sa.select(schema.callbacks).order_by(schema.callbacks.c.id))

    def row(self, installation_id: UUID) -> AnyRow:
        [row] = self.all(sa.select(schema.installations).where(schema.installations.c.id == installation_id))
        return row

    def audit(self) -> list[str]:
        return [row.action for row in self.all(sa.select(schema.audit.c.action).order_by(schema.audit.c.id))]

    def value(self, installation_id: UUID) -> Installation:
        return self.engine.configs.reader.installation(self.row(installation_id), self.clock.now()).value
