"""A shell for the command line's tests: commands run in this process on a real database, as if in a folder of their own."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from bellwire.cli import main
from bellwire.cli.opened import opened_engine
from bellwire.cli.setup import Setup
from bellwire.engine.runtime import Engine
from bellwire.ids import parse_id
from bellwire.model import Purpose
from bellwire.plugins import Plugins
from bellwire.store import carrier_accounts, installations, templates, triggers
from bellwire.store.tenancy import TenantConnection
from bellwire.store.triggers import Draft
from click.testing import CliRunner, Result

KEY = base64.urlsafe_b64encode(hashlib.sha256(b"a key for the tests of the command line").digest()).decode()


@dataclass
class Shell:
    """Where commands are called: a folder, and BELLWIRE_* of the environment."""

    folder: Path
    plugins: Plugins
    environ: dict[str, str] = field(default_factory=dict)

    def setup(self) -> Setup:
        """What each command is given."""
        setup = Setup(environ=self.environ, cwd=self.folder)
        setup.plugins = self.plugins
        return setup

    def __call__(self, *args: object, code: int = 0, stdin: str | None = None) -> Result:
        """Run a command; it must end with `code`."""
        result = CliRunner().invoke(main, [str(one) for one in args], obj=self.setup(), input=stdin)
        assert result.exit_code == code, f"{args} ended with {result.exit_code}: {result.output}"
        return result

    def json(self, *args: object, code: int = 0) -> Any:
        """What a command prints with --json: one document and nothing beside it."""
        return json.loads(self(*args, "--json", code=code).stdout)

    def acme(self) -> UUID:
        """A tenant that texts by the sandbox whenever its shop ships something; its id."""
        key = parse_id("ten", self.json("tenant", "create", "acme", "--country", "UZ")["tenant_id"])
        now = datetime.now(UTC) - timedelta(days=1)
        with self.engine() as engine:
            carrier, connector = engine.plugins.carriers["sandbox"], engine.plugins.connectors["shopify"]
            kept: Any = {"allow_private": True, "actor": "cli", "now": now}
            shop = {"shop": "acme.myshopify.com", "client_secret": "s" * 32, "access_token": "t" * 32}
            text = {"name": "shipped", "purpose": Purpose.TRANSACTIONAL, "options": {}, "actor": "cli", "now": now}
            trigger = Draft(
                name="parcel sent",
                connector="shopify",
                installation_id=None,
                event="fulfillment.shipped",
                definition={"template": "shipped"},
                state="on",
            )

            def stock(c: TenantConnection) -> None:
                carrier_accounts.create(c, engine.vault, carrier, name="Sandbox", credentials={}, settings={}, **kept)
                installations.create(c, engine.vault, connector, name="Acme shop", credentials=shop, settings={}, **kept)
                templates.create(c, bodies={"en": "Order {{ order.name }} is on its way"}, **text)
                templates.approve(c, "shipped", 1, actor="cli", now=now)
                triggers.create(c, trigger, actor="cli", now=now)

            engine.store.for_tenant(key).write(stock)
        return key

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """The engine on the same database, to set things up and to look at them."""
        with opened_engine(self.setup()) as engine:
            yield engine
