"""A world for the engine's tests: a database, a tenant, a carrier that does as it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bellwire.plugins import Plugins, load_plugins
from standins.line import Line
from standins.world import World


@pytest.fixture(scope="session")
def loaded() -> Plugins:
    return load_plugins(only=("sandbox", "shopify"))


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def make_world(database_url: str, loaded: Plugins, line: Line) -> Iterator[Callable[..., World]]:
    """Makes the world of a test, on SQLite and on PostgreSQL; with more carriers, or with settings of the tenant."""
    made: list[World] = []

    def make(*more: Line, **settings: Any) -> World:
        world = World(database_url, plugins=loaded, carriers=[one.carrier for one in (line, *more)], settings=settings or None)
        made.append(world)
        return world

    yield make
    for world in made:
        world.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """The plain one."""
    return make_world()
