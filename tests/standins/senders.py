"""Shopify at its most patient: orders told again and again until each is taken, and what must have become of them."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
from standins.served import Server, Tenant, until
from standins.shopify import Shop


@dataclass
class Senders:
    """Shopify, telling of an order again and again until it is taken: each order under its own delivery id."""

    shop: Shop
    url: str
    threads: int = 4
    taken: dict[str, str] = field(default_factory=dict)  # delivery → event
    answers: list[tuple[float, int, str]] = field(default_factory=list)  # when, status, Retry-After

    def __post_init__(self) -> None:
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._running = [threading.Thread(target=self._work, args=(number,)) for number in range(self.threads)]

    def __enter__(self) -> Senders:
        for one in self._running:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for one in self._running:
            one.join()

    def _work(self, thread: int) -> None:
        count = 0
        session = requests.Session()
        while not self._stop.is_set():
            count += 1
            number = thread * 1_000_000 + count
            order = {"id": number, "name": f"#{number}", "phone": f"+1202555{count % 100:04d}"}
            body = json.dumps(order).encode()
            headers = self.shop.headers("orders/create", body, webhook_id=f"delivery-{number}")
            while not self._deliver(session, f"delivery-{number}", body, headers) and not self._stop.wait(0.05):
                pass

    def _deliver(self, session: requests.Session, delivery: str, body: bytes, headers: dict[str, str]) -> bool:
        try:
            answer = session.post(self.url, data=body, headers=headers, timeout=10)
        except requests.ConnectionError:
            return False
        with self._lock:
            self.answers.append((time.monotonic(), answer.status_code, answer.headers.get("Retry-After", "")))
            if answer.status_code == 200:
                said = answer.json()
                assert said["events"] or said["duplicate"]  # known already: a repeat whose first answer was lost or a 503
                self.taken[delivery] = (said["events"] or [""])[0]
        return answer.status_code == 200

    def since(self, then: float) -> Counter[int]:
        """What was answered after a moment."""
        with self._lock:
            return Counter(status for at, status, _ in self.answers if at >= then)

    def wait(self, status: int, count: int, then: float, within_s: float = 15.0) -> None:
        """Until so many got this answer after a moment."""
        until(lambda: self.since(then)[status] >= count, lambda: f"{self.since(then)} and not {count} × {status}", within_s)


def tenant_of(server: Server, shop: Shop) -> tuple[Tenant, str]:
    """A tenant that texts each buyer by the sandbox, and its shop's URL."""
    tenant = server.tenant("acme")
    tenant.sandbox()
    tenant.template("thanks", en="Thanks for {{ order.name }}.")
    tenant.trigger("order.created", "thanks")
    return tenant, str(tenant.shop(shop)["webhook_url"])


def check_all_whole(tenant: Tenant, senders: Senders, *, killed: bool = False) -> None:
    """Each delivery that got a 2xx is one event, and every event is whole: decided, its message at its end.

    `killed`: the process was, so that what was under way may be unknown, and the sandbox has forgotten receipts it planned.
    """
    ended = {"delivered", "sent", "unknown"} if killed else {"delivered"}
    events = tenant.all("/v1/events")
    assert len(events) >= len(senders.taken)
    assert {one for one in senders.taken.values() if one} <= {one["id"] for one in events}
    assert len({one["subject"] for one in events}) == len(events), "one event an order"
    assert {len(one["decisions"]) for one in events} == {1}
    assert all(one["decisions"][0]["message"] for one in events)

    def open_ones() -> Sequence[Any]:
        return [one for one in tenant.messages() if one["status"] not in ended]

    until(lambda: not open_ones(), lambda: f"still open: {Counter(one['status'] for one in open_ones())}", 20)
    statuses = Counter(one["status"] for one in tenant.messages())
    assert statuses.total() == len(events)
    assert set(statuses) <= ended
