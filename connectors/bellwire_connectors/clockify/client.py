"""Calls to Clockify: the webhooks and their tokens, one assignment's times. docs.clockify.me, api/v1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from bellwire import CheckResult, Event, Installation, Link, Person, PlatformError

from bellwire_connectors.translating import happenings
from bellwire_connectors.translating.bodies import moment, one_line, stamp
from bellwire_connectors.translating.calls import base_url, call, credential

from .tokens import clean_tokens
from .webhook import READERS

API = "https://api.clockify.me/api/v1"
_AHEAD, _BEHIND = timedelta(days=60), timedelta(days=7)
_PAGE, _PAGES = 200, 10


def enrich(event: Event, link: Link) -> Event:
    """The shift with its times and place; as it came where Clockify no longer has it. Raises PlatformError."""
    wanted = event.fetch["assignment"]
    now = link.now()
    for page in range(1, _PAGES + 1):
        listed = _ask(
            link,
            "assignments",
            "GET",
            "/scheduling/assignments/all",
            params={
                "start": stamp(now - _BEHIND),
                "end": stamp(now + _AHEAD),
                "page": str(page),
                "page-size": str(_PAGE),
            },
        )
        rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
        for row in rows:
            if row.get("id") == wanted:
                return _filled(event, row)
        if len(rows) < _PAGE:
            break
    return event


def subscribe(link: Link) -> None:
    """Make the webhooks that are missing and keep their tokens. Nothing without an API key. Raises PlatformError."""
    installation = link.installation
    key = str(installation.credentials.get("api_key") or "")
    if not key or not installation.webhook_url:
        return
    listed = _ask(link, "webhooks", "GET", "/webhooks", params={"type": "USER_CREATED"})
    rows = listed.get("webhooks") if isinstance(listed, dict) else listed
    tokens = _tokens(rows if isinstance(rows, list) else [], installation.webhook_url)
    for event in READERS:
        if event not in tokens:
            tokens |= _tokens([_made(link, event)], installation.webhook_url)
    wanted = clean_tokens(tokens)
    if wanted != installation.credentials.get("tokens"):
        link.renew(key, lambda _: {"tokens": wanted})


def check(link: Link) -> Sequence[CheckResult]:
    """Whether the API key opens the workspace, and a token is known for each event. Raises nothing for what Clockify does."""
    known = {str(one).partition("=")[0] for one in link.installation.credentials.get("tokens") or []}
    missing = [event for event in READERS if event not in known]
    results = [
        CheckResult(
            name="tokens",
            ok=not missing,
            detail=f"no token for {', '.join(missing)}: these are refused" if missing else "one for each event",
        )
    ]
    if not link.installation.credentials.get("api_key"):
        return [*results, CheckResult(name="api_key", ok=True, detail="none: webhooks are made by hand, shifts come without times")]
    try:
        _ask(link, "webhooks", "GET", "/webhooks", params={"type": "USER_CREATED"})
    except PlatformError as e:
        return [*results, CheckResult(name="api_key", ok=False, detail=str(e))]
    return [*results, CheckResult(name="api_key", ok=True, detail="opens the workspace")]


def _made(link: Link, event: str) -> Mapping[str, Any]:
    """A new webhook. Names have 2 to 30 characters."""
    made = _ask(
        link,
        "webhook",
        "POST",
        "/webhooks",
        body={
            "name": f"bellwire {event.lower()}"[:30],
            "url": link.installation.webhook_url,
            "webhookEvent": event,
            "triggerSourceType": "WORKSPACE_ID",
            "triggerSource": [credential(link.installation, "workspace_id")],
        },
    )
    return made if isinstance(made, dict) else {}


def _tokens(rows: Sequence[Any], url: str) -> dict[str, str]:
    """The tokens of our own webhooks by event."""
    ours = [row for row in rows if isinstance(row, dict) and row.get("url") == url and row.get("authToken")]
    return {str(row.get("webhookEvent")): str(row["authToken"]) for row in ours if row.get("webhookEvent") in READERS}


def _ask(link: Link, what: str, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None) -> Any:
    installation: Installation = link.installation
    workspace = quote(credential(installation, "workspace_id"), safe="")
    return call(
        link,
        f"clockify {what}",
        method,
        f"{base_url(installation, API)}/workspaces/{workspace}{path}",
        headers={"X-Api-Key": credential(installation, "api_key")},
        params=params,
        body=body,
    )


def _filled(event: Event, row: Mapping[str, Any]) -> Event:
    period = row.get("period")
    times = period if isinstance(period, dict) else {}
    fields = happenings.shift(
        id=event.fetch["assignment"],
        starts_at=moment(times.get("start")),
        ends_at=moment(times.get("end")),
        location=one_line(row.get("projectName")),
        role=one_line(row.get("note")),
    )
    worker = replace(event.people.get("worker", Person()), name=one_line(row.get("userName")))
    return happenings.with_worker(event, worker, fields)
