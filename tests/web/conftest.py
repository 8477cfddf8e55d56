"""A world for each of the web's tests, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bellwire.plugins import Plugins, load_plugins
from web_world import Runtime, World, new_world, open_runtime


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test runs on both databases; a table of requests, most of which never reach one, on SQLite only."""
    if "database_url" in metafunc.fixturenames:
        is_table = any(True for _ in metafunc.definition.iter_markers("parametrize"))
        both = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
        metafunc.parametrize("database_url", both[: 1 if is_table else 2], indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of this test with the schema."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    return load_plugins()


@pytest.fixture
def runtime(database_url: str, plugins: Plugins) -> Iterator[Runtime]:
    made = open_runtime(database_url, plugins)
    yield made
    made.store.close()


@pytest.fixture
def world(runtime: Runtime) -> World:
    return new_world(runtime)
