"""The database can't be written: 503 and Retry-After, nothing half-written, and on it goes without a restart (promises C1, C2)."""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from private_postgres import Cluster
from standins.senders import Senders, check_all_whole, tenant_of
from standins.served import KEY, Server
from standins.shopify import Shop

# -- SQLite -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    try:
        yield server.start()
    finally:
        server.end()


def test_a_full_disk_is_said_and_survived(small: Server, shop: Shop) -> None:
    """No file of the server's may grow for a while: writes fail as on a full disk."""
    tenant, url = tenant_of(small, shop)
    [child] = small.children()
    _, hard = resource.prlimit(child, resource.RLIMIT_FSIZE)
    with Senders(shop, url) as senders:
        senders.wait(200, 40, 0.0)
        reader = sqlite3.connect(f"file:{small.database}?mode=ro", uri=True)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()  # while somebody reads, the log grows and does not start anew
        full = time.monotonic()
        resource.prlimit(child, resource.RLIMIT_FSIZE, (65_536, hard))
        senders.wait(503, 20, full)
        refused = [wait for at, status, wait in senders.answers if status == 503]
        assert set(refused) == {"1"}
        assert requests.get(f"{small.url}/livez", timeout=5).ok
        assert tenant.http.post(f"{small.url}/v1/messages", json={"to": "+12025550100", "body": "x"}, timeout=5).status_code == 503
        free = time.monotonic()
        resource.prlimit(child, resource.RLIMIT_FSIZE, (hard, hard))
        reader.close()
        senders.wait(200, 40, free, within_s=5.0)
    assert set(senders.since(0.0)) == {200, 503}
    assert small.ask("PRAGMA integrity_check") == [("ok",)]
    check_all_whole(tenant, senders)
    assert small.children() == [child], "it is the same process"


# -- PostgreSQL -------------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(postgres_cluster: Cluster) -> Iterator[Cluster]:
    """A server of this test's own, which it may kill."""
    own = Cluster(postgres_cluster._bin, durable=True)
    yield own
    own.remove()


@pytest.mark.postgres
def test_a_database_that_dies_is_missed_for_seconds_only(cluster: Cluster, tmp_path: Path, shop: Shop) -> None:
    server = Server(tmp_path, DATABASE_URL=cluster.url(cluster.create()), SECRET_KEY=KEY)
    server.command("db", "upgrade")
    try:
        server.start()
        tenant, url = tenant_of(server, shop)
        with Senders(shop, url) as senders:
            senders.wait(200, 40, 0.0)
            gone = time.monotonic()
            cluster.stop(crash=True)
            senders.wait(503, 10, gone)
            assert requests.get(f"{server.url}/livez", timeout=5).ok
            assert requests.get(f"{server.url}/readyz", timeout=5).status_code == 503
            cluster.start()
            back = time.monotonic()
            senders.wait(200, 20, back, within_s=5.0)
        assert set(senders.since(0.0)) == {200, 503}
        assert all(wait == "1" for _, status, wait in senders.answers if status == 503)
        check_all_whole(tenant, senders)
    finally:
        server.end()
