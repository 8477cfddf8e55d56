"""The corner shop's side: notes, consent, subscriptions and tokens in memory."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from bellwire import WebhookRequest
from bellwire.testing import HttpStandIn

PHONE = "+12025550142"


class CornerShop(HttpStandIn):
    token_paths = ("/token",)

    def __init__(self) -> None:
        super().__init__()
        self.notes: dict[str, str] = {}
        self.consents: dict[str, dict[str, str]] = {}
        self.hooks: dict[str, Any] = {}
        self.orders: dict[str, tuple[str, int]] = {}  # when, version
        self.good, self.given, self.told = {"token-0"}, 0, 0

    def answer(self, _: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        steps = unquote(urlsplit(path).path).strip("/").split("/")
        told = json.loads(body) if body else {}
        if steps == ["token"]:
            if told.get("refresh_token") != "refresh-0":
                return 400, {}, b"{}"
            self.given += 1
            self.good.add(f"token-{self.given}")
            return 200, {}, json.dumps({"access_token": f"token-{self.given}"}).encode()
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.good:
            return 401, {}, b"{}"
        if steps[0] == "orders":
            found = [
                {"order": {"id": one, "version": version, "phone": PHONE}, "at": at} for one, (at, version) in self.orders.items()
            ]
            return 200, {}, json.dumps(found).encode()
        if steps[0] == "order" and steps[1] not in self.orders:
            return 404, {}, b"{}"
        if steps[0] == "order":
            self.notes["/".join(steps)] = told["text"]
        elif steps[0] == "hooks":
            self.hooks[steps[1]] = told
        elif told["at"] >= self.consents.get(steps[1], {}).get("at", ""):  # the newest statement wins
            self.consents[steps[1]] = told
        return 200, {}, b"{}"

    def credentials(self) -> Mapping[str, Any]:
        return {"access_token": "token-0", "refresh_token": "refresh-0"}

    def subject(self) -> str:
        number = str(len(self.orders) + 1)
        self.orders[number] = (self.now().isoformat(), 1)
        return f"order/{number}"

    def written(self) -> Any:
        with self.lock:
            return sorted([path.split("/")[1], text] for path, text in self.notes.items())

    def expire_tokens(self) -> None:
        self.good.clear()

    def refreshes(self) -> int:
        return self.given

    def person(self) -> tuple[str, str]:
        return PHONE, "customer/7"

    def consent(self, msisdn: str) -> str:
        return self.consents.get(msisdn, {}).get("state", "")

    def happen(self) -> str:
        return self.subject()

    def subscriptions(self) -> int:
        return len(self.hooks)

    def drop_subscriptions(self) -> None:
        self.hooks.clear()

    def reports(self, subject: str) -> list[WebhookRequest]:
        self.told += 1
        number = subject.partition("/")[2]
        at, version = self.orders[number]
        order = {"id": number, "version": version, "total": "1.00", "currency": "USD", "phone": PHONE}
        body = {"kind": "order.edited", "delivery": f"report-{self.told}", "at": at, "order": order}
        return [
            WebhookRequest(headers={}, body=json.dumps(body).encode(), received_at=datetime.fromisoformat(self.now().isoformat()))
        ]
