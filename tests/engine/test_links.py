"""A connector's link: one refresh for everybody whose token was refused, and values kept for the next look."""

from __future__ import annotations

import json
import multiprocessing
import queue
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from bellwire.engine import links
from bellwire.engine.links import EngineLink, link_to, open_link
from bellwire.errors import NotFound, PlatformUnauthorized, PlatformUnavailable
from bellwire.model import Installation
from bellwire.store import installations
from bellwire.store import links as stored
from standins.desk import Desk, Platform, connector
from standins.receiver import Handler, Received, Receiver
from standins.renewer import renew as renew_elsewhere


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    desk = Desk(database_url, connector(Platform()))
    yield desk
    desk.close()


@pytest.fixture
def shop(desk: Desk) -> UUID:
    return desk.installation(credentials={"access_token": "old", "refresh_token": "r-0"})


class Tokens:
    """A token endpoint whose refresh tokens are good once."""

    def __init__(self) -> None:
        self.used: list[str] = []
        self.refused = 0
        self.lock = threading.Lock()

    def refresh(self, installation: Installation) -> dict[str, Any]:
        return self.exchange(str(installation.credentials["refresh_token"]))

    def exchange(self, refresh_token: str) -> dict[str, Any]:
        with self.lock:
            if refresh_token in self.used:
                self.refused += 1
                raise PlatformUnauthorized("the refresh token was used before")
            self.used.append(refresh_token)
            return {"access_token": f"new-{len(self.used)}", "refresh_token": f"r-{len(self.used)}"}

    def serve(self, handler: Handler, received: Received) -> None:
        threading.Event().wait(0.2)  # long enough for the others to ask
        with self.lock:
            self.used.append(received.body.decode())
            fresh = {"access_token": f"new-{len(self.used)}", "refresh_token": f"r-{len(self.used)}"}
        handler.reply(200, json.dumps(fresh).encode())


def test_a_renewal_is_merged_stored_and_known_to_everybody(desk: Desk, shop: UUID) -> None:
    before = desk.row(shop)
    other = desk.again()
    with other.store.read() as connection:
        known = other.engine.configs.get(connection, desk.tenant_id, desk.clock.now())
        assert known is not None
    desk.clock.advance(1)
    link = open_link(desk.engine, desk.tenant_id, shop)
    renewed = link.renew("old", Tokens().refresh)
    assert renewed.credentials == {"secret": "s" * 32, "access_token": "new-1", "refresh_token": "r-1"}
    assert link.installation == renewed
    assert desk.value(shop).credentials == renewed.credentials
    row = desk.row(shop)
    assert (row.renew_until, row.updated_at > before.updated_at) == (None, True)
    assert b"new-1" not in row.credentials
    with other.store.read() as connection:
        known = other.engine.configs.get(connection, desk.tenant_id, desk.clock.now())
        assert known is not None
        assert known.config.installations[shop].value.credentials["access_token"] == "new-1"
    other.close()


def test_a_token_that_was_replaced_meanwhile_is_not_renewed_again(desk: Desk, shop: UUID) -> None:
    tokens = Tokens()
    late = link_to(desk.engine, desk.value(shop))
    open_link(desk.engine, desk.tenant_id, shop).renew("old", tokens.refresh)
    assert late.renew("old", tokens.refresh).credentials["access_token"] == "new-1"
    assert tokens.used == ["r-0"]


def test_no_token_at_all_is_renewed_once(desk: Desk) -> None:
    fresh, tokens = desk.installation(credentials={"refresh_token": "r-0"}), Tokens()
    for _ in range(2):
        assert open_link(desk.engine, desk.tenant_id, fresh).renew("", tokens.refresh).credentials["access_token"] == "new-1"
    assert tokens.used == ["r-0"]


