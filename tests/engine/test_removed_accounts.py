"""What waits at a carrier account that is taken out: another takes it, or it ends with a reason."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from bellwire.model import Status
from bellwire.store import carrier_accounts
from standins.line import Line
from standins.world import World, until


def remove(world: World, account_id: UUID) -> None:
    """Take an account out, as its owner does."""
    vault = world.engine.vault
    world.change(lambda c: carrier_accounts.remove(c, vault, account_id, actor="cli", now=world.clock()))


@pytest.mark.parametrize("is_chosen_by_policy", [False, True], ids=["no policy", "a policy that names both"])
def test_what_waits_is_sent_by_another(make_world: Callable[..., World], line: Line, is_chosen_by_policy: bool) -> None:
    other = Line("other")
    world = make_world(other)
    first, second = world.account("line"), world.account("other")
    if is_chosen_by_policy:
        world.policy(primary=[first], backup=[second])
    ids = world.send_many(3)
    assert {world.message(one).account_id for one in ids} == {first}
    remove(world, first)
    world.pump()
    for one in ids:
        assert world.wait(one, Status.SENT).account_id == second
    assert (len(line.sent), len(other.sent)) == (0, 3)


def test_without_another_it_waits_for_one_and_expires(world: World, line: Line) -> None:
    account = world.account("line")
    kept, late = world.send(expires_in_s=86_400), world.send(to="+998901234568", expires_in_s=3_600)
    remove(world, account)
    world.pump()
    world.clock.forward(hours=5)
    until(lambda: world.status(late) is Status.EXPIRED, f"{world.status(late)}")
    assert line.sent == []
    again = world.account("line")
    assert world.wait(kept, Status.SENT).account_id == again
