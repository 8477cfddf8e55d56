"""From a platform's webhook to a text for the worker, through the application: the staff directory knows the number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from bellwire import Connector
from bellwire.plugins import load_plugins
from bellwire.testing import NOW, SECRET, installation, sample
from bellwire_connectors.clockify import connector as clockify
from bellwire_connectors.jira import connector as jira
from bellwire_connectors.mapped import connector as mapped
from bellwire_connectors.toggl import connector as toggl
from bellwire_connectors.trello import connector as trello
from web_world import World, new_world, open_runtime

WORKER, MANAGER = "+998900000007", "+998900000008"
IDS = {"jira": "sample:7", "clockify": "65a1c0ffee00000000000007", "trello": "65a1c0ffee0000000000bb07", "toggl": "7001"}


@pytest.fixture
def world(sqlite_url: str) -> Iterator[World]:
    runtime = open_runtime(sqlite_url, load_plugins())
    runtime.clock.at = NOW  # when the samples happen
    made = new_world(runtime)
    made.a.post("/v1/carrier-accounts", {"carrier": "sandbox", "name": "Sandbox", "credentials": {}, "settings": {}})
    body = "{{ worker.name }}: {{ task.title | default: timecard.reason | default: 'news' }}"
    made.a.post("/v1/templates", {"name": "told", "purpose": "transactional", "bodies": {"en": body}})
    made.a.post("/v1/templates/told/versions/1/approve")
    made.a.post("/v1/workers", {"ref": "emp-8", "name": "Sample Manager", "phone": MANAGER})
    made.a.post("/v1/workers", {"ref": "emp-7", "name": "Dana", "phone": WORKER, "manager": "emp-8", "external_ids": IDS})
    yield made
    runtime.store.close()


def delivered(world: World, connector: Connector, name: str, event: str, recipient: str = "worker") -> list[dict[str, Any]]:
    """The texts that a sample makes, delivered twice, for a trigger on one event."""
    trigger = {
        "name": event,
        "connector": connector.name,
        "event": event,
        "template": "told",
        "state": "on",
        "recipient": recipient,
    }
    made = world.a.post("/v1/triggers", trigger)
    assert made.status_code == 201, made.text
    at = installation(connector)
    asked = {"connector": connector.name, "name": "x", "credentials": dict(at.credentials), "settings": dict(at.settings)}
    made = world.a.post("/v1/installations", asked)
    assert made.status_code == 201, made.text
    path = urlsplit(made.json["webhook_url"]).path
    at = installation(connector, secrets=(SECRET,), webhook_url=made.json["webhook_url"])
    signed = connector.sign(sample(connector.samples, name), at)
    for duplicate in (False, True):
        answer = world.app.test_client().post(path, data=signed.body, headers=dict(signed.headers))
        assert (answer.status_code, answer.json["duplicate"]) == (200, duplicate), answer.text
    found: list[dict[str, Any]] = world.a.get("/v1/messages").json["items"]
    return found


ROWS = [
    (jira, "task_assigned", "task.assigned", "worker", WORKER, "Sample Worker: Refill the printer"),
    (trello, "task_assigned", "task.assigned", "worker", WORKER, "Sample Worker: Refill the printer"),
    (toggl, "entry_flagged", "timecard.entry_flagged", "worker", WORKER, "Dana: longer than 12 h"),
    (clockify, "timecard_rejected", "timecard.rejected", "worker", WORKER, "Sample Worker: Thursday is missing"),
    (clockify, "timecard_submitted", "timecard.submitted", "manager", MANAGER, "Sample Worker: news"),
    (mapped, "timecard_rejected", "timecard.rejected", "worker", "+998900000000", "Sample Worker: Thursday is missing"),
]


@pytest.mark.parametrize(
    ("connector", "name", "event", "recipient", "to", "text"), ROWS, ids=[f"{row[0].name} {row[2]}" for row in ROWS]
)
def test_a_webhook_texts_who_is_meant_once(
    world: World, connector: Connector, name: str, event: str, recipient: str, to: str, text: str
) -> None:
    [message] = delivered(world, connector, name, event, recipient)
    assert (message["to"], message["text"], message["status"]) == (to, text, "queued")


def test_who_is_in_no_directory_is_not_texted(world: World) -> None:
    world.a.delete("/v1/workers/emp-7")
    [message] = delivered(world, jira, "task_assigned", "task.assigned")
    assert (message["status"], message["reason"]) == ("refused", "no_recipient")
