"""A world for each of the web's tests, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bellwire.plugins import Plugins, load_plugins
from bellwire_web import calls
from bellwire_web.api import ROUTES
from bellwire_web.operations import Operation, check
from web_world import Runtime, World, new_world, open_runtime
from werkzeug.routing import Rule


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test runs on both databases; on SQLite only a table of requests, most of which never reach one, and what is about a
    browser: the pages it is shown are made on both by tests without one.
    """
    if "database_url" in metafunc.fixturenames:
        once = any(True for name in ("parametrize", "browser") for _ in metafunc.definition.iter_markers(name))
        both = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
        metafunc.parametrize("database_url", both[: 1 if once else 2], indirect=True)


@pytest.fixture(scope="session", autouse=True)
def routes_are_made_once() -> Iterator[None]:
    """Werkzeug compiles two functions for each rule, 40 ms an application, and our declarations are checked: these tests make
    a thousand applications alike."""
    compiled: dict[Any, Callable[..., tuple[str, str]]] = {}
    original = Rule._compile_builder

    def compile_builder(self: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        if self.defaults:
            return original(self, append_unknown)
        key = (self.rule, tuple(self._trace), append_unknown)
        if key not in compiled:
            compiled[key] = original(self, append_unknown)  # takes its rule as an argument: good for each that is alike
        return compiled[key]

    found_right: set[int] = set()

    def check_once(operation: Operation) -> None:
        if id(operation) not in found_right:
            check(operation)
            if any(operation is one for routes in ROUTES for one in routes.operations):  # these live as long as the process
                found_right.add(id(operation))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", compile_builder)
        patch.setattr(calls, "check", check_once)
        yield


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