def test_eight_threads_whose_token_was_refused_refresh_once(desk: Desk, shop: UUID) -> None:
    tokens, started, ended = Tokens(), threading.Barrier(8), queue.SimpleQueue[str]()

    def refresh(installation: Installation) -> dict[str, Any]:
        threading.Event().wait(0.2)  # long enough for the others to ask
        return tokens.refresh(installation)

    def job() -> None:
        link = open_link(desk.engine, desk.tenant_id, shop)
        started.wait(10)
        ended.put(str(link.renew("old", refresh).credentials["access_token"]))

    threads = [threading.Thread(target=job) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [ended.get(timeout=1) for _ in range(8)] == ["new-1"] * 8
    assert (tokens.used, tokens.refused) == (["r-0"], 0)


def test_two_processes_refresh_once(desk: Desk, shop: UUID) -> None:
    tokens, spawn = Tokens(), multiprocessing.get_context("spawn")
    started, ended = spawn.Barrier(8), spawn.Queue()
    with Receiver(answer=tokens.serve) as endpoint:
        processes = [
            spawn.Process(target=renew_elsewhere, args=(desk.url, desk.tenant_id, shop, endpoint.url, started, 4, ended))
            for _ in range(2)
        ]
        for process in processes:
            process.start()
        try:
            assert [ended.get(timeout=60) for _ in range(8)] == ["new-1"] * 8
        finally:
            for process in processes:
                process.join(30)
                process.close()
    ended.close()
    ended.join_thread()
    assert len(tokens.used) == 1
    assert desk.value(shop).credentials["access_token"] == "new-1"


def test_a_refresh_that_fails_gives_the_lease_back(desk: Desk, shop: UUID) -> None:
    def refused(installation: Installation) -> dict[str, Any]:
        raise PlatformUnauthorized("install the app again")

    with pytest.raises(PlatformUnauthorized):
        open_link(desk.engine, desk.tenant_id, shop).renew("old", refused)
    assert desk.row(shop).renew_until is None
    assert open_link(desk.engine, desk.tenant_id, shop).renew("old", Tokens().refresh).credentials["access_token"] == "new-1"


def test_who_waited_for_a_refresh_that_failed_does_not_hammer_the_platform(desk: Desk, shop: UUID) -> None:
    asked, gate, tokens = threading.Event(), threading.Event(), Tokens()
    outcomes: dict[str, type[BaseException]] = {}

    def failing(installation: Installation) -> dict[str, Any]:
        asked.set()
        gate.wait(10)
        raise PlatformUnauthorized("install the app again")

    def job(name: str, refresh: Callable[[Installation], dict[str, Any]]) -> None:
        try:
            open_link(desk.engine, desk.tenant_id, shop).renew("old", refresh)
        except Exception as e:
            outcomes[name] = type(e)

    first = threading.Thread(target=job, args=("first", failing))
    first.start()
    assert asked.wait(10)
    second = threading.Thread(target=job, args=("second", tokens.refresh))
    second.start()
    threading.Event().wait(0.3)  # it waits for the first by now
    gate.set()
    first.join(10)
    second.join(10)
    assert outcomes == {"first": PlatformUnauthorized, "second": PlatformUnavailable}
    assert tokens.used == []


def test_a_lease_whose_holder_died_is_waited_for_and_then_taken_over(desk: Desk, shop: UUID) -> None:
    until = desk.clock.now() + timedelta(seconds=links.LEASE_S)
    desk.engine.write(lambda connection: stored.take_lease(connection, shop, until))
    tokens = Tokens()
    with pytest.raises(PlatformUnavailable) as caught:
        EngineLink(desk.engine, desk.value(shop), patience_s=0.2).renew("old", tokens.refresh)
    assert caught.value.retry_after_s == links.LEASE_S
    desk.clock.advance(links.LEASE_S)
    assert open_link(desk.engine, desk.tenant_id, shop).renew("old", tokens.refresh).credentials["access_token"] == "new-1"
    assert tokens.used == ["r-0"]


def test_a_lease_out_of_a_future_that_never_was_does_not_stall(desk: Desk, shop: UUID) -> None:
    """The clock was set back a day after somebody took the lease."""
    until = desk.clock.now() + timedelta(days=1)
    desk.engine.write(lambda connection: stored.take_lease(connection, shop, until))
    assert open_link(desk.engine, desk.tenant_id, shop).renew("old", Tokens().refresh).credentials["access_token"] == "new-1"


def test_a_person_who_replaced_the_credentials_meanwhile_wins(desk: Desk, shop: UUID) -> None:
    def slow(installation: Installation) -> dict[str, Any]:
        value = desk.engine.plugins.connectors["till"]
        desk.change(
            lambda c: installations.change(
                c,
                desk.engine.vault,
                value,
                shop,
                allow_private=True,
                actor="key",
                now=desk.clock.now(),
                credentials={"access_token": "typed in"},
            )
        )
        return {"access_token": "fetched"}

    assert open_link(desk.engine, desk.tenant_id, shop).renew("old", slow).credentials["access_token"] == "typed in"


def test_an_installation_that_was_removed_meanwhile_is_not_revived(desk: Desk, shop: UUID) -> None:
    def slow(installation: Installation) -> dict[str, Any]:
        desk.change(lambda c: installations.remove(c, desk.engine.vault, shop, actor="key", now=desk.clock.now()))
        return {"access_token": "fetched"}

    with pytest.raises(NotFound):
        open_link(desk.engine, desk.tenant_id, shop).renew("old", slow)
    assert desk.value(shop).credentials == {}
    with pytest.raises(NotFound):
        open_link(desk.engine, desk.tenant_id, shop)


def test_another_tenants_installation_is_not_opened(desk: Desk, shop: UUID) -> None:
    with pytest.raises(NotFound):
        open_link(desk.engine, desk.tenant("other"), shop)


def test_what_is_to_be_remembered_is_merged_when_the_job_ends_well(desk: Desk, shop: UUID) -> None:
    first = open_link(desk.engine, desk.tenant_id, shop)
    first.remember(page="a", since="2026-01-01")
    assert desk.row(shop).cursor == {}
    desk.engine.write(first.keep)
    second = open_link(desk.engine, desk.tenant_id, shop)
    assert second.installation.cursor == {"page": "a", "since": "2026-01-01"}
    second.remember(page="b", since=None)
    desk.engine.write(second.keep)
    assert desk.row(shop).cursor == {"page": "b"}
