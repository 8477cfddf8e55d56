"""What each platform's write-back can be written on: `writes_on` says what `write_back` does, so that no job is made in vain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bellwire.errors import PlatformError, PlatformRejected
from bellwire.model import Status, StatusChange
from bellwire.plugins import load_plugins
from bellwire.testing import LooseLink, installation

CONNECTORS = load_plugins().connectors
NOWHERE = "http://127.0.0.1:9"  # the discard port: whoever calls is refused at once
LEAD = "00Q5e000001AbCdEAK"
CALLBACK: dict[str, Any] = {"callback_url": f"{NOWHERE}/told", "base_url": None}
TASKS: dict[str, Any] = {"message_object": "Task"}

#: Connector, settings, what the event is about, its person; whether there is something to write on.
ROWS: list[tuple[str, dict[str, Any], str, str, bool]] = [
    ("shopify", {}, "order/gid://shopify/Order/1001", "", True),
    ("shopify", {}, "checkout/abc", "gid://shopify/Customer/7", True),
    ("shopify", {}, "checkout/abc", "", False),
    ("shopify", {}, "return/gid://shopify/Return/1", "", False),
    ("zendesk", {}, "ticket/35436", "", True),
    ("zendesk", {}, "user/9", "9", False),
    ("zendesk", {}, "ticket/new", "9", False),
    ("hubspot", {}, "deal/7", "", True),
    ("hubspot", {}, "action/ap-1/", "", False),
    ("hubspot", {}, "action/ap-1/deal/7", "", True),
    ("hubspot", {}, "conversation/5", "contact/904", True),
    ("hubspot", {}, "conversation/5", "", False),
    ("salesforce", {}, f"lead/{LEAD}", "", True),
    ("salesforce", {}, "platform-event/x", "", True),  # a record of its own needs no other
    ("salesforce", TASKS, f"lead/{LEAD}", "", True),
    ("salesforce", TASKS, "platform-event/x", LEAD, True),
    ("salesforce", TASKS, "platform-event/x", "", False),
    ("salesforce", {"message_object": ""}, "platform-event/x", "", False),
    ("timecard", CALLBACK, "shift/55", "", True),
    ("timecard", CALLBACK, "anything", "", True),
    ("timecard", {"base_url": None}, "shift/55", "dana", False),  # the producer wants to be told nothing
    *((name, {}, "task/55", "", True) for name in ("asana", "jira", "monday", "trello")),
    *((name, {}, "worker/7", "7", False) for name in ("asana", "jira", "monday", "trello")),
]


@pytest.mark.parametrize(
    ("name", "settings", "subject", "person", "is_written"), ROWS, ids=[f"{r[0]} {r[1]} {r[2]} {r[3]}" for r in ROWS]
)
def test_it_says_what_write_back_does(name: str, settings: dict[str, Any], subject: str, person: str, is_written: bool) -> None:
    connector = CONNECTORS[name]
    made = installation(connector)
    plain = {"base_url": NOWHERE, **settings}
    made = installation(
        connector,
        settings={**made.settings, **{key: value for key, value in plain.items() if value is not None}},
        credentials={**{one.name: "made-up" for one in connector.fields if one.kind is str}, **made.credentials},
    )
    assert connector.writes_on is not None
    assert connector.write_back is not None
    assert connector.writes_on(subject, person, made) is is_written
    change = StatusChange(
        message_id="msg_1", status=Status.DELIVERED, at=datetime(2026, 1, 5, tzinfo=UTC), subject=subject, customer_ref=person
    )
    tried = False
    try:
        connector.write_back([change], LooseLink(made))
    except PlatformRejected as e:
        tried = e.code != "no_target"
    except PlatformError:
        tried = True
    assert tried is is_written, "whether anybody was called"


@pytest.mark.parametrize(("url", "takes"), [(f"{NOWHERE}/told", True), ("", False)])
def test_a_producer_without_an_address_takes_no_replies(url: str, takes: bool) -> None:
    connector = CONNECTORS["timecard"]
    assert connector.takes_replies is not None
    assert connector.takes_replies(installation(connector, settings={"callback_url": url})) is takes


def test_all_that_write_say_on_what() -> None:
    assert [one.name for one in CONNECTORS.values() if one.write_back is not None and one.writes_on is None] == []
