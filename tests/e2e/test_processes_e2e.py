"""The serving process as an operator meets it: killed, stopped under load, started twice (promises B1, B10)."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from simulated_carrier import Simulator
from standins.senders import Senders, check_all_whole, tenant_of
from standins.served import Server, Tenant, until
from standins.shopify import Shop

SID, TOKEN = "AC" + "7" * 32, "a token of nobody's"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes servers of a test, on the same database, and ends them."""
    made: list[Server] = []

    def server(**settings: str) -> Server:
        made.append(Server(tmp_path, **settings))
        return made[-1]

    yield server
    for one in made:
        one.end()


@dataclass
class Second:
    """A `serve` that can't have what it wants, begun early: it is patient before it gives up."""

    server: Server
    process: subprocess.Popen[bytes]

    def gives_up(self) -> int:
        """Its exit code."""
        assert "Traceback" not in self.server.said
        return self.process.wait(30)


@dataclass
class Rivals:
    """Who wants the database of a running server, and who wants its port."""

    first: Server
    database: Second
    port: Second


@pytest.fixture(scope="module")
def rivals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rivals]:
    folder = tmp_path_factory.mktemp("rivals")
    first, database, port = Server(folder), Server(folder), Server(tmp_path_factory.mktemp("other"))
    database.log, port.port = folder / "second.log", first.port
    try:
        first.start()
        yield Rivals(first, Second(database, database.launch()), Second(port, port.launch()))
    finally:
        for one in (first, database, port):
            one.end()


@pytest.mark.usefixtures("rivals")
class TestKilled:
    @pytest.mark.parametrize("times", [1, pytest.param(100, marks=pytest.mark.proof)])
    def test_whatever_got_a_2xx_is_stored(self, make: Callable[..., Server], shop: Shop, times: int) -> None:
        """Killed at random moments while webhooks come in: an answer is given after the commit (A2)."""
        choose = random.Random(20261121)
        server = make().start()
        tenant, url = tenant_of(server, shop)
        with Senders(shop, url) as senders:
            for _ in range(times):
                began = time.monotonic()
                senders.wait(200, choose.randrange(1, 120), began, within_s=30)
                for pid in (server.process.pid, *server.children()):  # type: ignore[union-attr]  # it runs
                    os.kill(pid, signal.SIGKILL)
                server.process.wait(5)  # type: ignore[union-attr]
                server.start()
            senders.wait(200, 20, time.monotonic())
        assert set(senders.since(0.0)) <= {200, 503}
        assert server.ask("PRAGMA integrity_check") == [("ok",)]
        check_all_whole(tenant, senders, killed=True)

    def test_a_killed_child_takes_the_parent_with_it(self, make: Callable[..., Server]) -> None:
        """So that whoever looks after the process starts it anew."""
        server = make().start()
        [child] = server.children()
        os.kill(child, signal.SIGKILL)
        assert server.process is not None
        assert server.process.wait(10) != 0


class TestStopped:
    def load(self, server: Server, carrier: Simulator, count: int) -> Tenant:
        """A tenant with so many texts on their way, each a while at the carrier."""
        tenant = server.tenant("acme")
        tenant.twilio(carrier.base_url, sid=SID, token=TOKEN, rate=200)
        rows = [{"to": f"+1202555{number:04d}", "body": "on its way", "reference": f"{number}"} for number in range(count)]
        assert len(tenant.post("/v1/messages/batch", {"messages": rows})["items"]) == count
        until(lambda: [one for one in tenant.messages() if one["status"] != "queued"], "nothing was sent")
        return tenant

    @pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.proof)])
    def test_under_load_nothing_is_unknown_and_nothing_twice(
        self, make: Callable[..., Server], carrier: Simulator, number: signal.Signals
    ) -> None:
        carrier.post("/reset")
        carrier.control(latency_ms=300, dlr="none")
        try:
            server = make().start()
            tenant = self.load(server, carrier, 150)
            began = time.monotonic()
            assert server.stop(number) == 0
            assert time.monotonic() - began < 30
            left = Counter(status for (status,) in server.ask("SELECT status FROM messages"))
            assert set(left) <= {1, 3}, "queued or sent: none is sending, none unknown"
            assert 0 < left[3] < 150, "it was stopped in the middle"
            assert carrier.stats["accepted"] == left[3], "what was sent was recorded"
            server.start()
            until(lambda: {one["status"] for one in tenant.messages()} == {"sent"}, "not all were sent afterwards", 30)
            until(lambda: len(carrier.get("/received")["texts"]) >= 150)
            got = Counter(one["to"] for one in carrier.get("/received")["texts"])
            assert (len(got), set(got.values())) == (150, {1})
            assert "Traceback" not in server.said
        finally:
            carrier.control(latency_ms=0, dlr="once")

    def test_a_request_under_way_is_answered(self, make: Callable[..., Server]) -> None:
        server = make().start()
        tenant = server.tenant("acme")
        tenant.sandbox()
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {tenant.key}"
            assert server.process is not None
            statuses, stopped = [], False
            for place in range(200):
                try:
                    body = {"to": "+12025550100", "body": f"{place}"}
                    statuses.append(session.post(f"{server.url}/v1/messages", json=body, timeout=20).status_code)
                except requests.ConnectionError:
                    break
                if place == 20 and not stopped:
                    server.process.send_signal(signal.SIGTERM)
                    stopped = True
            assert server.process.wait(40) == 0
        [(stored,)] = server.ask("SELECT count(*) FROM messages")
        assert set(statuses) <= {202, 503}
        assert stored >= statuses.count(202)


class TestStartedTwice:
    def test_an_address_of_another_machine_is_said(self, make: Callable[..., Server]) -> None:
        server = make()
        assert server.launch("--host", "192.0.2.1").wait(30) == 2
        assert "can't listen on 192.0.2.1" in server.said

    def test_a_database_that_is_served_is_said(self, rivals: Rivals) -> None:
        assert rivals.database.gives_up() == 2
        said = "bellwire: another `bellwire serve` uses bellwire.db: stop it, or use PostgreSQL for several\n"
        assert rivals.database.server.said == said, "and not that it serves"

    def test_a_port_that_is_taken_is_said(self, rivals: Rivals) -> None:
        assert rivals.port.gives_up() == 2
        assert f"port: something else listens on {rivals.first.port}; stop it" in rivals.port.server.said

    def test_the_first_one_serves_on(self, rivals: Rivals) -> None:
        assert requests.get(f"{rivals.first.url}/readyz", timeout=5).ok
