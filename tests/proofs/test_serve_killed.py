"""`bellwire serve` is killed by the process id that its operator sees, under load. Nothing of it lives on, and the next one settles
what was left (B1).
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from private_postgres import Cluster
from simulated_carrier import Simulator, simulator
from standins.senders import Senders
from standins.served import KEY, Server, Tenant, until
from standins.shopify import Shop

SID, TOKEN = "AC" + "7" * 32, "a token of nobody's"
CASES = [
    pytest.param("sqlite", 1, id="sqlite-small"),
    pytest.param("sqlite", 20, id="sqlite-full", marks=pytest.mark.proof),
    pytest.param("postgresql", 20, id="postgresql-full", marks=[pytest.mark.proof, pytest.mark.postgres]),
]
HANGING = 3  # calls that the carrier leaves without an answer at each kill, and does not take
GONE_WITHIN_S = 5.0  # 2.25 by design; the machine starts processes at the same time


@pytest.fixture
def serving(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server on a database of its own: one process on SQLite, two on PostgreSQL."""
    settings = {}
    if database == "postgresql":
        cluster: Cluster = request.getfixturevalue("postgres_cluster")
        settings = {"DATABASE_URL": cluster.url(cluster.create()), "SECRET_KEY": KEY}
    server = Server(tmp_path, **settings)
    if settings:
        server.command("db", "upgrade")
    try:
        yield server
    finally:
        server.end()


@pytest.mark.parametrize(("database", "kills"), CASES)
def test_a_killed_serve_leaves_no_process_and_nothing_open(
    serving: Server, database: str, kills: int, tell: Callable[..., None], counts: Callable[[str, int], int]
) -> None:
    if kills > 1:
        kills = counts("serve_kills", kills)
    options = ["--workers", "2"] if database == "postgresql" else []
    dice, longest = random.Random(7), 0.0
    with simulator("--latency-ms", "100", "--account", f"{SID}:{TOKEN}") as carrier, Shop() as shop:
        carrier.control(callback_attempts=10)
        serving.start(*options)
        tenant, url = _tenant(serving, carrier, shop)
        with Senders(shop, url) as senders:
            for _ in range(kills):
                carrier.control(fault={"kind": "hang_untaken", "count": HANGING})
                senders.wait(200, dice.randrange(5, 60), time.monotonic(), within_s=30)
                until(lambda: len(tenant.messages(status="sending")) >= HANGING, "no call hangs", 30)
                longest = max(longest, _kill(serving))
                serving.start(*options)
            senders.wait(200, 20, time.monotonic(), within_s=30)
        sends = Counter(carrier.stats["refs"])
        until(lambda: _open(tenant, sends) == Counter(), lambda: f"still open: {_open(tenant, carrier.stats['refs'])}", 90)
        sends = Counter(carrier.stats["refs"])
        messages = {one["id"]: one["status"] for one in tenant.messages()}
        events = tenant.all("/v1/events")
        unknown = [one for one, status in messages.items() if status == "unknown"]
        lost = [one for one, status in messages.items() if status != "unknown" and not sends[one]]
        missing = {one for one in senders.taken.values() if one} - {one["id"] for one in events}
        tell(
            "B1 kill -9 of serve",
            database,
            f"{kills} kills, {len(events)} events",
            processes_left=len(serving.processes()) - len(serving.children()) - 1,
            longest_until_all_are_gone_s=round(longest, 2),
            acknowledged_and_missing=len(missing),
            lost=len(lost),
            twice=sum(count > 1 for count in sends.values()),
            unknown=len(unknown),
            of_these_never_at_the_carrier=sum(not sends[one] for one in unknown),
        )
        assert missing == set()
        assert {len(one["decisions"]) for one in events} == {1}
        assert len(messages) == len(events)
        assert lost == []
        assert set(sends.values()) == {1}
        assert set(messages.values()) <= {"delivered", "unknown"}
        assert not any(sends[one] for one in unknown), "a receipt settles every one that the carrier has"
        assert len(unknown) >= HANGING * kills, "what was under way is not sent again"
        assert serving.processes() == {serving.process.pid, *serving.children()}  # type: ignore[union-attr]  # it runs


def _tenant(server: Server, carrier: Simulator, shop: Shop) -> tuple[Tenant, str]:
    """A tenant that texts each buyer by the simulated carrier, and its shop's URL."""
    tenant = server.tenant("acme")
    tenant.twilio(carrier.base_url, sid=SID, token=TOKEN, rate=200)
    tenant.template("thanks", en="Thanks for {{ order.name }}.")
    tenant.trigger("order.created", "thanks")
    return tenant, str(tenant.shop(shop)["webhook_url"])


def _kill(server: Server) -> float:
    """kill -9 of the process that was started, and of no other; how long until nothing of it was left, in seconds."""
    process = server.process
    assert process is not None
    assert len(server.processes()) > 1, "it has children, which are not killed"
    process.send_signal(signal.SIGKILL)
    began = time.monotonic()
    process.wait(5)
    until(lambda: not server.processes(), lambda: f"alive: {server.processes()}", GONE_WITHIN_S)
    return time.monotonic() - began


def _open(tenant: Tenant, sends: Counter[str]) -> Counter[str]:
    """Messages that are not at their end yet, by status. `unknown` is one only where the carrier has nothing."""
    return Counter(
        one["status"]
        for one in tenant.messages()
        if one["status"] != "delivered" and not (one["status"] == "unknown" and not sends[one["id"]])
    )
