"""A shop for the tests of the demo's page: set up over the API, reporting orders that are signed as Shopify signs them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from bellwire.model import Installation, WebhookRequest
from bellwire_connectors.shopify import connector
from bellwire_web.demo_orders import SHOP, Buyer, order

SECRET = "a client secret of a made-up shop"
HOSTILE = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>"


def set_up(world: Any, *, caller: Any = None, trigger: str = "text on order.created") -> Mapping[str, Any]:
    """A carrier account, a template, a trigger and the installation, which is given."""
    caller = caller or world.a
    body = "Hi {{ customer.first_name }}, thanks for {{ order.name }}."

    def ask(path: str, asked: Mapping[str, Any] | None = None) -> Any:
        answer = caller.post(path, asked)
        assert answer.status_code < 300, answer.text
        return answer.json

    ask("/v1/carrier-accounts", {"carrier": "sandbox", "name": "Sandbox", "credentials": {}, "settings": {}})
    ask("/v1/templates", {"name": "thanks", "purpose": "transactional", "bodies": {"en": body}})
    ask("/v1/templates/thanks/versions/1/approve")
    ask(
        "/v1/triggers",
        {
            "name": trigger,
            "connector": "shopify",
            "event": "order.created",
            "all": [],
            "any": [],
            "template": "thanks",
            "recipient": "customer",
            "purpose": "transactional",
            "state": "on",
        },
    )
    credentials = {"shop": SHOP, "client_secret": SECRET, "access_token": "a made-up token"}
    made: Mapping[str, Any] = ask(
        "/v1/installations", {"connector": "shopify", "name": "Shop", "credentials": credentials, "settings": {}}
    )
    return made


def report(world: Any, installation: Mapping[str, Any], number: int, *, name: str, phone: str = "+998901230099") -> None:
    """Post a new order of somebody."""
    delivery = order(number, Buyer(name, phone, "en", "UZ", "185000", "UZS"))
    delivery["headers"]["X-Shopify-Triggered-At"] = world.clock.at.isoformat().replace("+00:00", "Z")
    delivery["body"] |= {"created_at": world.clock.at.isoformat(), "updated_at": world.clock.at.isoformat(), "test": False}
    body = json.dumps(delivery["body"]).encode()
    headers = {key.lower(): value for key, value in delivery["headers"].items()}
    request = WebhookRequest(headers=headers, body=body, received_at=datetime.now(world.clock.at.tzinfo))
    someone = Installation(
        id=uuid4(), tenant_id=uuid4(), connector="shopify", account_ref=SHOP, credentials={"shop": SHOP}, secrets=(SECRET,)
    )
    signed = connector.sign(request, someone)
    answer = world.a.client.post(urlsplit(installation["webhook_url"]).path, data=body, headers=dict(signed.headers))
    assert answer.status_code == 200, answer.text


def free_port() -> int:
    """A local port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process of ours, as politely as it takes."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(45)
    finally:
        process.kill()
