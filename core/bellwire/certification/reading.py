"""Are the documented samples read, and is anything else refused quickly?"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from bellwire.certification import bending
from bellwire.certification.kit import Kit
from bellwire.certification.rules import Level, Rule, claim
from bellwire.errors import PayloadInvalid
from bellwire.model import Event, WebhookRequest
from bellwire.testing import NOW

LIMIT_S = 1.0
BODY_MAX = 5 * 1024 * 1024  # what the intake lets through
_NUMBER = "+15550100199"

EMPTY: Mapping[str, bytes] = {"nothing": b"", "a space": b" ", "a line": b"\r\n"}

#: Bodies that no documentation shows. Each is read or refused with PayloadInvalid; nothing else may happen.
HOSTILE: Mapping[str, bytes] = {
    "half an object": b'{"id": 1, "na',
    "null": b"null",
    "true": b"true",
    "a number": b"7",
    "a text": b'"order"',
    "an empty list": b"[]",
    "an empty object": b"{}",
    "a list of nothing": b"[null, 5, [], {}]",
    "an event nobody knows": b'{"event": "thing.happened", "type": "thing.happened", "id": "1"}',
    "not UTF-8": b"\xff\xfe{}",
    "UTF-16": '{"id": 1}'.encode("utf-16"),
    "a NUL": b'{"id": "\\u0000", "phone": "\x00"}',
    "a lone surrogate": b'{"id": "\\ud800", "phone": "\\udfff"}',
    "not a number": b'{"id": NaN, "total": Infinity}',
    "a number of 100,000 digits": b'{"id": ' + b"9" * 100_000 + b"}",
    "nested 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "objects 50,000 deep": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a key a hundred times": b'{"id": 1' + b', "id": 2' * 100 + b"}",
    "a form": b"id=1&id=2&From=" + _NUMBER.encode() + b"&Body=hi",
    "ten thousand fields": b"&".join(b"a%d=b" % number for number in range(10_000)),
    "a page": b"<!doctype html><html><body>Bad gateway</body></html>",
    "billion laughs": b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>',
    "a file from outside": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "elements 20,000 deep": b"<a>" * 20_000 + b"</a>" * 20_000,
    "a phone number that is an object": b'{"id": 1, "phone": {"number": "+15550100199"}, "customer": [], "data": "x"}',
}
_TYPES = (
    "",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "image/png",
    "x/y; charset=utf-99",
)


def only_refuses(read: Callable[[WebhookRequest], object], request: WebhookRequest, label: str) -> object:
    """What is read, None when it is refused as it should be. Claims that nothing else happens, within the limit."""
    started = time.thread_time()
    found: object = None
    try:
        found = read(request)
    except PayloadInvalid:
        pass
    except Exception as e:
        raise AssertionError(f"{label}: raised {type(e).__name__} instead of PayloadInvalid") from e
    took = time.thread_time() - started
    claim(took < LIMIT_S, f"{label}: took {took:.1f} s")
    return found


def kinds(kit: Kit, most: int, *, skip: str = "_") -> list[WebhookRequest]:
    """One request for each kind of headers, spread over all there are: it is the headers that say how to read."""
    found: dict[tuple[tuple[str, str], ...], WebhookRequest] = {}
    for name, request in kit.requests:
        if not name.startswith(skip):
            found.setdefault(tuple(sorted((key, value) for key, value in request.headers.items() if "id" not in key)), request)
    all_kinds = list(found.values())
    step = max(1, len(all_kinds) // most)
    return all_kinds[::step][:most] or [WebhookRequest(headers={}, url="https://bellwire.example/x", received_at=NOW)]


def _refuses_all(kit: Kit, some: Mapping[str, bytes], *, large: int) -> None:
    for request in kinds(kit, large):
        for label, body in some.items():
            only_refuses(kit.read, replace(request, body=body), label)


def _samples(kit: Kit) -> None:
    claim(bool(kit.requests), "there is no sample")
    found = []
    for name, request in kit.requests:
        try:
            found.append(kit.read(request))
        except Exception as e:
            raise AssertionError(f"{name}: raised {type(e).__name__}") from e
    claim(any(found), "no sample gives an event")


def _unserved(kit: Kit) -> None:
    claim(any(not events for events in kit.events.values()), "no sample shows an event that is not served, or it is not ignored")


def _types(kit: Kit) -> None:
    for name, events in kit.events.items():
        strange = sorted({event.type for event in events} - set(kit.connector.events))
        claim(not strange, f"{name}: {', '.join(strange)} stands not in `events`")


def _shape(kit: Kit) -> None:
    for name, events in kit.events.items():
        ids = [event.id for event in events]
        claim(all(ids), f"{name}: an event has no id")
        claim(len(set(ids)) == len(ids), f"{name}: two events have one id")
        for event in events:
            plain(event, name)
            floats = [key for key, value in event.data.items() if isinstance(value, float)]
            claim(not floats, f"{name}: {', '.join(floats)} is a float; money is a decimal string")


def plain(event: Event, name: str) -> None:
    """Claim that an event can be stored: aware times, JSON that UTF-8 can write, phones as texts."""
    claim(event.occurred_at.tzinfo is not None, f"{name}: occurred_at has no zone")
    try:
        json.dumps([dict(event.data), event.subject, event.id, event.fact], allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as e:
        raise AssertionError(f"{name}: data can't be stored ({type(e).__name__})") from e
    phones = [phone for person in event.people.values() for phone in person.phones]
    claim(all(isinstance(phone, str) and phone for phone in phones), f"{name}: a phone is no text")


def _pure(kit: Kit) -> None:
    for name, request in kit.requests:
        claim(kit.read(request) == kit.read(request), f"{name}: read twice it gives two different things")


def _no_clock(kit: Kit) -> None:
    kit.events  # noqa: B018  # what is imported on the first read is imported now
    with kit.watch().clock() as seen:
        for _, request in kit.requests:
            kit.read(request)
    claim(
        not seen.clocks,
        f"the clock was read: {', '.join(sorted(set(seen.clocks))[:3])}; take received_at, or the platform's own time",
    )


def _no_network(kit: Kit) -> None:
    with kit.watch().network() as seen:
        for name, request in kit.requests:
            try:
                kit.read(request)
            except OSError as e:
                raise AssertionError(f"{name}: called {', '.join(seen.addresses) or 'out'} while reading") from e
    claim(not seen.addresses, f"reading called {', '.join(sorted(set(seen.addresses)))}; leave it to `enrich`")


def _bent(kit: Kit) -> None:
    some = [(name, request) for name, request in kit.requests if request.body]
    each = max(1, kit.scale.bent // max(1, len(some)))
    for name, request in some:
        for what, bent in bending.bodies(request, each, name):
            found = only_refuses(kit.read, bent, f"{name}, {what}")
            for event in found if isinstance(found, Sequence) else ():
                plain(event, f"{name}, {what}")


def _content_type(kit: Kit) -> None:
    for request in kinds(kit, kit.scale.kinds):
        for kind in _TYPES:
            only_refuses(kit.read, replace(request, headers={**request.headers, "content-type": kind}), f"content-type {kind!r}")
        only_refuses(kit.read, replace(request, headers={}), "no headers at all")


def _large(kit: Kit) -> None:
    for request in kinds(kit, kit.scale.large):
        for label, body in large_bodies(request.body):
            only_refuses(kit.read, replace(request, body=body), label)


def large_bodies(body: bytes) -> Iterator[tuple[str, bytes]]:
    """The body with so much more in it that it has 5 MB."""
    room = BODY_MAX - len(body) - 64
    if body.rstrip().endswith(b"}") and len(body) > 2:
        yield "5 MB in one more field", body.rstrip()[:-1] + b', "more": "' + b"a" * room + b'"}'
    yield "5 MB of spaces", body + b" " * room


RULES = (
    Rule("samples", Level.BRONZE, "Every documented sample is read, and at least one is an event.", _samples),
    Rule("unknown-event", Level.BRONZE, "An event that is not served is ignored; a sample shows one.", _unserved),
    Rule("event-types", Level.BRONZE, "Events are of the types that the connector announces.", _types),
    Rule("event-shape", Level.BRONZE, "Events have ids, aware times, plain data, and money as decimal text.", _shape),
    Rule("pure", Level.BRONZE, "The same request gives the same events.", _pure, needs=("samples",)),
    Rule("no-clock", Level.BRONZE, "Reading looks at no clock.", _no_clock, needs=("samples", "pure")),
    Rule("no-network", Level.BRONZE, "Reading calls nobody.", _no_network, needs=("samples",)),
    Rule(
        "empty-body",
        Level.BRONZE,
        "An empty body is refused or ignored.",
        lambda kit: _refuses_all(kit, EMPTY, large=kit.scale.kinds),
    ),
    Rule(
        "not-the-format",
        Level.BRONZE,
        "A body in another format, hostile ones among them, is refused or ignored within a second.",
        lambda kit: _refuses_all(kit, HOSTILE, large=kit.scale.kinds),
    ),
    Rule(
        "content-type", Level.BRONZE, "A wrong content type, or no header at all, does no harm.", _content_type, needs=("samples",)
    ),
    Rule("large-body", Level.BRONZE, "A body of 5 MB is read or refused within a second.", _large, needs=("samples",)),
    Rule(
        "bent-bodies",
        Level.BRONZE,
        "A sample with keys missing, types changed, huge numbers, deep nesting or odd letters is read or refused.",
        _bent,
        needs=("samples", "event-shape"),
    ),
)
