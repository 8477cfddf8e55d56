"""Calls to monday's GraphQL API: an item with its people, updates on it. developer.monday.com, "Items", "Users", "Updates"."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from bellwire import (
    CheckResult,
    Event,
    Json,
    Link,
    Person,
    PlatformError,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    ReplyNote,
    StatusChange,
)

from bellwire_connectors.redaction import without_numbers
from bellwire_connectors.translating import happenings
from bellwire_connectors.translating.bodies import one_line, web_address
from bellwire_connectors.translating.calls import base_url, call, credential
from bellwire_connectors.translating.notes import write_notes, write_reply_note

API = "https://api.monday.com/v2"
ITEM = """query Item($ids: [ID!]!) { items(ids: $ids) { name url board { name }
 column_values(types: [people]) { ... on PeopleValue { persons_and_teams { id kind } } } } }"""
USER = """query User($ids: [ID!]!) { users(ids: $ids) { id name email phone mobile_phone country_code time_zone_identifier } }"""
UPDATES = """query Updates($ids: [ID!]!) { items(ids: $ids) { updates(limit: 100) { text_body } } }"""
ADD = """mutation Add($item: ID!, $body: String!) { create_update(item_id: $item, body: $body) { id } }"""
ME = "query Me { me { id } }"

_THROTTLED = re.compile(r"complexity|rate.?limit|concurrency|minute.?limit|daily.?limit", re.IGNORECASE)
_UNAUTHORIZED = re.compile(r"not.?authenticated|unauthori[sz]ed|invalid.?token|missing.?required.?permissions", re.IGNORECASE)


def enrich(event: Event, link: Link) -> Event:
    """The event with the item's address and the person who has it, with their phones. Raises PlatformError."""
    item = _first(_ask(link, "item", ITEM, ids=[event.fetch["item"]]), "items")
    named = event.people.get("worker")
    ref = named.ref if named else _assignee(item)
    user = _first(_ask(link, "user", USER, ids=[ref]), "users") if ref else {}
    board = item.get("board")
    fields: dict[str, Json] = {
        "task.title": one_line(item.get("name")) or event.data.get("task.title"),
        "task.url": web_address(item.get("url")),
        "task.project": one_line(board.get("name")) if isinstance(board, dict) else "",
    }
    return happenings.with_worker(event, _person(ref, user) if ref else None, fields)


def write_back(changes: Sequence[StatusChange], link: Link) -> None:
    """One update for each status, once. Raises PlatformError."""
    write_notes(changes, who="monday", kind="task", existing=partial(_updates, link), add=partial(_update, link))


def write_reply(reply: ReplyNote, link: Link) -> None:
    """The reply as an update on the item that was texted about, once. Raises PlatformError."""
    write_reply_note(reply, who="monday", kind="task", existing=partial(_updates, link), add=partial(_update, link))


def check(link: Link) -> Sequence[CheckResult]:
    """Whether a proof is set up, and the token is good. Raises nothing for what monday does."""
    installation = link.installation
    unsigned = installation.settings.get("accept_unsigned") is True
    proved = bool(installation.credentials.get("signing_secret"))
    detail = "webhooks without a token are taken: keep the URL secret" if unsigned else ""
    results = [
        CheckResult(
            name="signature",
            ok=proved or unsigned,
            detail=detail if proved or unsigned else "signing_secret is not set: every webhook is refused",
        )
    ]
    if not installation.credentials.get("api_token"):
        return [*results, CheckResult(name="api_token", ok=True, detail="none: new items make no event, nothing is written back")]
    try:
        _ask(link, "account", ME)
    except PlatformError as e:
        return [*results, CheckResult(name="api_token", ok=False, detail=str(e))]
    return [*results, CheckResult(name="api_token", ok=True, detail="monday answers")]


def _updates(link: Link, item: str) -> Iterator[str]:
    """The texts of the item's newest updates."""
    rows = _first(_ask(link, "updates", UPDATES, ids=[item]), "items").get("updates")
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict):
            yield str(row.get("text_body") or "")


def _update(link: Link, item: str, text: str) -> None:
    _ask(link, "update", ADD, item=item, body=html.escape(text))  # an update's body is HTML


def _ask(link: Link, what: str, query: str, **variables: Json) -> dict[str, Any]:
    """A query's data. Raises PlatformError; a GraphQL error comes with status 200."""
    installation = link.installation
    found = call(
        link,
        f"monday {what}",
        "POST",
        base_url(installation, API),
        headers={"Authorization": credential(installation, "api_token")},
        body={"query": query, "variables": variables},
    )
    answer = found if isinstance(found, dict) else {}
    if answer.get("errors") or answer.get("error_code") or answer.get("error_message"):
        raise _refusal(what, answer)
    data = answer.get("data")
    return data if isinstance(data, dict) else {}


def _refusal(what: str, answer: Mapping[str, Any]) -> PlatformError:
    errors = answer.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    extensions = first.get("extensions")
    more = extensions if isinstance(extensions, dict) else {}
    code = one_line(str(more.get("code") or answer.get("error_code") or "error"), 60)
    told = f"{code} {one_line(str(first.get('message') or answer.get('error_message') or ''), 200)}"
    wait = more.get("retry_in_seconds")
    if _THROTTLED.search(told):
        seconds = float(wait) if isinstance(wait, int | float) and 0 <= wait <= 86_400 else None
        return PlatformThrottled(f"monday {what}: too fast", http_status=200, code=code, retry_after_s=seconds)
    if _UNAUTHORIZED.search(told):
        return PlatformUnauthorized(f"monday {what}: the token is refused", http_status=200, code=code)
    return PlatformRejected(f"monday {what}: {without_numbers(told)}", http_status=200, code=code)


def _first(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    rows = data.get(name)
    return rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}


def _assignee(item: Mapping[str, Any]) -> str:
    """The first person in the item's people columns, "" for nobody."""
    columns = item.get("column_values")
    for column in columns if isinstance(columns, list) else []:
        listed = column.get("persons_and_teams") if isinstance(column, dict) else None
        for one in listed if isinstance(listed, list) else []:
            if isinstance(one, dict) and one.get("kind") == "person" and one.get("id"):
                return one_line(str(one["id"]), 40)
    return ""


def _person(ref: str, user: Mapping[str, Any]) -> Person:
    """The mobile number before the other one."""
    phones = [one_line(user.get(name), 40) for name in ("mobile_phone", "phone")]
    country = one_line(user.get("country_code"), 2).upper()
    return Person(
        ref=ref,
        name=one_line(user.get("name")),
        phones=tuple(dict.fromkeys(phone for phone in phones if phone)),
        email=one_line(user.get("email")),
        timezone=one_line(user.get("time_zone_identifier"), 64),
        countries=(country,) if len(country) == 2 and country.isalpha() else (),
    )
