"""Real processes over real HTTP: one server and one carrier for all tests of a run, a shop and a tenant for each file."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from private_postgres import Cluster
from simulated_carrier import Simulator, simulator
from standins.served import KEY, Server, Tenant
from standins.shopify import Shop


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`bellwire serve` on a fresh SQLite file."""
    server = Server(tmp_path_factory.mktemp("served"))
    try:
        yield server.start()
        assert "Traceback" not in server.said, server.said
    finally:
        server.end()


@pytest.fixture(scope="session")
def postgres_server(postgres_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`bellwire serve` with two processes on a fresh PostgreSQL database."""
    url = postgres_cluster.url(postgres_cluster.create())
    server = Server(tmp_path_factory.mktemp("served"), DATABASE_URL=url, SECRET_KEY=KEY)
    server.command("db", "upgrade")
    try:
        yield server.start("--workers", "2")
        assert "Traceback" not in server.said, server.said
    finally:
        server.end()


@pytest.fixture(scope="session")
def carrier() -> Iterator[Simulator]:
    """`simulate-carrier`; its receipts come 50 ms after the send."""
    with simulator("--dlr-delay-ms", "50") as running:
        yield running


@pytest.fixture(scope="module")
def tenant(server: Server, request: pytest.FixtureRequest) -> Tenant:
    """A tenant of this file's own."""
    return server.tenant(re.sub(r"[^a-z0-9]+", "-", request.module.__name__.rpartition(".")[2].lower()).strip("-"))


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """A shop of this file's own."""
    with Shop() as running:
        yield running
