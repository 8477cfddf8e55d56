"""A portal that runs here, and links to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from bellwire import Installation
from bellwire.testing import installation
from bellwire_connectors.hubspot import connector
from standins.hubspot import Portal
from standins.link import MemoryLink, Vault


@pytest.fixture
def portal() -> Iterator[Portal]:
    with Portal() as running:
        yield running


def installed(portal: Portal, *, settings: dict[str, Any] | None = None, **credentials: Any) -> Installation:
    """The app in this portal, with a token that does not end unless `credentials` bring another."""
    given = credentials or {"access_token": portal.private_token()}
    made = installation(connector, secrets=(portal.client_secret,), webhook_url="https://bellwire.example/hooks/hubspot/KEY")
    return replace(
        made,
        account_ref=portal.portal_id,
        credentials={"portal_id": portal.portal_id, "client_secret": portal.client_secret, **given},
        settings={**made.settings, "base_url": portal.url, **(settings or {})},
    )


@pytest.fixture
def vault(portal: Portal) -> Vault:
    """The stored installation: a private app's."""
    return Vault(installed(portal))


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
    """One job's link to the portal."""
    return open_link(vault)


@pytest.fixture
def set_up(link: MemoryLink, vault: Vault, open_link: Callable[..., MemoryLink]) -> MemoryLink:
    """A link to the portal after our properties were made there."""
    assert connector.subscribe is not None
    connector.subscribe(link)
    return open_link(vault)
