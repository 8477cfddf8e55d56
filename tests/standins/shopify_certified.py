"""The stand-in shop as the certification kit asks for it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from bellwire import Json, WebhookRequest
from bellwire.testing import NOW, StandIn
from bellwire.testing import Fault as AnyFault
from standins.shopify import Fault, Shop


class _CountingShop(Shop):
    """Counts the calls of the Admin API, and can be slow: what was asked is done, the answer comes late."""

    came = 0
    slow_s: Sequence[float] = ()

    def _next_fault(self) -> Fault | None:
        self.came += 1
        return super()._next_fault()

    def _answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        answer = super()._answer(method, path, headers, body)
        if self.slow_s and path.startswith("/admin/api/"):
            wait_s, self.slow_s = self.slow_s[0], self.slow_s[1:]
            time.sleep(wait_s)
        return answer


class CertifiedShop(StandIn):
    """One shop for one rule. Its webhooks are those of `orders/updated`."""

    def __init__(self) -> None:
        self._shop = _CountingShop(now=lambda: self.now(), bucket=10**9, restore_rate=10**9)  # waiting takes the kit no time
        self._shop._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who hung up is a test's purpose
        self._numbers = itertools.count(1)

    def start(self) -> None:
        self._shop.__enter__()

    def stop(self) -> None:
        self._shop.__exit__()

    @property
    def url(self) -> str:
        return self._shop.url

    def credentials(self) -> Mapping[str, Any]:
        return {"shop": self._shop.domain, "client_secret": self._shop.client_secret, **self._shop.expiring_tokens()}

    def settings(self) -> Mapping[str, Any]:
        return {"write_back_tag": True, "write_back_note": True}

    def fail(self, *faults: AnyFault) -> None:
        self._shop.fail(*(Fault(one.status, one.headers, one.body, one.cut) for one in faults if not one.slow_s))
        self._shop.slow_s = [one.slow_s for one in faults if one.slow_s]

    def calls(self) -> int:
        return self._shop.came

    def subject(self) -> str:
        return f"order/{self._shop.place_order(phone='+12025550142')}"

    def written(self) -> Json:
        fields: dict[str, Any] = {f"{owner} {key}": self._shop.metafield(owner) for owner, _, key in self._shop.metafields}
        orders: dict[str, Any] = {gid: [one["note"], list(one["tags"])] for gid, one in self._shop.orders.items()}
        return [fields, orders]

    def expire_tokens(self) -> None:
        self._shop.expire_tokens()

    def refreshes(self) -> int:
        return len(self._shop.token_calls)

    def person(self) -> tuple[str, str]:
        return "+12025550142", self._shop.add_customer()

    def consent(self, msisdn: str) -> str:
        phones = [one["defaultPhoneNumber"] for one in self._shop.customers.values() if one["defaultPhoneNumber"]]
        state = next(one["marketingState"] for one in phones if one["phoneNumber"] == msisdn)
        return {"SUBSCRIBED": "opted_in", "UNSUBSCRIBED": "opted_out"}.get(state, "")

    def happen(self) -> str:
        return self.subject()

    def subscriptions(self) -> int:
        return len(self._shop.subscriptions)

    def drop_subscriptions(self) -> None:
        self._shop.drop_subscriptions()

    def reports(self, subject: str) -> Sequence[WebhookRequest]:
        body = json.dumps(self._shop.order_webhook(subject.partition("/")[2])).encode()
        headers = {name.lower(): value for name, value in self._shop.headers("orders/updated", body).items()}
        return [WebhookRequest(headers=headers, body=body, received_at=NOW + timedelta(seconds=next(self._numbers)))]
