"""An organization that runs here, and links to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from standins.link import MemoryLink, Vault
from standins.salesforce import Organization
from standins.salesforce_installed import installed


@pytest.fixture
def org() -> Iterator[Organization]:
    with Organization() as running:
        yield running


@pytest.fixture
def vault(org: Organization) -> Vault:
    """The stored installation."""
    return Vault(installed(org))


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
    """One job's link to the organization."""
    return open_link(vault)


@pytest.fixture
def link_with(org: Organization, open_link: Callable[..., MemoryLink]) -> Callable[..., MemoryLink]:
    """Makes a link under other settings."""
    return lambda **settings: open_link(Vault(installed(org, settings=settings)))
