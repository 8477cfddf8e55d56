"""A desk that runs here, and links to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from bellwire import Installation
from bellwire.testing import FixedClock, LooseLink, installation
from bellwire_connectors.zendesk import connector
from standins.zendesk import Zendesk

URL = "https://bellwire.example/hooks/zendesk/KEY"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def desk(clock: FixedClock) -> Iterator[Zendesk]:
    with Zendesk(now=clock.now) as running:
        yield running


@pytest.fixture
def installed(desk: Zendesk) -> Callable[..., Installation]:
    """Makes the installation of the desk; `credentials` in place of the API token's, `settings` besides the usual ones."""

    def make(credentials: dict[str, Any] | None = None, cursor: dict[str, Any] | None = None, **settings: Any) -> Installation:
        made = installation(connector, webhook_url=URL)
        own = credentials or {"email": desk.email, "api_token": desk.api_token}
        usual = {"bot_user_id": str(desk.bot), "base_url": desk.url, "field_map": {}}
        kept = {name: value for name, value in made.settings.items() if name != "field_map"}
        return replace(
            made,
            account_ref=desk.subdomain,
            credentials={"subdomain": desk.subdomain, **own},
            settings={**kept, **usual, **settings},
            cursor=cursor or {},
        )

    return make


@pytest.fixture
def open_link(installed: Callable[..., Installation], clock: FixedClock) -> Iterator[Callable[..., LooseLink]]:
    """Makes links and closes their sessions afterwards."""
    made: list[LooseLink] = []

    def link_to(**options: Any) -> LooseLink:
        made.append(LooseLink(installed(**options), clock))
        return made[-1]

    yield link_to
    for link in made:
        link.http.close()


@pytest.fixture
def link(open_link: Callable[..., LooseLink]) -> LooseLink:
    """One job's link to the desk."""
    return open_link()


@pytest.fixture
def ana(desk: Zendesk) -> int:
    """A customer."""
    return desk.add_user("Ana Example", phone="+1 202 555 0142")


@pytest.fixture
def ticket(desk: Zendesk, ana: int) -> int:
    """Her ticket."""
    return desk.open_ticket(ana, "Where is my parcel?", assignee_id=desk.agent)
