"""An organization that runs here, and links to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from bellwire import Installation
from bellwire.testing import installation
from bellwire_connectors.salesforce import connector
from standins.link import MemoryLink, Vault
from standins.salesforce import Organization

WEBHOOK_URL = "https://bellwire.example/hooks/salesforce/KEY"


def installed(org: Organization, *, settings: dict[str, Any] | None = None, **credentials: Any) -> Installation:
    """The app in this organization, by its client credentials, with a token unless `credentials` say otherwise."""
    made = installation(connector, webhook_url=WEBHOOK_URL, country="US")
    own = {"consumer_key": org.consumer_key, "consumer_secret": org.consumer_secret, "access_token": org.token()}
    return replace(
        made,
        credentials={"domain": "example.my.salesforce.com", **own, **credentials},
        settings={
            **made.settings,
            "opt_in_field": "",
            "organization_id": org.id,
            "integration_user": org.user,
            "base_url": org.url,
            **(settings or {}),
        },
    )


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
