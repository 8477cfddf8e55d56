"""A trigger that is switched on counts from now: what came before, or happened before, texts nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from bellwire.store import triggers
from standins.world import World, number, order

OLD = 1_000


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.close()


def test_switching_a_trigger_on_with_a_thousand_old_events_sends_nothing(world: World) -> None:
    world.account()
    world.template()
    shop, trigger = world.installation(), world.trigger("fulfillment.shipped", state="off")
    old = [order(place, phone=number(place)) for place in range(OLD)]
    for first in range(0, OLD, 250):
        assert len(world.take(shop, *old[first : first + 250]).events) == 250
    world.clock.forward(minutes=1)
    draft = triggers.Draft(
        name="shipped",
        connector="shopify",
        installation_id=None,
        event="fulfillment.shipped",
        definition={"template": "shipped"},
        state="on",
    )
    world.change(lambda c: triggers.replace(c, trigger, draft, actor="cli", now=world.clock()))
    assert world.take(shop, *old[:250]).duplicate  # told again
    world.clock.forward(minutes=1)
    late = [order(f"late-{place}", occurred_at=world.clock() - timedelta(minutes=2)) for place in range(5)]
    assert len(world.take(shop, *late, reported="reconcile").events) == 5  # found afterwards
    world.pump()
    assert world.messages() == []
    world.take(shop, order("new", occurred_at=world.clock()))
    world.wait_for(delivered=1)
    assert len(world.messages()) == 1
