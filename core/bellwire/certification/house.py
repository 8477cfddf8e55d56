"""A whole engine in a temporary SQLite file: what becomes of a connector's events, decided by the code that decides in earnest.

No loop runs and nothing is sent: rules count the messages that would be.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bellwire.certification.rules import NotJudged
from bellwire.config import Config
from bellwire.domain.consent import Source, Statement
from bellwire.engine import consents, intake
from bellwire.engine.configs import Held
from bellwire.engine.runtime import Engine
from bellwire.errors import FieldInvalid, SignatureMismatch
from bellwire.model import Carrier, Connector, ConsentState, Event, Installation, Msisdn, Outcome, Purpose, Status
from bellwire.plugins import Plugins
from bellwire.store import Store, carrier_accounts, contacts, installations, schema, templates, tenants, triggers
from bellwire.store.database import reading
from bellwire.store.migrate import upgrade
from bellwire.store.vault import Vault
from bellwire.testing import FixedClock

_KEY = b"certification kit, no real secret"[:32]


async def _nothing(messages: Any, account: Any) -> Sequence[Outcome]:  # noqa: ARG001  # a carrier's arguments
    raise AssertionError("the kit sends nothing")


def _unsigned(*_: Any) -> None:
    raise SignatureMismatch("the kit's carrier calls nobody back")


CARRIER = Carrier(name="kit_carrier", title="The kit's", verify=_unsigned, send=_nothing)


_slugs = itertools.count(1)


@cache
def _store() -> Store:
    """The process's database, made when the first rule needs it and gone with the process. Each house is a tenant of its own."""
    memory = Path("/dev/shm")  # noqa: S108  # mkdtemp's folder is ours alone; nothing in it need outlive the process
    folder = Path(tempfile.mkdtemp(prefix="bellwire-kit-", dir=memory if os.access(memory, os.W_OK) else None))
    url = f"sqlite:///{folder}/bellwire.db"
    upgrade(url)
    store = Store.open(url, Vault(_KEY))

    def forget() -> None:
        store.close()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(forget)
    return store


class House:
    """A tenant with the connector's account, a carrier, and a trigger on every type of event it has."""

    def __init__(self, connector: Connector, made: Installation, clock: FixedClock, *, max_age_s: int | None = None) -> None:
        self.clock, self._connector, self._store = clock, connector, _store()
        config = Config(allow_private_addresses=True, public_url="http://127.0.0.1:9")
        self.engine = Engine(config, self._store, Plugins.of(connector, CARRIER), now=clock.now)
        slug, vault = f"kit-{next(_slugs)}", self.engine.vault
        self.tenant_id = self.engine.write(lambda c: tenants.create(c, vault, slug=slug, country="US", now=clock.now())).id
        try:
            self._furnish(made, max_age_s)
        except FieldInvalid as e:
            raise NotJudged(f"the credentials of samples/_installation.json are not accepted: {e}") from e

    def _furnish(self, made: Installation, max_age_s: int | None) -> None:
        vault, now = self.engine.vault, self.clock.now()
        known = {one.name for one in self._connector.fields}
        credentials = {name: value for name, value in made.credentials.items() if name in known}
        names = {one.name for one in self._connector.settings} | {"base_url"}
        settings = {name: value for name, value in made.settings.items() if name in names}
        definition: Mapping[str, Any] = {"template": "kit", "quiet_hours": False, "max_age_s": max_age_s}

        def furnish(c: Any) -> Any:
            account = installations.create(
                c,
                vault,
                self._connector,
                name="kit",
                credentials=credentials,
                settings=settings,
                allow_private=True,
                actor="cli",
                now=now,
            )
            carrier_accounts.create(
                c, vault, CARRIER, name="", credentials={}, settings={}, allow_private=True, actor="cli", now=now
            )
            templates.create(c, name="kit", purpose=Purpose.TRANSACTIONAL, bodies={"en": "Hello"}, options={}, actor="cli", now=now)
            templates.approve(c, "kit", 1, actor="cli", now=now)
            for event in self._connector.events:
                draft = triggers.Draft(
                    name=event,
                    connector=self._connector.name,
                    installation_id=None,
                    event=event,
                    definition=definition,
                    state="on",
                )
                triggers.create(c, draft, actor="cli", now=now)
            return account.id

        self.installation_id = self._store.for_tenant(self.tenant_id).write(furnish)

    @property
    def held(self) -> Held:
        """The tenant's configuration."""
        with reading(self._store.engine) as connection:
            return intake.configured(self.engine, connection, self.tenant_id)

    @property
    def installation(self) -> Installation:
        """The account as the engine hands it to the connector."""
        return self.held.config.installations[self.installation_id].value

    def take(self, events: Sequence[Event], *, reported: str = "webhook") -> int:
        """Let the platform report events; how many of them are new."""
        held = self.held
        at = held.config.installations[self.installation_id].value
        return sum(
            len(intake.take_events(self.engine, held, at, events[first : first + 50], reported=reported).events)
            for first in range(0, len(events), 50)
        )

    def messages(self) -> int:
        """How many texts would have left."""
        m = schema.messages.c
        refused = schema.STATUS_CODES[Status.REFUSED]
        with reading(self._store.engine) as connection:
            own = sa.select(sa.func.count()).where(m.status != refused, m.tenant_id == self.tenant_id)
            return int(connection.execute(own).scalar_one())

    def stop(self, msisdn: Msisdn) -> None:
        """The person answers STOP, now."""
        said = Statement(purpose=None, state=ConsentState.OPTED_OUT, source=Source.REPLY, proof="STOP")
        held, now = self.held, self.clock.now()
        self.engine.write(lambda c: consents.record(self.engine, c, held, statement=said, now=now, msisdn=msisdn))

    def marketing(self, msisdn: Msisdn) -> str:
        """What the ledger says of a number's marketing consent, "" for nothing."""
        with reading(self._store.engine) as connection:
            found = contacts.by_index(connection, self.tenant_id, [self.held.index.of(msisdn)])
        return str(found[0].marketing or "") if found else ""
