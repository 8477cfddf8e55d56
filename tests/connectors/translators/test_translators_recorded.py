"""Every recorded body of these platforms is read to its events, or to nothing for a reason that stands here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bellwire import Connector, HttpReply, WebhookRequest
from bellwire.testing import NOW, differences, installation
from bellwire_connectors.asana import connector as asana
from bellwire_connectors.clockify import connector as clockify
from bellwire_connectors.jira import connector as jira
from bellwire_connectors.monday import connector as monday
from bellwire_connectors.toggl import connector as toggl
from bellwire_connectors.trello import connector as trello

RECORDED = Path(__file__).resolve().parents[3] / ".." / "shared" / "payloads"
CONNECTORS: Mapping[str, Connector] = {one.name: one for one in (asana, clockify, jira, monday, toggl, trello)}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One file, the headers it came with, and what it is read to. `why`: the reason where that is nothing."""

    file: str
    events: Sequence[Mapping[str, Any]] = ()
    why: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def clockify_event(name: str) -> dict[str, str]:
    return {"clockify-webhook-event-type": name}


TABLE = [
    Recorded(
        "clockify/NEW_APPROVAL_REQUEST.json",
        headers=clockify_event("NEW_APPROVAL_REQUEST"),
        events=[
            {
                "type": "timecard.submitted",
                "subject": "timecard/61c9b4666574753612c708f4",
                "worker.ref": "6137bb5addd64b2759e031e7",
                "worker.timezone": "Europe/Berlin",
                "data.timecard.period_start": "2021-12-19",  # 23:00 UTC on Saturday is Sunday in Berlin
                "data.timecard.period_end": "2021-12-25",
            }
        ],
    ),
    Recorded(
        "clockify/APPROVAL_REQUEST_STATUS_UPDATED.json",
        headers=clockify_event("APPROVAL_REQUEST_STATUS_UPDATED"),
        why="its state is PENDING, which the new request told already",
    ),
    Recorded(
        "clockify/ASSIGNMENT_PUBLISHED.json",
        headers=clockify_event("ASSIGNMENT_PUBLISHED"),
        events=[{"type": "shift.published", "subject": "shift/658e6c507c6dd067d908c8f5", "worker.ref": "61387478050bf21482aad3a8"}],
    ),
    Recorded(
        "clockify/NEW_TASK.json",
        headers=clockify_event("NEW_TASK"),
        events=[{"type": "task.assigned", "worker.ref": "5bf6d2b9b079876a34621635", "data.task.title": "Webhook Test Task"}],
    ),
    Recorded("clockify/NEW_TIME_ENTRY.json", headers=clockify_event("NEW_TIME_ENTRY"), why="time entries are not told"),
    Recorded("toggl/ping.pretty.json", why="a PING is answered, not told"),
    Recorded(
        "jira/issue_updated.assignee.json",
        events=[
            {
                "type": "task.assigned",
                "subject": "task/BUG-15",
                "worker.ref": "99:27935d01-92a7-4687-8272-a9b8d3b2ae2e",
                "worker.name": "Leo Franchi",
                "data.task.status": "Open",
                "data.actor.is_worker": True,
            }
        ],
    ),
    Recorded("jira/worklog_created.json", why="a worklog names no issue"),
    Recorded("asana/handshake.http.txt", why="a handshake is answered, not told"),
    Recorded(
        "trello/action.updateCard.due.json",
        events=[
            {
                "type": "task.due",
                "subject": "task/54a1844d304d9736e54d2546",
                "data.task.due_at": "2017-12-12T17:00:00Z",
                "data.task.url": "https://trello.com/c/gplJv6dx",
            }
        ],
    ),
    Recorded(
        "monday/update_column_value.status.json",
        events=[
            {
                "type": "task.status_changed",
                "subject": "task/8886337853",
                "data.task.status": "Done",
                "data.previous.task.status": "Working on it",
            }
        ],
    ),
    Recorded("monday/update_column_value.text.masked.json", why="a text column is no person, status or date"),
]


def request_of(path: Path, row: Recorded) -> WebhookRequest:
    """The delivery of a recorded file."""
    if path.suffix == ".txt":  # an exchange in words: its first request
        first, header = path.read_text().splitlines()[:2]
        name, value = header.split(": ")
        return WebhookRequest(method=first.split()[0], headers={name.lower(): value}, received_at=NOW)
    body = path.read_bytes()
    if row.file.startswith("trello/"):  # the stored action alone; a delivery wraps it
        body = json.dumps({"action": json.loads(body), "model": {"id": "54a17d76d4a5072e3931736b"}}).encode()
    return WebhookRequest(headers={"content-type": "application/json", **row.headers}, body=body, received_at=NOW)


def rows() -> list[Any]:
    if not RECORDED.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason="no recorded bodies beside this checkout"))]
    return [pytest.param(row, id=row.file) for row in TABLE]


@pytest.mark.parametrize("row", rows())
def test_a_recorded_body_is_read_to_its_events(row: Recorded) -> None:
    assert bool(row.events) != bool(row.why), "events, or the reason for none"
    connector = CONNECTORS[row.file.partition("/")[0]]
    at, request = installation(connector), request_of(RECORDED / row.file, row)
    reply = connector.probe(request, at) if connector.probe else None
    found = [] if isinstance(reply, HttpReply) else connector.read(request, at)
    assert len(found) == len(row.events)
    for got, wanted in zip(found, row.events, strict=True):
        assert differences(got, wanted) == []
        assert got.people.get("worker") == got.customer


@pytest.mark.skipif(not RECORDED.exists(), reason="no recorded bodies beside this checkout")
def test_no_recorded_body_is_left_out() -> None:
    there = {f"{path.parent.name}/{path.name}" for name in CONNECTORS for path in (RECORDED / name).iterdir()}
    assert there == {row.file for row in TABLE}


@pytest.mark.skipif(not RECORDED.exists(), reason="no recorded bodies beside this checkout")
def test_the_recorded_handshake_is_answered_as_recorded() -> None:
    words = (RECORDED / "asana" / "handshake.http.txt").read_text()
    request = request_of(RECORDED / "asana" / "handshake.http.txt", TABLE[8])
    assert asana.probe is not None
    reply = asana.probe(request, installation(asana))
    assert reply is not None
    assert reply.status == 200
    assert f"X-Hook-Secret: {reply.headers['X-Hook-Secret']}" in words.partition("HTTP/1.1 200")[2]
