"""A webhook's secret is replaced, and its deliveries are repeated: what is taken when (promises A5, A6)."""

from __future__ import annotations

from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

import pytest
from bellwire.testing import installation, sample
from bellwire_connectors.shopify import connector

OLD, NEW = "the old client secret", "the new client secret"
DAY_S = 86_400


class Hook:
    """An installation's URL, and who delivers to it."""

    def __init__(self, world: Any, **settings: Any) -> None:
        self.world, self.client, self.sent = world, world.app.test_client(), 0
        credentials = {"shop": "example.myshopify.com", "client_secret": OLD}
        body = {"connector": "shopify", "name": "Shop", "credentials": credentials, "settings": settings}
        made = world.a.post("/v1/installations", body).json
        self.id, self.path = made["id"], urlsplit(made["webhook_url"]).path

    def deliver(self, secret: str, *, webhook_id: str = "", number: int = 0) -> tuple[int, int]:
        """An order, signed; the status, and how many events were new."""
        self.sent += 1
        number = number or self.sent
        order = sample("bellwire_connectors.shopify", "order_created")
        body = order.body.replace(b"5820982911946154508", b"%d" % (5820982911900000000 + number)).replace(b"#1001", b"#%d" % number)
        unsigned = order.with_headers(X_Shopify_Webhook_Id=webhook_id or f"delivery-{self.sent}")
        someone = installation(connector, secrets=(secret,), account_ref="example.myshopify.com")
        signed = connector.sign(unsigned.__class__(headers=unsigned.headers, body=body, received_at=order.received_at), someone)
        answer = self.client.post(self.path, data=body, headers=dict(signed.headers))
        return answer.status_code, len(answer.json.get("events", ()))

    def rotate(self, secret: str, **settings: Any) -> None:
        changed = self.world.a.patch(
            f"/v1/installations/{self.id}", {"credentials": {"client_secret": secret}, "settings": settings}
        )
        assert changed.status_code == 200


def test_a_thousand_webhooks_during_a_rotation_are_all_taken(world: Any) -> None:
    hook, signers = Hook(world), cycle((OLD, NEW))
    at_a_time = 100 if world.store.engine.dialect.name == "sqlite" else 10  # a thousand on one database, fewer on the other
    said = [hook.deliver(OLD) for _ in range(at_a_time)]
    hook.rotate(NEW)
    for _ in range(9):
        said += [hook.deliver(next(signers)) for _ in range(at_a_time)]
        world.clock.forward(seconds=DAY_S / 9 - 1)
    assert set(said) == {(200, 1)}
    assert len(said) == 10 * at_a_time


@pytest.mark.parametrize(
    ("settings", "lasts_s"),
    [({}, DAY_S), ({"secret_overlap_s": 3_600}, 3_600), ({"secret_overlap_s": 0}, 0)],
    ids=["a day", "an hour, as set", "not at all, as set"],
)
def test_the_old_secret_ends_with_its_overlap(world: Any, settings: dict[str, int], lasts_s: int) -> None:
    hook = Hook(world, **settings)
    assert hook.deliver(OLD) == (200, 1)
    hook.rotate(NEW)
    if lasts_s:
        world.clock.forward(seconds=lasts_s - 1)
        assert hook.deliver(OLD) == (200, 1)
        world.clock.forward(seconds=1)
    assert [hook.deliver(OLD)[0] for _ in range(50)] == [401] * 50
    assert hook.deliver(NEW) == (200, 1)


def test_of_two_rotations_each_old_secret_has_its_own_end(world: Any) -> None:
    hook = Hook(world)
    hook.rotate("between")
    world.clock.forward(hours=12)
    hook.rotate(NEW)
    assert [hook.deliver(secret)[0] for secret in (OLD, "between", NEW)] == [200, 200, 200]
    world.clock.forward(hours=13)
    assert [hook.deliver(secret)[0] for secret in (OLD, "between", NEW)] == [401, 200, 200]
    world.clock.forward(hours=13)
    assert [hook.deliver(secret)[0] for secret in (OLD, "between", NEW)] == [401, 401, 200]


def test_without_an_overlap_only_the_new_secret_counts(world: Any) -> None:
    """Who allows none may know of a leak: a secret that was replaced before it ends, too."""
    hook = Hook(world)
    hook.rotate("between")
    hook.rotate(NEW, secret_overlap_s=0)
    assert [hook.deliver(secret)[0] for secret in (OLD, "between", NEW)] == [401, 401, 200]


def test_a_change_of_something_else_ends_no_overlap(world: Any) -> None:
    hook = Hook(world)
    hook.rotate(NEW)
    changed = {"credentials": {"access_token": "shpat_new"}, "settings": {"secret_overlap_s": 0}}
    assert world.a.patch(f"/v1/installations/{hook.id}", changed).status_code == 200
    assert [hook.deliver(secret)[0] for secret in (OLD, NEW)] == [200, 200]


@pytest.mark.parametrize("age", [{"seconds": 1}, {"hours": 1}, {"days": 29}], ids=["a second", "an hour", "29 days"])
def test_a_delivery_that_comes_again_later_is_known(world: Any, age: dict[str, float]) -> None:
    hook = Hook(world)
    assert hook.deliver(OLD, webhook_id="w1", number=7) == (200, 1)
    world.clock.forward(**age)
    assert hook.deliver(OLD, webhook_id="w1", number=7) == (200, 0)
    assert hook.deliver(OLD, webhook_id="another", number=7) == (200, 0), "the same order under another delivery id"
    assert len(world.a.get("/v1/events").json["items"]) == 1
