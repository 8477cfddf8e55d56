"""The database is full or killed while a shop reports orders (C1, C2): 503 and Retry-After, the shop's repeat is taken, nothing is
half-written, and on it goes without a restart.
"""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from private_postgres import Cluster
from standins.senders import Senders, check_all_whole, tenant_of
from standins.served import KEY, Server, Tenant
from standins.shopify import Shop

TIMES = [pytest.param(1, id="small"), pytest.param(20, id="full", marks=pytest.mark.proof)]
BACK_WITHIN_S = 5.0

Tell = Callable[..., None]
Counts = Callable[[str, int], int]


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as running:
        yield running


def check_and_tell(
    tell: Tell, promise: str, database: str, tenant: Tenant, senders: Senders, waits: list[float], **more: object
) -> None:
    """Everything that was acknowledged is there and whole, everything else was told to come again."""
    answers = senders.since(0.0)
    check_all_whole(tenant, senders)
    events = tenant.all("/v1/events")
    tell(
        promise,
        database,
        f"{len(waits)} times, {answers[200]} orders taken",
        refused_with_503=answers[503],
        other_answers=answers.total() - answers[200] - answers[503],
        acknowledged_and_missing=len({one for one in senders.taken.values() if one} - {one["id"] for one in events}),
        half_written=sum(len(one["decisions"]) != 1 for one in events),
        texts_for_each=len(tenant.messages()) / len(events),
        longest_until_taken_again_s=round(max(waits), 2),
        **more,
    )
    assert set(answers) == {200, 503}
    assert {wait for _, status, wait in senders.answers if status == 503} == {"1"}, "Retry-After is said"
    assert len(senders.taken) == answers[200], "each order was taken once"


# -- SQLite -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", TIMES)
def test_a_full_disk_is_said_and_survived(tmp_path: Path, shop: Shop, times: int, tell: Tell, counts: Counts) -> None:
    """No file of the server's may grow for a while: writes fail as on a full disk."""
    times = counts("outages", times) if times > 1 else times
    server, waits = Server(tmp_path), []
    try:
        server.start()
        tenant, url = tenant_of(server, shop)
        [child] = server.children()
        _, hard = resource.prlimit(child, resource.RLIMIT_FSIZE)
        with Senders(shop, url) as senders:
            for _ in range(times):
                senders.wait(200, 40, time.monotonic())
                reader = sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)
                reader.execute("BEGIN")
                reader.execute(
                    "SELECT count(*) FROM events"
                ).fetchone()  # while somebody reads, the log grows and does not start anew
                full = time.monotonic()
                resource.prlimit(child, resource.RLIMIT_FSIZE, (65_536, hard))
                senders.wait(503, 20, full)
                assert requests.get(f"{server.url}/livez", timeout=5).ok
                text = {"to": "+12025550100", "body": "x"}
                assert tenant.http.post(f"{server.url}/v1/messages", json=text, timeout=5).status_code == 503
                free = time.monotonic()
                resource.prlimit(child, resource.RLIMIT_FSIZE, (hard, hard))
                reader.close()
                senders.wait(200, 1, free, within_s=BACK_WITHIN_S)
                waits.append(time.monotonic() - free)
                senders.wait(200, 40, free)
        integrity = server.ask("PRAGMA integrity_check")
        check_and_tell(tell, "C1 disk full", "sqlite", tenant, senders, waits, integrity=integrity[0][0])
        assert integrity == [("ok",)]
        assert server.children() == [child], "it is the same process"
    finally:
        server.end()


# -- PostgreSQL -------------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(postgres_cluster: Cluster) -> Iterator[Cluster]:
    """A server of this test's own, which it may kill."""
    own = Cluster(postgres_cluster._bin, durable=True)
    yield own
    own.remove()


@pytest.mark.postgres
@pytest.mark.parametrize("times", TIMES)
def test_a_database_that_dies_is_missed_for_seconds_only(
    cluster: Cluster, tmp_path: Path, shop: Shop, times: int, tell: Tell, counts: Counts
) -> None:
    times = counts("outages", times) if times > 1 else times
    server, waits = Server(tmp_path, DATABASE_URL=cluster.url(cluster.create()), SECRET_KEY=KEY), []
    server.command("db", "upgrade")
    try:
        server.start()
        tenant, url = tenant_of(server, shop)
        children = server.children()
        with Senders(shop, url) as senders:
            for _ in range(times):
                senders.wait(200, 40, time.monotonic())
                gone = time.monotonic()
                cluster.stop(crash=True)
                senders.wait(503, 10, gone)
                assert requests.get(f"{server.url}/livez", timeout=5).ok
                assert requests.get(f"{server.url}/readyz", timeout=5).status_code == 503
                cluster.start()
                back = time.monotonic()
                senders.wait(200, 1, back, within_s=BACK_WITHIN_S)
                waits.append(time.monotonic() - back)
                senders.wait(200, 20, back)
        check_and_tell(tell, "C2 database killed", "postgresql", tenant, senders, waits)
        assert server.children() == children, "it is the same process"
    finally:
        server.end()
