"""Webhooks through the whole of intake, in this process: bent bodies never break it (A8), and their order does not matter (A10)."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from bellwire.testing import installation, sample
from bellwire_connectors.shopify import connector
from hypothesis import HealthCheck, given, settings
from standins.bent_bodies import PACKAGE, bent

SECRET = "a client secret"
LEAVES = {"app/uninstalled", "shop/redact"}  # after these the installation is gone


class Hook:
    """A shop whose every event is texted, and its URL."""

    def __init__(self, world: Any) -> None:
        self.world, self.client, self.sent = world, world.app.test_client(), 0
        world.a.post("/v1/carrier-accounts", {"carrier": "sandbox", "name": "Sandbox", "credentials": {}, "settings": {}})
        body = "{{ order.name | default: 'Nothing' }}"
        world.a.post("/v1/templates", {"name": "told", "purpose": "transactional", "bodies": {"en": body}})
        world.a.post("/v1/templates/told/versions/1/approve")
        for event in connector.events:
            made = world.a.post(
                "/v1/triggers", {"name": event, "connector": "shopify", "event": event, "template": "told", "state": "on"}
            )
            assert made.status_code == 201, made.text
        made = world.a.post(
            "/v1/installations",
            {"connector": "shopify", "name": "Shop", "credentials": {"shop": "example.myshopify.com", "client_secret": SECRET}},
        )
        self.path = urlsplit(made.json["webhook_url"]).path
        self._someone = installation(connector, secrets=(SECRET,), account_ref="example.myshopify.com")

    def post(self, topic: str, body: bytes) -> tuple[int, Mapping[str, Any]]:
        """Deliver a body, signed; the status and the answer."""
        self.sent += 1
        asked = sample(PACKAGE, "order_created").with_headers(X_Shopify_Topic=topic, X_Shopify_Webhook_Id=f"d{self.sent}")
        asked = type(asked)(headers=asked.headers, body=body, received_at=self.world.clock())
        answer = self.client.post(self.path, data=body, headers=dict(connector.sign(asked, self._someone).headers))
        return answer.status_code, answer.json

    def all(self, path: str) -> list[dict[str, Any]]:
        """Every item of a list."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.world.a.get(f"{path}?limit=200{cursor}").json
            found += page["items"]
            if not page["next"]:
                return found
            cursor = f"&cursor={page['next']}"


@pytest.mark.parametrize("examples", [60, pytest.param(10_000, marks=pytest.mark.proof)])
def test_a_bent_body_never_breaks_intake(world: Any, examples: int) -> None:
    hook = Hook(world)
    statuses: Counter[int] = Counter()

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(bent())
    def post(asked: tuple[str, bytes]) -> None:
        topic, body = asked
        if topic in LEAVES:
            return
        began = time.monotonic()
        status, said = hook.post(topic, body)
        assert status in {200, 400}, said
        assert status == 200 or said["detail"]
        assert time.monotonic() - began < 1.0
        statuses[status] += 1

    post()
    assert statuses[200] > examples / 10
    stored = hook.all("/v1/events")
    assert stored
    for event in stored:
        assert event["error"] is None, "deciding raised"
        assert event["status"] == "pending" or event["decisions"]
    for event in stored[:: max(1, len(stored) // 50)]:
        assert world.a.get(f"/v1/events/{event['id']}").status_code == 200
    for message in hook.all("/v1/messages"):
        assert message["text"] is not None or message["reason"]


def life(number: int, now: Any) -> dict[str, bytes]:
    """What a shop tells of one order, topic → body, in the order in which it happens."""
    made = json.loads(sample(PACKAGE, "order_created").body)
    order = {**made, "id": number, "admin_graphql_api_id": f"gid://shopify/Order/{number}", "name": f"#{number}"}

    def at(minutes: int) -> str:
        return str((now + timedelta(minutes=minutes)).isoformat())

    order |= {"created_at": at(0), "updated_at": at(0), "processed_at": at(0)}
    paid = {**order, "financial_status": "paid", "updated_at": at(1)}
    parcel = {**json.loads(sample(PACKAGE, "fulfillment_shipped").body), "id": number + 1, "order_id": number}
    parcel |= {"admin_graphql_api_id": f"gid://shopify/Fulfillment/{number + 1}", "name": f"#{number}.1"}
    parcel |= {"created_at": at(2), "updated_at": at(2)}
    fulfilled = {**paid, "fulfillment_status": "fulfilled", "fulfillments": [parcel], "updated_at": at(2)}
    cancelled = {**fulfilled, "cancelled_at": at(3), "cancel_reason": "customer", "updated_at": at(3)}
    told = {
        "orders/create": order,
        "orders/paid": paid,
        "fulfillments/create": parcel,
        "orders/fulfilled": fulfilled,
        "orders/cancelled": cancelled,
    }
    return {topic: json.dumps(body).encode() for topic, body in told.items()}


@pytest.mark.parametrize("times", [12, pytest.param(500, marks=pytest.mark.proof)])
def test_an_order_s_life_ends_the_same_however_it_is_told(world: Any, times: int) -> None:
    """Each event once, each trigger's text once, for every order of delivery and with every third told twice."""
    hook, choose = Hook(world), random.Random(20261121)
    ends = set()
    for place in range(times):
        number = 7_000_000_000_000 + place * 10
        told = list(life(number, world.clock()).items())
        told += choose.sample(told, 2)
        choose.shuffle(told)
        events = []
        for topic, body in told:
            status, said = hook.post(topic, body)
            assert status == 200, said
            events += said["events"]
        shown = [world.a.get(f"/v1/events/{one}").json for one in events]
        kinds = Counter(one["type"] for one in shown)
        assert set(kinds.values()) == {1}, f"told twice: {[topic for topic, _ in told]}"
        texts = Counter(message["trigger"] for one in events for message in world.a.get(f"/v1/messages?event={one}").json["items"])
        assert max(texts.values()) == 1
        ends.add((tuple(sorted(kinds)), tuple(sorted(set(texts) - {"fulfillment.shipped"}))))  # a worker may have to fetch that one
    told_of = ("order.cancelled", "order.created", "order.paid")
    assert ends == {(("fulfillment.shipped", *told_of), told_of)}
