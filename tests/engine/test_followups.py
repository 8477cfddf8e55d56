"""Which write-backs follow from a change: none where the platform has nothing to write on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bellwire.engine.followups import Change, Followups
from bellwire.ids import new_id
from bellwire.model import Status
from bellwire.plugins import Plugins
from standins.world import World

SUBJECTS = [
    ("an order", "order/gid://shopify/Order/1", "", 1),
    ("a checkout of a customer", "checkout/x", "gid://shopify/Customer/2", 1),
    ("a checkout of nobody known", "checkout/x", "", 0),
]


@pytest.mark.parametrize(("label", "subject", "customer", "made"), SUBJECTS, ids=[row[0] for row in SUBJECTS])
def test_what_can_not_be_written_on_gets_no_write_back(
    world: World, loaded: Plugins, label: str, subject: str, customer: str, made: int
) -> None:
    shop = world.installation()
    followups = Followups(world.engine.vault, loaded.connectors)
    change = Change(new_id(), Status.DELIVERED, world.clock(), installation_id=shop, subject=subject, customer_ref=customer)
    followups.add(world.held().config, change)
    assert (len(followups.write_backs), len(followups.changes)) == (made, 1)


@pytest.mark.parametrize("wanted", [True, False])
def test_an_installation_s_settings_count(world: World, loaded: Plugins, wanted: bool) -> None:
    shop = world.installation()
    said = replace(loaded.connectors["shopify"], writes_on=lambda _s, _c, one: (one.settings["write_back"] == "all") is wanted)
    followups = Followups(world.engine.vault, {"shopify": said})
    followups.add(world.held().config, Change(new_id(), Status.DELIVERED, world.clock(), installation_id=shop, subject="order/1"))
    assert len(followups.write_backs) == wanted
