"""Calls to Jira's REST API v3: comments on an issue. developer.atlassian.com, "Issue comments"."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from bellwire import CheckResult, Link, PlatformError, ReplyNote, StatusChange

from bellwire_connectors.translating.calls import base_url, call, credential
from bellwire_connectors.translating.notes import write_notes, write_reply_note

_NEWEST = 100
#: Jira Service Management shows a comment to the customer unless it says this; other projects ignore it.
_INTERNAL = [{"key": "sd.public.comment", "value": {"internal": True}}]
_DEPTH = 20


def write_back(changes: Sequence[StatusChange], link: Link) -> None:
    """One internal comment for each status, once. Raises PlatformError."""
    write_notes(changes, who="jira", kind="task", existing=partial(_comments, link), add=partial(_comment, link))


def write_reply(reply: ReplyNote, link: Link) -> None:
    """The reply as an internal comment on the issue that was texted about, once. Raises PlatformError."""
    write_reply_note(reply, who="jira", kind="task", existing=partial(_comments, link), add=partial(_comment, link))


def check(link: Link) -> Sequence[CheckResult]:
    """Whether a proof is set up, and the account may call. Raises nothing for what Jira does."""
    credentials = link.installation.credentials
    proved = bool(credentials.get("webhook_secret") or credentials.get("client_secret"))
    results = [
        CheckResult(
            name="signature",
            ok=proved,
            detail="" if proved else "neither webhook_secret nor client_secret is set: every webhook is refused",
        )
    ]
    if not credentials.get("api_token"):
        return [*results, CheckResult(name="api_token", ok=True, detail="none: nothing is written back")]
    try:
        _ask(link, "account", "GET", "/myself")
    except PlatformError as e:
        return [*results, CheckResult(name="api_token", ok=False, detail=str(e))]
    return [*results, CheckResult(name="api_token", ok=True, detail="Jira answers")]


def _comments(link: Link, issue: str) -> Iterator[str]:
    """The text of the issue's newest comments."""
    found = _ask(link, "comments", "GET", f"{_place(issue)}", params={"orderBy": "-created", "maxResults": str(_NEWEST)})
    rows = found.get("comments") if isinstance(found, dict) else None
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict):
            yield "".join(_texts(row.get("body"), _DEPTH))


def _comment(link: Link, issue: str, text: str) -> None:
    # Atlassian Document Format: the text stands as it is, nothing in it is markup
    document = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}]}
    _ask(link, "comment", "POST", _place(issue), body={"body": document, "properties": _INTERNAL})


def _texts(node: Any, depth: int) -> Iterator[str]:
    if not isinstance(node, dict) or depth == 0:
        return
    if isinstance(node.get("text"), str):
        yield node["text"]
    children = node.get("content")
    for child in children if isinstance(children, list) else []:
        yield from _texts(child, depth - 1)


def _place(issue: str) -> str:
    return f"/issue/{quote(issue, safe='')}/comment"


def _ask(link: Link, what: str, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None) -> Any:
    installation = link.installation
    account = f"{credential(installation, 'email')}:{credential(installation, 'api_token')}"
    return call(
        link,
        f"jira {what}",
        method,
        f"{base_url(installation, credential(installation, 'site_url'))}/rest/api/3{path}",
        headers={"Authorization": "Basic " + base64.b64encode(account.encode()).decode()},
        params=params,
        body=body,
    )
