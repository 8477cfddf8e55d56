"""The timecard contract over HTTP: what each delivery is answered, alone and in a batch (docs/connectors/timecard.md)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from bellwire import WebhookRequest
from bellwire.testing import OLD_SECRET, SECRET, installation, sample
from bellwire_connectors.timecard import connector
from web_world import World
from werkzeug.test import TestResponse

PACKAGE = "bellwire_connectors.timecard"


class Hook:
    """An installation and its producer."""

    def __init__(self, world: World, **settings: Any) -> None:
        self.world, self.secret = world, SECRET
        body = {"connector": "timecard", "name": "Time", "credentials": {"secrets": [SECRET]}, "settings": settings}
        made = world.a.post("/v1/installations", body)
        assert made.status_code == 201, made.text
        self.id, self.path = made.json["id"], f"/hooks/timecard/{made.json['key']}"

    def event(self, name: str = "task_assigned", **attributes: Any) -> Any:
        return {**json.loads(sample(PACKAGE, name).body), **attributes}

    def post(self, body: Any, *, kind: str = "application/cloudevents+json", secret: str = "", **headers: str) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        now = self.world.clock()
        request = WebhookRequest(headers={"content-type": kind}, body=data, received_at=now)
        here = installation(connector, secrets=(secret or self.secret,))
        signed = {name: value for name, value in connector.sign(request, here).headers.items() if name != "content-type"}
        return self.world.app.test_client().post(self.path, data=data, headers={**signed, **headers}, content_type=kind)

    def batch(self, *items: Any) -> TestResponse:
        return self.post(list(items), kind="application/cloudevents-batch+json")


@pytest.fixture
def hook(world: World) -> Hook:
    return Hook(world)


def test_one_event_is_taken_once(hook: Hook) -> None:
    first, again = hook.post(hook.event()), hook.post(hook.event())
    assert (first.status_code, first.json["duplicate"], len(first.json["events"])) == (200, False, 1)
    assert (again.status_code, again.json) == (200, {"events": [], "duplicate": True})
    other = hook.post(hook.event(source="/another/system"))  # another system may count the same ids
    assert len(other.json["events"]) == 1
    shown = hook.world.a.get(f"/v1/events/{first.json['events'][0]}").json
    assert (shown["type"], shown["subject"]) == ("task.assigned", "task/9001")


def test_a_batch_is_answered_item_by_item(hook: Hook) -> None:
    hook.post(hook.event(id="known"))
    bad = hook.event("timecard_rejected")
    del bad["data"]["timecard"]["reason"]
    answer = hook.batch(
        hook.event(id="a"), bad, hook.event(id="known"), hook.event(id="b", time="never"), hook.event(id="a"), 7, hook.event(id="c")
    )
    assert (answer.status_code, len(answer.json["events"]), answer.json["duplicate"]) == (200, 2, False)
    assert answer.json["rejected"] == [
        {"id": "tc-881-rejected-3", "code": "invalid_data", "field": "data.timecard.reason"},
        {"id": "b", "code": "invalid_envelope", "field": "time"},
        {"id": "", "code": "invalid_envelope", "field": "body"},
    ]
    again = hook.batch(hook.event(id="a"), hook.event(id="c"))
    assert again.json == {"events": [], "duplicate": True, "rejected": []}


ANSWERS: list[tuple[str, Any, int, str]] = [
    ("not JSON", b"{", 400, "invalid_envelope"),
    ("another major version", {"dataschema": "https://x.example/timecard/2.json"}, 400, "invalid_envelope"),
    ("no worker", {"data": {"task": {"id": "1"}}}, 400, "invalid_data"),
    ("a type that is not served", {"type": "bellwire.leave.requested"}, 200, ""),
    ("more than a quarter of a megabyte", b" " * (256 * 1024 + 1), 413, "too_large"),
]


@pytest.mark.parametrize(("label", "body", "status", "code"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_what_a_delivery_is_answered(hook: Hook, label: str, body: Any, status: int, code: str) -> None:
    answer = hook.post(body if isinstance(body, bytes) else hook.event(**body))
    assert (answer.status_code, answer.json.get("code", "")) == (status, code)
    assert hook.world.a.get("/v1/events").json["items"] == []


def test_another_content_type_is_415(hook: Hook) -> None:
    answer = hook.post(hook.event(), kind="text/plain")
    assert (answer.status_code, answer.json["code"]) == (415, "content_type")


def test_who_is_not_believed_is_told_why(hook: Hook) -> None:
    forged = hook.post(hook.event(), secret=OLD_SECRET)
    assert (forged.status_code, forged.json["code"]) == (401, "bad_signature")
    hook.world.clock.forward(seconds=-301)
    headers = connector.sign(
        WebhookRequest(body=json.dumps(hook.event()).encode(), received_at=hook.world.clock()), installation(connector)
    ).headers
    hook.world.clock.forward(seconds=301)
    stale = hook.post(hook.event(), **headers)
    assert (stale.status_code, stale.json["code"]) == (401, "stale_timestamp")
    assert hook.world.clock().strftime("%Y-%m-%dT%H:%M:%SZ") in stale.json["detail"]
    assert hook.world.a.get("/v1/events").json["items"] == []


def test_an_unknown_and_a_disabled_address(hook: Hook) -> None:
    known, hook.path = hook.path, hook.path[:-1] + ("x" if hook.path[-1] != "x" else "y")
    assert hook.post(hook.event()).status_code == 404
    hook.path = known
    hook.world.a.patch(f"/v1/installations/{hook.id}", {"status": "disabled"})
    assert hook.post(hook.event()).status_code == 410


def test_both_secrets_count_while_one_is_being_replaced(hook: Hook) -> None:
    hook.world.a.patch(
        f"/v1/installations/{hook.id}", {"credentials": {"secrets": [OLD_SECRET]}, "settings": {"secret_overlap_s": 3600}}
    )
    for number, secret in enumerate((SECRET, OLD_SECRET) * 3):
        assert hook.post(hook.event(id=f"e{number}"), secret=secret).status_code == 200
    hook.world.clock.at += timedelta(hours=1, seconds=1)
    assert hook.post(hook.event(id="late"), secret=SECRET).status_code == 401
    assert hook.post(hook.event(id="new"), secret=OLD_SECRET).status_code == 200


def test_only_named_sources(world: World) -> None:
    hook = Hook(world, sources=["/tenants/example/tasks"])
    assert hook.post(hook.event()).status_code == 200
    answer = hook.post(hook.event(source="/tenants/other"))
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_envelope")
    assert answer.json["detail"].endswith("source")


def test_rules_that_can_not_be_read_are_refused_with_their_place(world: World) -> None:
    body = {"connector": "timecard", "name": "t", "credentials": {"secrets": [SECRET]}}
    answer = world.a.post("/v1/installations", {**body, "settings": {"deadlines": {"shift_reminder_minutes": [0]}}})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "settings.deadlines.shift_reminder_minutes.0"
    assert SECRET not in world.a.post("/v1/installations", {**body, "credentials": {"secrets": ["x" + SECRET]}}).text
