"""Calls to Asana about tasks: what a task is, comments on it. developers.asana.com, "Tasks", "Stories"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from bellwire import Event, Json, Link, Person, PlatformRejected, ReplyNote, StatusChange

from bellwire_connectors.translating import happenings
from bellwire_connectors.translating.bodies import day_or_time, one_line, web_address
from bellwire_connectors.translating.calls import base_url, call, credential
from bellwire_connectors.translating.notes import write_notes, write_reply_note

API = "https://app.asana.com/api/1.0"
_FIELDS = "name,completed,due_on,due_at,permalink_url,assignee.gid,assignee.name,assignee.email,projects.name"


def ask(
    link: Link, what: str, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None
) -> dict[str, Any]:
    """The object that a call brought, {} for none. Raises PlatformError."""
    installation = link.installation
    found = call(
        link,
        f"asana {what}",
        method,
        f"{base_url(installation, API)}{path}",
        headers={"Authorization": f"Bearer {credential(installation, 'access_token')}"},
        params=params,
        body=None if body is None else {"data": body},
    )
    return found if isinstance(found, dict) else {}


def enrich(event: Event, link: Link) -> Event:
    """The event with the task's fields and the person who has it; as it came where the task is gone. Raises PlatformError."""
    try:
        found = ask(link, "task", "GET", f"/tasks/{quote(event.fetch['task'], safe='')}", params={"opt_fields": _FIELDS})
    except PlatformRejected as e:
        if e.code != "not_found":
            raise
        return replace(event, fetch={})
    task = found.get("data")
    return _filled(event, task if isinstance(task, dict) else {}, link.installation.timezone)


def write_back(changes: Sequence[StatusChange], link: Link) -> None:
    """One comment for each status, once. Raises PlatformError."""
    write_notes(changes, who="asana", kind="task", existing=partial(_stories, link), add=partial(_comment, link))


def write_reply(reply: ReplyNote, link: Link) -> None:
    """The reply as a comment on the task that was texted about, once. Raises PlatformError."""
    write_reply_note(reply, who="asana", kind="task", existing=partial(_stories, link), add=partial(_comment, link))


def _stories(link: Link, task: str) -> Iterator[str]:
    """The texts of the task's stories; Asana lists them oldest first, so all pages are read."""
    params = {"opt_fields": "text,resource_subtype", "limit": "100"}
    for _ in range(20):
        found = ask(link, "stories", "GET", f"/tasks/{quote(task, safe='')}/stories", params=params)
        rows = found.get("data")
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict):
                yield str(row.get("text") or "")
        after = found.get("next_page")
        if not isinstance(after, dict) or not after.get("offset"):
            return
        params = {**params, "offset": str(after["offset"])}


def _comment(link: Link, task: str, text: str) -> None:
    ask(link, "comment", "POST", f"/tasks/{quote(task, safe='')}/stories", body={"text": text})


def _filled(event: Event, task: Mapping[str, Any], *zones: str) -> Event:
    projects = task.get("projects")
    first = next((one for one in projects if isinstance(one, dict)), {}) if isinstance(projects, list) else {}
    done = task.get("completed") is True
    status = "completed" if done else "incomplete"
    fields: dict[str, Json] = {
        "task.title": one_line(task.get("name")),
        "task.status": status,
        **happenings.due(day_or_time(task.get("due_at")) or day_or_time(task.get("due_on")), *zones),
        "task.url": web_address(task.get("permalink_url")),
        "task.project": one_line(first.get("name")),
    }
    if event.type == "task.status_changed":
        fields["previous.task.status"] = "incomplete" if done else "completed"
    return happenings.with_worker(event, _worker(event, task), fields)


def _worker(event: Event, task: Mapping[str, Any]) -> Person | None:
    """Who the event says got the task, else who has it now. The name only where both are the same person."""
    given = task.get("assignee")
    assignee = given if isinstance(given, dict) else {}
    gid = one_line(assignee.get("gid"))
    named = event.people.get("worker")
    if named is not None and named.ref != gid:
        return named
    return Person(ref=gid, name=one_line(assignee.get("name")), email=one_line(assignee.get("email"))) if gid else None
