"""How many webhooks a minute one tenant may send (promise A13): a flood is told to wait, and the others are not."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from bellwire_web.app import create_app
from bellwire_web.quota import Quota


def test_a_minute_s_requests_may_come_at_once_and_then_one_by_one() -> None:
    now = [100.0]
    quota = Quota(3, clock=lambda: now[0])

    def passed(key: bytes = b"a") -> int:
        return [quota.take(key) for _ in range(5)].count(True)

    assert (passed(), passed(b"b")) == (3, 3)
    for wait_s, more in ((19.9, 0), (0.2, 1), (10, 0), (10, 1), (3_600, 3)):
        now[0] += wait_s
        assert passed() == more, wait_s


def test_without_a_limit_all_pass() -> None:
    quota = Quota(0)
    assert all(quota.take(b"a") for _ in range(1_000))


def test_a_tenant_over_its_quota_waits_and_another_does_not(world: Any) -> None:
    world.runtime.config = type(world.runtime.config)(public_url="https://sms.example.com", hook_quota_per_minute=1)
    client = create_app(world.runtime).test_client()

    def hook(caller: Any) -> str:
        body = {
            "connector": "shopify",
            "name": "Shop",
            "credentials": {"shop": "x.myshopify.com", "client_secret": "a client secret"},
        }
        return urlsplit(caller.post("/v1/installations", body).json["webhook_url"]).path

    theirs, another = hook(world.a), hook(world.b)
    said = [client.post(path, data=b"{}") for path in (theirs, theirs, another)]
    assert [one.status_code for one in said] == [401, 429, 401]
    assert (said[1].json["code"], said[1].headers["Retry-After"]) == ("quota", "30")
