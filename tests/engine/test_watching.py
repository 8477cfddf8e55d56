"""Plugins that watch messages are told of each status, after it is stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from bellwire.engine.process import loops
from bellwire.errors import StoreUnavailable
from bellwire.ids import show
from bellwire.model import Dlr, Status, StatusChange
from bellwire.plugins.guard import Guard
from bellwire.store.database import open_database
from standins.world import World, order

Heard = list[tuple[object, StatusChange]]


@pytest.fixture
def heard() -> Heard:
    return []


@pytest.fixture
def watched(make_world: Callable[..., World], heard: Heard) -> World:
    """A world with two plugins that watch: the first raises whatever it is told."""

    def notes(values: Mapping[str, Any]) -> None:
        heard.append((values["tenant_id"], values["change"]))

    def breaks(_values: Mapping[str, Any]) -> None:
        raise KeyError("+998901234567")

    world = make_world()
    guards = tuple(Guard(name, "status_changed", call) for name, call in (("broken", breaks), ("noting", notes)))
    world.plugins = replace(world.plugins, _guards={**world.plugins._guards, "status_changed": guards})
    world.engine = world.worker()
    return world


def _tell(world: World) -> None:
    """What the jobs' loop does."""
    [loop] = [one for one in loops(world.engine) if one.name == "watching"]
    while loop.step():
        pass


def test_each_status_is_told(watched: World, heard: Heard, caplog: pytest.LogCaptureFixture) -> None:
    account = watched.account("line")
    made = watched.send()
    watched.pump()
    watched.wait(made, Status.SENT)
    watched.receipt(account, Dlr(carrier_ref=watched.message(made).carrier_ref, status=Status.DELIVERED, raw_status="ok"))
    assert heard == [], "not before the jobs come to it: a plugin is in nobody's way"
    with caplog.at_level(logging.WARNING):
        _tell(watched)
    assert [change.status for _, change in heard] == [Status.QUEUED, Status.SENT, Status.DELIVERED]
    assert {(tenant, change.message_id) for tenant, change in heard} == {(watched.tenant_id, show("msg", made))}
    assert {(one.plugin, one.hook) for one in caplog.records if hasattr(one, "plugin")} == {("broken", "status_changed")}
    assert "+998" not in caplog.text


def test_a_change_names_its_trigger_and_object_and_nothing_personal(watched: World, heard: Heard) -> None:
    watched.account("line")
    watched.template()
    watched.trigger("fulfillment.shipped", delay_s=3_600)
    shop = watched.installation()
    [event] = watched.take(shop, order(1)).events
    watched.take(shop, order(id="off", type="order.cancelled", cancels=["order/1"]))
    _tell(watched)
    first, second = (change for _, change in heard)
    assert [first.status, second.status] == [Status.SCHEDULED, Status.CANCELED]
    assert {(one.subject, one.event_id, one.trigger != "") for one in (first, second)} == {("order/1", event, True)}
    assert (first.text, first.msisdn_tail) == ("", "")


def test_what_was_not_stored_is_not_told(watched: World, heard: Heard) -> None:
    watched.account("line")
    watched.template()
    watched.trigger("fulfillment.shipped", delay_s=3_600)
    shop = watched.installation()
    for _ in range(3):
        watched.take(shop, order(1))
    _tell(watched)
    assert len(heard) == 1, "the second and the third were seen before"


def test_a_database_that_is_away_delays_what_is_told(watched: World, heard: Heard) -> None:
    made = watched.send()
    store = watched.engine.store
    there, store.engine = store.engine, open_database("postgresql://127.0.0.1:1/gone")
    with pytest.raises(StoreUnavailable):
        _tell(watched)
    store.engine = there
    _tell(watched)
    assert [change.message_id for _, change in heard] == [show("msg", made)]
