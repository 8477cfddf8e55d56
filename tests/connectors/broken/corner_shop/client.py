"""Calls to the shop. Every write is a PUT under a key of ours, so that it may come again."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests
from bellwire import (
    CheckResult,
    ConsentChange,
    Event,
    Installation,
    Link,
    PlatformError,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
    PlatformUnreachable,
    ReplyNote,
    StatusChange,
)

from . import webhook


def write_back(changes: Sequence[StatusChange], link: Link) -> None:
    for change in changes:
        put(link, note_path(change), {"text": str(change.status)})


def note_path(change: StatusChange, more: str = "") -> str:
    return f"/{change.subject}/notes/{change.message_id}-{change.status}{more}"


def write_reply(note: ReplyNote, link: Link) -> None:
    put(link, f"/{note.subject}/notes/{note.reply_id}", {"text": note.text})


def write_consent(change: ConsentChange, link: Link) -> None:
    put(link, f"/consent/{quote(change.msisdn)}", {"state": str(change.state), "at": change.at.isoformat()})


def subscribe(link: Link) -> None:
    put(link, "/hooks/orders", {"url": link.installation.webhook_url})
    put(link, "/hooks/consent", {"url": link.installation.webhook_url})


def reconcile(link: Link, since: datetime) -> Sequence[Event]:
    subscribe(link)
    found = call(link, "GET", f"/orders?since={quote(since.isoformat())}").json()
    events = []
    for one in found:
        order = webhook.Order.model_validate(one["order"])
        events.append(webhook.order_event(order, "order.created", f"look-{order.id}", datetime.fromisoformat(one["at"])))
    return events


def check(link: Link) -> Sequence[CheckResult]:
    try:
        call(link, "GET", "/orders")
    except PlatformError as error:
        return [CheckResult(name="token", ok=False, detail=str(error))]
    return [CheckResult(name="token", ok=True)]


def put(link: Link, path: str, body: Mapping[str, Any]) -> None:
    call(link, "PUT", path, body)


def call(link: Link, method: str, path: str, body: Mapping[str, Any] | None = None, *, refreshes: int = 1) -> requests.Response:
    """One call; a refused token is refreshed once."""
    token = str(link.installation.credentials.get("access_token") or "")
    answer = once(link, method, path, body, token)
    if answer.status_code == 401 and refreshes:
        link.renew(token, lambda installation: refreshed(installation, link))
        return call(link, method, path, body, refreshes=refreshes - 1)
    judge(answer)
    return answer


def refreshed(installation: Installation, link: Link) -> Mapping[str, Any]:
    base = installation.settings.get("base_url")
    answer = link.http.post(f"{base}/token", json={"refresh_token": installation.credentials.get("refresh_token")})
    judge(answer)
    return {"access_token": answer.json()["access_token"]}


def once(link: Link, method: str, path: str, body: Mapping[str, Any] | None, token: str) -> requests.Response:
    base = link.installation.settings.get("base_url")
    try:
        answer: requests.Response = link.http.request(
            method, f"{base}{path}", json=body, headers={"authorization": f"Bearer {token}"}
        )
    except requests.RequestException as error:
        raise PlatformUnreachable(f"corner_shop: no answer ({type(error).__name__})") from None
    return answer


def judge(answer: requests.Response) -> None:
    status = answer.status_code
    if answer.ok:
        return
    if status == 429:
        wait = answer.headers.get("retry-after", "")
        raise PlatformThrottled("corner_shop: too fast", http_status=429, retry_after_s=float(wait) if wait.isdigit() else None)
    if status in (401, 403):
        raise PlatformUnauthorized("corner_shop: the token is refused", http_status=status)
    raise (PlatformUnavailable if status >= 500 else PlatformRejected)("corner_shop: refused", http_status=status)
