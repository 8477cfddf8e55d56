"""A shop that runs here, and links to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from standins.installed import installed
from standins.link import MemoryLink, Vault
from standins.shopify import Shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as running:
        yield running


@pytest.fixture
def vault(shop: Shop) -> Vault:
    """The stored installation: a custom app's."""
    return Vault(installed(shop))


@pytest.fixture
def open_link() -> Iterator[Callable[..., MemoryLink]]:
    """Makes links and closes their sessions afterwards."""
    made: list[MemoryLink] = []

    def link_to(vault: Vault, **options: Any) -> MemoryLink:
        made.append(MemoryLink(vault, **options))
        return made[-1]

    yield link_to
    for link in made:
        link.http.close()


@pytest.fixture
def link(vault: Vault, open_link: Callable[..., MemoryLink]) -> MemoryLink:
    """One job's link to the shop."""
    return open_link(vault)
