"""Samples: documented requests as files, for tests, docs and `bellwire try`.

A sample is one JSON file in the package's `samples/` folder:

    {"about": "what it shows, and the page that documents it",
     "method": "POST", "url": "https://…", "query": {"name": "value"}, "headers": {"X-Topic": "orders/create"},
     "body": {…}}                   JSON, or a string that is sent as it stands (XML), or instead of `body`:
     "form": {"name": "value"}      sent as application/x-www-form-urlencoded

Only `body` or `form` is needed. A carrier's samples are called `dlr_…`, `reply_…` and `answer_…` (the last with `status`, an
answer to our call). `_installation.json` (a carrier's: `_account.json`) holds the `credentials`, `settings` and `account_ref`
that the samples belong to; what it leaves out is made up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl, urlencode

from bellwire.model import HttpAnswer, Json, WebhookRequest

#: When every sample arrives: a Monday.
NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

_FORM = "application/x-www-form-urlencoded"


def samples(package: str) -> tuple[str, ...]:
    """The names of a package's samples, sorted; empty when it has none."""
    if not package:
        return ()
    folder = resources.files(package).joinpath("samples")
    if not folder.is_dir():
        return ()
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json") and not name.startswith("_")))


def sample(package: str, name: str) -> WebhookRequest:
    """A sample as the request it documents, not signed. Raises FileNotFoundError naming what there is."""
    found = load(package, name)
    headers = {key.lower(): str(value) for key, value in found.get("headers", {}).items()}
    query = list(found.get("query", {}).items())
    body, kind = _body(found)
    if kind:
        headers.setdefault("content-type", kind)
    url = found.get("url") or f"https://bellwire.example/hooks/{package.rpartition('.')[2]}/KEY"
    return WebhookRequest(
        method=found.get("method", "POST"),
        url=f"{url}?{urlencode(query)}" if query else url,
        query=query,
        headers=headers,
        body=body,
        received_at=NOW,
    )


def answer(package: str, name: str) -> HttpAnswer:
    """An `answer_…` sample: what a carrier said to our call."""
    found = load(package, name)
    body, kind = _body(found)
    headers = {key.lower(): str(value) for key, value in found.get("headers", {}).items()}
    if kind:
        headers.setdefault("content-type", kind)
    return HttpAnswer(status=found.get("status", 200), headers=headers, body=body)


def load(package: str, name: str) -> dict[str, Any]:
    """The sample's file as it stands."""
    path = resources.files(package).joinpath("samples", f"{name}.json")
    if not path.is_file():
        raise FileNotFoundError(f"{package} has no sample {name}; it has: {', '.join(samples(package)) or 'none'}")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _body(found: Mapping[str, Any]) -> tuple[bytes, str]:
    if "form" in found:
        return urlencode(found["form"]).encode(), _FORM
    body = found.get("body", "")
    if isinstance(body, str):
        return body.encode(), ""
    return _dumps(body), "application/json"


def _dumps(body: Json) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def bend(request: WebhookRequest, edit: Callable[[Any], object]) -> WebhookRequest:
    """A copy of the request with its body changed by `edit`.

    `edit` gets the JSON value or a dict of the form's fields and changes it in place; any other body it gets as text and
    returns the new text.
    """
    if _FORM in request.header("content-type"):
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        edit(form)
        return replace(request, body=urlencode(form).encode())
    text = request.body.decode()
    try:
        body = json.loads(text)
    except ValueError:
        return replace(request, body=str(edit(text)).encode())
    edit(body)
    return replace(request, body=_dumps(body))
