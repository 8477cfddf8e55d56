"""A producer as the certification kit wants it played: takes signed events once each, keeps the newest fact of each object."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bellwire.model import Json, WebhookRequest
from bellwire.testing import SECRET, bend, sample
from bellwire.testing.standins import HttpStandIn
from standardwebhooks.webhooks import Webhook

PACKAGE = "bellwire_connectors.timecard"


class CertifiedProducer(HttpStandIn):
    """The callback address, and what the producer sends."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()
        self._newest: dict[str, tuple[str, str]] = {}  # object → sequence, fact
        self._asked = 0

    def settings(self) -> Mapping[str, Any]:
        return {"callback_url": "https://producer.example/bellwire", "write_back": "all"}

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        if (method, path) != ("POST", "/bellwire"):
            return 404, {}, b"{}"
        at = datetime.fromtimestamp(int(headers.get("webhook-timestamp", "0")), UTC)
        expected = Webhook(SECRET).sign(headers.get("webhook-id", ""), at, body.decode())
        if headers.get("webhook-signature") != expected:
            return 401, {}, b"{}"
        event = json.loads(body)
        if event["id"] not in self._seen and event["sequence"] >= self._newest.get(event["subject"], ("", ""))[0]:
            self._newest[event["subject"]] = (event["sequence"], event["data"].get("status") or event["data"].get("state"))
        self._seen.add(event["id"])
        return 200, {}, b"{}"

    def subject(self) -> str:
        self._asked += 1
        return f"task/{9000 + self._asked}"

    def written(self) -> Json:
        return {subject: fact for subject, (_, fact) in sorted(self._newest.items())}

    def person(self) -> tuple[str, str]:
        return "+998901234567", "emp-1001"

    def consent(self, msisdn: str) -> str:  # noqa: ARG002  # one person is known here
        return self._newest.get("worker/emp-1001", ("", ""))[1]

    def reports(self, subject: str) -> Sequence[WebhookRequest]:
        """The same delivery again: a producer sends nothing because of what it was told."""
        number = subject.partition("/")[2]

        def edit(body: Any) -> None:
            body |= {"id": f"task-{number}-assigned-1", "subject": subject}
            body["data"]["task"]["id"] = number

        return [replace(bend(sample(PACKAGE, "task_assigned"), edit), received_at=self.now())]
