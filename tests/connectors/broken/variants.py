"""The corner shop broken in one way each, with the one rule that must say so."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import corner_shop
import requests
from bellwire import (
    CheckResult,
    ConsentChange,
    CredentialField,
    Event,
    HttpReply,
    Link,
    PayloadInvalid,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
    PlatformUnreachable,
    SignatureMismatch,
    StatusChange,
    WebhookRequest,
)
from bellwire.signing import fresh, hmac_hex, require
from bellwire.testing import SECRET
from corner_shop import client, webhook
from corner_shop.client import judge, note_path, once

log = logging.getLogger("corner_shop")
FIELDS = corner_shop.connector.fields
Verify = Callable[[WebhookRequest, Any, datetime], None]
Read = Callable[[WebhookRequest, Any], Sequence[Event]]


# -- who is believed ----------------------------------------------------------------------------------------------


def believes_nobody(*_: Any) -> None:
    raise SignatureMismatch("no")


def believes_all(*_: Any) -> None: ...


def believes_any_signature(request: WebhookRequest, at: Any, now: datetime) -> None:
    try:
        webhook.verify(request, at, now)
    except SignatureMismatch:
        if not request.header(webhook.HEADER):
            raise


def compares_as_many_letters_as_came(request: WebhookRequest, at: Any, now: datetime) -> None:
    given = request.header(webhook.HEADER)
    require(given, [hmac_hex(secret, _signed(request))[: len(given)] for secret in at.secrets], "corner_shop")
    fresh(request.header(webhook.STAMP), now, "corner_shop")


def ignores_the_end_of_the_body(request: WebhookRequest, at: Any, now: datetime) -> None:
    webhook.verify(replace(request, body=request.body.removesuffix(b"x")), at, now)


def knows_a_secret_of_its_own(request: WebhookRequest, at: Any, now: datetime) -> None:
    from bellwire.certification.signatures import OTHER_SECRET

    webhook.verify(request, replace(at, secrets=(*at.secrets, OTHER_SECRET) if at.secrets else ()), now)


def takes_an_empty_secret(request: WebhookRequest, at: Any, now: datetime) -> None:
    if at.secrets:
        return webhook.verify(request, at, now)
    if request.header(webhook.HEADER) != hmac_hex("", _signed(request)):
        raise SignatureMismatch("no")
    return None


def knows_the_newest_secret_only(request: WebhookRequest, at: Any, now: datetime) -> None:
    webhook.verify(request, replace(at, secrets=at.secrets[:1]), now)


def looks_at_no_time(request: WebhookRequest, at: Any, now: datetime) -> None:
    stamp = request.header(webhook.STAMP)
    webhook.verify(request, at, datetime.fromtimestamp(int(stamp), UTC) if stamp.isdigit() else now)


def compares_with_equals(request: WebhookRequest, at: Any, now: datetime) -> None:
    given = request.header(webhook.HEADER)
    if given not in [hmac_hex(secret, _signed(request)) for secret in at.secrets]:
        raise SignatureMismatch("no")
    webhook.verify(request, at, now)


def compares_bytes_with_equals(request: WebhookRequest, at: Any, now: datetime) -> None:
    with suppress(ValueError):
        given = bytes.fromhex(request.header(webhook.HEADER).strip())
        if not any(given == bytes.fromhex(hmac_hex(secret, _signed(request))) for secret in at.secrets):
            raise SignatureMismatch("no")
    webhook.verify(request, at, now)


def _signed(request: WebhookRequest) -> bytes:
    return request.header(webhook.STAMP).encode() + b"." + request.body


# -- what is read -------------------------------------------------------------------------------------------------


def events(change: Callable[[Event, WebhookRequest], Event]) -> Read:
    """Reads well, then changes each event."""
    return lambda request, at: [change(event, request) for event in webhook.read(request, at)]


def before(look: Callable[[WebhookRequest], object]) -> Read:
    """Reads well, after having looked at the request in its own way."""

    def read(request: WebhookRequest, at: Any) -> Sequence[Event]:
        look(request)
        return webhook.read(request, at)

    return read


def after(look: Callable[[WebhookRequest], object]) -> Read:
    """Reads well, then looks at what it took for good."""

    def read(request: WebhookRequest, at: Any) -> Sequence[Event]:
        found = webhook.read(request, at)
        look(request)
        return found

    return read


def crashes_on(bad: Callable[[WebhookRequest], bool]) -> Callable[[WebhookRequest], object]:
    def look(request: WebhookRequest) -> None:
        if bad(request):
            raise AttributeError("'NoneType' object has no attribute 'strip'")

    return look


def refuses_the_edited(request: WebhookRequest, at: Any) -> Sequence[Event]:
    if b"order.edited" in request.body:
        raise RuntimeError("not today")
    return webhook.read(request, at)


def serves_doors(request: WebhookRequest, at: Any) -> Sequence[Event]:
    found = webhook.read(request, at)
    if not found and b"door.opened" in request.body:
        return [Event(id="door", type="order.updated", occurred_at=request.received_at, subject="order/door")]
    return found


def calls_home(_: WebhookRequest) -> None:
    with suppress(OSError):
        socket.create_connection(("192.0.2.1", 9), timeout=0.01).close()


def says_the_phone(request: WebhookRequest, at: Any) -> Sequence[Event]:
    found = webhook.read(request, at)
    for event in found:
        log.info("an order for %s", event.people["customer"].phones)
    return found


def says_the_secret(request: WebhookRequest, at: Any, now: datetime) -> None:
    log.debug("comparing", extra={"fields": {"secret": at.secrets[0] if at.secrets else ""}})
    webhook.verify(request, at, now)


def prints_the_phone(request: WebhookRequest, at: Any) -> Sequence[Event]:
    found = webhook.read(request, at)
    for event in found:
        print(event.people["customer"].phones)  # noqa: T201  # what the rule is for
    return found


def tells_the_secret(request: WebhookRequest, at: Any, now: datetime) -> None:
    try:
        webhook.verify(request, at, now)
    except SignatureMismatch:
        raise SignatureMismatch(f"not signed with {SECRET}") from None


def quotes_the_body(request: WebhookRequest, at: Any) -> Sequence[Event]:
    try:
        return webhook.read(request, at)
    except PayloadInvalid:
        raise PayloadInvalid("not +998901234567") from None


def says_it_is_today(event: Event, _: WebhookRequest) -> Event:
    return replace(event, data={**event.data, "read.on": datetime.now(UTC).date().isoformat()})


def says_the_seconds(event: Event, _: WebhookRequest) -> Event:
    return replace(event, data={**event.data, "read.year": time.gmtime().tm_year})


def numbers_them(event: Event, _: WebhookRequest) -> Event:
    numbers_them.count += 1  # type: ignore[attr-defined]  # the fault
    return replace(event, id=f"{event.id}-{numbers_them.count}")  # type: ignore[attr-defined]  # as above


numbers_them.count = 0  # type: ignore[attr-defined]  # as above


def believes_old_consent(event: Event, request: WebhookRequest) -> Event:
    people = {
        role: replace(person, consents=[replace(hint, at=request.received_at) for hint in person.consents])
        for role, person in event.people.items()
    }
    return replace(event, people=people)


def hears_no_refusal(event: Event, _: WebhookRequest) -> Event:
    people = {
        role: replace(person, consents=[hint for hint in person.consents if hint.state == "opted_in"])
        for role, person in event.people.items()
    }
    return replace(event, people=people)


def burns_time(request: WebhookRequest) -> None:
    ends = time.thread_time() + (0.012 if b"door.opened" in request.body else 0)
    while time.thread_time() < ends:
        pass


def answers_at_once(request: WebhookRequest, _: Any) -> HttpReply | None:
    return HttpReply() if b"order.placed" in request.body else None


# -- what is written ----------------------------------------------------------------------------------------------


def writes(call: Callable[[Link, str, Mapping[str, Any]], object], path: Callable[[StatusChange], str] = note_path) -> Any:
    """Writes statuses by its own way of calling."""

    def write_back(changes: Sequence[StatusChange], link: Link) -> None:
        for change in changes:
            call(link, path(change), {"text": str(change.status)})

    return write_back


def answered(what: Callable[[requests.Response], None], *, refresh: bool = True) -> Any:
    """Judges answers in its own way, first."""

    def call(link: Link, path: str, body: Mapping[str, Any]) -> None:
        def ask() -> requests.Response:
            return once(link, "PUT", path, body, str(link.installation.credentials.get("access_token")))

        answer = ask()
        if answer.status_code == 401 and refresh:
            token = str(link.installation.credentials.get("access_token"))
            link.renew(token, lambda installation: client.refreshed(installation, link))
            answer = ask()
        what(answer)
        judge(answer)

    return writes(call)


def on(status: int, error: Exception) -> Any:
    """Raises its own error for a status."""

    def look(answer: requests.Response) -> None:
        if answer.status_code == status:
            raise error

    return answered(look)


def quotes_the_answer(answer: requests.Response) -> None:
    if answer.status_code == 422:
        raise PlatformRejected(f"refused: {answer.text}")


def logs_the_answer(answer: requests.Response) -> None:
    if not answer.ok:
        log.warning("refused", extra={"fields": {"answer": answer.text}})


def loses_retry_after(answer: requests.Response) -> None:
    if answer.status_code == 429:
        raise PlatformThrottled("too fast", http_status=429)


def gives_up_on_a_silent_429(answer: requests.Response) -> None:
    if answer.status_code == 429 and "retry-after" not in answer.headers:
        raise PlatformRejected("too fast", http_status=429)


def sends_a_cut_write_again(link: Link, path: str, body: Mapping[str, Any]) -> None:
    try:
        client.put(link, path, body)
    except PlatformUnreachable:
        client.put(link, f"{path}-again", body)


def tries_a_refusal_again(link: Link, path: str, body: Mapping[str, Any]) -> None:
    for left in range(4, -1, -1):
        try:
            return client.put(link, path, body)
        except PlatformUnauthorized as error:
            if error.http_status != 403 or not left:
                raise
    return None


def refreshes_for_ever(link: Link, path: str, body: Mapping[str, Any]) -> None:
    client.call(link, "PUT", path, body, refreshes=6)


def refreshes_twice(link: Link, path: str, body: Mapping[str, Any]) -> None:
    try:
        client.call(link, "PUT", path, body, refreshes=0)
    except PlatformUnauthorized as error:
        if error.http_status != 401:
            raise
        for _ in range(2):
            seen = str(link.installation.credentials.get("access_token"))
            link.renew(seen, lambda installation: client.refreshed(installation, link))
        client.call(link, "PUT", path, body, refreshes=0)


def refreshes_alone(link: Link, path: str, body: Mapping[str, Any]) -> None:
    """Without the lease: each job fetches a token of its own."""
    token = str(link.installation.credentials.get("access_token") or "")
    answer = once(link, "PUT", path, body, token)
    if answer.status_code == 401:
        answer = once(link, "PUT", path, body, str(client.refreshed(link.installation, link)["access_token"]))
    judge(answer)


def asks_somebody_else_too(link: Link, path: str, body: Mapping[str, Any]) -> None:
    with suppress(requests.RequestException):
        link.http.get("https://statistics.example/", timeout=0.1)
    client.put(link, path, body)


def waits_by_itself(link: Link, path: str, body: Mapping[str, Any]) -> None:
    """Reads answers by a session without time-outs."""
    judge_own = requests.Session()
    judge_own.trust_env = False
    token = str(link.installation.credentials.get("access_token"))
    url = f"{link.installation.settings.get('base_url')}{path}"
    try:
        probe = judge_own.put(url, json=body, headers={"authorization": f"Bearer {token}"})
    except requests.RequestException as error:
        raise PlatformUnreachable(f"no answer ({type(error).__name__})") from None
    finally:
        judge_own.close()
    if probe.status_code == 401:
        link.renew(token, lambda installation: client.refreshed(installation, link))
        client.call(link, "PUT", path, body, refreshes=0)
    else:
        judge(probe)


tried: set[str] = set()


def remembers_a_cut(link: Link, path: str, body: Mapping[str, Any]) -> None:
    place = f"{link.installation.settings.get('base_url')}{path}"
    if place in tried:
        return
    try:
        client.put(link, path, body)
    except PlatformUnreachable:
        tried.add(place)
        raise


def under_a_new_name(change: StatusChange) -> str:
    return note_path(change, f"-{time.perf_counter_ns()}")


def knows_two_statuses(changes: Sequence[StatusChange], link: Link) -> None:
    for change in changes:
        text = {"delivered": "delivered", "failed": "failed"}[str(change.status)]
        client.put(link, note_path(change), {"text": text})


def writes_nothing(changes: Sequence[StatusChange], link: Link) -> None: ...


def has_itself_told(request: WebhookRequest, at: Any) -> Sequence[Event]:
    return [replace(event, fact="") for event in webhook.read(request, at)]


def dates_consent_now(change: ConsentChange, link: Link) -> None:
    client.write_consent(replace(change, at=link.now()), link)


def looks_for_nothing(link: Link, since: datetime) -> Sequence[Event]:
    client.subscribe(link)
    return []


def mends_nothing(link: Link, since: datetime) -> Sequence[Event]:
    keep, client.subscribe = client.subscribe, lambda _: None
    try:
        return client.reconcile(link, since)
    finally:
        client.subscribe = keep


def falls_over(link: Link) -> Sequence[CheckResult]:
    client.call(link, "GET", "/orders")
    return [CheckResult(name="token", ok=True)]


def body_of(request: WebhookRequest) -> Any:
    return json.loads(request.body)


#: The rule that must fail, what is broken, and the fields of the connector that are.
VARIANTS: list[tuple[str, str, dict[str, Any]]] = [
    ("contract", "has no title", {"title": ""}),
    ("signed", "believes nobody", {"verify": believes_nobody}),
    ("unsigned", "believes everybody", {"verify": believes_all}),
    ("mutated-signature", "accepts a bad signature", {"verify": believes_any_signature}),
    ("mutated-signature", "compares as many letters as came", {"verify": compares_as_many_letters_as_came}),
    ("changed-body", "does not sign all of the body", {"verify": ignores_the_end_of_the_body}),
    ("other-secret", "accepts another account's secret", {"verify": knows_a_secret_of_its_own}),
    ("no-secret", "accepts an empty secret", {"verify": takes_an_empty_secret}),
    ("two-secrets", "ignores the second secret", {"verify": knows_the_newest_secret_only}),
    ("stale", "accepts what is stale", {"verify": looks_at_no_time}),
    ("constant-time", "compares in variable time", {"verify": compares_with_equals}),
    ("constant-time", "compares decoded bytes in variable time", {"verify": compares_bytes_with_equals}),
    ("other-account", "takes one app's secret for every account", {"shared_secret": True}),
    ("samples", "crashes on a sample", {"read": refuses_the_edited}),
    ("unknown-event", "serves what it does not know", {"read": serves_doors}),
    ("event-types", "gives a type it did not announce", {"events": ["order.created", "customer.consent_changed"]}),
    ("event-shape", "gives money as a float", {"read": events(lambda event, _: replace(event, data={"order.total": 12.5}))}),
    ("event-shape", "gives an event without an id", {"read": events(lambda event, _: replace(event, id=""))}),
    ("pure", "gives another id each time", {"read": events(numbers_them)}),
    ("no-clock", "reads the clock", {"read": events(says_it_is_today)}),
    ("no-clock", "reads the clock by another door", {"read": events(says_the_seconds)}),
    ("no-network", "calls the network while reading", {"read": before(calls_home)}),
    ("empty-body", "crashes on an empty body", {"read": before(lambda request: request.body[0])}),
    ("not-the-format", "crashes on XML", {"read": before(crashes_on(lambda request: request.body.startswith(b"<a")))}),
    (
        "content-type",
        "believes the charset",
        {"read": before(lambda request: "".encode(request.header("content-type").partition("charset=")[2] or "utf-8"))},
    ),
    ("large-body", "crashes on 5 MB", {"read": before(crashes_on(lambda request: len(request.body) > 10**6))}),
    (
        "bent-bodies",
        "crashes on bent bodies",
        {"read": after(lambda request: body_of(request).get("note", {}).get("text", "").strip())},
    ),
    ("light-load", "imports its SDK on load", {"samples": "heavy_shop"}),
    ("quiet-errors", "puts a secret in an error", {"verify": tells_the_secret}),
    ("quiet-errors", "quotes a number in an error", {"read": quotes_the_body}),
    ("quiet-logs", "logs a phone", {"read": says_the_phone}),
    ("quiet-logs", "logs a secret", {"verify": says_the_secret}),
    ("quiet-logs", "prints a phone", {"read": prints_the_phone}),
    (
        "secret-fields",
        "shows what signs",
        {"fields": [CredentialField(name="signing_secret", help="x", secret=False), *FIELDS[1:]]},
    ),
    (
        "replayed",
        "takes the hour of arrival for the delivery",
        {"read": events(lambda event, request: replace(event, id=f"{event.id} {request.received_at}", fact=""))},
    ),
    ("after-commit", "answers before the commit", {"probe": answers_at_once}),
    ("write-back", "writes nothing", {"write_back": writes_nothing}),
    ("base-url", "calls somebody else, too", {"write_back": writes(asks_somebody_else_too)}),
    ("idempotent", "writes under a new name each time", {"write_back": writes(client.put, under_a_new_name)}),
    (
        "idempotent",
        "takes a reply twice",
        {
            "write_reply": lambda note, link: client.put(
                link, f"/{note.subject}/notes/{time.perf_counter_ns()}", {"text": note.text}
            )
        },
    ),
    ("every-status", "knows two statuses", {"write_back": knows_two_statuses}),
    ("refresh-once", "refreshes twice", {"write_back": writes(refreshes_twice)}),
    ("refresh-once", "never refreshes", {"write_back": answered(judge, refresh=False)}),
    ("refused-token", "tries a refused token for ever", {"write_back": writes(refreshes_for_ever)}),
    ("forbidden", "retries a 403", {"write_back": writes(tries_a_refusal_again)}),
    ("forbidden", "leaves a 403 to be retried", {"write_back": on(403, PlatformUnavailable("later"))}),
    ("missing", "leaves a 404 to be retried", {"write_back": on(404, PlatformUnavailable("later"))}),
    ("conflict", "crashes on a 409", {"write_back": on(409, KeyError("conflict"))}),
    ("throttled", "ignores Retry-After", {"write_back": answered(loses_retry_after)}),
    ("throttled-silently", "gives up on a 429 that says no time", {"write_back": answered(gives_up_on_a_silent_429)}),
    ("server-error", "gives up on 500", {"write_back": on(500, PlatformRejected("down"))}),
    ("cut-before", "forgets a write that never arrived", {"write_back": writes(remembers_a_cut)}),
    ("cut-after", "resends a cut write-back", {"write_back": writes(sends_a_cut_write_again)}),
    ("slow", "waits as long as it takes", {"write_back": writes(waits_by_itself)}),
    ("quiet-calls", "quotes an answer in an error", {"write_back": answered(quotes_the_answer)}),
    ("quiet-calls", "logs an answer", {"write_back": answered(logs_the_answer)}),
    (
        "sequence",
        "dedupes by the record's id",
        {"read": events(lambda event, _: replace(event, id=event.subject, fact=event.subject))},
    ),
    (
        "same-second",
        "dedupes by the second",
        {"read": events(lambda event, _: replace(event, fact=f"{event.type} {event.occurred_at:%c}"))},
    ),
    ("consent-in", "hears no opt-out", {"read": events(hears_no_refusal)}),
    ("stop-wins", "lets an older consent win", {"read": events(believes_old_consent)}),
    ("consent-out", "dates what it writes now", {"write_consent": dates_consent_now}),
    ("loop-guard", "loops", {"read": has_itself_told}),
    ("gap", "ignores what was missed", {"reconcile": looks_for_nothing}),
    ("subscriptions", "leaves deleted subscriptions be", {"reconcile": mends_nothing}),
    ("backlog", "sends for old events", {"read": events(lambda event, request: replace(event, occurred_at=request.received_at))}),
    ("one-refresh", "refreshes in each job", {"write_back": writes(refreshes_alone)}),
    ("check-tells", "falls over in its check", {"check": falls_over}),
    ("quick", "takes its time", {"read": before(burns_time)}),
]
