"""The corner shop built in other ways that are as good: no rule may object."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import requests
from bellwire import (
    Event,
    Link,
    Person,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnavailable,
    PlatformUnreachable,
    SignatureMismatch,
    WebhookRequest,
)
from bellwire.signing import fresh
from corner_shop import client, webhook
from variants import after, answered, writes

log = logging.getLogger("corner_shop")


def compares_by_itself(request: WebhookRequest, at: Any, now: datetime) -> None:
    stamp, given = request.header(webhook.STAMP), request.header(webhook.HEADER)
    good = False
    for secret in at.secrets:
        made = hmac.new(secret.encode(), stamp.encode() + b"." + request.body, hashlib.sha256).hexdigest()
        good |= hmac.compare_digest(made.encode(), given.encode())
    if not good:
        raise SignatureMismatch("no")
    fresh(stamp, now, "corner_shop")


def compares_bytes(request: WebhookRequest, at: Any, now: datetime) -> None:
    stamp = request.header(webhook.STAMP)
    try:
        given = bytes.fromhex(request.header(webhook.HEADER))
    except ValueError:
        raise SignatureMismatch("no") from None
    if request.header(webhook.HEADER) != request.header(webhook.HEADER).lower():  # one spelling only
        raise SignatureMismatch("no")
    signed = stamp.encode() + b"." + request.body
    if not any(hmac.compare_digest(given, hmac.digest(secret.encode(), signed, "sha256")) for secret in at.secrets):
        raise SignatureMismatch("no")
    fresh(stamp, now, "corner_shop")


def tells_times_of_its_own(request: WebhookRequest) -> None:
    datetime.fromtimestamp(0, UTC)
    datetime.strptime("2026", "%Y").replace(tzinfo=UTC)  # the zone is set
    time.gmtime(0)


def says_what_is_nobodys(request: WebhookRequest) -> None:
    log.info("read", extra={"fields": {"size_bytes": len(request.body)}})


def waits_for_the_limit(link: Link, path: str, body: Mapping[str, Any]) -> None:
    try:
        client.put(link, path, body)
    except PlatformThrottled as error:
        if error.retry_after_s is None:
            raise
        time.sleep(error.retry_after_s)
        client.put(link, path, body)


def tries_again_at_once(error: type[Exception]) -> Callable[[Link, str, Mapping[str, Any]], None]:
    def call(link: Link, path: str, body: Mapping[str, Any]) -> None:
        try:
            client.put(link, path, body)
        except error:
            time.sleep(30)
            client.put(link, path, body)

    return call


def done_already(status: int) -> Any:
    def call(link: Link, path: str, body: Mapping[str, Any]) -> None:
        try:
            client.put(link, path, body)
        except PlatformRejected as error:
            if error.http_status != status:
                raise

    return writes(call)


def raises_what_requests_raises_not(answer: requests.Response) -> None:
    if answer.status_code == 409:
        raise PlatformUnavailable("somebody else writes, too")


def reads_more(request: WebhookRequest, at: Any) -> Sequence[Event]:
    return tuple(webhook.read(request, at))


OTHER_WAYS: list[tuple[str, dict[str, Any]]] = [
    ("compares with the standard library", {"verify": compares_by_itself}),
    ("compares decoded bytes", {"verify": compares_bytes}),
    ("makes times that are not now", {"read": after(tells_times_of_its_own)}),
    ("logs what is nobody's", {"read": after(says_what_is_nobodys)}),
    ("gives a tuple", {"read": reads_more}),
    ("waits for the limit by itself", {"write_back": writes(waits_for_the_limit)}),
    ("tries once more after a 5xx", {"write_back": writes(tries_again_at_once(PlatformUnavailable))}),
    ("tries once more after a cut", {"write_back": writes(tries_again_at_once(PlatformUnreachable))}),
    ("takes a missing order for done", {"write_back": done_already(404)}),
    ("takes a conflict for done", {"write_back": done_already(409)}),
    ("leaves a conflict to the queue", {"write_back": answered(raises_what_requests_raises_not)}),
]


def tells_ids_only(request: WebhookRequest, at: Any) -> Sequence[Event]:
    return [replace(event, people={}, fetch={"order": event.subject}) for event in webhook.read(request, at)]


def completes(event: Event, link: Link) -> Event:
    found = client.call(link, "GET", "/orders").json()
    order = next(one["order"] for one in found if f"order/{one['order']['id']}" == event.subject)
    return replace(event, fetch={}, people={"customer": Person(phones=[order["phone"]])})


def asks_in_vain(event: Event, link: Link) -> Event:
    client.call(link, "GET", "/order/none")
    return event
