"""A shop that an app can be installed in, and a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from bellwire.config import Config
from bellwire.engine.runtime import Engine
from standins.merchant import CALLBACK, PUBLIC, Browser, make
from standins.shopify import Shop


@pytest.fixture
def runtime(runtime: Any) -> Any:
    """The conftest's, which may call this machine: the shop runs here."""
    runtime.config = Config(public_url=PUBLIC, allow_private_addresses=True)
    runtime.engine = Engine(runtime.config, runtime.store, runtime.plugins, now=runtime.clock)
    return runtime


@pytest.fixture
def shop(runtime: Any) -> Iterator[Shop]:
    with Shop(domain="buyers.myshopify.com", client_secret="the app's own secret", now=runtime.clock) as running:
        running.redirect_urls = {CALLBACK}
        yield running


@pytest.fixture
def browser(world: Any) -> Browser:
    return Browser(world, world.app.test_client())


@pytest.fixture
def first(world: Any, shop: Shop) -> str:
    """The app's first installation, made by an admin: a development shop; its id."""
    return make(world.a, shop)
